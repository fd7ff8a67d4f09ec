"""SMTP2GO: POST /v3/activity/search.

`vendor` answers requests, `search` says which parameters there are and what they find, `pages` how an answer is cut;
`log` holds an account's events and plans lives of mails, `data` makes them; `facts` is for the general tests.
"""

from sandbox.smtp2go.vendor import Smtp2go

__all__ = ["Smtp2go"]

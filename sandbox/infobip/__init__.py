"""Infobip: GET /email/1/logs and /email/4/logs.

`vendor` answers requests, `search` says which parameters there are and what they keep; `log` holds an account's mails
and plans how they end, `data` is what a mail looks like; `facts` is for the general tests.
"""

from sandbox.infobip.vendor import Infobip

__all__ = ["Infobip"]

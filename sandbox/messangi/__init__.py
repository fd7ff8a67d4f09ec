"""Messangi: GET /v3/mlog, the CSV report by e-mail, and the login.

`vendor` answers requests; `log` holds an account's messages of all channels; `report` writes the CSV and mails it;
`mailbox` is a real one for it to come to, which tests start and the player does not know; `facts` is for the general
tests.
"""

from sandbox.messangi.vendor import Messangi

__all__ = ["Messangi"]

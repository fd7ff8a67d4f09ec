"""JetEmail: GET /outbound/logs.

`vendor` answers requests, `search` says which parameters there are and what they keep; `log` holds an account's
messages and plans what happens to them, `data` is what a message looks like; `facts` is for the general tests.
"""

from sandbox.jetemail.vendor import JetEmail

__all__ = ["JetEmail"]

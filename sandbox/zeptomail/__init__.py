"""ZeptoMail: export jobs, GET /email, and Zoho's token endpoint.

`vendor` answers requests, `zoho` hands out tokens; `jobs` are the exports and `files` what they hand out, `emails` the
answers of GET /email; `log` holds what an account knows, `mail` is one mail and what becomes of it; `options` are the
vendor's; `facts` is for the general tests.
"""

from sandbox.zeptomail.vendor import ZeptoMail

__all__ = ["ZeptoMail"]

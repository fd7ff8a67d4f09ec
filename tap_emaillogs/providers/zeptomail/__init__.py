"""ZeptoMail (Zoho): export jobs of three logs, and GET /email.

https://www.zoho.com/zeptomail/help/api/export-logs.html; `docs/providers/zeptomail.md`
"""

from tap_emaillogs.providers.zeptomail.vendor import PROVIDER

__all__ = ["PROVIDER"]

"""Nothing secret and nobody's address in what the tap says about itself."""

from __future__ import annotations

import logging
import re
import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

_PART = r"[^\s<>\"'(),;:=?&/\\\[\]{}]+"
_ADDRESS = re.compile(rf'(?:{_PART}|"[^"\n]*")(?:@|%40)(?:{_PART}|\[[^\]\s]*\])')
_TOKEN = re.compile(r"(?i)\b(App|Basic|Bearer|IBSSO|Zoho-oauthtoken)\s+[A-Za-z0-9._~+/=-]{6,}")
_SHORTEST = 4
"""Shorter secrets are no secrets, and hiding them would make messages unreadable."""


class Redactor:
    """Takes known secrets, authorization values and e-mail addresses out of text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Learn more secrets, such as a token just received."""
        given = {secret for secret in secrets if len(secret) >= _SHORTEST}
        written = {form for secret in given for form in (secret, quote(secret, safe=""), quote_plus(secret))}
        known = {*self._secrets, *written}
        self._secrets = sorted(known, key=len, reverse=True)  # a secret that holds another goes first

    def __call__(self, text: str) -> str:
        """Return `text` with everything secret or personal replaced."""
        for secret in self._secrets:
            text = text.replace(secret, "[hidden]")
        text = _TOKEN.sub(r"\1 [hidden]", text)
        return _ADDRESS.sub("[address]", text)


class RedactingFilter(logging.Filter):
    """The last line of defence: whatever is logged, by whatever library, goes through the redactor."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the message, and the traceback beside it, by their redacted forms."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        if record.exc_info and record.exc_info[1] is not None:
            lines = traceback.format_exception(record.exc_info[1])
            record.exc_info, record.exc_text = None, None
            message += "\n" + "".join(lines).rstrip()
        record.msg, record.args = self._redact(message), None
        return True

"""Nothing secret and nobody's address in what the tap says about itself."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ADDRESS = re.compile(r"[^\s<>\"'(),;:=?&/\\\[\]{}]+(?:@|%40)[^\s<>\"'(),;:=?&/\\\[\]{}]+")
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
        known = {*self._secrets, *(secret for secret in secrets if len(secret) >= _SHORTEST)}
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
        """Replace the message by its redacted form."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        record.msg, record.args = self._redact(message), None
        return True

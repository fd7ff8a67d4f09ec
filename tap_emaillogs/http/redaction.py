"""Nothing secret and nobody's address in what the tap says about itself."""

from __future__ import annotations

import logging
import re
import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

_NO_PART = r"\s<>\"'(),;:=?&/\\\[\]{}"
_PART = rf"[^{_NO_PART}]+"
# A part is looked at from its beginning only, so that a long text without an address takes linear time.
_ADDRESS = re.compile(rf'(?:(?<![^{_NO_PART}]){_PART}|"[^"\n]*")(?:@|%40)(?:{_PART}|\[[^\]\s]{{0,255}}\]?)')
_SCHEMES = ("Basic", "Bearer")
"""Those that HTTP has for everybody; a vendor's own it names itself."""
_SHORTEST = 4
"""Shorter secrets are no secrets, and hiding them would make messages unreadable."""


class Redactor:
    """Takes known secrets, authorization values and e-mail addresses out of text.

    Args:
        secrets: What is known to be secret.
        schemes: Words that precede a token, as `Bearer` does, beside those of HTTP itself.
    """

    def __init__(self, secrets: Iterable[str] = (), schemes: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        self._schemes: set[str] = set()
        self.add(*secrets)
        self.add_schemes(*_SCHEMES, *schemes)

    def add_schemes(self, *schemes: str) -> None:
        """Learn more words that precede a token."""
        self._schemes.update(schemes)
        words = "|".join(map(re.escape, sorted(self._schemes)))
        self._token = re.compile(rf"(?i)\b({words})\s+[A-Za-z0-9._~+/=-]{{6,}}")

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
        text = self._token.sub(r"\1 [hidden]", text)
        return _ADDRESS.sub("[address]", text)

    def shortened(self, text: str, most: int) -> str:
        """Return the beginning of `text`, at most `most` characters, that ends within no secret and no word.

        What is cut off half would not be recognised, and so not hidden.
        """
        if len(text) <= most:
            return text
        for secret in self._secrets:
            place = text.find(secret, max(0, most - len(secret) + 1), most + len(secret) - 1)
            most = most if place < 0 else min(most, place)
        return text[:most].rpartition(" ")[0]


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

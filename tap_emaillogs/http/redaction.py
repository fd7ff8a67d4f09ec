"""Nothing secret and nobody's address in what the tap says about itself."""

from __future__ import annotations

import logging
import re
import traceback
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

from tap_emaillogs.http import disguises
from tap_emaillogs.http.encodings import Index, forms_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NO_PART = r"\s<>\"'(),;:=?&/\\\[\]{}"
_PART = rf"[^{_NO_PART}]+"
# A part is looked at from its beginning only, so that a long text without an address takes linear time.
_ADDRESS = re.compile(rf'(?:(?<![^{_NO_PART}]){_PART}|"[^"\n]*")(?:@|%40)(?:{_PART}|\[[^\]\s]{{0,255}}\]?)')
_SCHEMES = ("Basic", "Bearer")
"""Those that HTTP has for everybody; a vendor's own it names itself."""
_SHORTEST = 4
"""Shorter secrets are no secrets, and hiding them would make messages unreadable."""
_CONTROLS = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x2000, 0x2070), 0x61C, 0xFEFF, *range(0xFFF9, 0xFFFC))
    if unicodedata.category(chr(code)) in {"Cc", "Cf", "Zl", "Zp"} and chr(code) not in "\n\t"
} | {code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)}
"""What may drive a terminal, or show a text in another order than it has; half characters cannot be written at all."""


class Redactor:
    """Takes known secrets, authorization values and e-mail addresses out of text.

    Args:
        secrets: What is known to be secret.
        schemes: Words that precede a token, as `Bearer` does, beside those of HTTP itself.
    """

    def __init__(self, secrets: Iterable[str] = (), schemes: Iterable[str] = ()) -> None:
        self._secrets = Index()
        self._schemes: set[str] = set()
        self.add(*secrets, *_of_proxies())
        self.add_schemes(*_SCHEMES, *schemes)

    def add_schemes(self, *schemes: str) -> None:
        """Learn more words that precede a token."""
        self._schemes.update(schemes)
        words = "|".join(map(re.escape, sorted(self._schemes)))
        self._token = re.compile(rf"(?i)\b({words})\s+[A-Za-z0-9._~+/=-]{{6,}}")

    def add(self, *secrets: str) -> None:
        """Learn more secrets, such as a token just received."""
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                for form in forms_of(secret):
                    self._secrets.add(form)

    def __call__(self, text: str) -> str:
        """Return `text` with everything secret or personal replaced, and fit for a terminal."""
        text = _replaced(text, disguises.secrets(text, self._secrets.spans), "[hidden]")
        text = self._token.sub(r"\1 [hidden]", text)
        return _replaced(text, disguises.addresses(text, _addresses), "[address]").translate(_CONTROLS)

    def shortened(self, text: str, most: int) -> str:
        """Return the beginning of `text`, some `most` characters, that ends within no secret and no word.

        What is cut off half would not be recognised, and so not hidden.
        """
        if len(text) <= most:
            return text
        near = text[: 2 * most]
        found = disguises.secrets(near, self._secrets.spans) + disguises.addresses(near, _addresses)
        cut = min((start for start, end in found if end >= most), default=most)
        words = text[: min(cut, most)].rsplit(None, 1)
        return words[0] if len(words) > 1 else ""


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in _ADDRESS.finditer(text))


def _replaced(text: str, spans: Iterable[tuple[int, int]], instead: str) -> str:
    parts, after = [], 0
    for start, end in spans:
        parts += [text[after:start], instead]
        after = end
    return "".join([*parts, text[after:]])


def _of_proxies() -> Iterator[str]:
    """Yield what the environment says in secret of the proxies that requests go through."""
    for address in getproxies().values():
        try:
            password = urlsplit(address).password
        except ValueError:  # no address: requests will say so
            continue
        if password:
            yield from {password, unquote(password)}


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

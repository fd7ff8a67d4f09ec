"""The forms in which a secret may come back: escaped or encoded, whole or within something longer.

In any case: looked for without regard to it.
"""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from tap_emaillogs.formats.escapes import certain_in_base64

if TYPE_CHECKING:
    from collections.abc import Iterator


def forms_of(secret: str) -> Iterator[str]:
    """Yield a secret as it is, and as others may write it."""
    content = secret.encode("utf-8", "surrogatepass")
    yield secret
    for safe in ("", "/"):
        yield from (quote(content, safe), quote_plus(content, safe), quote(quote(content, safe), ""))
    for ascii_only in (True, False):
        inside = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield from (inside, inside.replace("/", "\\/"), json.dumps(inside)[1:-1])
    yield from (html.escape(secret), repr(secret)[1:-1])
    yield from (content.hex(), content.hex(" "), content.hex(":"))
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(content).decode()
        yield from (whole, whole.rstrip("="), quote(whole, safe=""))
        for before in range(3):
            yield certain_in_base64(encode(bytes(before) + content).decode(), before, len(content))


class Index:
    """Finds any of many texts in another one, in any case, in a time that does not grow with their number."""

    _WIDTH = 4
    """So many characters are looked up; shorter texts are not found."""

    def __init__(self) -> None:
        self._by_start: dict[str, list[str]] = {}

    def add(self, text: str) -> None:
        """Look for one more text."""
        folded = _folded(text)
        if len(folded) < self._WIDTH:
            return
        known = self._by_start.setdefault(folded[: self._WIDTH], [])
        if folded not in known:
            known.append(folded)
            known.sort(key=len, reverse=True)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of all that is found; what overlaps is one."""
        folded, starts, width = _folded(text), self._by_start, self._WIDTH
        begin = end = -1
        for place in range(len(folded) - width + 1):
            known = starts.get(folded[place : place + width])
            if known is None:
                continue
            found = next((len(one) for one in known if folded.startswith(one, place)), 0)
            if not found:
                continue
            if place >= end:
                if end > 0:
                    yield begin, end
                begin = place
            end = max(end, place + found)
        if end > 0:
            yield begin, end


def _folded(text: str) -> str:
    """Return a text in lower case, each character in its place."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(min(one.lower(), one, key=len) for one in text)

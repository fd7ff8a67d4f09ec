"""What others wrote (servers, vendors, whoever named an account) without what may be about one person."""

from __future__ import annotations

import re

HIDDEN = "…"
_PIECES = [
    r"[\w.+'-]*\s?\(at\)\s?[\w.-]*|[\w.+'-]*\s?\[at\]\s?[\w.-]*",
    r"[^\s<>(),;:]*(?:[@\uFF20\uFE6B]|%40|=40|&#64;)[^\s<>(),;:]*",
    r"(?:[a-z][a-z0-9+.-]*://|www\.)[^\s<>()]*",
    r"\"[^\"]*\"?|“[^”]*”?|«[^»]*»?|`[^`']*[`']|(?<!\w)'[^']*'(?!\w)",
    r"(?<![\w.])(?:\+|00)\d[\d\s()./-]{5,}\d",
    r"(?<![\w.-])\(?0\d[\d\s()/-]{5,}\d|(?<![\w.-])\d{3}[ .-]\d{3,4}[ .-]\d{3,4}(?![\w.])",
]
"""Addresses, links, quoted pieces, telephone numbers."""
_PRIVATE = re.compile("|".join(_PIECES), re.IGNORECASE)
_MORE = re.compile(r"(?:…[\s<>]*){2,}")


def shown(text: str | None) -> str:
    """Return a text as the page may show it."""
    return _MORE.sub("… ", _PRIVATE.sub(HIDDEN, text or "")).strip()

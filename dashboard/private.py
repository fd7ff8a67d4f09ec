"""What others wrote (servers, vendors, whoever named an account) without what may be about one person."""

from __future__ import annotations

import html
import re
import unicodedata

HIDDEN = "…"
LONGEST = 160
"""Letters of a text that are shown. The models cut reasons there too, maybe within an address: the last word goes."""
_AT = r"(?:[@\uFF20\uFE6B]|%(?:25)*40|=40)"
_QUOTES = [('"', '"'), ("„", "“”"), ("“", "”"), ("«", "»"), ("\u2039", "\u203a"), ("「", "」"), ("\u2018", "\u2019")]
_PIECES = [
    r"[\w.+'-]*\s?[(\[{]at[)\]}]\s?[\w.-]*|[\w.+'-]+(?:\sat\s|_at_)(?:[\w-]+\.)+[\w-]+",
    rf"[^\s<>(),;:]+\s{_AT}[^\s<>(),;:]*|[^\s<>(),;:]*{_AT}[^\s<>(),;:]*",
    r"(?:[a-z][a-z0-9+.-]*://|www\.|(?:[\w-]+\.)+[a-z]{2,}/)[^\s<>()]*",
    "|".join(f"{opening}[^{closing}]*[{closing}]?" for opening, closing in _QUOTES),
    r"`[^`']*[`']|(?<!\w)'[^']*'(?!\w)",
    r"(?<![\w.])(?:\+|00)\d[\d\s()./-]*(?:<number>|[\d\s()./-]{5}\d)",
    r"(?<![\w.-])\(?0\d[\d\s()/-]{5,}\d|(?<![\w.-])\d{3}[ .-]\d{3,4}[ .-]\d{3,4}(?![\w.])",
]
"""Addresses, links, quoted pieces, telephone numbers."""
_PRIVATE = re.compile("|".join(_PIECES), re.IGNORECASE)
_MORE = re.compile(r"(?:…[\s<>]*){2,}")


def shown(text: str | None) -> str:
    """Return a text as the page may show it, on one line and without marks that would turn the page's own words."""
    plain = html.unescape((text or "")[: 2 * LONGEST])
    plain = " ".join("".join(one if _is_plain(one) else " " for one in plain).split())
    if len(plain) >= LONGEST:
        plain = f"{plain[:LONGEST].rpartition(' ')[0]} {HIDDEN}"
    return _MORE.sub("… ", _PRIVATE.sub(HIDDEN, plain)).strip()


def _is_plain(letter: str) -> bool:
    """Whether it is no control character and no mark of a text's direction."""
    return unicodedata.category(letter) not in {"Cc", "Cf", "Cs"}

"""Replacing a known value in a text where it stands for itself, not in the middle of something longer.

In time linear in the text, and without a pattern made for each value: there are as many values as recipients.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable

CACHED_LENGTH = 400
"""Longer texts are cached nowhere: they seldom repeat, and a cache of them would take much memory."""


def cached(function: Callable[..., Any], size: int = 1 << 12) -> Callable[..., Any]:
    """Remember what a function makes of the last few thousand short texts, its first argument."""
    remembered = lru_cache(maxsize=size)(function)

    def call(text: str, *rest: Any) -> Any:
        return remembered(text, *rest) if len(text) <= CACHED_LENGTH else function(text, *rest)

    return call


@dataclass(frozen=True, slots=True)
class Whole:
    """Where a value may stand: not after `before`, one character, and not before `after`.

    With `fold`, the text may have it in another case; the value itself is in lower case.
    """

    before: str
    after: str
    fold: bool = False

    def replace(self, text: str, value: str, instead: str) -> str:
        """Return the text with `instead` wherever the value stands."""
        if self.fold and not (text.isascii() and value.isascii()):  # beyond ASCII, cases may differ in length
            pattern = rf"(?<!{self.before}){re.escape(value)}(?!{self.after})"
            return re.sub(pattern, lambda _: instead, text, flags=re.IGNORECASE)
        before, after = re.compile(self.before).match, re.compile(self.after).match
        within, value = (text.lower(), value.lower()) if self.fold else (text, value)
        parts: list[str] = []
        done, start = 0, within.find(value)
        while start >= 0:
            end = start + len(value)
            if (start and before(text, start - 1)) or after(text, end):
                start = within.find(value, start + 1)
                continue
            parts += text[done:start], instead
            done, start = end, within.find(value, end)
        return "".join([*parts, text[done:]]) if parts else text


ADDRESS = Whole(before=r"[\w.+-]", after=r"[\w-]|\.\w", fold=True)
ADDRESS_IN_ID = Whole(before=r"[\w.-]", after=r"\w", fold=True)
"""In a return path too: `bounce+ann=example.com@sender.example`."""
_IPV4 = Whole(before=r"\d", after=r"\d|\.\d")
_IPV6 = Whole(before="[0-9A-Fa-f:]", after=r"[0-9A-Fa-f:]|\.\d")
_NOTHING = r"(?!)"


def replace_ip(text: str, ip: str, instead: str) -> str:
    """Replace an IP address, and no part of a longer one."""
    return (_IPV6 if ":" in ip else _IPV4).replace(text, ip, instead)


def replace_words(text: str, words: str, instead: str) -> str:
    """Replace words, where they are no part of longer ones."""
    before = r"\w" if words[0].isalnum() else _NOTHING
    after = r"\w" if words[-1].isalnum() else _NOTHING
    return Whole(before, after).replace(text, words, instead)


def _in_links(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((quote(text), quote(text, safe=""), quote_plus(text))))


in_links = cached(_in_links, 1 << 10)
"""Return the forms that a text may have inside a link."""


@lru_cache(maxsize=1 << 12)
def in_ids(address: str) -> tuple[str, ...]:
    """Return the forms that a bare address in lower case may have in an id, a return path, or a link there."""
    name, _, host = address.rpartition("@")
    return (address, f"{name}={host}", quote(address).lower()) if name else ()

"""Finding known values in a text where each stands for itself, not in the middle of something longer.

However many values there are: rows may have ten thousand recipients, and texts of a megabyte.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Fits = Callable[[str, int, int, str], bool]
    """(text, start, end, value) → whether the value may stand there."""

_TOKEN = re.compile(r"[^\W_]+|[\W_]")
FEW = 8
"""So many values are looked for one by one, where none is longer than `_SHORT`."""
_SHORT = 128
_DECISIVE = 64
"""So many tokens of a value are compared; a text that has them has the value."""


class Found(NamedTuple):
    """A value in a text."""

    start: int
    end: int
    value: str
    """What was given for it."""


class Finder:
    """Finds values in texts, in time that grows with the text, whatever the values are.

    Values and text are taken apart into tokens, words and single other characters; the values are a trie of these.

    Args:
        values: What to find, each with what `Found.value` tells of it.
        fits: Where a value may stand.
    """

    def __init__(self, values: Mapping[str, str], fits: Fits) -> None:
        self._fits, self._values = fits, values
        self._one_by_one = len(values) <= FEW and max(map(len, values), default=0) <= _SHORT
        self._root: dict[str, dict[str, object]] = {}
        if not self._one_by_one:
            for text, value in values.items():
                self._add(text, value)

    def _add(self, text: str, value: str) -> None:
        node: dict[str, object] = self._root  # type: ignore[assignment] # of nodes; a leaf is under ""
        for number, token in enumerate(_TOKEN.finditer(text)):
            if number == _DECISIVE:
                break
            node = node.setdefault(token.group(), {})  # type: ignore[assignment] # likewise
        leaf = node.get("")
        if leaf is None or len(text) > len(leaf[0]):  # type: ignore[index] # a pair
            node[""] = text, value

    def find(self, text: str) -> list[Found]:
        """Return the values in a text from left to right, of those that begin at one place the longest that fits."""
        return self._few_in(text) if self._one_by_one else list(self._all_in(text))

    def _few_in(self, text: str) -> list[Found]:
        found = []
        for one, value in self._values.items():
            start = text.find(one)
            while start >= 0:
                end = start + len(one)
                fits = self._fits(text, start, end, one)
                if fits:
                    found.append(Found(start, end, value))
                start = text.find(one, end if fits else start + 1)
        return merged(found)

    def _all_in(self, text: str) -> Iterator[Found]:
        root, fits = self._root, self._fits
        tokens = _TOKEN.findall(text)
        start = done = 0
        for number, token in enumerate(tokens):
            if start >= done and token in root:
                node: dict[str, object] = root[token]
                place, best = number + 1, None
                while True:
                    leaf: tuple[str, str] | None = node.get("")  # type: ignore[assignment]
                    if leaf is not None:
                        end = min(start + len(leaf[0]), len(text))
                        if fits(text, start, end, leaf[0]):
                            best = Found(start, end, leaf[1])
                    if place == len(tokens) or (following := node.get(tokens[place])) is None:
                        break
                    node, place = following, place + 1  # type: ignore[assignment]
                if best is not None:
                    done = best.end
                    yield best
            start += len(token)


def between(before: str, after: str) -> Fits:
    """Return what lets a value stand not after `before`, one character, and not before `after`."""
    bad_before, bad_after = re.compile(before).match, re.compile(after).match

    def fits(text: str, start: int, end: int, _: str) -> bool:
        return not (start and bad_before(text, start - 1)) and not bad_after(text, end)

    return fits


ADDRESS = between(r"[\w.+-]", r"[\w-]|\.\w")
_IN_ID = between(r"[\w.-]", r"\w")
_NUMBER = between(r"\d", r"\d")


def in_id(text: str, start: int, end: int, value: str) -> bool:
    """Let an address stand in a return path too (`bounce+ann=example.com@sender.example`), a number in any text."""
    return (_IN_ID if "@" in value or "=" in value else _NUMBER)(text, start, end, value)


_WORD = re.compile(r"\w").match


def words(text: str, start: int, end: int, value: str) -> bool:
    """Let words stand where they are no part of longer ones."""
    if start and value[0].isalnum() and _WORD(text, start - 1):
        return False
    return not (value[-1].isalnum() and _WORD(text, end))


def merged(found: Iterable[Found]) -> list[Found]:
    """Return what was found, sorted, without overlaps: of two that touch the same place the first stands for both."""
    kept: list[Found] = []
    several = list(found)
    if len(several) < 2:
        return several
    for one in sorted(several, key=lambda found: (found.start, -found.end)):
        if kept and one.start < kept[-1].end:
            kept[-1] = kept[-1]._replace(end=max(one.end, kept[-1].end))
        else:
            kept.append(one)
    return kept


def folded(text: str) -> str:
    """Return a text in lower case, each character in its place."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := one.lower()) == 1 else one for one in text)

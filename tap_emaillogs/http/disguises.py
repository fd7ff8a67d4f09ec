"""Where addresses and secrets stand in a text of which parts are escaped, broken by the ends of lines, or packed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tap_emaillogs.formats.escapes import ESCAPE_IN_LINE, ESCAPE_OR_BREAK, Plain, from_base64, may_be_escaped, undone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Span = tuple[int, int]
    """Start and end."""

_LONG = 8
"""Fewer characters on both sides of the end of a line are no secret: words would be hidden."""
_BASE64 = re.compile(r"([A-Za-z0-9+/_-]{8,})={0,2}")
_HEX = re.compile(r"[0-9A-Fa-f]{12,}|(?:[0-9A-Fa-f]{2}[ :-]){5,}[0-9A-Fa-f]{2}")
_NAME, _LABEL = rb"A-Za-z0-9.!#$%*+^_`|~-", rb"A-Za-z0-9-"
_ADDRESS = re.compile(rb"(?<![%b])[%b]++@[%b]++(?:\.[%b]++)*?\.[A-Za-z]{2}[.%b]*+" % (_NAME, _NAME, *[_LABEL] * 3))
"""An address with a domain of several labels; less may be found in whatever is decoded."""
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


def secrets(text: str, find: Callable[[str], Iterable[Span]]) -> list[Span]:
    """Return where `find` finds secrets in a text, plainly or disguised."""
    found = [*find(text)]
    if may_be_escaped(text):
        plain = undone(text, ESCAPE_IN_LINE)
        found += _stood(plain, find(plain.text))
    if _has_breaks(text):
        plain = undone(text, ESCAPE_OR_BREAK)
        found += _stood(plain, (one for one in find(plain.text) if one[1] - one[0] >= _LONG))
    return _merged(found)


def addresses(text: str, find: Callable[[str], Iterable[Span]]) -> list[Span]:
    """Return where `find` finds addresses in a text, plainly or escaped, and where they stand in base64 or hex."""
    found, plain = [*find(text)], Plain(text, (0,), ((0, len(text)),))
    if may_be_escaped(text):
        plain = undone(text, ESCAPE_IN_LINE)
        # What is not escaped has been found as it is.
        found += [
            place
            for one, place in ((one, plain.span(*one)) for one in find(plain.text))
            if text[slice(*place)] != plain.text[slice(*one)]
        ]
    if _has_breaks(text):
        plain = undone(text, ESCAPE_OR_BREAK)
    found += _stood(plain, _packed(plain.text))
    return _merged(found)


def _has_breaks(text: str) -> bool:
    return "\n" in text or "\\n" in text


def _stood(plain: Plain, found: Iterable[Span]) -> Iterator[Span]:
    return (plain.span(start, end) for start, end in found)


def _packed(text: str) -> Iterator[Span]:
    """Yield where addresses stand in base64, at each of the places where a byte may begin, and in hex."""
    for run in _BASE64.finditer(text):
        for shift in range(4):
            for start, end in _in_bytes(from_base64(run[1][shift:])):
                last = run.start() + shift + -(-end * 8 // 6)
                yield run.start() + shift + start * 8 // 6, last if last < run.end(1) else run.end()
    for run in _HEX.finditer(text) if "40" in text else ():
        width = 3 if run.group()[2] in " :-" else 2
        for shift in range(2 if width == 2 else 1):
            digits = re.sub("[ :-]", "", run.group()[shift:])
            for start, end in _in_bytes(bytes.fromhex(digits[: len(digits) // 2 * 2])):
                first = run.start() + shift
                yield first + width * start, first + width * end - (width - 2)


def _in_bytes(data: bytes) -> Iterator[Span]:
    if b"@" not in data:
        return
    if not data.isascii():
        try:
            data.decode()
        except ValueError:
            pass
        else:
            data = _BEYOND_ASCII.sub(b"x", data)
    for match in _ADDRESS.finditer(data):
        yield match.span()


def _merged(found: list[Span]) -> list[Span]:
    """Return places from left to right, of those that overlap one."""
    kept: list[Span] = []
    for start, end in sorted(found):
        if kept and start < kept[-1][1]:
            kept[-1] = kept[-1][0], max(end, kept[-1][1])
        else:
            kept.append((start, end))
    return kept

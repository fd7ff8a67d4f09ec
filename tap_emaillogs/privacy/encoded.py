"""Finding known values in a text in which they stand encoded, as mails, links and their trackers write them.

Escapes (percent, entities, backslashes, quoted-printable, encoded words, folded lines, characters that nobody sees) are
undone, each with its place in the text. Base64 and hex are decoded wherever an `@` may be in them: at each of the
places where a byte may begin, since a token may stand inside a longer one.
"""

from __future__ import annotations

import binascii
import re
from itertools import chain
from typing import TYPE_CHECKING

from tap_emaillogs.formats.caching import cached
from tap_emaillogs.formats.escapes import ESCAPE, ESCAPE_OF_MIME, certain_in_base64, from_base64, undone
from tap_emaillogs.privacy.finding import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from re import Match

    from tap_emaillogs.formats.escapes import Plain

    Find = Callable[[str], Iterable[Found]]
    """Finds values in a plain text."""

_AT_AS_40 = re.compile(r"(?:[%=]|25|\\x|\\[uU]\{?0*|#[xX]0*)40")
_AT_IN_BASE64 = re.compile(r"[A-P](?<=Q[A-P]|[EUk0][A-D]|[BFJNRVZdhlptx159]A)")
"""The ways in which base64 writes a byte 0x40 before one below 0x80."""
_AT_IN_HEX = re.compile(r"[2-7][0-9A-Fa-f]40[2-7][0-9A-Fa-f]")
_RUN = re.compile(r"[A-Za-z0-9+/_-]++(?:(?:[ \t\r]*+\n\s*+|(?:\\++r)?+\\++n)[A-Za-z0-9+/_-]++)*+")
"""Base64, in lines too, also of a text within JSON."""
_HEX = re.compile(r"[0-9A-Fa-f]{10,}")
_SHORTEST = 7
"""Fewer characters of base64 hold no address."""
_LINE = re.compile(r"(?:(?<=\\)[rn])?+([A-Za-z0-9+/_-]++)")
_BREAK = re.compile(r"\s+|(?<!\\)\\++(?:[rn]|u000[ADad])|%(?:25)*0[ADad]|&#(?:1[03]|[xX]0?[ADad]);?")


def may_hold_at(text: str) -> bool:
    """Whether an escaped `@` may be in a text; False is certain."""
    if "40" in text and _AT_AS_40.search(text):
        return True
    return "=?" in text or ("&" in text and ("64" in text or "&commat" in text))


def may_be_packed(text: str) -> bool:
    """Whether a text with an `@` may stand in another one as base64 or hex; False is certain."""
    if _AT_IN_BASE64.search(text) is not None or ("40" in text and _AT_IN_HEX.search(text) is not None):
        return True
    return _may_be_in_lines(text) and _AT_IN_BASE64.search(_BREAK.sub("", text)) is not None


def marks(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return what a text has in which one of these addresses stands as base64 or hex, its domain in lower case."""
    found: tuple[str, ...] = ()
    for address in addresses:
        found += _marks(address.rpartition("@")[2]) if "@" in address else ()
    return found


def has_one(text: str, marks: Iterable[str]) -> bool:
    """Whether one of `marks` stands in a text, perhaps in several lines."""
    for mark in marks:
        if mark in text:
            return True
    if marks and _may_be_in_lines(text):
        joined = _BREAK.sub("", text)
        return any(mark in joined for mark in marks)
    return False


def _may_be_in_lines(text: str) -> bool:
    return "\n" in text or "\\" in text or "%0" in text or "%25" in text or "&#" in text


@cached
def _marks(host: str) -> tuple[str, ...]:
    data = f"@{host}".encode("utf-8", "replace")
    found = [data[:9].hex(), data[:9].hex().upper()]
    for shift in range(3):
        text = binascii.b2a_base64(bytes(shift) + data, newline=False).decode()
        found.append(certain_in_base64(text, shift, len(data)))
    return tuple(found)


def escaped(text: str, find: Find, *, blanks: bool = False) -> Iterator[Found]:
    """Yield values that stand in a text with escapes; with `blanks`, `+` may be one, as in links."""
    texts = [text, text.replace("+", " ")] if blanks and "+" in text else [text]
    for one in texts:
        for pattern in (ESCAPE, ESCAPE_OF_MIME) if "=" in text else (ESCAPE,):
            plain = undone(one, pattern)
            if len(plain.begins) > 1 or one is not text:
                yield from _placed(plain, find(plain.text))


def packed(text: str, find: Find) -> Iterator[Found]:
    """Yield values with an `@` that stand in a text as base64 or hex."""
    plain = undone(text, ESCAPE)
    for run in _RUN.finditer(plain.text):
        if len(run.group()) >= _SHORTEST:
            yield from _placed(plain, _in_base64(run, find))
    if "40" in plain.text:
        for run in _HEX.finditer(plain.text):
            if "40" in run.group():
                yield from _placed(plain, _in_hex(run, find))


def _placed(plain: Plain, found: Iterable[Found]) -> Iterator[Found]:
    for one in found:
        yield Found(*plain.span(one.start, one.end), one.value)


def _in_base64(run: Match[str], find: Find) -> Iterator[Found]:
    lines = [(run.start() + line.start(1), line[1]) for line in _LINE.finditer(run.group())]
    yield from _in_lines(lines, find)
    if len(lines) > 1:
        # What stands above or below may be no part of it.
        for block in _blocks(lines):
            if len(block) < len(lines):
                yield from _in_lines(block, find)
        for line in lines:
            yield from _in_lines([line], find)


def _blocks(lines: list[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Yield lines that may have been one: equally long but for the last one."""
    block: list[tuple[int, str]] = []
    for line in lines:
        if block and not len(line[1]) <= len(block[0][1]) == len(block[-1][1]):
            yield block
            block = []
        block.append(line)
    yield block


def _in_lines(lines: list[tuple[int, str]], find: Find) -> Iterator[Found]:
    """Find values in base64 that is given in lines, each with its place."""
    text = "".join(line for _, line in lines)
    if _AT_IN_BASE64.search(text) is None:
        return
    places: list[int] = []
    for shift in range(4):
        data = from_base64(text[shift:])
        if b"@" not in data:
            continue
        for one in _in_bytes(data, find):
            places = places or list(chain.from_iterable(range(at, at + len(line)) for at, line in lines))
            start, end = shift + one.start * 8 // 6, min(shift + -(-one.end * 8 // 6), len(text))
            yield Found(places[start], places[end - 1] + 1, one.value)


def _in_hex(run: Match[str], find: Find) -> Iterator[Found]:
    text = run.group()
    for shift in range(2):
        data = bytes.fromhex(text[shift : len(text) - (len(text) - shift) % 2])
        if b"@" in data:
            for one in _in_bytes(data, find):
                yield Found(run.start() + shift + 2 * one.start, run.start() + shift + 2 * one.end, one.value)


def _in_bytes(data: bytes, find: Find) -> Iterator[Found]:
    """Find values in bytes; one beyond ASCII stands for all of them."""
    yield from find(data.decode("ascii", "replace"))
    if not data.isascii():
        for one in find(data.decode("utf-8", "replace")):
            yield Found(0, len(data), one.value)
            return

"""Undoing escapes: percent, entities, backslashes, quoted-printable, encoded words, broken lines, what nobody sees.

Each piece is undone with its place in the text, so that what is found in the plain text can be replaced in the other.
"""

from __future__ import annotations

import binascii
import codecs
import html
import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from re import Match

_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
)
_ESCAPES = (
    r"(?P<percent>(?:%(?:25)*[0-9A-Fa-f]{2})+)|(?P<entity>&(?:amp;)*(?:\#(?:\d{1,7}|[xX][0-9A-Fa-f]{1,6});?|[a-zA-Z]{2,8};))"
    r"|(?P<backslash>(?<!\\)\\++(?:[uU]\{?0{0,4}[0-9A-Fa-f]{4}\}?|x[0-9A-Fa-f]{2}))"
    rf"|(?P<unseen>[{_INVISIBLE}])"
)
_FOLDED = r"(?P<folded>\r?\n[ \t]+)"
_BROKEN = r"(?P<broken>\r?\n\s*+|(?:\\r)?\\n)"
_MIME = (
    r"(?P<word>=\?[^?\s]{1,60}\?[bBqQ]\?[^?\r\n]*\?=(?:\s+(?==\?))?)|(?P<quoted>(?:=[0-9A-Fa-f]{2})+)|(?P<soft>=\r?\n)"
)
ESCAPE_IN_LINE = re.compile(_ESCAPES)
ESCAPE = re.compile(f"{_ESCAPES}|{_FOLDED}")
ESCAPE_OR_BREAK = re.compile(f"{_ESCAPES}|{_BROKEN}")
"""Where lines may end anywhere, also those of a text within JSON."""
ESCAPE_OF_MIME = re.compile(f"{_MIME}|{_ESCAPES}|{_FOLDED}")
_TWICE = re.compile(r"%(?:25)+(?=[0-9A-Fa-f]{2})")
_WORD = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?\r\n]*)\?=")
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape"})
"""What Python decodes too and no mail is written in; the first two take the time of the square."""
_HEX_BYTES = re.compile(r"(?:=[0-9A-Fa-f]{2})+")
_SIGNS = tuple(
    (sign, re.compile(pattern))
    for sign, pattern in (
        ("%", "%[0-9A-Fa-f]{2}"),
        ("=", r"=(?:[0-9A-Fa-f]{2}|\?|\r?\n)"),
        ("&", "&(?:#|[a-z]{2,8};)"),
        ("\\", r"\\[uUx]"),
        ("\n", r"\n[ \t]"),
    )
)
"""By what an escape begins with: what it looks like."""
_UNSEEN = re.compile(f"[{_INVISIBLE}]")
_STANDARD = str.maketrans("-_", "+/")


def may_be_escaped(text: str) -> bool:
    """Whether escapes may be in a text; False is certain."""
    ascii_only = text.isascii()
    if ascii_only and not ("%" in text or "=" in text or "&" in text or "\\" in text or "\n" in text):
        return False
    for sign, pattern in _SIGNS:
        if sign in text and pattern.search(text):
            return True
    return not ascii_only and _UNSEEN.search(text) is not None


class Plain(NamedTuple):
    """A text whose escapes are undone, and where its characters stood."""

    text: str
    begins: Sequence[int] = (0,)
    """Where its pieces begin: in turn a literal one and what an escape stands for."""
    stood: Sequence[tuple[int, int]] = ((0, 0),)
    """Where each piece stood in the text."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where a part of the plain text stood."""
        first, last = bisect_right(self.begins, start) - 1, bisect_right(self.begins, end - 1) - 1
        begin = self.stood[first][0] + (0 if first % 2 else start - self.begins[first])
        return begin, self.stood[last][1] if last % 2 else self.stood[last][0] + end - self.begins[last]


def undone(text: str, pattern: re.Pattern[str]) -> Plain:
    """Return a text without what one of the patterns above finds."""
    pieces: list[str] = []
    stood: list[tuple[int, int]] = []
    done = 0
    for match in pattern.finditer(text):
        start, end = match.span()
        pieces += text[done:start], _meaning(match)
        stood += (done, start), (start, end)
        done = end
    pieces.append(text[done:])
    stood.append((done, len(text)))
    return Plain("".join(pieces), [0, *accumulate(map(len, pieces[:-1]))], stood)


def _meaning(match: Match[str]) -> str:
    """Return what an escape stands for."""
    kind, text = match.lastgroup, match.group()
    if kind == "percent":
        return unquote_to_bytes(_TWICE.sub("%", text)).decode("utf-8", "replace")
    if kind == "entity":
        return html.unescape(f"&{text.replace('amp;', '')[1:].rstrip(';')};")
    if kind == "backslash":
        number = int(re.sub(r"[^0-9A-Fa-f]", "", text), 16)
        return chr(number) if number < 0xD800 or 0xDFFF < number < 0x110000 else "\ufffd"
    if kind == "quoted":
        return bytes.fromhex(text.replace("=", "")).decode("utf-8", "replace")
    return _word(text) if kind == "word" else ""


def _word(text: str) -> str:
    """Return what an encoded word of a header stands for."""
    match = _WORD.match(text)
    if match is None:
        return ""
    charset, way, content = match.groups()
    if way in "bB":
        data = from_base64(content)
    else:
        plain = content.replace("_", " ").encode("utf-8", "replace").decode("latin-1")
        plain = _HEX_BYTES.sub(lambda one: bytes.fromhex(one.group().replace("=", "")).decode("latin-1"), plain)
        data = plain.encode("latin-1")
    try:
        codec = codecs.lookup(charset.partition("*")[0]).name
        return data.decode("latin-1" if codec in _NO_CHARSETS else codec, "replace")
    except (LookupError, ValueError):
        return data.decode("latin-1")


def certain_in_base64(text: str, before: int, size: int) -> str:
    """Return the characters of a text in base64 that hold bits of nothing but `size` bytes after `before` others."""
    return text[-(-before * 8 // 6) : (before + size) * 8 // 6]


def from_base64(text: str) -> bytes:
    """Return what stands in base64, whichever alphabet, padded or not; nothing where it cannot be read."""
    text = text.translate(_STANDARD).rstrip("=")
    try:
        return binascii.a2b_base64((text + "A" * (-len(text) % 4)).encode("ascii", "ignore"))
    except binascii.Error:
        return b""

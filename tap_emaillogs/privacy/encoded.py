"""Finding known values in a text in which they stand encoded, as mails, links and their trackers write them.

Escapes (percent, entities, backslashes, quoted-printable, encoded words, folded lines, characters that nobody sees) are
undone, each with its place in the text. Base64 and hex are decoded wherever an `@` may be in them: at each of the
places where a byte may begin, since a token may stand inside a longer one.
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

from tap_emaillogs.formats.caching import cached
from tap_emaillogs.privacy.finding import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from re import Match

    Find = Callable[[str], Iterable[Found]]
    """Finds values in a plain text."""

_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
)
_ESCAPES = (
    r"(?P<percent>(?:%(?:25)*[0-9A-Fa-f]{2})+)|(?P<entity>&(?:amp;)*(?:\#(?:\d{1,7}|[xX][0-9A-Fa-f]{1,6});?|[a-zA-Z]{2,8};))"
    r"|(?P<backslash>(?<!\\)\\++(?:[uU]\{?0{0,4}[0-9A-Fa-f]{4}\}?|x[0-9A-Fa-f]{2}))"
    rf"|(?P<nothing>[{_INVISIBLE}]|\r?\n[ \t]+)"
)
_MIME = (
    r"(?P<word>=\?[^?\s]{1,60}\?[bBqQ]\?[^?\r\n]*\?=(?:\s+(?==\?))?)|(?P<quoted>(?:=[0-9A-Fa-f]{2})+)|(?P<soft>=\r?\n)"
)
_ESCAPE = re.compile(_ESCAPES)
_ESCAPE_OF_MIME = re.compile(f"{_MIME}|{_ESCAPES}")
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
_AT_AS_40 = re.compile(r"(?:[%=]|25|\\x|\\[uU]\{?0*|#[xX]0*)40")
_AT_IN_BASE64 = re.compile(r"[A-P](?<=Q[A-P]|[EUk0][A-D]|[BFJNRVZdhlptx159]A)")
"""The ways in which base64 writes a byte 0x40 before one below 0x80."""
_AT_IN_HEX = re.compile(r"[2-7][0-9A-Fa-f]40[2-7][0-9A-Fa-f]")
_RUN = re.compile(r"[A-Za-z0-9+/_-]{7,}(?:\r?\n[A-Za-z0-9+/_-]+)*")
_HEX = re.compile(r"[0-9A-Fa-f]{10,}")
_BREAKS = re.compile(r"[\r\n]+")
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


def may_hold_at(text: str) -> bool:
    """Whether an escaped `@` may be in a text; False is certain."""
    if "40" in text and _AT_AS_40.search(text):
        return True
    return "=?" in text or ("&" in text and ("64" in text or "&commat" in text))


def may_be_packed(text: str) -> bool:
    """Whether a text with an `@` may stand in another one as base64 or hex; False is certain."""
    return _AT_IN_BASE64.search(text) is not None or ("40" in text and _AT_IN_HEX.search(text) is not None)


def marks(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return what a text has in which one of these addresses stands as base64 or hex, its domain in lower case."""
    found: tuple[str, ...] = ()
    for address in addresses:
        found += _marks(address.rpartition("@")[2]) if "@" in address else ()
    return found


@cached
def _marks(host: str) -> tuple[str, ...]:
    data = f"@{host}".encode("utf-8", "replace")
    found = [data[:9].hex(), data[:9].hex().upper()]
    for shift in range(3):
        text = binascii.b2a_base64(bytes(shift) + data, newline=False).decode()
        # Without the characters that hold bits of what stands before or behind.
        found.append(text[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6])
    return tuple(found)


class _Plain(NamedTuple):
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


def escaped(text: str, find: Find, *, blanks: bool = False) -> Iterator[Found]:
    """Yield values that stand in a text with escapes; with `blanks`, `+` may be one, as in links."""
    texts = [text, text.replace("+", " ")] if blanks and "+" in text else [text]
    for one in texts:
        for pattern in (_ESCAPE, _ESCAPE_OF_MIME) if "=" in text else (_ESCAPE,):
            plain = _undone(one, pattern)
            if len(plain.begins) > 1 or one is not text:
                yield from _placed(plain, find(plain.text))


def packed(text: str, find: Find) -> Iterator[Found]:
    """Yield values with an `@` that stand in a text as base64 or hex."""
    plain = _undone(text, _ESCAPE)
    for run in _RUN.finditer(plain.text):
        if _AT_IN_BASE64.search(run.group()):
            yield from _placed(plain, _in_base64(run, find))
    if "40" in plain.text:
        for run in _HEX.finditer(plain.text):
            if "40" in run.group():
                yield from _placed(plain, _in_hex(run, find))


def _placed(plain: _Plain, found: Iterable[Found]) -> Iterator[Found]:
    for one in found:
        yield Found(*plain.span(one.start, one.end), one.value)


def _undone(text: str, pattern: re.Pattern[str]) -> _Plain:
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
    return _Plain("".join(pieces), [0, *accumulate(map(len, pieces[:-1]))], stood)


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
        data = _base64(content)
    else:
        plain = content.replace("_", " ").encode("utf-8", "replace").decode("latin-1")
        plain = _HEX_BYTES.sub(lambda one: bytes.fromhex(one.group().replace("=", "")).decode("latin-1"), plain)
        data = plain.encode("latin-1")
    try:
        codec = codecs.lookup(charset.partition("*")[0]).name
        return data.decode("latin-1" if codec in _NO_CHARSETS else codec, "replace")
    except (LookupError, ValueError):
        return data.decode("latin-1")


def _base64(text: str) -> bytes:
    text = text.translate(_STANDARD).rstrip("=")
    try:
        return binascii.a2b_base64((text + "A" * (-len(text) % 4)).encode("ascii", "ignore"))
    except binascii.Error:
        return b""


def _in_base64(run: Match[str], find: Find) -> Iterator[Found]:
    text, places = run.group(), None
    if "\n" in text:
        places = [place for place, one in enumerate(text) if one not in "\r\n"]
        text = _BREAKS.sub("", text)
    for shift in range(4):
        data = _base64(text[shift:])
        if b"@" not in data:
            continue
        for one in _in_bytes(data, find):
            start = shift + one.start * 8 // 6
            end = min(shift + -(-one.end * 8 // 6), len(text))
            if places:
                start, end = places[start], places[end - 1] + 1
            yield Found(run.start() + start, run.start() + end, one.value)


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

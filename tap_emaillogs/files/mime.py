"""The parts of a mail, found in one pass and in bounded memory; any bytes may come.

Not the standard library's parser: that one holds a mail several times over, takes quadratic time for parts in parts,
and ends in a RecursionError where they are many. Headers, which are short, are left to it.
"""

from __future__ import annotations

import binascii
import re
import string
import sys
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header
from email.parser import BytesParser
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

_LONGEST_LINE = 1 << 16
_LONGEST_HEADER = 1 << 18
"""Bytes of all header lines of a part."""
LONGEST_VALUE = 1 << 12
"""Characters of a header line that are looked into; what the library does with them takes quadratic time."""
_DEEPEST = 25
_MOST_PARTS = 250
_NO_HEADER_LINE = re.compile(rb"(?!From |[\x21-\x39\x3b-\x7e]*:|[\t ])")
_BASE64 = string.ascii_letters.encode() + string.digits.encode() + b"+/="
_BLANK = b" \t\r\n"
_CHARSETS = re.compile(
    r"(?i)utf-?8|us-ascii|ascii|iso-?8859-\d{1,2}|latin-?1|(?:windows|cp)-?12\d\d|koi8-[ru]|gbk|big5"
)
"""Those in which names and subjects are read; there are others that take quadratic time, such as Punycode."""
HEADER_FAULTS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, MessageError)
"""What the library raises on a malformed header."""


class UnreadableMail(Exception):
    """A mail of a kind that no honest sender makes; `str()` says what is wrong, in words that hold nothing of it."""


class DamagedPart(Exception):
    """A part whose encoding is broken."""


@dataclass(frozen=True)
class Part:
    """A part of a mail that holds no others, or the header of a mail inside of the mail."""

    header: Message
    start: int
    """Where its body begins, in bytes from the mail's first one."""
    end: int
    closed: bool
    """Whether a boundary, or else the mail's end, where there are no boundaries, shows that the body is whole."""

    @property
    def content_type(self) -> str:
        """Its type in lower case, `text/csv`; `text/plain` where it names none or an impossible one."""
        return content_type(self.header)

    @property
    def file_name(self) -> str:
        """The name of an attachment, decoded; empty: it has none."""
        try:
            name = self.header.get_filename("") if _is_short(self.header) else ""
        except HEADER_FAULTS:
            return ""
        return words(str(name))

    def body(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield its decoded content piece by piece.

        Raises:
            DamagedPart: It is no base64 although it says so.
        """
        encoding = value(self.header, "Content-Transfer-Encoding").strip().lower()
        if encoding == "quoted-printable":
            return map(binascii.a2b_qp, _lines(file, self.start, self.end))
        pieces = _pieces(file, self.start, self.end)
        return _from_base64(pieces) if encoding == "base64" else pieces


def parts(file: BinaryIO) -> list[Part]:
    """Return the parts of a mail, in their order; the first one's header is the mail's own where it has but one part.

    Raises:
        UnreadableMail: There are too many, one inside of the other too often, or their headers are too long.
    """
    return _Walk().through(file)


def top_header(file: BinaryIO) -> Message:
    """Return the header of a mail.

    Raises:
        UnreadableMail: It is too long.
    """
    collected = bytearray()
    for line in _lines(file, 0, None):
        if not line.strip(b"\r\n") or _NO_HEADER_LINE.match(line):
            break
        _collect(collected, line)
    return _parsed(collected)


def value(header: Message, name: str) -> str:
    """Return the first header line of a name, or its beginning where it is too long; empty: there is none."""
    try:
        return str(header.get(name, ""))[:LONGEST_VALUE]
    except HEADER_FAULTS:
        return ""


def content_type(header: Message) -> str:
    """Return the type that a header names, in lower case."""
    given = value(header, "Content-Type").partition(";")[0].strip().lower()
    return given if given.count("/") == 1 else "text/plain"


def words(text: str) -> str:
    """Decode the encoded words (`=?utf-8?Q?…?=`) of a header's value, as far as that is possible."""
    text = text[:LONGEST_VALUE]
    try:
        return "".join(
            piece if isinstance(piece, str) else piece.decode(_codec(charset), "replace")
            for piece, charset in decode_header(text)
        )
    except HEADER_FAULTS:
        return text


def _codec(charset: str | None) -> str:
    return charset if charset and _CHARSETS.fullmatch(charset) else "utf-8"


class _Walk:
    """One pass over a mail: which boundaries are open, and what is being read."""

    def __init__(self) -> None:
        self._found: list[Part] = []
        self._levels: list[bytes | None] = []
        """What is open: the boundary of a part of several, None for a mail inside of the mail."""
        self._open: dict[bytes, int] = {}
        """By boundary, the level that it closes."""
        self._header: bytearray | None = bytearray()
        """The header that is being read."""
        self._leaf: tuple[Message, int] | None = None
        """The part that is being read and where it begins."""

    def through(self, file: BinaryIO) -> list[Part]:
        """Read a mail to its end."""
        at, line_end, is_start = 0, 0, True
        for line in _lines(file, 0, None):
            if not (is_start and self._open and line.startswith(b"--") and self._is_boundary(line, at - line_end)):
                self._take(line, at)
            at += len(line)
            is_start = line.endswith(b"\n")
            line_end = 2 if line.endswith(b"\r\n") else int(is_start)
        if self._header is not None:
            self._begin(at)
        self._end(at, closed=not self._open)
        return self._found

    def _is_boundary(self, line: bytes, body_end: int) -> bool:
        """Close what a line closes, if it is a boundary at all."""
        name = line[2:].rstrip(b" \t\r\n")
        level = self._open.get(name)
        is_last = level is None and name.endswith(b"--")
        if is_last:
            level = self._open.get(name[:-2])
        if level is None:
            return False
        if self._header is not None:  # a header without a body
            self._begin(body_end)
        self._end(body_end, closed=True)
        for boundary in self._levels[level + (not is_last) :]:
            if boundary is not None:
                del self._open[boundary]
        del self._levels[level + (not is_last) :]
        self._header = None if is_last else bytearray()
        return True

    def _take(self, line: bytes, at: int) -> None:
        """Take a line that is no boundary."""
        if self._header is None:
            return
        if not line.strip(b"\r\n"):
            self._begin(at + len(line))
        elif _NO_HEADER_LINE.match(line):
            self._begin(at)
        else:
            _collect(self._header, line)

    def _begin(self, at: int) -> None:
        """Begin the body of a part, now that its header is known."""
        assert self._header is not None
        header, self._header = _parsed(self._header), None
        kind = content_type(header)
        boundary = _boundary(header) if kind.startswith("multipart/") else None
        if boundary is not None:
            # Where a part has the boundary of one around it, that one's lines close both.
            self._levels.append(None if boundary in self._open else boundary)
            self._open.setdefault(boundary, len(self._levels) - 1)
        elif kind == "message/rfc822" and "base64" not in value(header, "Content-Transfer-Encoding").lower():
            self._note(Part(header, at, at, closed=True))
            self._levels.append(None)
            self._header = bytearray()
        else:
            self._leaf = header, at
        if len(self._levels) > _DEEPEST:
            raise UnreadableMail(f"it has more than {_DEEPEST} parts inside of each other")

    def _end(self, at: int, *, closed: bool) -> None:
        if self._leaf is not None:
            header, start = self._leaf
            self._note(Part(header, start, max(start, at), closed))
            self._leaf = None

    def _note(self, part: Part) -> None:
        self._found.append(part)
        if len(self._found) > _MOST_PARTS:
            raise UnreadableMail(f"it has more than {_MOST_PARTS} parts")


def _lines(file: BinaryIO, start: int, end: int | None) -> Iterator[bytes]:
    """Yield the lines of a stretch of a file with their ends; one that is too long comes in pieces."""
    file.seek(start)
    left = sys.maxsize if end is None else end - start
    while line := file.readline(min(_LONGEST_LINE, left)):
        left -= len(line)
        yield line


def _pieces(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    """Yield a stretch of a file."""
    file.seek(start)
    left = end - start
    while piece := file.read(min(_LONGEST_LINE, left)):
        left -= len(piece)
        yield piece


def _collect(header: bytearray, line: bytes) -> None:
    header += line
    if len(header) > _LONGEST_HEADER:
        raise UnreadableMail(f"it has a header of more than {_LONGEST_HEADER:,} bytes")


def _parsed(header: bytearray) -> Message:
    return BytesParser().parsebytes(bytes(header), headersonly=True)


def _is_short(header: Message) -> bool:
    return all(len(str(header.get(name, ""))) <= LONGEST_VALUE for name in ("Content-Type", "Content-Disposition"))


def _boundary(header: Message) -> bytes | None:
    try:
        given = header.get_boundary() if _is_short(header) else None
    except HEADER_FAULTS:
        return None
    return None if given is None else given.encode("utf-8", "surrogateescape")


def _from_base64(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest, ended = b"", False
    for piece in pieces:
        data = piece.translate(None, _BLANK)
        if data and (ended or data.translate(None, _BASE64)):
            raise DamagedPart
        text, padding, more = (rest + data).partition(b"=")
        if more.strip(b"="):
            raise DamagedPart
        ended = ended or bool(padding)
        whole = len(text) - len(text) % 4
        yield binascii.a2b_base64(text[:whole])
        rest = text[whole:]
    if len(rest) == 1:
        raise DamagedPart
    yield binascii.a2b_base64(rest.ljust(4, b"=") if rest else b"")

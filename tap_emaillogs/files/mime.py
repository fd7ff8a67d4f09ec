"""The parts of a mail, found in one pass and in bounded memory; any bytes may come.

Not the standard library's parser: that one holds a mail several times over, takes quadratic time for parts in parts,
and ends in a RecursionError where they are many. Headers, which are short, are left to it.
"""

from __future__ import annotations

import binascii
import io
import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from tap_emaillogs.files import mail_headers as headers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

_LONGEST_LINE = 1 << 16
_LONGEST_HEADER, _LONGEST_HEADERS = 1 << 18, 1 << 20
"""Bytes of the header lines of a part, and of all parts."""
_DEEPEST = 25
_MOST_PARTS = 250
_MOST_DASHES = 100_000
_NO_HEADER_LINE = re.compile(rb"(?!From |[\x21-\x39\x3b-\x7e]*:|[\t ])")
_BASE64 = string.ascii_letters.encode() + string.digits.encode() + b"+/="
_BLANK = b" \t\r\n"


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
    """Whether a boundary shows that the body is whole."""

    @property
    def content_type(self) -> str:
        """Its type in lower case, `text/csv`; `text/plain` where it names none or an impossible one."""
        return headers.content_type(self.header)

    @property
    def file_name(self) -> str:
        """The name of an attachment, decoded; empty: it has none."""
        return headers.file_name(self.header)

    def body(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield its decoded content piece by piece.

        Raises:
            DamagedPart: It is no base64 although it says so.
        """
        encoding = headers.value(self.header, "Content-Transfer-Encoding").strip().lower()
        if encoding == "quoted-printable":
            return map(binascii.a2b_qp, _pieces(file, self.start, self.end, whole_lines=True))
        pieces = _pieces(file, self.start, self.end)
        return _from_base64(pieces) if encoding == "base64" else pieces


def parts(file: BinaryIO) -> list[Part]:
    """Return the parts of a mail, in their order; the first one's header is the mail's own where it has but one part.

    Raises:
        UnreadableMail: There are too many, one inside of the other too often, or their headers are too long.
    """
    return _Walk(file).through()


def top_header(file: BinaryIO) -> Message:
    """Return the header of a mail.

    Raises:
        UnreadableMail: It is too long.
    """
    collected = bytearray()
    is_start = True
    for line in _lines(file, 0):
        if is_start and _ends_header(line):
            break
        _collect(collected, line)
        is_start = line.endswith(b"\n")
    return headers.parsed(collected)


class _Walk:
    """One pass over a mail: which boundaries are open, and what is being read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        self._found: list[Part] = []
        self._levels: list[bytes | None] = []
        """What is open: the boundary of a part of several, None for a mail inside of the mail."""
        self._open: dict[bytes, int] = {}
        """By boundary, the level that it closes."""
        self._header: bytearray | None = bytearray()
        """The header that is being read."""
        self._headers = self._dashes = 0
        """Bytes of all headers so far, and lines that might have been boundaries."""
        self._leaf: tuple[Message, int] | None = None
        """The part that is being read and where it begins."""

    def through(self) -> list[Part]:
        """Read the mail to its end."""
        at, line_end, is_start = 0, 0, True
        while at < self._size:
            if self._header is None:
                at, line_end = self._next_dashes(at - line_end)
                is_start = True
                if at >= self._size:
                    break
            self._file.seek(at)
            line = self._file.readline(_LONGEST_LINE)
            may_close = is_start and bool(self._open) and line.startswith(b"--")
            if not (may_close and self._is_boundary(line, at - line_end)):
                self._take(line, at, is_start=is_start)
            at += len(line)
            is_start = line.endswith(b"\n")
            line_end = 2 if line.endswith(b"\r\n") else int(is_start)
        if self._header is not None:
            self._begin(self._size)
        self._end(self._size, closed=False)
        return self._found

    def _next_dashes(self, at: int) -> tuple[int, int]:
        """Return where the next line begins that may be a boundary, and how long the line end before it is.

        `at` is where to look from, at the line end before the first line.
        """
        if not self._open:
            return self._size, 0
        self._dashes += 1
        if self._dashes > _MOST_DASHES:
            raise UnreadableMail(f"it has more than {_MOST_DASHES:,} lines like those between parts")
        self._file.seek(at)
        before = b"\n" if at == 0 else b""
        while piece := self._file.read(_LONGEST_LINE):
            data = before + piece
            place = data.find(b"\n--")
            if place >= 0:
                return at - len(before) + place + 1, 2 if data[:place].endswith(b"\r") else 1
            at += len(piece)
            before = data[-4:]
        return self._size, 0

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

    def _take(self, line: bytes, at: int, *, is_start: bool) -> None:
        """Take a line that is no boundary."""
        if self._header is None:
            return
        if is_start and _ends_header(line):
            self._begin(at if line.strip(b"\r\n") else at + len(line))
            return
        _collect(self._header, line)
        self._headers += len(line)
        if self._headers > _LONGEST_HEADERS:
            raise UnreadableMail(f"its headers have more than {_LONGEST_HEADERS:,} bytes")

    def _begin(self, at: int) -> None:
        """Begin the body of a part, now that its header is known."""
        assert self._header is not None
        header, self._header = headers.parsed(self._header), None
        kind = headers.content_type(header)
        boundary = headers.boundary(header) if kind.startswith("multipart/") else None
        if boundary is not None:
            # Where a part has the boundary of one around it, that one's lines close both.
            self._levels.append(None if boundary in self._open else boundary)
            self._open.setdefault(boundary, len(self._levels) - 1)
        elif kind == "message/rfc822" and "base64" not in headers.value(header, "Content-Transfer-Encoding").lower():
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


def _lines(file: BinaryIO, start: int) -> Iterator[bytes]:
    """Yield the lines of a file with their ends; one that is too long comes in pieces."""
    file.seek(start)
    while line := file.readline(_LONGEST_LINE):
        yield line


def _pieces(file: BinaryIO, start: int, end: int, *, whole_lines: bool = False) -> Iterator[bytes]:
    """Yield a stretch of a file; where they are wanted and not too long, in whole lines."""
    file.seek(start)
    left = end - start
    while piece := file.read(min(_LONGEST_LINE, left)):
        left -= len(piece)
        if whole_lines:
            rest = file.readline(min(_LONGEST_LINE, left))
            left -= len(rest)
            piece += rest
        yield piece


def _ends_header(line: bytes) -> bool:
    return not line.strip(b"\r\n") or bool(_NO_HEADER_LINE.match(line))


def _collect(header: bytearray, line: bytes) -> None:
    header += line
    if len(header) > _LONGEST_HEADER:
        raise UnreadableMail(f"it has a header of more than {_LONGEST_HEADER:,} bytes")


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
    if len(rest) == 1 or (rest and not ended):  # whoever writes base64 fills it up: it was cut
        raise DamagedPart
    yield binascii.a2b_base64(rest.ljust(4, b"=") if rest else b"")

"""Tables in files: CSV of every dialect, packed or not, row by row.

A file is read through once before its first row is handed out, so that a damaged or cut one gives none at all.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO

from tap_emaillogs.archives import Archive, BrokenFile, Limits, WrongPassword, open_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_DELIMITERS = ",;\t"
_LONGEST_LINE = 1 << 20
_LONGEST_FIELD = 16 << 20
_QUOTED = re.compile(r'"[^"]*"')
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_WORD = re.compile(r"\W+|_+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_END = "\x00"
"""A row that no file can hold, since NULs are taken out: it shows whether the last quote was closed."""


@lru_cache(maxsize=4096)
def snake_case(name: str) -> str:
    """Return a column's name as the tap writes it: `Mail Agent`, `mailAgent` and `MAIL-AGENT` are `mail_agent`."""
    parted = _WORD_ENDS.sub("_", name.replace("\x00", "").strip())
    return _NO_WORD.sub("_", parted).strip("_").lower()


def column_names(header: Sequence[str]) -> list[str]:
    """Return the columns' names in snake case; one that is taken gets `_2`, `_3`, one without a name `column_<n>`."""
    names: list[str] = []
    taken: set[str] = set()
    for number, title in enumerate(header, 1):
        name = base = snake_case(title) or f"column_{number}"
        place = 1
        while name in taken:
            place += 1
            name = f"{base}_{place}"
        taken.add(name)
        names.append(name)
    return names


@dataclass(frozen=True, slots=True)
class _Member:
    """One CSV and how it is to be read."""

    open: Callable[[], BinaryIO]
    encoding: str
    rows: int


class Table:
    """The rows of a file that was found to be whole."""

    def __init__(self, members: Sequence[_Member], *, encrypted: bool, ignored: int) -> None:
        self._members = members
        self.count = sum(member.rows for member in members)
        self.encrypted = encrypted
        """Whether a password opened it."""
        self.ignored = ignored
        """Files beside the tables, which were left alone."""

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield the rows as column to text; an empty cell is left out, one beyond the header is `column_<n>`."""
        for member in self._members:
            with io.TextIOWrapper(member.open(), encoding=member.encoding, newline="") as text:
                yield from _rows(text, sealed=True)


def open_table(
    file: BinaryIO,
    *,
    password: str | None = None,
    announced: int | None = None,
    limits: Limits | None = None,
) -> Table:
    """Read a seekable file through and return its rows, ready to be read again; the file must stay open till then.

    Takes a zip (plain, ZipCrypto, AES) with one or several CSV files, gzip, or bare CSV. A zip and gzip tell by
    themselves whether they are whole. Bare CSV does by the size `announced` for it, in bytes, or else by the line end
    of its last line; what is known to be whole by other means is given its own size as `announced`.

    Args:
        file: What was received; its first byte is the first of the file.
        password: Opens encrypted members; non-ASCII letters are tried in the encodings that zip programs use.
        announced: The size that the sender named, if any.
        limits: What the file may unpack to.

    Raises:
        BrokenFile: It is damaged, cut, no table, or more than `limits` allow.
        WrongPassword: It is encrypted, and the password does not open it.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    refusal: BrokenFile = WrongPassword("the file is encrypted, and the password does not open it")
    for attempt in _encoded(password):
        try:
            return _verified(open_archive(file, attempt, limits), file, announced)
        except WrongPassword as error:
            refusal = error
        except BrokenFile as error:
            # The old encryption notices one wrong password in 256 only by the rubbish that comes out.
            refusal = error
            if not attempt:
                raise
    raise refusal


def _encoded(password: str | None) -> list[bytes]:
    found = []
    for encoding in ("utf-8", "latin-1", "cp437"):
        try:
            found.append((password or "").encode(encoding))
        except UnicodeEncodeError:
            continue
    return list(dict.fromkeys(found))


def _verified(archive: Archive, file: BinaryIO, announced: int | None) -> Table:
    sealed = archive.sealed
    if not sealed and announced is not None:
        size = file.seek(0, io.SEEK_END)
        if size < announced:
            raise BrokenFile(f"the file has {size:,} bytes where {announced:,} were announced")
        sealed = size == announced
    members = [_verified_member(opener, sealed=sealed) for opener in archive.members]
    return Table(members, encrypted=archive.encrypted, ignored=archive.ignored)


def _verified_member(opener: Callable[[], BinaryIO], *, sealed: bool) -> _Member:
    with opener() as start:
        marks = start.read(2)
    encodings = ("utf-16",) if marks in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "latin-1")
    for encoding in encodings:
        try:
            with io.TextIOWrapper(opener(), encoding=encoding, newline="") as text:
                return _Member(opener, encoding, sum(1 for _ in _rows(text, sealed=sealed)))
        except UnicodeError:
            continue
    raise BrokenFile("the file is no text")


def _rows(text: io.TextIOWrapper, *, sealed: bool) -> Iterator[dict[str, str]]:
    lines = _Lines(text)
    first = next((line for line in lines if line.strip()), "")
    if not _looks_like_header(first, sealed=sealed):
        return
    bare = _QUOTED.sub("", first)
    reader = csv.reader(_chain(first, lines), delimiter=max(_DELIMITERS, key=bare.count))
    try:
        names = column_names(next(reader))
        width = len(names)
        row: list[str] = []
        for row in reader:
            if row == [_END]:
                break
            if not row or (len(row) < 2 <= width and not row[0].strip()):  # nothing but line ends or spaces
                continue
            while len(row) > len(names):
                names = column_names([*names, f"column {len(names) + 1}"])
            yield {name: cell for name, cell in zip(names, row, strict=False) if cell}
    except csv.Error as error:
        raise BrokenFile("the file is no CSV: a field without end") from error
    if row != [_END]:
        raise BrokenFile("the file ends inside of a quoted field")
    if not sealed and not lines.ended:
        raise BrokenFile("the file ends in the middle of a line")


def _looks_like_header(line: str, *, sealed: bool) -> bool:
    if not line and not sealed:
        raise BrokenFile("the file is empty")
    if line.lstrip()[:1] in tuple("<{[") or _CONTROL.search(line):
        raise BrokenFile("the file is no CSV")
    return bool(line)


def _chain(first: str, lines: Iterable[str]) -> Iterator[str]:
    yield first
    yield from lines
    yield _END


class _Lines:
    """Lines without NULs and with an end; `ended` tells whether the last one had its line end."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.ended = True

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(_LONGEST_LINE):
            self.ended = line.endswith(("\n", "\r"))
            if len(line) >= _LONGEST_LINE and not self.ended:
                raise BrokenFile("the file has a line without end")
            yield line.replace("\x00", "")

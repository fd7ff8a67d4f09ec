"""Tables in files: CSV of every dialect, packed or not, row by row.

A file is read through once before its first row is handed out, so that a damaged or cut one gives none at all.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from tap_emaillogs.files.archives import Archive, BrokenFile, Limits, WrongPassword, open_archive
from tap_emaillogs.formats.names import snake_case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_DELIMITERS = ",;\t|"
_SAMPLE_LINES, _SAMPLE_LENGTH = 50, 1 << 16
"""Of the first lines, so many, or so many characters, show which delimiter separates the columns."""
_LONGEST_LINE = 1 << 20
_LONGEST_FIELD = 16 << 20
_QUOTED = re.compile(r'"[^"]*"')
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_END = "\x00"
"""A row that no file can hold, since NULs are taken out: it shows whether the last quote was closed."""


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
    columns: tuple[str, ...]
    """Those of the header; none where the file is empty."""
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

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its headers, in snake case; none where there is no header."""
        return tuple(dict.fromkeys(name for member in self._members for name in member.columns))

    def parts(self) -> list[Table]:
        """Return a table for each file of an archive."""
        return [Table([member], encrypted=self.encrypted, ignored=0) for member in self._members]

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield the rows as column to text; an empty cell is left out, one beyond the header is `column_<n>`."""
        for member in self._members:
            with io.TextIOWrapper(member.open(), encoding=member.encoding, newline="") as text:
                yield from _parsed(text, sealed=True)[1]


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
                columns, rows = _parsed(text, sealed=sealed)
                return _Member(opener, encoding, columns, sum(1 for _ in rows))
        except UnicodeError:
            continue
    raise BrokenFile("the file is no text")


def _parsed(text: io.TextIOWrapper, *, sealed: bool) -> tuple[tuple[str, ...], Iterator[dict[str, str]]]:
    """Return the names of the columns, and the rows to come."""
    lines = _Lines(text)
    first = next((line for line in lines if line.strip()), "")
    if not _looks_like_header(first, sealed=sealed):
        return (), iter(())
    sample = _sample(lines)
    reader = csv.reader(itertools.chain([first], sample, lines, [_END]), delimiter=_delimiter(first, sample))
    with _no_csv():
        names = column_names(next(reader))
    return tuple(names), _rows(reader, names, lines, sealed=sealed)


def _rows(reader: Iterator[list[str]], names: list[str], lines: _Lines, *, sealed: bool) -> Iterator[dict[str, str]]:
    width = len(names)
    row: list[str] = []
    with _no_csv():
        for row in reader:
            if row == [_END]:
                break
            if not row or (len(row) < 2 <= width and not row[0].strip()):  # nothing but line ends or spaces
                continue
            while len(row) > len(names):
                names = column_names([*names, f"column {len(names) + 1}"])
            yield {name: cell for name, cell in zip(names, row, strict=False) if cell}
    if row != [_END]:
        raise BrokenFile("the file ends inside of a quoted field")
    if not sealed and not lines.ended:
        raise BrokenFile("the file ends in the middle of a line")


@contextmanager
def _no_csv() -> Iterator[None]:
    try:
        yield
    except csv.Error as error:
        raise BrokenFile("the file is no CSV: a field without end") from error


def _sample(lines: Iterable[str]) -> list[str]:
    """Return the first lines, as far as they show which delimiter is used."""
    sample: list[str] = []
    length = 0
    for line in lines:
        sample.append(line)
        length += len(line)
        if len(sample) == _SAMPLE_LINES or length > _SAMPLE_LENGTH:
            break
    return sample


def _delimiter(header: str, sample: Sequence[str]) -> str:
    """Return what separates the columns: of what stands in the header, that under which the rows fit it best."""
    bare = _QUOTED.sub("", header)
    likely = sorted((one for one in _DELIMITERS if one in bare), key=bare.count, reverse=True)
    return max(likely, key=lambda one: _cells_that_fit(header, sample, one)) if likely else _DELIMITERS[0]


def _cells_that_fit(header: str, sample: Sequence[str], delimiter: str) -> float:
    """Return how many cells of a row fit the header, at an average; a row wider than it fits half."""
    try:
        width, *widths = map(len, csv.reader([header, *sample], delimiter=delimiter))
    except csv.Error:
        return 0.0
    rows = [one for one in widths if one]
    return sum(one if one <= width else width / 2 for one in rows) / len(rows) if rows else float(width)


def _looks_like_header(line: str, *, sealed: bool) -> bool:
    if not line and not sealed:
        raise BrokenFile("the file is empty")
    if line.lstrip()[:1] in tuple("<{[") or _CONTROL.search(line):
        raise BrokenFile("the file is no CSV")
    return bool(line)


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

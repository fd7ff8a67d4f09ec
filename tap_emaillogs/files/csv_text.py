"""CSV of every dialect: which one it is, the names of its columns, and its rows, within limits.

What a stranger sends is read here, too: the work grows with the length of the text and no faster.
"""

from __future__ import annotations

import csv
import itertools
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from tap_emaillogs.files.archives import BrokenFile, Limits
from tap_emaillogs.formats.names import snake_case

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_DELIMITERS = ",;\t|"
_SAMPLE_LINES, _SAMPLE_LENGTH = 50, 1 << 16
"""Of the first lines, so many, or so many characters, show which delimiter separates the columns."""
_LONGEST_LINE = 1 << 20
_MOST_BLANKS = 100_000
"""Blank lines, beside one or two for each row, as some programs write."""
_QUOTED = re.compile(r'"[^"]*"')
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_END = "\x00"
"""A row that no file can hold, since NULs are taken out: it shows whether the last quote was closed."""

csv.field_size_limit(Limits().row)  # of the whole process; a row is bounded by `_Lines`


class ColumnNames:
    """The names of a table's columns, in snake case; one that is taken gets `_2`, `_3`, an empty one `column_<n>`."""

    def __init__(self, header: Iterable[str] = ()) -> None:
        self.names: list[str] = []
        self._taken: set[str] = set()
        self._places: dict[str, int] = {}
        """By a name that was taken, the last number that it was given."""
        for title in header:
            self.add(title)

    def add(self, title: str = "") -> None:
        """Add the next column."""
        name = base = snake_case(title) or f"column_{len(self.names) + 1}"
        place = self._places.get(base, 1)
        while name in self._taken:
            place += 1
            name = f"{base}_{place}"
        self._places[base] = place
        self._taken.add(name)
        self.names.append(name)


def column_names(header: Iterable[str]) -> list[str]:
    """Return the names of columns as `ColumnNames` writes them."""
    return ColumnNames(header).names


def parsed(text: TextIO, limits: Limits, *, sealed: bool) -> tuple[tuple[str, ...], Iterator[dict[str, str]]]:
    """Return the names of the columns, and the rows to come, as column to text; an empty cell is left out.

    Args:
        text: Opened with `newline=""`.
        limits: How wide and how long it may be.
        sealed: Whether it is known to be whole; else its last line must have its line end.

    Raises:
        BrokenFile: It is no CSV, cut, or more than `limits` allow; maybe only when the rows are read.
    """
    lines = _Lines(text, limits.row)
    first = lines.first()
    if not _looks_like_header(first, sealed=sealed):
        return (), iter(())
    sample = _sample(lines)
    lines.begin_row()
    reader = csv.reader(itertools.chain([first], sample, lines, [_END]), delimiter=_delimiter(first, sample))
    with _no_csv():
        header = next(reader)
    if len(header) > limits.columns or any(len(title) > limits.name for title in header):
        raise BrokenFile(f"the file has more than {limits.columns:,} columns, or a name of over {limits.name} letters")
    columns = ColumnNames(header)
    return tuple(columns.names), _rows(reader, columns, lines, limits, sealed=sealed)


def _rows(
    reader: Iterator[list[str]], columns: ColumnNames, lines: _Lines, limits: Limits, *, sealed: bool
) -> Iterator[dict[str, str]]:
    width = len(columns.names)
    row: list[str] = []
    blanks = -_MOST_BLANKS
    with _no_csv():
        for row in reader:
            lines.begin_row()
            if row == [_END]:
                break
            if not row or (len(row) < 2 <= width and not row[0].strip()):  # nothing but line ends or spaces
                blanks += 1
                if blanks > 0:
                    raise BrokenFile("the file is no CSV: most of it is blank lines")
                continue
            blanks -= 2
            if len(row) > limits.columns:
                raise BrokenFile(f"the file has a row of more than {limits.columns:,} columns")
            while len(row) > len(columns.names):
                columns.add()
            yield {name: cell for name, cell in zip(columns.names, row, strict=False) if cell}
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
    """Lines without NULs and with an end; `ended` tells whether the last one had its line end.

    A row takes several of them where line ends stand between quotes, and a quote that is never closed takes all that
    follow: so the lines of one row are counted together.
    """

    def __init__(self, text: TextIO, longest_row: int) -> None:
        self._text = text
        self._longest_row = longest_row
        self._longest_line = min(_LONGEST_LINE, longest_row)
        self._length = 0
        self.ended = True

    def begin_row(self) -> None:
        """Count from here what belongs to the next row."""
        self._length = 0

    def first(self) -> str:
        """Return the first line that is not blank; an empty one at the end."""
        for line in itertools.islice(self, _MOST_BLANKS):
            if line.strip():
                return line
            self.begin_row()
        if self._text.readline(1):
            raise BrokenFile("the file is no CSV: it begins with blank lines")
        return ""

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(self._longest_line):
            self.ended = line.endswith(("\n", "\r"))
            if len(line) >= self._longest_line and not self.ended:
                raise BrokenFile("the file has a line without end")
            self._length += len(line)
            if self._length > self._longest_row:
                raise BrokenFile("the file is no CSV: a row, or a field without end")
            yield line.replace("\x00", "")

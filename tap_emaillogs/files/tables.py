"""Tables in files: CSV of every dialect, packed or not, row by row.

A file is read through once before its first row is handed out, so that a damaged or cut one gives none at all.
"""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from tap_emaillogs.files.archives import Archive, BrokenFile, Limits, TooLong, WrongPassword, open_archive
from tap_emaillogs.files.csv_text import column_names, parsed
from tap_emaillogs.files.encoding import encodings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_emaillogs.files.encoding import Encoding

__all__ = ["Table", "column_names", "open_table"]


@dataclass(frozen=True, slots=True)
class _Member:
    """One CSV and how it is to be read."""

    open: Callable[[], BinaryIO]
    encoding: Encoding
    limits: Limits
    sealed: bool = True
    most: int | None = None
    """How many of its rows are read; None: all."""
    columns: tuple[str, ...] = ()
    """Those of the header; none where the file is empty."""
    rows: int = 0

    def read(self) -> tuple[tuple[str, ...], Iterator[dict[str, str]]]:
        """Return the names of the columns, and the rows to come."""
        text = io.TextIOWrapper(self.open(), encoding=self.encoding.name, errors=self.encoding.errors, newline="")
        columns, rows = parsed(text, self.limits, sealed=self.sealed)
        return columns, itertools.islice(rows, self.most)


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
            yield from member.read()[1]


def open_table(
    file: BinaryIO,
    *,
    password: str | None = None,
    announced: int | None = None,
    limits: Limits | None = None,
    most: int | None = None,
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
        most: How many rows of each member are wanted; whether the rest is whole is not looked at then.

    Raises:
        BrokenFile: It is damaged, cut, no table, or more than `limits` allow.
        TooLong: It is more than `limits` allow, and may be honest.
        WrongPassword: It is encrypted, and the password does not open it.
    """
    limits = limits or Limits()
    refusal: BrokenFile = WrongPassword("the file is encrypted, and the password does not open it")
    for attempt in _encoded(password):
        try:
            return _verified(open_archive(file, attempt, limits), file, announced, limits, most)
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


def _verified(archive: Archive, file: BinaryIO, announced: int | None, limits: Limits, most: int | None) -> Table:
    sealed = archive.sealed
    if not sealed and announced is not None:
        size = file.seek(0, io.SEEK_END)
        if size < announced:
            raise BrokenFile(f"the file has {size:,} bytes where {announced:,} were announced")
        sealed = size == announced
    members: list[_Member] = []
    for opener in archive.members:
        members.append(_verified_member(opener, limits, sealed=sealed, most=most))
        if limits.rows is not None and sum(member.rows for member in members) > limits.rows:
            raise TooLong(f"the file has more than {limits.rows:,} rows")
    return Table(members, encrypted=archive.encrypted, ignored=archive.ignored)


def _verified_member(opener: Callable[[], BinaryIO], limits: Limits, *, sealed: bool, most: int | None) -> _Member:
    for encoding in encodings(opener):
        member = _Member(opener, encoding, limits, sealed=sealed, most=most)
        try:
            columns, rows = member.read()
            # One row more than the limit is enough to know.
            enough = None if limits.rows is None else limits.rows + 1
            return replace(member, columns=columns, rows=sum(1 for _ in itertools.islice(rows, enough)))
        except UnicodeError:
            continue
    raise BrokenFile("the file is no text")

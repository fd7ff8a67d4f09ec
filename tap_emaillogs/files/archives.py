"""Files as they come: a zip (plain, ZipCrypto or AES), gzip or bare; opened with distrust, read as streams.

Nothing is ever written to a path that a member names, and no message holds one: a name can be anything.
"""

from __future__ import annotations

import copy
import io
import os
import struct
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import pyzipper

from tap_emaillogs.http.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ZIP, _EMPTY_ZIP, _GZIP = b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b"
_DIRECTORY_ENTRY = b"PK\x01\x02"
_CHUNK = 1 << 16
_GZIP_CHUNK = 1 << 12
"""Small: where a file is one of many tiny members, what is left of a chunk is copied for each of them."""
_MOST_GZIP_MEMBERS = 100_000
_LONGEST_END = 22 + 0xFFFF
"""The record at the end, and the longest comment behind it."""
_TABLES = (".csv", ".tsv")
_KNOWN_COMPRESSION = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""Others can turn a few bytes into gigabytes before anything can be counted."""
_FAULTS = (
    *(pyzipper.BadZipFile, zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, NotImplementedError, OSError, ValueError, KeyError, IndexError),
)
"""What libraries raise on a damaged file."""


class BrokenFile(ReadError):
    """A file that is damaged, cut, or no table: fetching it again may help."""

    hint = "the file is fetched anew by the next run; report it if it persists"


class WrongPassword(BrokenFile):
    """An encrypted file that the password does not open."""

    hint = "check the password that protects this account's files"


class TooLong(BrokenFile):
    """A file that seems honest and is longer than is read: a part of what it tells may do."""

    hint = "lower window_hours, so that less is asked for at once"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may grow to before it is taken for an attack; those of downloads, from vendors, by default."""

    unpacked: int = 16 << 30
    """Bytes of all members together."""
    ratio: int = 500
    """Unpacked to packed bytes; logs of equal lines reach 100, a bomb 1,000."""
    harmless: int = 64 << 20
    """Up to so many bytes no ratio matters."""
    members: int = 1_000
    columns: int = 4_000
    name: int = 500
    """Characters of a column's name."""
    row: int = 16 << 20
    """Characters of a row; it is what is held in memory."""
    rows: int | None = None
    """Rows of all members together; None: `unpacked` is limit enough."""


@dataclass(frozen=True)
class Archive:
    """The members of a file that hold tables, each to be opened as often as wanted."""

    members: tuple[Callable[[], BinaryIO], ...]
    sealed: bool
    """Whether a checksum at the end of every member tells that it is whole."""
    encrypted: bool = False
    ignored: int = 0
    """Members beside the tables, which were left alone."""


@contextmanager
def damage() -> Iterator[None]:
    """Turn whatever a library raises on a damaged file into `BrokenFile`."""
    try:
        yield
    except ReadError:
        raise
    except RuntimeError as error:  # NotImplementedError among them; pyzipper has no class of its own for passwords
        if isinstance(error, NotImplementedError) or "password" not in str(error).lower():
            raise BrokenFile("the file is packed in a way that is not known here") from error
        raise WrongPassword("the file is encrypted, and the password does not open it") from error
    except _FAULTS as error:
        raise BrokenFile(f"the file is damaged or cut ({type(error).__name__})") from error


def open_archive(file: BinaryIO, password: bytes = b"", limits: Limits | None = None) -> Archive:
    """Look at the first bytes of a seekable file and return what it holds.

    Raises:
        BrokenFile: It is damaged, holds nothing, or is more than `limits` allow.
        WrongPassword: It is encrypted and there is no password; a wrong one may show only when a member is read.
    """
    limits = limits or Limits()
    packed = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(4)
    file.seek(0)
    budget = _Budget(packed, limits)
    if head in (_ZIP, _EMPTY_ZIP):
        return _open_zip(file, password, budget)
    if head.startswith(_GZIP):
        return Archive((lambda: _bounded(_Gzip(_rewound(file)), budget),), sealed=True)
    return Archive((lambda: _bounded(_rewound(file), budget, owned=False),), sealed=False)


def _open_zip(file: BinaryIO, password: bytes, budget: _Budget) -> Archive:
    # Counted before the library reads the directory, for it would hold all of it.
    if _occurrences(file, _DIRECTORY_ENTRY) > budget.limits.members:
        raise BrokenFile(f"the zip has more than {budget.limits.members} members")
    with damage():
        archive = pyzipper.AESZipFile(file)
        announced = _members_announced(file)
    if len(archive.infolist()) != announced:
        raise BrokenFile("the zip has not the members that it announces")
    infos = [info for info in archive.infolist() if info.file_size or not info.is_dir()]
    files = [info for info in infos if not _hidden(info.filename)]
    tables = [info for info in files if info.filename.lower().endswith(_TABLES)] or files
    if not tables:
        raise BrokenFile("the zip is empty")
    budget.check(sum(info.file_size for info in tables))
    if any(info.compress_type not in _KNOWN_COMPRESSION for info in tables):
        raise BrokenFile("the zip is packed in a way that is not known here")
    encrypted = any(info.flag_bits & 1 for info in tables)
    if encrypted and not password:
        raise WrongPassword("the file is encrypted, and there is no password for it")
    ignored = [info for info in infos if info not in tables]
    with damage():  # a name that is not the same in both its places may be that of a table, damaged
        for info in ignored:
            archive.open(info, pwd=password or None).close()

    def opener(info: Any) -> Callable[[], BinaryIO]:
        def open_member() -> BinaryIO:
            longer = copy.copy(info)
            longer.file_size += 1  # the library would cut in silence what is longer than declared
            with damage():
                return _bounded(archive.open(longer, pwd=password or None), budget, size=info.file_size)

        return open_member

    return Archive(tuple(map(opener, tables)), True, encrypted, len(ignored))


def _members_announced(file: BinaryIO) -> int:
    """Return the count in the record at the zip's end; the library goes by the directory's length alone."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST_END))
    tail = file.read()
    place = tail.rindex(_EMPTY_ZIP)
    return int(struct.unpack_from("<H", tail, place + 10)[0])


def _hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")


def _occurrences(file: BinaryIO, mark: bytes) -> int:
    found, tail = 0, b""
    file.seek(0)
    while chunk := file.read(1 << 20):
        block = tail + chunk
        found += block.count(mark)
        tail = block[-(len(mark) - 1) :]
    file.seek(0)
    return found


def _rewound(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    return file


def _bounded(source: BinaryIO | _Gzip, budget: _Budget, *, owned: bool = True, size: int | None = None) -> BinaryIO:
    return io.BufferedReader(_Bounded(source, budget, owned=owned, size=size), _CHUNK)


@dataclass(frozen=True, slots=True)
class _Budget:
    packed: int
    limits: Limits

    def check(self, unpacked: int) -> None:
        limits = self.limits
        if unpacked > limits.harmless and unpacked > limits.ratio * self.packed:
            raise BrokenFile(f"the file unpacks to far more than its {self.packed:,} bytes: a bomb, not a report")
        if unpacked > limits.unpacked:
            raise TooLong(f"the file unpacks to more than {limits.unpacked:,} bytes: a bomb, or too much at once")


class _Gzip:
    """Reads gzip, all members of a file one after another.

    Not the standard library's: that one reads a member's name byte by byte, and a name may be as long as the file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting = b""
        self._begun = 0
        self._member: Any = None
        """What unpacks the member that is being read; None between two of them."""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end.

        Raises:
            EOFError: The file ends in the middle of a member.
            zlib.error: It is damaged.
        """
        while True:
            self._waiting = self._waiting or self._file.read(_GZIP_CHUNK)
            is_end = not self._waiting
            if self._member is None:
                self._waiting = self._waiting.lstrip(b"\0")  # what some programs fill the last block up with
                if is_end:
                    return b""
                if not self._waiting:
                    continue
                self._begin()
            data: bytes = self._member.decompress(self._waiting, size)
            self._waiting = self._member.unconsumed_tail
            if self._member.eof:
                self._waiting, self._member = self._member.unused_data, None
            elif is_end and not data:
                raise EOFError
            if data:
                return data

    def _begin(self) -> None:
        self._begun += 1
        if self._begun > _MOST_GZIP_MEMBERS:
            raise BrokenFile(f"the file is packed in more than {_MOST_GZIP_MEMBERS:,} pieces: a bomb, not a report")
        self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def close(self) -> None:
        """Leave the file open: it is read more than once."""


class _Bounded(io.RawIOBase):
    """Counts what comes out of a member, and speaks only `BrokenFile`."""

    def __init__(self, source: BinaryIO | _Gzip, budget: _Budget, *, owned: bool, size: int | None) -> None:
        self._source, self._budget, self._owned, self._size = source, budget, owned, size
        self._seen = 0

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        if self._owned and not self.closed:
            self._source.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        with damage():
            data = self._source.read(len(buffer))
        self._seen += len(data)
        self._budget.check(self._seen)
        if self._size is not None and (self._seen > self._size or (not data and self._seen < self._size)):
            raise BrokenFile(f"a member of the zip has not the {self._size:,} bytes that it announces")
        buffer[: len(data)] = data
        return len(data)

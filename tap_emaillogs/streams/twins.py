"""Rows of the same identity in a window of any length, numbered in bounded memory."""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

_IN_MEMORY = 100_000
"""Identities that are held in memory, some 15 MB; from the next one on they are in a file."""
_CACHE_KIB = 16 << 10
_BATCH = 10_000


class _Scratch:
    """A database without a name: SQLite makes a file for its owner only, and unlinks it at once."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._opened: sqlite3.Connection | None = None

    @property
    def file(self) -> sqlite3.Connection:
        """The database, made when it is first asked for."""
        if self._opened is None:
            self._opened = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
                self._opened.execute(f"PRAGMA {setting}")
            self._opened.execute(f"CREATE TABLE {self._table}")
            self._opened.execute("BEGIN")
        return self._opened

    @property
    def in_use(self) -> bool:
        """Whether it was made."""
        return self._opened is not None

    def close(self) -> None:
        """Give memory and disk back."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None


class Counts:
    """Numbers equal identities in the order they come; to be closed."""

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._places: dict[bytes, int] = {}
        self._scratch = _Scratch("seen (identity BLOB PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._places = {}
        self._scratch.close()

    def place(self, identity: bytes) -> int:
        """Return how often this identity came before."""
        if self._scratch.in_use:
            counted = "INSERT INTO seen VALUES (?, 0) ON CONFLICT DO UPDATE SET place = place + 1 RETURNING place"
            return int(self._scratch.file.execute(counted, (identity,)).fetchone()[0])
        place = self._places[identity] = self._places.get(identity, -1) + 1
        if len(self._places) > self._in_memory:
            self._scratch.file.executemany("INSERT INTO seen VALUES (?, ?)", self._places.items())
            self._places = {}
        return place


class Ranks:
    """Numbers rows of equal identity by what orders them: add all rows, then iterate; to be closed.

    Iterating gives (identity, place from 0) for each row, in the order in which they were added.
    """

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._rows: list[tuple[bytes, bytes]] = []
        self._scratch = _Scratch("added (identity BLOB NOT NULL, rank BLOB NOT NULL)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._rows = []
        self._scratch.close()

    def add(self, identity: bytes, order: bytes) -> None:
        """Add a row."""
        self._rows.append((identity, order))
        if len(self._rows) >= (_BATCH if self._scratch.in_use else self._in_memory):
            self._spill()

    def _spill(self) -> None:
        self._scratch.file.executemany("INSERT INTO added VALUES (?, ?)", self._rows)
        self._rows = []

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        if self._scratch.in_use:
            self._spill()
            yield from self._scratch.file.execute(
                "SELECT identity, place FROM (SELECT rowid AS number, identity, ROW_NUMBER() OVER "
                "(PARTITION BY identity ORDER BY rank, rowid) - 1 AS place FROM added) ORDER BY number"
            )
            return
        places = [0] * len(self._rows)
        with Counts() as counts:
            for number in sorted(range(len(self._rows)), key=self._rows.__getitem__):
                places[number] = counts.place(self._rows[number][0])
        yield from zip((identity for identity, _ in self._rows), places, strict=True)


def identity_of(content: bytes) -> bytes:
    """Return what stands for a content: 16 bytes."""
    return blake2b(content, digest_size=16).digest()

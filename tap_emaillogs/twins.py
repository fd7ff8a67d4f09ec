"""Exact twins in a stream of rows of any length: numbered as they come, in bounded memory."""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from typing import Self

from tap_emaillogs.records import twin_key

_IN_MEMORY = 100_000
"""Rows whose digests are held in memory, some 15 MB; from the next one on they are in a file."""
_CACHE_KIB = 16 << 10
_COUNT = "INSERT INTO seen VALUES (?, 0) ON CONFLICT DO UPDATE SET place = place + 1 RETURNING place"


class TwinKeys:
    """Gives each row the key of its content and its place among exact twins; to be closed."""

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._places: dict[bytes, int] = {}
        self._file: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def key(self, content: bytes) -> str:
        """Return the key of the next row with this content: 32 hex digits."""
        identity = identity_of(content)
        return twin_key(identity, self._place(identity))

    def _place(self, identity: bytes) -> int:
        if self._file is not None:
            return int(self._file.execute(_COUNT, (identity,)).fetchone()[0])
        place = self._places[identity] = self._places.get(identity, -1) + 1
        if len(self._places) > self._in_memory:
            self._file = _open_file()
            self._file.executemany("INSERT INTO seen VALUES (?, ?)", self._places.items())
            self._places = {}
        return place

    def close(self) -> None:
        """Give memory and disk back."""
        self._places = {}
        if self._file is not None:
            self._file.close()
            self._file = None


def identity_of(content: bytes) -> bytes:
    """Return what stands for a content: 16 bytes."""
    return blake2b(content, digest_size=16).digest()


def _open_file() -> sqlite3.Connection:
    """Open a database without a name: SQLite makes a file for its owner only, and unlinks it at once."""
    file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
        file.execute(f"PRAGMA {setting}")
    file.execute("CREATE TABLE seen (identity BLOB PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID")
    file.execute("BEGIN")
    return file

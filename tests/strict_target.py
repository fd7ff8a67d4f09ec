"""A small strict target: it commits rows and STATE like a loader, and may die before it has.

It keeps tables in SQLite: `rows(stream, key, record)` and `state(value)`. Rows are written in batches; a STATE is kept
once the rows before it are in. A line that is no message, a RECORD without its SCHEMA or half a line that is not the
last one ends it with an error.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class _Loader:
    """What is read and not yet committed."""

    def __init__(self, connection: sqlite3.Connection, batch: int, pause: float) -> None:
        self._connection, self._batch, self._pause = connection, batch, pause
        self._keys: dict[str, list[str]] = {}
        self._rows: list[tuple[str, str, str]] = []
        self._state: str | None = None
        connection.execute("pragma synchronous = off")  # the machine does not die
        for table in ("rows(stream, key, record, primary key (stream, key))", "state(value)", "last(type)"):
            connection.execute(f"create table if not exists {table}")

    def take(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "SCHEMA", "stream": stream, "key_properties": keys}:
                self._keys[stream] = keys
            case {"type": "RECORD", "stream": stream, "record": record}:
                key = json.dumps([record[name] for name in self._keys[stream]])
                self._rows.append((stream, key, json.dumps(record, sort_keys=True)))
            case {"type": "STATE", "value": value}:
                self._state = json.dumps(value)
            case _:
                raise ValueError(f"no message: {message}")
        if len(self._rows) >= self._batch:
            self.commit()

    def commit(self) -> None:
        time.sleep(self._pause)
        self._connection.execute("begin")
        self._connection.executemany("insert or replace into rows values (?, ?, ?)", self._rows)
        if self._state is not None:
            self._connection.execute("delete from state")
            self._connection.execute("insert into state values (?)", [self._state])
        self._connection.execute("commit")
        self._rows, self._state = [], None

    def end(self, last: str) -> None:
        self.commit()
        self._connection.execute("delete from last")
        self._connection.execute("insert into last values (?)", [last])


def load(database: str, batch: int = 100, pause: float = 0, die_at: int = 0, how: str = "killed") -> None:
    """Read messages from stdin into a database.

    Args:
        database: Its file, made when it is not there.
        batch: So many records are written at once, with a STATE that came meanwhile or with none.
        pause: Seconds that each batch takes: the tap's stdout is blocked for so long.
        die_at: The line at which it ends, before it commits anything more; 0: none.
        how: It is "killed" there, or it "leaves" and closes the pipe.
    """
    last = ""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        loader = _Loader(connection, batch, pause)
        for number, line in enumerate(sys.stdin.buffer, 1):
            if number == die_at:
                if how == "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                return
            if not line.endswith(b"\n"):
                last = "half"
                break
            message = json.loads(line)
            last = message["type"]
            loader.take(message)
        loader.end(last)


def tables(database: Path) -> dict[tuple[str, str], str]:
    """Return {(stream, key): record} of all that is committed."""
    return {(stream, key): record for stream, key, record in _all(database, "select * from rows")}


def state(database: Path) -> Any:
    """Return the STATE that is committed; None: there is none."""
    return next((json.loads(value) for (value,) in _all(database, "select value from state")), None)


def last(database: Path) -> str:
    """Return the type of the last message that the last load which was not stopped has seen."""
    return next((kind for (kind,) in _all(database, "select type from last")), "")


def _all(database: Path, query: str) -> list[Any]:
    if not database.exists():
        return []
    with closing(sqlite3.connect(database)) as connection:
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []  # it died before it had made its tables

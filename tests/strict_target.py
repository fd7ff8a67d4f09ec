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
from pathlib import Path
from typing import Any


def load(database: str, batch: int = 100, pause: float = 0, die_at: int = 0, how: str = "killed") -> None:
    """Read messages from stdin into a database.

    Args:
        database: Its file, made when it is not there.
        batch: So many records are written at once, with a STATE that came meanwhile or with none.
        pause: Seconds that each batch takes: the tap's stdout is blocked for so long.
        die_at: The line at which it ends, before it commits anything more; 0: none.
        how: It is "killed" there, or it "leaves" and closes the pipe.
    """
    keys: dict[str, list[str]] = {}
    waiting: list[tuple[str, str, str]] = []
    state: str | None = None
    last = ""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("pragma synchronous = off")  # the machine does not die
        for table in ("rows(stream, key, record, primary key (stream, key))", "state(value)", "last(type)"):
            connection.execute(f"create table if not exists {table}")

        def commit() -> None:
            time.sleep(pause)
            connection.execute("begin")
            connection.executemany("insert or replace into rows values (?, ?, ?)", waiting)
            if state is not None:
                connection.execute("delete from state")
                connection.execute("insert into state values (?)", [state])
            connection.execute("commit")
            waiting.clear()

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
            match message:
                case {"type": "SCHEMA"}:
                    keys[message["stream"]] = message["key_properties"]
                case {"type": "RECORD", "stream": stream, "record": record}:
                    key = json.dumps([record[name] for name in keys[stream]])
                    waiting.append((stream, key, json.dumps(record, sort_keys=True)))
                case {"type": "STATE", "value": value}:
                    state = json.dumps(value)
                case _:
                    raise ValueError(f"no message: {line[:200]!r}")
            if len(waiting) >= batch:
                commit()
                state = None
        commit()
        connection.execute("delete from last")
        connection.execute("insert into last values (?)", [last])


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

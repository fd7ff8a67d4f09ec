"""STATE, one row per account: it moves with an account from group to group, and a run writes only what it read.

A row moves only from the version that was loaded: a run that was thought dead cannot put an older STATE over a newer.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_METADATA = sa.MetaData()
_TABLE = sa.Table(
    "tap_emaillogs_state",
    _METADATA,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("moved_at", sa.DateTime, nullable=False),
)
Name = tuple[str, str]
FORWARD = "forward"
"""The scope of forward runs; a backfill's is the day it begins with, `2026-02-02`."""


class StateMoved(RuntimeError):
    """Another run has moved this STATE meanwhile."""


def split(state: Mapping[str, Any]) -> dict[Name, dict[str, list[Any]]]:
    """Return, per (provider, account), the partitions of each stream in a STATE of the tap."""
    found: defaultdict[Name, dict[str, list[Any]]] = defaultdict(dict)
    for stream, entry in state.get("bookmarks", {}).items():
        for part in entry.get("partitions", ()):
            context = part["context"]
            name = context.get("provider") or stream.partition("_")[0], context["account"]
            found[name].setdefault(stream, []).append(part)
    return dict(found)


def join(parts: Iterable[Mapping[str, list[Any]]]) -> dict[str, Any]:
    """Return the STATE that `split` took apart."""
    bookmarks: dict[str, Any] = {}
    for streams in parts:
        for stream, partitions in streams.items():
            bookmarks.setdefault(stream, {"partitions": []})["partitions"].extend(partitions)
    return {"bookmarks": bookmarks}


class States:
    """The table of STATE, for one run.

    Args:
        url: An address of SQLAlchemy.
        scope: `forward`, or the day a backfill begins with: each goes on from its own STATE only.
        run_id: Who moves it.
    """

    def __init__(self, url: str, scope: str, run_id: str) -> None:
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)
        self._scope, self._run_id = scope, run_id
        self._known: dict[Name, tuple[int, str]] = {}
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":  # two runs may be the first ones
                connection.execute(sa.text("select pg_advisory_xact_lock(7205759403792793)"))
            _METADATA.create_all(connection)

    def load(self, accounts: Iterable[Name]) -> dict[str, Any] | None:
        """Return the STATE of these accounts; None: there is none yet."""
        wanted = set(accounts)
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_TABLE).where(_TABLE.c.scope == self._scope)).mappings().all()
        mine = {(row["provider"], row["account"]): row for row in rows}
        mine = {name: row for name, row in mine.items() if name in wanted}
        self._known = {name: (row["version"], row["state"]) for name, row in mine.items()}
        return join(json.loads(row["state"]) for row in mine.values()) if mine else None

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep a STATE that the loader has confirmed.

        Raises:
            StateMoved: Another run was faster; nothing of this STATE is kept.
        """
        moved: dict[Name, tuple[int, str]] = {}
        with self._engine.begin() as connection:
            for name, streams in split(state).items():
                text = json.dumps(streams, sort_keys=True, separators=(",", ":"))
                version, before = self._known.get(name, (0, None))
                if text != before:
                    self._move(connection, name, version, text)
                    moved[name] = version + 1, text
        self._known |= moved

    def _move(self, connection: sa.Connection, name: Name, version: int, text: str) -> None:
        given = {"state": text, "version": version + 1, "run_id": self._run_id}
        given["moved_at"] = datetime.now(UTC).replace(tzinfo=None)
        key = {"scope": self._scope, "provider": name[0], "account": name[1]}
        if version:
            where = [_TABLE.c[column] == value for column, value in key.items()]
            done = connection.execute(_TABLE.update().where(*where, _TABLE.c.version == version).values(**given))
            if done.rowcount == 1:
                return
        else:
            try:
                connection.execute(_TABLE.insert().values(**key, **given))
            except sa.exc.IntegrityError:
                pass
            else:
                return
        raise StateMoved(f"another run has moved the STATE of {'/'.join(name)} meanwhile")

    def forget(self, accounts: Iterable[Name], first: str, last: str, *, but_mine: bool = False) -> None:
        """Drop what backfills that began from `first` to `last` (dates) left of these accounts: the time is whole.

        With `but_mine` this run's own STATE stays: a step that is tried again goes on.
        """
        scope = _TABLE.c.scope
        others = _TABLE.c.run_id != self._run_id if but_mine else sa.true()
        with self._engine.begin() as connection:
            for provider, account in accounts:
                connection.execute(
                    _TABLE.delete().where(
                        scope != FORWARD,
                        scope >= first,
                        scope < last,
                        _TABLE.c.provider == provider,
                        _TABLE.c.account == account,
                        others,
                    )
                )
        self._known.clear()

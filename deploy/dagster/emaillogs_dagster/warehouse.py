"""Reads the ledger's rows from the warehouse: a DuckDB file, or PostgreSQL."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import sqlalchemy as sa

from emaillogs_dagster.ledger import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emaillogs_dagster.accounts import Account
    from emaillogs_dagster.settings import Settings

_PATIENCE = 60
"""Seconds to wait for a DuckDB file that a loader has open: it has one writer, and no reader beside it."""


def read(settings: Settings, accounts: Iterable[Account], start: datetime, end: datetime) -> list[Window]:
    """Return the rows of the ledger that touch `[start, end)`; none where there is no table yet.

    Raises:
        duckdb.IOException: A loader had the file open for a minute.
    """
    wanted = {account.name for account in accounts}
    columns = "provider, account, stream, window_start, window_end, status, read_at, records, requests"
    query = f"select {columns} from {settings.schema}.sync_windows where window_start < {{0}} and window_end > {{1}}"  # noqa: S608 - the schema's name is the deployment's own
    bounds = [moment.astimezone(UTC).replace(tzinfo=None) for moment in (end, start)]
    rows = (_duckdb if settings.warehouse.startswith("duckdb:") else _postgresql)(settings, query, bounds, wanted)
    return [
        Window(
            provider,
            account,
            stream,
            _aware(start_at),
            _aware(end_at),
            status,
            _aware(read_at),
            records or 0,
            requests or 0,
        )
        for provider, account, stream, start_at, end_at, status, read_at, records, requests in rows
        if (provider, account) in wanted
    ]


def _duckdb(settings: Settings, query: str, bounds: list[datetime], _: set[tuple[str, str]]) -> list[Any]:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with duckdb.connect(settings.warehouse.removeprefix("duckdb:///"), read_only=True) as connection:
                return connection.execute(query.format("?", "?"), bounds).fetchall()
        except duckdb.CatalogException:
            return []
        except duckdb.IOException as error:
            if "does not exist" in str(error):
                return []
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _postgresql(settings: Settings, query: str, bounds: list[datetime], wanted: set[tuple[str, str]]) -> list[Any]:
    engine = sa.create_engine(settings.warehouse, poolclass=sa.NullPool)
    text = sa.text(query.format(":end", ":start") + " and account in :accounts")
    text = text.bindparams(sa.bindparam("accounts", expanding=True))
    given = {"end": bounds[0], "start": bounds[1], "accounts": sorted({account for _, account in wanted})}
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("sync_windows", schema=settings.schema):
            return []
        return list(connection.execute(text, given).fetchall())


def _aware(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

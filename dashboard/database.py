"""Asks the models, in DuckDB or PostgreSQL, as `dbt/profiles/profiles.yml` reaches them."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Rows = list[dict[str, Any]]


class NoData(Exception):
    """The models cannot be read; `str()` says what to do."""


@contextmanager
def connected(environ: dict[str, str] | None = None) -> Iterator[Callable[..., Rows]]:
    """Yield what answers a query with its rows; further arguments are the values of its question marks.

    Raises:
        NoData: The database cannot be opened.
    """
    given = dict(os.environ if environ is None else environ)
    kind = given.get("EMAILLOGS_DBT_TARGET", "duckdb")
    opened = {"duckdb": _duckdb, "postgres": _postgres}.get(kind)
    if opened is None:
        raise NoData(f"EMAILLOGS_DBT_TARGET is {kind!r}; the page reads duckdb and postgres")
    connection, cursor = opened(given)

    def ask(query: str, *values: str) -> Rows:
        if values:
            cursor.execute(query.replace("?", "%s") if kind == "postgres" else query, values)
        else:
            cursor.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    try:
        yield ask
    except NoData:
        raise
    except Exception as error:
        raise NoData(f"the models cannot be read ({type(error).__name__}: {error}); run dbt build first") from error
    finally:
        connection.close()


def _duckdb(given: dict[str, str]) -> tuple[Any, Any]:
    import duckdb  # noqa: PLC0415 - one of two

    path = given.get("EMAILLOGS_DUCKDB", "output/emaillogs.duckdb")
    try:
        connection = duckdb.connect(path, read_only=True)
        connection.execute(f"set TimeZone = 'UTC'; set search_path = '{_schema(given)}'")
    except duckdb.Error as error:
        raise NoData(
            f"{path} cannot be opened ({error}); EMAILLOGS_DUCKDB names the file, and dbt build fills it"
        ) from error
    return connection, connection


def _postgres(given: dict[str, str]) -> tuple[Any, Any]:
    import psycopg2  # noqa: PLC0415 - likewise

    address = {
        "host": given.get("EMAILLOGS_PG_HOST", "127.0.0.1"),
        "port": given.get("EMAILLOGS_PG_PORT", "5432"),
        "user": given.get("EMAILLOGS_PG_USER"),
        "password": given.get("EMAILLOGS_PG_PASSWORD"),
        "dbname": given.get("EMAILLOGS_PG_DATABASE"),
    }
    try:
        connection = psycopg2.connect(**address, options=f"-c timezone=UTC -c search_path={_schema(given)}")
    except psycopg2.Error as error:
        raise NoData(f"PostgreSQL cannot be reached ({error}); EMAILLOGS_PG_* say where it is") from error
    return connection, connection.cursor()


def _schema(given: dict[str, str]) -> str:
    name = given.get("EMAILLOGS_DBT_SCHEMA", "email_analytics")
    if not name.replace("_", "").isalnum():
        raise NoData(f"EMAILLOGS_DBT_SCHEMA is {name!r}: letters, digits and _ only")
    return name

"""The tables of a DuckDB warehouse in PostgreSQL, as target-postgres makes them, and dbt and the page over those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import psycopg

from warehouse import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

_TYPES = {
    "VARCHAR": "text",
    "BIGINT": "bigint",
    "DOUBLE": "double precision",
    "BOOLEAN": "boolean",
    "TIMESTAMP": "timestamp",
    "JSON": "jsonb",
}


class PostgresWarehouse(Warehouse):
    """A database of a server; its address is `dsn`."""

    def __init__(self, folder: Path, dsn: str) -> None:
        super().__init__(folder)
        self._dsn = dsn

    @property
    def environ(self) -> dict[str, str]:
        """What dbt and the page need to find the database."""
        parts = psycopg.conninfo.conninfo_to_dict(self._dsn)
        names = {"host": "HOST", "port": "PORT", "user": "USER", "dbname": "DATABASE"}
        address = {f"EMAILLOGS_PG_{name}": str(parts[key]) for key, name in names.items()}
        return {**super().environ, **address, "EMAILLOGS_DBT_TARGET": "postgres", "EMAILLOGS_PG_PASSWORD": "unused"}

    def copy(self, other: Warehouse) -> None:
        """Take all loaded tables over from a DuckDB warehouse."""
        with duckdb.connect(str(other.file), read_only=True) as source, psycopg.connect(self._dsn) as target:
            target.execute("create schema tap_emaillogs")
            tables = source.execute(
                "select table_name from duckdb_tables() where schema_name = 'tap_emaillogs'"
            ).fetchall()
            for (table,) in tables:
                columns = source.execute(
                    "select column_name, data_type from duckdb_columns() "
                    "where schema_name = 'tap_emaillogs' and table_name = ? order by column_index",
                    [table],
                ).fetchall()
                declared = ", ".join(f'"{name}" {_TYPES[kind]}' for name, kind in columns)
                target.execute(f'create table tap_emaillogs."{table}" ({declared})')
                with target.cursor().copy(f'copy tap_emaillogs."{table}" from stdin') as copy:
                    for row in source.execute(f'select * from tap_emaillogs."{table}"').fetchall():
                        copy.write_row(row)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the models."""
        with psycopg.connect(self._dsn, options="-c timezone=UTC -c search_path=email_analytics") as connection:
            return connection.execute(query).fetchall()

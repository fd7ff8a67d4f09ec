"""Compiles the dbt package for Snowflake and BigQuery, by their own adapters but unconnected, and reads the SQL.

Every model and test must parse, and no name in it may be one that the database has reserved. Whether types fit, only a
run there can tell. By hand: scripts/dialects. Status 1 when anything is wrong.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import sqlglot
from dbt.adapters.base.column import Column
from dbt.adapters.bigquery import BigQueryAdapter
from dbt.adapters.snowflake import SnowflakeAdapter
from dbt.cli.main import dbtRunner
from sqlglot import exp

ROOT = Path(__file__).resolve().parent.parent
PROFILES = """
emaillogs:
  target: snowflake
  outputs:
    snowflake: {type: snowflake, account: n, user: n, password: n, database: d, warehouse: w, schema: s, threads: 1}
    bigquery: {type: bigquery, method: oauth-secrets, token: n, project: d, dataset: s, threads: 1}
"""
ADAPTERS = {"snowflake": SnowflakeAdapter, "bigquery": BigQueryAdapter}
TYPES = {
    "snowflake": {"text": "TEXT", "time": "TIMESTAMP_NTZ", "integer": "NUMBER", "json": "VARIANT"},
    "bigquery": {"text": "STRING", "time": "TIMESTAMP", "integer": "INT64", "json": "STRING"},
}
"""As loaders make the tables there."""
RESERVED = {
    "bigquery": """
        all and any array as asc assert_rows_modified at between by case cast collate contains create cross
        cube current default define desc distinct else end enum escape except exclude exists extract false
        fetch following for from full group grouping groups hash having if ignore in inner intersect interval
        into is join lateral left like limit lookup merge natural new no not null nulls of on or order outer
        over partition preceding proto qualify range recursive respect right rollup rows select set some
        struct tablesample then to treat true unbounded union unnest using when where window with within
    """,
    "snowflake": """
        all alter and any as between by case cast check column connect constraint create
        cross current current_date current_time current_timestamp current_user delete distinct drop
        else exists false following for from full grant group having ilike in increment inner insert
        intersect into is join lateral left like localtime localtimestamp minus natural not null of on
        or order qualify regexp revoke right rlike row rows sample select set some start
        table tablesample then to trigger true try_cast union unique update using values when whenever
        where with
    """,
}


def columns(dialect: str, stream: str) -> list[Column]:
    """Return the columns that a loader makes of a stream."""
    schema = json.loads((ROOT / "tap_emaillogs" / "schemas" / f"{stream}.json").read_text(encoding="utf-8"))
    found = []
    for name, one in schema["properties"].items():
        types = {one["type"]} if isinstance(one["type"], str) else set(one["type"])
        (kind,) = types - {"null"}
        plain = {"string": "text", "integer": "integer"}.get(kind, "json")
        found.append(Column(name, TYPES[dialect]["time" if one.get("format") == "date-time" else plain]))
    return [*found, Column("_sdc_batched_at", TYPES[dialect]["time"])]


def without_connection(dialect: str) -> None:
    """Let the adapter believe that all tables are there."""

    def get_relation(self: Any, database: str, schema: str, identifier: str) -> Any:
        return self.Relation.create(database=database, schema=schema, identifier=identifier, type="table")

    adapter: Any = ADAPTERS[dialect]
    adapter.get_relation = get_relation
    adapter.get_columns_in_relation = lambda _, relation: columns(dialect, relation.identifier)
    adapter.set_relations_cache = lambda *_, **__: None


def compiled(dialect: str, folder: Path, *more: str) -> list[Path]:
    """Return the files of SQL that dbt makes of all models and tests."""
    without_connection(dialect)
    paths = ["--project-dir", str(ROOT / "dbt"), "--profiles-dir", str(folder), "--target-path", str(folder / dialect)]
    done = dbtRunner().invoke(["--quiet", "--no-populate-cache", "compile", "--target", dialect, *paths, *more])
    if not done.success:
        raise SystemExit(f"{dialect}: {done.exception or [one.message for one in done.result]}")
    return sorted((folder / dialect / "compiled").rglob("*.sql"))


def wrong(dialect: str, sql: str) -> str | None:
    """Return what is wrong with a query, if anything."""
    try:
        tree = sqlglot.parse_one(sql, read=dialect)
    except sqlglot.ParseError as error:
        return str(error)
    names = {one.name.lower() for one in tree.find_all(exp.Identifier) if not one.args.get("quoted")}
    taken = names & set(RESERVED[dialect].split())
    return f"reserved: {', '.join(sorted(taken))}" if taken else None


def main() -> int:
    """Compile and read everything."""
    status = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "profiles.yml").write_text(PROFILES, encoding="utf-8")
        for dialect in ADAPTERS:
            for way in (["--full-refresh"], []):
                files = compiled(dialect, folder, "--log-path", name, *way)
                for file in files:
                    if found := wrong(dialect, file.read_text(encoding="utf-8")):
                        sys.stderr.write(f"{dialect}: {file.name}: {found}\n")
                        status = 1
                sys.stdout.write(f"{dialect}{' --full-refresh' if way else ''}: {len(files)} queries read\n")
    return status


if __name__ == "__main__":
    sys.exit(main())

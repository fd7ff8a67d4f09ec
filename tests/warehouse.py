"""Tables as a loader makes them, in a DuckDB file, and dbt over them: for the tests of the models and of the page."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from outcome import Run

ROOT = Path(__file__).resolve().parent.parent
BIN = os.environ.get("ANALYTICS_BIN")
needs_dbt = pytest.mark.skipif(BIN is None, reason="ANALYTICS_BIN is not set: scripts/test installs dbt and sets it")
_TYPES = {"string": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN"}


class Warehouse:
    """One DuckDB file, with the tap's tables and dbt's models."""

    now = "2026-03-01T12:00:00+00:00"
    """When the models are made and the page is written."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "warehouse.duckdb"
        self._folder = folder

    def load(self, found: Run, batched_at: str, only: Mapping[str, set[str]] | None = None) -> None:
        """Upsert what a run wrote; `only` takes these keys of a stream."""
        for stream, schema in found.schemas.items():
            key, wanted = found.keys[stream][-1], (only or {}).get(stream)
            rows = [row for row in found.records[stream] if wanted is None or row[key] in wanted]
            self.write(stream, schema, found.keys[stream], rows, batched_at)

    def write(
        self,
        stream: str,
        schema: Mapping[str, Any],
        keys: Iterable[str],
        rows: Iterable[Mapping[str, Any]],
        batched_at: str,
    ) -> None:
        """Upsert rows into a stream's table."""
        columns = {name: _type(declared) for name, declared in schema["properties"].items()}
        columns["_sdc_batched_at"] = "TIMESTAMP"
        file = self._folder / "rows.jsonl"
        last = {tuple(row[key] for key in keys): row for row in rows}
        file.write_text(
            "".join(json.dumps({**row, "_sdc_batched_at": batched_at}) + "\n" for row in last.values()),
            encoding="utf-8",
        )
        declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        read = "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items()) + "}"
        with duckdb.connect(str(self.file)) as connection:
            connection.execute("create schema if not exists tap_emaillogs")
            primary = ", ".join(f'"{key}"' for key in keys)
            connection.execute(
                f'create table if not exists tap_emaillogs."{stream}" ({declared}, primary key ({primary}))'
            )
            if last:
                connection.execute(
                    f'insert or replace into tap_emaillogs."{stream}" '
                    f"select * from read_json('{file}', format = 'newline_delimited', columns = {read})"
                )

    @property
    def environ(self) -> dict[str, str]:
        """What dbt and the page need to find the file."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "EMAILLOGS_"))}
        return {
            **own,
            "EMAILLOGS_DUCKDB": str(self.file),
            "EMAILLOGS_NOW": self.now,
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }

    def dbt(self, *arguments: str, status: int = 0) -> str:
        """Run dbt; return what it prints."""
        assert BIN
        target = self._folder / "target"
        paths = ["--project-dir", "dbt", "--profiles-dir", "dbt/profiles", "--target-path", str(target)]
        command = [f"{BIN}/dbt", "--no-use-colors", "--log-path", str(target), *arguments, *paths]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environ, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == status, done.stdout[-6000:] + done.stderr[-3000:]
        return done.stdout

    def build(self, *arguments: str) -> str:
        """Make and test all models."""
        return self.dbt("build", "--exclude", "tag:alert", *arguments)

    def page(self, *arguments: str, status: int = 0) -> str:
        """Write the page; return its text, or what it says on stderr where it fails."""
        assert BIN
        file = self._folder / "page.html"
        command = [f"{BIN}/python", "-m", "dashboard", "--output", str(file), *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environ, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == status, done.stderr
        return done.stderr if status else file.read_text(encoding="utf-8")

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the models."""
        with duckdb.connect(str(self.file), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'; set search_path = 'email_analytics'")
            return connection.execute(query).fetchall()


def _type(declared: Mapping[str, Any]) -> str:
    types = {declared["type"]} if isinstance(declared["type"], str) else set(declared["type"])
    (one,) = types - {"null"}
    return "TIMESTAMP" if declared.get("format") == "date-time" else _TYPES.get(one, "JSON")

"""Real Meltano, real loaders, real databases: every column of every row is compared with the tap's own output."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import duckdb
import psycopg
import pytest

from harness import command
from postgres import ABSENT, server
from sandbox.server import Sandbox
from tap_emaillogs.formats import timestamps

if TYPE_CHECKING:
    from outcome import Run

ROOT = Path(__file__).resolve().parent.parent
MELTANO = os.environ.get("MELTANO_BIN")
SCHEMA = "tap_emaillogs"

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(MELTANO is None, reason="MELTANO_BIN is not set: scripts/test sets up Meltano and sets it"),
]
Rows = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Run, Path]]:
    """All five vendors, and what the tap writes by itself."""
    mail = tmp_path_factory.mktemp("mail")
    with Sandbox(seed=5, size=300, options={"messangi": {"directory": str(mail)}}) as box:
        config = box.config()
        config["messangi"]["report"] = {
            "emails": ["reports@example.com"],
            "from": "shop@example.com",
            "directory": str(mail),
            "wait_minutes": 1,
        }
        found = command(config)
        assert found.status == 0, found.stderr
        yield box, found, mail


def load(played: tuple[Sandbox, Run, Path], loader: str, tmp_path: Path, *more: str, **settings: str) -> None:
    box, _, mail = played
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "SANDBOX_URL": box.url,
        "TAP_EMAILLOGS_MESSANGI_REPORT_DIRECTORY": str(mail),
        "MELTANO_STATE_BACKEND_URI": f"file://{tmp_path / 'state'}",
        "MELTANO_DATABASE_URI": f"sqlite:///{tmp_path / 'meltano.db'}",
        **settings,
    }
    meltano(environment, "tap-emaillogs", loader, *more)


def meltano(environment: dict[str, str], *plugins: str) -> None:
    done = subprocess.run(
        [str(MELTANO), "--environment=demo", "run", *plugins],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]


def assert_same(found: Run, rows_of: Rows) -> None:
    compared = 0
    for stream, schema in found.schemas.items():
        if stream in {"sync_windows", "zeptomail_emails"}:  # the ledger tells of times and requests; not selected
            continue
        keys = found.keys[stream]
        want = {tuple(record[key] for key in keys): record for record in found.records[stream]}
        have = [{column.lower(): value for column, value in row.items()} for row in rows_of(stream)]
        assert len(have) == len(want) == len({tuple(row[key.lower()] for key in keys) for row in have}), stream
        columns = {name.lower(): name for name in schema["properties"]}
        for row in have:
            record = want[tuple(row[key.lower()] for key in keys)]
            for column, value in row.items():
                if column in columns:
                    assert plain(value) == plain(record[columns[column]]), (stream, column)
                    compared += 1
    assert compared > 10_000


def plain(value: Any) -> Any:
    """Bring a value to one form, whether it comes from the tap or from a database."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(value, Decimal):
        return float(value)
    if not isinstance(value, str):
        return value
    if not value:
        return None  # target-duckdb writes an empty text as null
    try:
        return json.loads(value) if value[:1] in {"{", "["} else timestamps.parse(value)
    except ValueError:
        return value


def test_every_row_arrives_in_duckdb(played: tuple[Sandbox, Run, Path], tmp_path: Path) -> None:
    file = tmp_path / "emaillogs.duckdb"
    page = tmp_path / "page.html"
    places = {"TARGET_DUCKDB_FILEPATH": file, "DBT_DUCKDB_DUCKDB": file, "PAGE_DUCKDB": file, "PAGE_OUTPUT": page}
    settings = {name: str(place) for name, place in places.items()}
    load(played, "target-duckdb", tmp_path, "dbt-duckdb:build", "page:write", **settings)
    assert "nothing is missing" in page.read_text(encoding="utf-8").lower()
    with duckdb.connect(str(file), read_only=True) as connection:

        def rows(stream: str) -> list[dict[str, Any]]:
            cursor = connection.execute(f'select * from {SCHEMA}."{stream}"')
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        assert_same(played[1], rows)
        statuses = connection.execute(f"select distinct status from {SCHEMA}.sync_windows").fetchall()
        assert statuses == [("complete",)]
        assert_models(played, lambda query: connection.execute(query).fetchall())
        tables = {
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'tap_emaillogs'"
            ).fetchall()
        }
        assert tables == {*played[1].schemas} - {"zeptomail_emails"}, "what meltano.yml selects"


@pytest.mark.skipif(bool(ABSENT), reason=ABSENT or "")
def test_every_row_arrives_in_postgresql(played: tuple[Sandbox, Run, Path], tmp_path: Path) -> None:
    with server() as dsn, psycopg.connect(dsn, row_factory=psycopg.rows.dict_row) as connection:
        parts = psycopg.conninfo.conninfo_to_dict(dsn)
        names = {"host": "host", "port": "port", "user": "user", "password": "password", "dbname": "database"}
        given = {names[key].upper(): str(value) for key, value in parts.items() if key in names}
        settings = {f"TARGET_POSTGRES_{key}": value for key, value in {"PASSWORD": "unused", **given}.items()}
        models = {f"DBT_POSTGRES_{name}": given[name] for name in ("HOST", "PORT", "USER", "DATABASE")}
        load(played, "target-postgres", tmp_path, "dbt-postgres:build", **settings, **models)

        def rows(stream: str) -> list[dict[str, Any]]:
            return connection.execute(f'select * from {SCHEMA}."{stream}"').fetchall()

        assert_same(played[1], rows)
        assert_models(played, lambda query: [tuple(row.values()) for row in connection.execute(query).fetchall()])


def assert_models(played: tuple[Sandbox, Run, Path], ask: Callable[[str], list[tuple[Any, ...]]]) -> None:
    """What the models add up to is what the sandbox knows."""
    with urlopen(played[0].url + "/truth") as answer:
        truth = json.load(answer)["email_events"]
    types = [
        "queued",
        "sent",
        "delivered",
        "bounced",
        "deferred",
        "rejected",
        "failed",
        "complained",
        "opened",
        "clicked",
    ]
    sums = ", ".join(f"sum({name}_events) as {name}" for name in types)
    (row,) = ask(f"select {sums} from email_analytics.agg_deliverability_daily")
    assert list(map(int, row)) == [truth.get(name, 0) for name in types]
    ((events,),) = ask("select count(*) from email_analytics.fct_email_events")
    assert events == sum(truth.values())

"""Case: end to end into DuckDB and PostgreSQL, and which share of that time is the tap's."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contestants import EVENTS, OURS, RAW, ROOT, environment
from benchmarks.report import Section, median, spread
from benchmarks.runs import Load, Result, measured, own_environ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.reading import Context

    Count = Callable[[str], int]

_SCHEMA = "emaillogs"
_REQUIREMENTS = {
    "target-duckdb": ("target-duckdb==0.8.0", "duckdb==1.2.2"),
    "target-postgres": ("meltanolabs-target-postgres==0.8.1",),
}


def loading(context: Context) -> Section:
    """Load both streams; every row is counted in the database."""
    load = Load(context.rows(50_000), streams=(RAW, EVENTS))
    runs = {"the tap alone": lambda: context.bench.run(OURS, load)}
    with _postgres() as dsn:
        runs["into DuckDB"] = partial(_load, context, load, "target-duckdb", _duckdb())
        if dsn:
            runs["into PostgreSQL"] = partial(_load, context, load, "target-postgres", _postgres_target(dsn))
        found = context.interleaved(runs, most=3)
    headers = ("", "wall s", "the tap's share", "CPU s", "of it the tap's", "records/s")
    section = Section("loading", f"End to end, {load.rows:,} rows and their events", headers)
    section.note = (
        "The tap's share: the time that it takes alone, of the time that tap and loader take together, side by side."
    )
    alone = found["the tap alone"]
    for label, results in found.items():
        wall = [one.wall / other.wall for one, other in zip(alone, results, strict=True)]
        cpu = [one.cpu / other.cpu for one, other in zip(alone, results, strict=True)]
        rate = median([one.records / one.wall for one in results])
        seconds = [spread([getattr(one, name) for one in results], ".1f") for name in ("wall", "cpu")]
        section.rows.append((label, seconds[0], spread(wall), seconds[1], spread(cpu), f"{rate:,.0f}"))
    if not dsn:
        section.note += " PostgreSQL is not installed here."
    return section


def _load(context: Context, load: Load, target: str, opened: Any) -> Result:
    """Run the tap into a target.

    Raises:
        RuntimeError: A table does not hold every row.
    """
    events = context.bench.server.control(load)
    python = environment(target, (*_REQUIREMENTS[target], "-c", str(ROOT / f"requirements/{target}.txt")))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, opened(Path(folder)) as (config, count):
        path = Path(folder) / "target.json"
        path.write_text(json.dumps({"default_target_schema": _SCHEMA, **config}), encoding="utf-8")
        tap = shlex.join(context.bench.command(Path(folder), OURS, load))
        into = shlex.join([str(Path(python).with_name(target)), "--config", str(path)])
        line = ["/bin/bash", "-c", f"set -o pipefail; {tap} | {into}"]
        result = measured(line, {**own_environ(), "PGTZ": "UTC"})
        counts = {name: count(name) for name in load.streams}
    if counts != {RAW: load.rows, EVENTS: events}:
        raise RuntimeError(f"{target} holds {counts}, not {load.rows} and {events}")
    return Result(**{**vars(result), "records": sum(counts.values())})


def _duckdb() -> Any:
    @contextmanager
    def opened(folder: Path) -> Iterator[tuple[dict[str, Any], Count]]:
        import duckdb  # noqa: PLC0415 - large, and needed here only

        file = str(folder / "bench.duckdb")

        def count(table: str) -> int:
            with duckdb.connect(file, read_only=True) as connection:
                row = connection.execute(f"select count(*) from {_SCHEMA}.{table}").fetchone()  # noqa: S608 - names of our own
                assert row
                return int(row[0])

        yield {"filepath": file, "batch_size_rows": 2000, "flush_all_streams": True}, count

    return opened


def _postgres_target(dsn: str) -> Any:
    import psycopg  # noqa: PLC0415 - likewise

    @contextmanager
    def opened(_: Path) -> Iterator[tuple[dict[str, Any], Count]]:
        with psycopg.connect(dsn, autocommit=True) as connection:

            def count(table: str) -> int:
                row = connection.execute(f"select count(*) from {_SCHEMA}.{table}").fetchone()  # noqa: S608 - names of our own
                assert row
                return int(row[0])

            url = dsn.replace("postgresql://", "postgresql+psycopg://")
            yield {"sqlalchemy_url": url, "load_method": "upsert", "sanitize_null_text_characters": True}, count
            connection.execute(f"drop schema {_SCHEMA} cascade")

    return opened


def _postgres() -> Any:
    """Return a server of its own; where it is not installed, something that gives None."""
    sys.path.append(str(ROOT / "tests"))
    import postgres  # noqa: PLC0415 - the path comes first

    return nullcontext(None) if postgres.ABSENT else postgres.server()

"""Accounts and days read through a real Dagster, with what goes wrong on the way; also for `scripts/simulate`."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from dagster_stage import Ran, Stage
from postgres import server
from sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.base.faults import Fault

PASSWORD = "pg0PLAY0PASSWORD"
KINDS = ("smtp2go", "jetemail", "smtp2go")
"""Providers of the accounts, in turn."""
STREAMS = {"smtp2go": "smtp2go_activity", "jetemail": "jetemail_outbound_logs"}


@dataclass
class Play:
    """What is played, and what became of it."""

    stage: Stage
    box: Sandbox
    accounts: int
    days: int
    groups: list[str]
    secrets: dict[str, str]
    fault: Fault | None
    alerts: list[str]
    """What was posted to the deployment's alert address."""
    every_minutes: int
    """How often each group is to have a forward run."""
    killed_pid: int | None = None
    seconds: float = 0.0
    verdicts: dict[str, bool] = field(default_factory=dict)

    def until_whole(self, seconds: float) -> None:
        """Wait until every partition is whole and each group has had a forward run; kill and heal on the way."""
        began = time.monotonic()
        self.stage.until(self._whole, seconds)
        self.seconds = time.monotonic() - began

    def _whole(self) -> bool:
        if self.fault:
            self._kill_one()
            failed = (
                "select 1 from event_logs where dagster_event_type in ('STEP_UP_FOR_RETRY', 'STEP_FAILURE') limit 1"
            )
            if self.fault.times and self.killed_pid is not None and self.stage.ask(failed):
                self.fault.times = 0  # the vendor is up again
        self.verdicts = self.stage.verdicts()
        runs = self.stage.runs()
        forward = {run.group for run in runs if run.kind == "forward" and run.status == "SUCCESS"}
        going = [run for run in runs if run.kind == "backfill" and run.status not in {"SUCCESS", "FAILURE"}]
        told = not self.fault or any(self.killed is not None and self.killed in text for text in self.alerts)
        whole = told and len(self.verdicts) >= len(self.groups) * self.days and all(self.verdicts.values())
        return whole and not going and forward == set(self.groups)

    def _kill_one(self) -> None:
        """Kill, once, a run's worker while its tap runs; in a container its step would go with it, here by itself.

        Dagster tells of what fails after the first look of the sensor that tells; until then nothing is killed.
        """
        looked = "select 1 from job_ticks where tick_body like %s and status <> 'STARTED' limit 1"
        if not self.stage.ask(looked, "%failed_runs%"):
            return
        for guard in self.stage.processes("guard.py") if self.killed_pid is None else ():
            worker = _parent(_parent(guard))
            if worker and b"spawn_main" in _command(worker):  # a forward run's step is the worker itself
                os.kill(worker, signal.SIGKILL)
                self.killed_pid = worker
                return

    @property
    def killed(self) -> str | None:
        """The run whose worker was killed."""
        rows = self.stage.ask(
            "select run_id from event_logs where event like %s limit 1", f"%(pid: {self.killed_pid})%"
        )
        return rows[0][0] if rows else None

    def tables(self) -> dict[str, int]:
        """Count what the warehouse holds: rows per stream and account, events per type."""
        found: dict[str, int] = {}
        for stream in STREAMS.values():
            rows = self.stage.ask(f"select account, count(*) from tap_emaillogs.{stream} group by 1")
            found |= {f"{stream} {account}": count for account, count in rows}
        rows = self.stage.ask("select event_type, count(*) from tap_emaillogs.email_events group by 1")
        return found | dict(rows)

    def truth(self) -> dict[str, int]:
        """Count the same at the vendors."""
        truth = self.box.truth()
        found = {
            f"{STREAMS[vendor]} {account}": own["streams"][STREAMS[vendor]]
            for vendor, accounts in truth["vendors"].items()
            for account, own in accounts.items()
        }
        return found | {name: count for name, count in truth["email_events"].items() if count}

    def longest_wait(self) -> float:
        """Return the minutes that lie at most between the starts of two forward runs of a group, or since the last."""
        starts: defaultdict[str, list[datetime]] = defaultdict(list)
        for run in self.stage.runs():
            if run.kind == "forward" and run.started:
                starts[run.group].append(run.started)
        ended = datetime.now(UTC)
        gaps = [after - at for moments in starts.values() for at, after in pairwise([*sorted(moments), ended])]
        return max(gaps, default=timedelta()) / timedelta(minutes=1)

    def most_a_minute(self) -> dict[str, int]:
        """Return the most requests of each account within 60 seconds."""
        times: defaultdict[str, list[datetime]] = defaultdict(list)
        for logged in self.box.requests:
            times[f"{logged.vendor}/{logged.key}"].append(logged.time)
        return {
            who: max(at - bisect_left(moments, moment - timedelta(seconds=60)) + 1 for at, moment in enumerate(moments))
            for who, moments in times.items()
        }

    def overlaps(self, one: str, other: str) -> list[tuple[Ran, Ran]]:
        """Return the pairs of runs of one group, of these kinds, that went at the same time."""
        runs = [run for run in self.stage.runs() if run.started and run.kind in {one, other}]
        now = datetime.now(UTC)
        return [
            (first, second)
            for place, first in enumerate(runs)
            for second in runs[place + 1 :]
            if first.group == second.group
            and {first.kind, second.kind} == {one, other}
            and first.started < (second.ended or now)
            and second.started < (first.ended or now)
        ]

    def everything_stored(self) -> bytes:
        """Return all rows of all tables, and all files of the deployment."""
        found = [path.read_bytes() for path in self.stage.folder.rglob("*") if path.is_file()]
        with psycopg.connect(self.stage.dsn, autocommit=True) as connection:
            tables = connection.execute(
                "select table_schema, table_name from information_schema.tables "
                "where table_schema not in ('pg_catalog', 'information_schema')"
            ).fetchall()
            for schema, name in tables:
                query = sql.SQL("select t::text from {} t").format(sql.Identifier(schema, name))
                found += [str(row[0]).encode() for row in connection.execute(query)]
        return b"\n".join(found)

    def stored(self) -> Counter[str]:
        """Return rows of Dagster's own tables."""
        names = ("runs", "run_tags", "event_logs", "asset_check_executions", "asset_event_tags", "job_ticks")
        return Counter({name: self.stage.ask(f"select count(*) from {name}")[0][0] for name in names})


@contextmanager
def played(
    folder: Path,
    accounts: int,
    days: int,
    *,
    quiet_groups: int = 0,
    size: int = 60,
    trouble: bool = True,
    every_minutes: int = 2,
    runs: int = 6,
    stretches: int = 10,
    page_size: int = 5,
) -> Iterator[Play]:
    """Start everything: `accounts` with `size` rows each over `days`, alone or in `quiet_groups`."""
    today = (datetime.now(UTC) - timedelta(minutes=30)).date()  # yesterday is asked for when it is settled
    since = today - timedelta(days=days)
    given, secrets = [], {"EMAILLOGS_PG_SECRET": PASSWORD}
    options: dict[str, Any] = {
        name: {"span_days": days - 1.5, "accounts": {}} for name in dict.fromkeys(KINDS[:accounts])
    }
    options["smtp2go"]["history_days"] = days + 2  # so far back the vendor of this play remembers
    for number in range(accounts):
        kind, name = KINDS[number % len(KINDS)], f"account{number:04d}"
        secrets[f"KEY_{number}"] = f"api-PLAY{number:020d}" if kind == "smtp2go" else f"api_play{number:020d}"
        options[kind]["accounts"][secrets[f"KEY_{number}"]] = {"label": name}
        own = {"provider": kind, "account": name, "api_key": {"env": f"KEY_{number}"}}
        given.append(own if quiet_groups else {**own, "group": name})
    box = Sandbox(seed=5, size=size, vendors=options, options=options, enforce_budget=True)
    with server() as plain, box, alerted() as (alert_url, alerts):
        file: dict[str, Any] = {
            "since": since.isoformat(),
            "every_minutes": every_minutes,
            "backfill_share": 0.6,
            "quiet_groups": quiet_groups or 1,
            # Forward runs begin yesterday, so that all that is older comes from backfills.
            "tap": {"max_tries": 2, "start_date": (today - timedelta(days=1)).isoformat()},
            "providers": {name: {"base_url": box.base_url(name), "page_size": page_size} for name in options},
            "accounts": given,
        }
        file["providers"]["smtp2go"]["history_days"] = days + 2
        settings = {"SINCE": since.isoformat(), "STRETCH": "day", "RETRY_SECONDS": "2", "PAUSE_MINUTES": "0.1"}
        settings |= {"STRETCHES_PER_RUN": str(stretches), "ALERT_URL": alert_url}
        dsn = plain.replace("//tap@", f"//tap:{PASSWORD}@")
        stage = Stage(folder, dsn, box, file, secrets, **{f"EMAILLOGS_{name}": text for name, text in settings.items()})

        def change(own: dict[str, Any]) -> None:
            queue = {"dequeue_interval_seconds": 1, "dequeue_num_workers": 2, "max_concurrent_runs": runs}
            own["run_coordinator"]["config"] |= queue
            own["run_monitoring"]["poll_interval_seconds"] = 2

        stage.configure(change)
        fault = box.fault(kind="status", vendor="jetemail", status=503, times=-1) if trouble else None
        with stage:
            names = {own.get("group") for own in given} if not quiet_groups else set(_groups(stage))
            yield Play(stage, box, accounts, days, sorted(map(str, names)), secrets, fault, alerts, every_minutes)


@contextmanager
def alerted() -> Iterator[tuple[str, list[str]]]:
    """Take what is posted to an address; yield that and the texts."""
    texts: list[str] = []

    class Chat(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Chat) as chat:
        thread = threading.Thread(target=chat.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{chat.server_address[1]}", texts
        chat.shutdown()
        thread.join()


def _groups(stage: Stage) -> list[str]:
    """Return the groups that the file makes."""
    import sys  # noqa: PLC0415 - the project is no package of this one

    from dagster_stage import PROJECT  # noqa: PLC0415

    sys.path.append(str(PROJECT))
    from emaillogs_dagster import accounts  # noqa: PLC0415

    return list(accounts.load(str(stage.folder / "accounts.yaml")))


def _parent(pid: int) -> int:
    try:
        return int((Path("/proc") / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _command(pid: int) -> bytes:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""

"""A whole Dagster for a test: PostgreSQL storage, run queue, daemon and the code location of `deploy/dagster`.

`Stage` writes what a deployment has (accounts, `dagster.yaml`), starts `dagster-daemon run` and looks at what Dagster
wrote into its database; nothing of Dagster is imported here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import psycopg
import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "deploy" / "dagster"
BIN = os.environ.get("DAGSTER_BIN")
needs_dagster = pytest.mark.skipif(
    BIN is None, reason="DAGSTER_BIN is not set: scripts/test installs Dagster and sets it"
)
LOADERS = Path(os.environ.get("MELTANO_SYS_DIR_ROOT", ROOT / ".meltano")) / "loaders"


def loader(name: str) -> str:
    """Return the command of a loader that Meltano has installed."""
    return str(LOADERS / name / "venv" / "bin" / name)


class Ran(NamedTuple):
    """One run of Dagster."""

    run_id: str
    status: str
    kind: str
    group: str
    created: datetime
    started: datetime | None
    ended: datetime | None


class Stage:
    """Dagster over one sandbox.

    Args:
        folder: Where its files are.
        dsn: An empty database for Dagster, the data and STATE.
        box: The vendors, with `enforce_budget`.
        accounts: What stands in the file of accounts.
        secrets: Environment variables that it names.
        settings: Further `EMAILLOGS_*` variables.
    """

    def __init__(
        self,
        folder: Path,
        dsn: str,
        box: Sandbox,
        accounts: dict[str, Any],
        secrets: dict[str, str],
        **settings: str,
    ) -> None:
        self.folder, self.dsn, self.box = folder, dsn, box
        (folder / "accounts.yaml").write_text(yaml.safe_dump(accounts), encoding="utf-8")
        # PYTHONSAFEPATH: Dagster's code server takes the first entry of the path for the directory it was started in.
        mine = ("EMAILLOGS_", "DAGSTER_", "PYTHONSAFEPATH")
        own = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        self.environ = {
            **own,
            **secrets,
            "DAGSTER_HOME": str(folder),
            "DAGSTER_POSTGRES_URL": dsn,
            "DAGSTER_GRPC_TIMEOUT_SECONDS": "300",  # on a machine that does much else a process starts slowly
            "PYTHONPATH": os.pathsep.join(
                [str(PROJECT), *([os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else [])]
            ),
            "EMAILLOGS_ACCOUNTS": str(folder / "accounts.yaml"),
            "EMAILLOGS_WAREHOUSE": dsn,
            "EMAILLOGS_STATE": dsn,
            "EMAILLOGS_TAP": f"{sys.executable} -m tap_emaillogs",
            "EMAILLOGS_LOADER": loader("target-postgres"),
            **settings,
        }
        self._daemon: subprocess.Popen[bytes] | None = None

    def configure(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Write `dagster.yaml`: the deployment's own, changed."""
        own = yaml.safe_load((PROJECT / "dagster.yaml").read_text(encoding="utf-8"))
        change(own)
        (self.folder / "dagster.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")

    def __enter__(self) -> Self:
        self.log = (self.folder / "daemon.log").open("wb")
        self._daemon = subprocess.Popen(
            [f"{BIN}/dagster-daemon", "run", "-w", str(PROJECT / "workspace.yaml")],
            cwd=self.folder,
            env=self.environ,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End Dagster and all that it started."""
        assert self._daemon
        if self._daemon.poll() is None:
            self._daemon.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._daemon.wait(15)
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._daemon.wait(15)
        self.log.close()

    def processes(self, word: str = "") -> list[int]:
        """Return the processes of this stage whose command line has a word."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    mine = f"DAGSTER_HOME={self.folder}".encode() in (entry / "environ").read_bytes().split(b"\0")
                    if mine and word.encode() in (entry / "cmdline").read_bytes():
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found

    def until(self, done: Callable[[], bool], seconds: float) -> None:
        """Wait until something is so.

        Raises:
            AssertionError: It is not; with the end of the daemon's log.
        """
        deadline = time.monotonic() + seconds
        while not done():
            assert self._daemon
            alive = self._daemon.poll() is None
            if time.monotonic() > deadline or not alive:
                log = (self.folder / "daemon.log").read_text(encoding="utf-8", errors="replace")
                raise AssertionError(f"not within {seconds} s; {self.runs()}\n{log[-6000:]}")
            time.sleep(1)

    def ask(self, query: str, *given: Any) -> list[tuple[Any, ...]]:
        """Ask the database; nothing where the table is not there yet."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            try:
                return connection.execute(query, given).fetchall()
            except psycopg.errors.UndefinedTable:
                return []

    def runs(self) -> list[Ran]:
        """Return all runs, the oldest first."""
        tag = "(select value from run_tags t where t.run_id = r.run_id and key = 'emaillogs/{}')"
        rows = self.ask(
            f"select run_id, status, {tag.format('kind')}, {tag.format('group')}, "
            "create_timestamp, start_time, end_time from runs r order by id"
        )
        return [Ran(*row[:4], row[4].replace(tzinfo=UTC), *(_moment(one) for one in row[5:])) for row in rows]

    def verdicts(self) -> dict[str, bool]:
        """Return the last result of the check of each partition."""
        rows = self.ask(
            "select partition, execution_status from asset_check_executions "
            "where check_name = 'whole' and partition is not null order by id"
        )
        return {partition: status == "SUCCEEDED" for partition, status in rows if status in {"SUCCEEDED", "FAILED"}}


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

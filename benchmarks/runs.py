"""One measured run of one program: its time, processor time, memory, requests and records."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contestants import EVENTS, OURS, RAW, ROOT, catalog, configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.contestants import Contestant

_MEASURE = Path(__file__).with_name("measure.py")
_LONGEST = 3600
_BLOCK = 1 << 24
PAGE = 1000


@dataclass(frozen=True)
class Load:
    """What is to be read, and under which circumstances."""

    rows: int
    latency_ms: int = 0
    streams: tuple[str, ...] = (RAW,)
    settings: dict[str, Any] = field(default_factory=dict)
    """Ours only: merged into the provider's object."""
    top: dict[str, Any] = field(default_factory=dict)
    """Ours only: merged into the configuration."""
    accounts: int = 1
    budget: dict[str, float] | None = None
    """The server's: `requests` in `seconds`, then a `ban` of so many seconds."""


@dataclass(frozen=True)
class Result:
    """What a run took."""

    wall: float
    cpu: float
    rss_mb: float
    records: int
    bytes_out: int
    requests: int = 0
    refused: int = 0
    asked_for: float = 0.0
    """Seconds between the first request and the last."""
    state: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def rate(self) -> float:
        """Records a second, start and end of the process included."""
        return self.records / self.wall


class Server:
    """The server's process, from here."""

    def __init__(self, url: str) -> None:
        self.url = url

    def control(self, load: Load) -> int:
        """Prepare the server for a load and let it count from zero; return how many `email_events` the rows make."""
        wanted = {"latency_ms": load.latency_ms, "budget": load.budget, "rows": load.rows}
        made: dict[str, int] = self._ask("/control", json.dumps(wanted).encode())
        return made[str(load.rows)]

    def stats(self) -> dict[str, Any]:
        """Return what was counted since."""
        counted: dict[str, Any] = self._ask("/stats")
        return counted

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        with urllib.request.urlopen(self.url + path, body, timeout=600) as answer:  # noqa: S310 - loopback
            return json.load(answer)


@contextmanager
def serving() -> Iterator[Server]:
    """Run the server in a process of its own."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.server"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": environ}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield Server(json.loads(process.stdout.readline())["url"])
        finally:
            process.stdin.close()
            process.wait(10)


def measured(command: list[str], environ: dict[str, str] | None = None) -> Result:
    """Run a command and count what it writes.

    Raises:
        RuntimeError: It failed.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        output, report, log = (Path(folder) / name for name in ("output", "report", "log"))
        launcher = [sys.executable, "-ISE", str(_MEASURE), str(report), str(output)]
        with log.open("wb") as errors:
            _finished([*launcher, *command], cwd=folder, stderr=errors, env=environ or own_environ())
        status, wall, cpu, peak = map(float, report.read_text(encoding="ascii").split())
        if status:
            tail = "".join(path.read_text(encoding="utf-8", errors="replace")[-3000:] for path in (output, log))
            raise RuntimeError(f"{' '.join(command)} ended with {status:.0f}:\n{tail}")
        records, size, state = _counted(output)
    return Result(wall, cpu, peak / 1024, records, size, state=state)


def _finished(command: list[str], **arguments: Any) -> None:
    """Wait for a command; whatever ends the waiting ends it and all that it started."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **arguments) as process:
        try:
            status = process.wait(_LONGEST)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if status:
        raise RuntimeError(f"{command[-1]} could not be started")


def _counted(output: Path) -> tuple[int, int, dict[str, Any] | None]:
    """Count RECORD messages, by Singer or Airbyte, or take the count that a program gives as its only line."""
    counts: Counter[bytes] = Counter()
    size, left, state = 0, b"", None
    with output.open("rb") as file:
        while block := file.read(_BLOCK):
            size += len(block)
            whole, newline, rest = block.rpartition(b"\n")
            text = left + whole + newline
            left = rest if newline else left + block
            for start in (b'{"type":"RECORD"', b'{"type": "RECORD"'):
                counts[b"RECORD"] += text.count(b"\n" + start) + text.startswith(start)
            last = max(text.rfind(b'\n{"type":"STATE"'), text.rfind(b'\n{"counted"'))
            if last >= 0 or text.startswith(b'{"counted"'):
                state = json.loads(text[last + 1 :].split(b"\n", 1)[0])
    if state and "counted" in state:
        return state["counted"], size, None
    return counts[b"RECORD"], size, state and state.get("value")


_NOT_PASSED_ON = {"PYTHONPATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}


def own_environ() -> dict[str, str]:
    """Return an environment in which a program sees its own packages only, and `requests` looks for no certificates."""
    return {**{name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}, "PYTHONSAFEPATH": "1"}


class Bench:
    """Runs contestants against the server, and sees that each brings every record."""

    def __init__(self, server: Server, pythons: dict[str, str]) -> None:
        self.server, self.pythons = server, pythons
        self._now = datetime.now(UTC)
        self._catalogs: dict[tuple[str, ...], dict[str, Any]] = {}

    def run(self, contestant: Contestant, load: Load, state: dict[str, Any] | None = None) -> Result:
        """Read a load once; with `state`, only what is new since.

        Raises:
            RuntimeError: It failed, or the count of its records is wrong.
        """
        events = self.server.control(load)
        expected = {RAW: load.rows, EVENTS: events}
        wanted = load.accounts * sum(expected[name] for name in load.streams)
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            result = measured(self.command(Path(folder), contestant, load, state))
        stats = self.server.stats()
        if state is None and result.records != wanted:
            raise RuntimeError(f"{contestant.title} brought {result.records:,} of {wanted:,} records ({load})")
        counted = {"requests": stats["requests"], "refused": stats["refused"]}
        return Result(**{**vars(result), **counted, "asked_for": stats["last"] - stats["first"]})

    def command(
        self, folder: Path, contestant: Contestant, load: Load, state: dict[str, Any] | None = None
    ) -> list[str]:
        """Write the files of a run into a folder, and return its command."""
        command = [self.pythons[contestant.name], *contestant.arguments]
        for name, content in self._files(contestant, load, state).items():
            path = folder / f"{name}.json"
            path.write_text(json.dumps(content), encoding="utf-8")
            command += [f"--{name}", str(path)]
        return command

    def _files(self, contestant: Contestant, load: Load, state: dict[str, Any] | None) -> dict[str, Any]:
        """Return the files of a run by the name of the option that takes them."""
        given = {
            "base_url": f"{self.server.url}/{load.rows}/v3",
            "api_key": "api-BENCH0BENCH0BENCH0KEY",
            "start_date": (self._now - timedelta(days=29)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "end_date": self._now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        config = configuration(contestant, given)
        if contestant is not OURS:
            return {"config": config}
        config |= load.top
        config["smtp2go"] |= load.settings
        if load.accounts > 1:
            names = [f"account-{number:04}" for number in range(load.accounts)]
            config["smtp2go"]["accounts"] = [{"account": name, "api_key": f"api-BENCH0{name}"} for name in names]
        if load.streams not in self._catalogs:
            self._catalogs[load.streams] = catalog(self.pythons["ours"], own_environ(), load.streams)
        files = {"config": config, "catalog": self._catalogs[load.streams]}
        return files if state is None else {**files, "state": state}


def fewest(load: Load) -> int:
    """Return how many requests would do."""
    return load.accounts * max(1, -(-load.rows // PAGE))

"""Runs the tap against a sandbox as a user would, and reads what it writes.

- `run(config, ...)`: in process, fast, with any clock; `command(config, ...)`: a subprocess of the command line.
  Both `check` on the way out what holds for every run, and return it as a `Run`: see `outcome.py`.
- `Ticking`: a clock whose waits return at once and move the time; give its `now` to the sandbox to share the time.
- `catalog(config, select, ...)`: a catalog that selects streams, and leaves out properties.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from general import EVENTS, LEDGER, NOW, facts, general
from outcome import Run, check
from tap_emaillogs.http.clock import Clock, Stopped
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sandbox.server import Logged, Sandbox

PROGRAM = ["-m", "tap_emaillogs"]
"""What Python runs as the tap; `plugging.plugged` changes it."""


class Ticking(Clock):
    """A clock that stands still but for `wait`, which returns at once and moves it, and `pass_time`."""

    def __init__(self, now: datetime = NOW) -> None:
        super().__init__()
        self._began = now
        self._elapsed = 0.0
        self._lock = threading.Lock()
        self.waits: list[float] = []
        """Every wait asked for, in seconds."""

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def wait(self, seconds: float) -> None:
        if self.stopped:
            raise Stopped
        with self._lock:
            self.waits.append(seconds)
            self._elapsed += max(0.0, seconds)

    def pass_time(self, **span: float) -> None:
        """Move on, as `timedelta(**span)` says."""
        with self._lock:
            self._elapsed += timedelta(**span).total_seconds()


class _Output(io.BytesIO):
    """A stdout that tells what is written to it."""

    def __init__(self, watch: Callable[[bytes], None] | None) -> None:
        super().__init__()
        self._watch = watch

    def write(self, data: Any) -> int:
        if self._watch is not None:
            self._watch(bytes(data))
        return super().write(data)


def run(
    config: Mapping[str, Any],
    *,
    state: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
    box: Sandbox | None = None,
    checked: bool = True,
    watch: Callable[[bytes], None] | None = None,
) -> Run:
    """Run the tap in this process; `clock` stands still at `NOW` by default, and waits take no time.

    `watch` is called with whatever is handed to stdout, as it happens.
    """
    clock = clock or Ticking()
    out = io.TextIOWrapper(_Output(watch), encoding="utf-8")
    errors = io.StringIO()
    seen = len(box.requests) if box else 0
    kind = type("Tap", (TapEmailLogs,), {"clock_class": staticmethod(lambda: clock)})
    status = 0
    with _captured_logs(errors), contextlib.redirect_stdout(out):
        try:
            kind(
                config=json.loads(json.dumps(config)),
                state=json.loads(json.dumps(state)) if state else None,
                catalog=json.loads(json.dumps(catalog)) if catalog else None,
            ).sync_all()
        except SystemExit as end:
            status = int(end.code or 0)
    _wait_for_readers()
    out.flush()
    return _result(
        status, errors.getvalue(), out.buffer.getvalue(), config, box.requests[seen:] if box else (), checked=checked
    )


def _wait_for_readers() -> None:
    """Let threads end that a run left behind, which end with a process: in the next test they would still speak."""
    until = time.monotonic() + 2
    for thread in threading.enumerate():
        if thread.name.startswith("reader-"):
            thread.join(max(0.0, until - time.monotonic()))


def read(
    box: Sandbox,
    vendor: str,
    *,
    state: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
    top: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Run:
    """Read a vendor's stream of the general tests and its events, as `general` configures it."""
    config = general(box, vendor, top=top, **settings)
    return run(config, catalog=main_streams(config, vendor), state=state, clock=clock, box=box)


def main_streams(config: Mapping[str, Any], *vendors: str) -> Any:
    """Return a catalog of the streams that the general tests read of these vendors."""
    return catalog(config, [*(facts(vendor).stream for vendor in vendors), EVENTS, LEDGER])


def command(
    config: Mapping[str, Any],
    *arguments: str,
    state: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
    box: Sandbox | None = None,
    environment: Mapping[str, str] | None = None,
    checked: bool = True,
    timeout: float = 60,
) -> Run:
    """Run `python -m tap_emaillogs` with files for config, state and catalog; it uses the system's clock."""
    seen = len(box.requests) if box else 0
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.run(
            command_line(Path(folder), config, *arguments, state=state, catalog=catalog),
            capture_output=True,
            timeout=timeout,
            env=_environment(environment),
            check=False,
        )
    return _result(
        process.returncode,
        process.stderr.decode(),
        process.stdout,
        config,
        box.requests[seen:] if box else (),
        checked=checked and not arguments,
    )


def command_line(
    folder: Path,
    config: Mapping[str, Any],
    *arguments: str,
    state: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
) -> list[str]:
    """Write the files into `folder` and return the command line that reads them."""
    line = [sys.executable, *PROGRAM, *arguments]
    for name, value in (("config", config), ("state", state), ("catalog", catalog)):
        if value is not None:
            path = folder / f"{name}.json"
            path.write_text(json.dumps(value), encoding="utf-8")
            line += [f"--{name}", str(path)]
    return line


@dataclass
class Process:
    """A tap running beside the test; its stdout goes to a file, so that nothing holds it up."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path
    config: Mapping[str, Any]

    def finish(self, number: signal.Signals | None = None, timeout: float = 30, *, checked: bool = True) -> Run:
        """Send a signal, if one is given, and return what was written until the end."""
        if number is not None and self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout)
        return _result(
            status, self.err.read_text("utf-8"), self.out.read_bytes(), self.config, (), checked=checked, cut=True
        )


@contextlib.contextmanager
def started(
    config: Mapping[str, Any], *, state: Mapping[str, Any] | None = None, catalog: Mapping[str, Any] | None = None
) -> Iterator[Process]:
    """Start the command line and go on; it is killed at the end of the block if it still runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out, err = folder / "out", folder / "err"
        line = command_line(folder, config, state=state, catalog=catalog)
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(line, stdout=stdout, stderr=stderr, env=_environment(None))
        try:
            yield Process(process, out, err, config)
        finally:
            process.kill()
            process.wait()


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TAP_EMAILLOGS")}
    return {**clean, "PYTHONWARNINGS": "default", **(more or {})}


@contextlib.contextmanager
def _captured_logs(into: io.StringIO) -> Iterator[None]:
    """Collect what the tap logs, and undo what it does to this process."""
    root = logging.getLogger()
    handler = logging.StreamHandler(into)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    level, others = root.level, [*root.handlers]
    handled = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers = others
        root.setLevel(level)
        if threading.current_thread() is threading.main_thread():
            for number, action in handled.items():
                signal.signal(number, action)


def _result(
    status: int,
    stderr: str,
    stdout: bytes,
    config: Mapping[str, Any],
    requests: Sequence[Logged],
    *,
    checked: bool,
    cut: bool = False,
) -> Run:
    lines, _, rest = stdout.rpartition(b"\n")
    # A process that was killed may leave half a character at the end, and only there.
    whole, tail = lines.decode(), rest.decode(errors="replace" if cut else "strict")
    if not checked:
        with contextlib.suppress(ValueError):
            return Run(status, stderr, _messages(whole), config, tail, requests)
        return Run(status, stderr, [], config, stdout.decode(), requests)
    assert cut or not tail, f"half a line: {tail[:200]}"
    found = Run(status, stderr, _messages(whole), config, tail, requests)
    check(found)
    return found


def _messages(text: str) -> list[dict[str, Any]]:
    """Read a message from each line: all lines at once, which takes half as long."""
    lines = [line for line in text.split("\n") if line]
    try:
        found = list(json.loads(f"[{','.join(lines)}]"))
    except ValueError:
        found = []
    return found if len(found) == len(lines) else [json.loads(line) for line in lines]


def catalog(
    config: Mapping[str, Any], select: Iterable[str], without: Mapping[str, Iterable[str]] | None = None
) -> Any:
    """Return the tap's catalog with only the streams of `select` selected, `without` some of their properties."""
    tap = _discovered(json.dumps(config, sort_keys=True))
    found = json.loads(tap)
    names = {entry["tap_stream_id"] for entry in found["streams"]}
    wanted = set(select)
    assert wanted <= names, wanted - names
    left_out = {stream: set(properties) for stream, properties in (without or {}).items()}
    for entry in found["streams"]:
        stream = entry["tap_stream_id"]
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = stream in wanted
            elif item["breadcrumb"][-1] in left_out.get(stream, ()):
                item["metadata"]["selected"] = False
    return found


@cache
def _discovered(config: str) -> str:
    with _captured_logs(io.StringIO()):
        return json.dumps(TapEmailLogs(config=json.loads(config)).catalog_dict, default=str)

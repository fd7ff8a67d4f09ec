"""Taps at a fiftieth of the price: a process that has imported the tap forks one for every order.

Each is a process of its own, with real signals and a real pipe to its target; only the second that Python and the SDK
take to start is saved. Orders come as lines of JSON on stdin (`Order`), and are answered by lines of JSON on stdout
(`Ended`). `Zygote` is what tests use.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from tap_emaillogs.http.clock import Clock, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMIT = 180.0
"""Seconds after which a run counts as hung: on a busy machine one takes a minute."""


class SharedClock(Clock):
    """A clock of several processes, kept in a file: it stands still but for `wait`, which returns at once."""

    def __init__(self, path: str, start: datetime | None = None) -> None:
        super().__init__()
        file = Path(path)
        if start is not None:
            file.write_bytes(struct.pack("d", start.timestamp()))
        with file.open("r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), 8)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.monotonic(), UTC)

    def monotonic(self) -> float:
        return float(struct.unpack("d", self._shared[:8])[0])

    def wait(self, seconds: float) -> None:
        if self.stopped:
            raise Stopped
        self._pass(max(0.0, seconds))

    def pass_time(self, span: timedelta) -> None:
        """Move on."""
        self._pass(span.total_seconds())

    def _pass(self, seconds: float) -> None:
        """Move on. Processes and threads that wait at once may pass as one, as real waits do."""
        self._shared[:8] = struct.pack("d", self.monotonic() + seconds)


@dataclass(frozen=True)
class Order:
    """One run.

    Attributes:
        arguments: The tap's command line.
        err: File for its stderr.
        out: File for its stdout; empty: a pipe to a target.
        target: Arguments of `strict_target.load`.
        kills: (seconds after the start, "tap" or "target", signal).
        clock: File of a `SharedClock` to go by; empty: the system's clock.
    """

    arguments: list[str]
    err: str
    out: str = ""
    target: dict[str, Any] = field(default_factory=dict)
    kills: list[tuple[float, str, int]] = field(default_factory=list)
    clock: str = ""


@dataclass(frozen=True)
class Ended:
    """How it ended: statuses as `subprocess` tells them, seconds, and the most memory that the tap had, in bytes."""

    tap: int
    target: int
    seconds: float
    memory: int
    hung: bool


class Zygote:
    """Runs taps, one at a time, inside a `with` block."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "LOGLEVEL": "WARNING", "TAP_EMAILLOGS_LOGLEVEL": "WARNING"},
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def run(self, order: Order) -> Ended:
        """Run a tap, until it and its target have ended."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


# Inside of the process.


def _main() -> None:
    import strict_target  # noqa: PLC0415 - only the process needs these
    from tap_emaillogs.__main__ import main  # noqa: PLC0415
    from tap_emaillogs.engine import sync  # noqa: F401, PLC0415 - what a sync imports is there already
    from tap_emaillogs.tap import TapEmailLogs  # noqa: PLC0415

    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        given = json.loads(line)
        order = Order(**{**given, "kills": [tuple(kill) for kill in given["kills"]]})

        def tap(order: Order = order) -> None:
            os.dup2(os.open(order.err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            faulthandler.register(signal.SIGUSR1)
            if order.clock:
                TapEmailLogs.clock_class = staticmethod(lambda: SharedClock(order.clock))  # type: ignore[assignment]
            sys.argv[1:] = order.arguments
            main()

        def target(order: Order = order) -> None:
            strict_target.load(**order.target)

        sys.stdout.write(json.dumps(asdict(_play(order, tap, target))) + "\n")
        sys.stdout.flush()


def _play(order: Order, tap: Callable[[], None], target: Callable[[], None]) -> Ended:
    began = time.monotonic()
    children: dict[int, str] = {}
    if order.out:
        write = os.open(order.out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        children[_forked(tap, 1, write, ())] = "tap"
    else:
        read, write = os.pipe()
        children[_forked(tap, 1, write, (read,))] = "tap"
        children[_forked(target, 0, read, (write,))] = "target"
        os.close(read)
    os.close(write)
    due = sorted(order.kills)
    statuses, memory, hung = {"tap": 0, "target": 0}, 0, False
    while children:
        elapsed = time.monotonic() - began
        while due and due[0][0] <= elapsed:
            _, who, number = due.pop(0)
            for pid, name in children.items():
                if name == who:
                    os.kill(pid, number)
        if elapsed > _LIMIT and not hung:
            hung = True
            due = [(elapsed + 1, who, int(signal.SIGKILL)) for who in ("tap", "target")]
            for pid, name in children.items():
                if name == "tap":
                    os.kill(pid, signal.SIGUSR1)  # to tell where
        pid, status, usage = os.wait4(-1, os.WNOHANG)
        if pid:
            name = children.pop(pid)
            statuses[name] = os.waitstatus_to_exitcode(status)
            memory = usage.ru_maxrss * 1024 if name == "tap" else memory
        else:
            time.sleep(0.002)
    return Ended(statuses["tap"], statuses["target"], time.monotonic() - began, memory, hung)


def _forked(work: Callable[[], None], number: int, end: int, others: tuple[int, ...]) -> int:
    """Fork a child that works with the descriptor `end` as its stdin or stdout; return its process id."""
    pid = os.fork()
    if pid == 0:
        for other in others:
            os.close(other)
        os.dup2(end, number)
        os.close(end)
        _live(work)
    return pid


def _live(work: Callable[[], None]) -> NoReturn:
    """Work, and end as an interpreter does: it waits for threads, and flushes; taking itself apart is left out."""
    status = 1
    try:
        work()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as an interpreter would
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    _main()

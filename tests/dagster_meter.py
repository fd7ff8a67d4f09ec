"""What the processes of a stage use: CPU seconds and memory of each kind of process, looked at twice a second.

A process that lives shorter than that is missed in part: the figures are a little low, never high.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from dagster_stage import Stage

_TICKS = os.sysconf("SC_CLK_TCK")
_KINDS = {
    "guard.py": "guard",
    "tap_emaillogs": "tap",
    "target-postgres": "loader",
    "dagster-daemon": "daemon",
    "api\0grpc": "code location",
    "spawn_main": "workers and steps",
}


class Used(NamedTuple):
    """What one kind of process used."""

    processes: int
    cpu: float
    """Seconds, of all together."""
    peak: float
    """MB, of the largest."""


class Meter:
    """Looks at a stage's processes inside a `with` block."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._seen: dict[tuple[int, str], tuple[float, float]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def used(self) -> dict[str, Used]:
        """Return what each kind of process used until now."""
        cpu: defaultdict[str, float] = defaultdict(float)
        peak: defaultdict[str, float] = defaultdict(float)
        count: Counter[str] = Counter()
        for (_, kind), (seconds, size) in list(self._seen.items()):
            cpu[kind] += seconds
            peak[kind] = max(peak[kind], size)
            count[kind] += 1
        return {kind: Used(count[kind], cpu[kind], peak[kind]) for kind in sorted(count)}

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            for pid in self._stage.processes():
                place = Path("/proc") / str(pid)
                try:
                    command = (place / "cmdline").read_text(encoding="utf-8", errors="replace")
                    fields = (place / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                    status = (place / "status").read_text(encoding="utf-8")
                except OSError:
                    continue
                kind = next((name for word, name in _KINDS.items() if word in command), "other")
                size = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
                self._seen[pid, kind] = ((int(fields[11]) + int(fields[12])) / _TICKS, size / 1024)

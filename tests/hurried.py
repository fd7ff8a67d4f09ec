"""A clock that goes faster than time, and the tap that goes by it.

As a program, `python tests/hurried.py <factor> <start> <arguments of the tap>`: minutes of waiting take seconds.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

from tap_emaillogs.http.clock import Clock  # noqa: E402 - the path comes first


class Hurried(Clock):
    """A clock that begins at a moment and goes `factor` times as fast as time."""

    def __init__(self, factor: float, start: datetime) -> None:
        super().__init__()
        self._factor, self._start, self._began = factor, start, time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self._factor

    def wait(self, seconds: float) -> None:
        super().wait(seconds / self._factor)


def main() -> None:
    """Run the tap."""
    factor, start = float(sys.argv.pop(1)), datetime.fromisoformat(sys.argv.pop(1))
    from tap_emaillogs.tap import TapEmailLogs  # noqa: PLC0415 - as `__main__` does

    TapEmailLogs.clock_class = staticmethod(lambda: Hurried(factor, start))  # type: ignore[assignment, misc]
    TapEmailLogs.cli()


if __name__ == "__main__":
    main()

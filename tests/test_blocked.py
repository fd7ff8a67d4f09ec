"""A target that stops reading: a signal ends the run, with a last STATE if the target reads again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from general import config_of
from harness import command_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(60)]

IMPATIENT = """
import tap_emaillogs.watchdog
tap_emaillogs.watchdog.PATIENCE = 0.5
from tap_emaillogs.tap import TapEmailLogs
TapEmailLogs.cli()
"""


def started(box: Sandbox, folder: Path, program: list[str] | None = None, **environment: str) -> Any:
    line = command_line(folder, config_of(box, requests_per_minute=0))
    line = line if program is None else [sys.executable, *program, *line[3:]]
    pipe = subprocess.PIPE
    return subprocess.Popen(line, stdout=pipe, stderr=pipe, env={**os.environ, **environment})


def blocked(tap: Any, taken: int) -> bytes:
    """Take so many bytes, and no more until the tap stands still."""
    out = b""
    while len(out) < taken:
        out += os.read(tap.stdout.fileno(), min(65_536, taken - len(out)))
    before = -1.0
    while (spent := cpu(tap)) != before:
        before = spent
        time.sleep(0.4)
    return out


def cpu(tap: Any) -> float:
    fields = Path(f"/proc/{tap.pid}/stat").read_text().rpartition(")")[2].split()
    return float(fields[11]) + float(fields[12])


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it looks into /proc")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_target_that_reads_again_gets_a_last_state(
    play: Play, tmp_path: Path, unbuffered: str, number: signal.Signals, status: int
) -> None:
    box = play(now=None, size=3_000, vendors=["smtp2go", "jetemail"])
    tap = started(box, tmp_path, PYTHONUNBUFFERED=unbuffered)
    out = blocked(tap, 100_000)
    tap.send_signal(number)
    time.sleep(0.3)
    assert tap.poll() is None
    rest, stderr = tap.communicate(timeout=30)
    lines = (out + rest).split(b"\n")
    assert lines[-1] == b"", "half a line"
    assert lines[-2].startswith(b'{"type":"STATE"')
    assert tap.returncode == status, stderr


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it looks into /proc")
def test_a_target_that_never_reads_again_holds_nothing_up(play: Play, tmp_path: Path) -> None:
    box = play(now=None, size=3_000, vendors=["smtp2go", "jetemail"])
    tap = started(box, tmp_path, ["-c", IMPATIENT])
    blocked(tap, 100_000)
    tap.send_signal(signal.SIGTERM)
    assert tap.wait(15) == 143
    assert b"nobody has read stdout since: ended without a last STATE" in tap.stderr.read()
    for pipe in (tap.stdout, tap.stderr):
        pipe.close()


def test_a_slow_target_is_waited_for(play: Play, tmp_path: Path) -> None:
    box = play(now=None, size=3_000, vendors=["smtp2go", "jetemail"])
    tap = started(box, tmp_path, ["-c", IMPATIENT])
    out = blocked(tap, 100_000)
    tap.send_signal(signal.SIGTERM)
    while chunk := os.read(tap.stdout.fileno(), 65_536):
        out += chunk
        time.sleep(0.2)
    assert tap.wait(15) == 143
    assert out.rstrip(b"\n").rpartition(b"\n")[2].startswith(b'{"type":"STATE"')
    for pipe in (tap.stdout, tap.stderr):
        pipe.close()

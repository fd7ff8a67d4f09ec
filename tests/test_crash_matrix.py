"""The crash matrix in CI: a tap and its target are stopped at random points, and in the end every row is there once.

`scripts/crashes` goes on for longer.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from crash_runs import KINDS, crash
from harness import command_line

if TYPE_CHECKING:
    from pathlib import Path

CRASHES = 200


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_rows_are_those_of_an_unbroken_run_whatever_is_stopped() -> None:
    found = crash(CRASHES, int(os.environ.get("TAP_EMAILLOGS_DICE", "20261101")))
    assert found.count.total() >= CRASHES
    assert all(found.count[kind] >= CRASHES / len(KINDS) / 4 for kind in KINDS), found.count


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_tap_starts_ends_it_as_later_ones_do(tmp_path: Path, number: signal.Signals) -> None:
    config = tmp_path / "config.json"
    line = command_line(tmp_path, {"smtp2go": {"api_key": "api-SANDBOX0SMTP2GO0KEY"}})
    config.unlink()
    os.mkfifo(config)  # it waits for whoever writes there
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        writing = os.open(config, os.O_WRONLY)  # which returns once it reads
        time.sleep(0.1)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        os.close(writing)
    assert process.returncode == 128 + number
    assert not out
    assert not err, err.decode()

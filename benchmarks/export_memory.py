"""Peak memory of the tap while it reads one export of a million rows: `python benchmarks/export_memory.py [rows]`.

The sandbox runs in a process of its own; the file is an AES zip, and all its rows are one window.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_MB = 150
VENDOR = "zeptomail"


def main(rows: int) -> int:
    options = {VENDOR: {"big_export_rows": rows, "polls": 1}}
    line = ["-m", "sandbox", "--vendors", VENDOR, "--size", "10", "--options", json.dumps(options)]
    with subprocess.Popen([sys.executable, *line], stdout=subprocess.PIPE) as sandbox:
        assert sandbox.stdout
        config = json.loads(sandbox.stdout.readline())["config"]
        config[VENDOR] |= {"window_hours": 24 * 60}
        try:
            records, events, seconds, peak = measure(config)
        finally:
            sandbox.terminate()
    print(
        f"{records:,} records and {events:,} events of one export in {seconds:.0f} s, {records / seconds:,.0f} rows/s"
    )
    print(f"peak RSS {peak:.0f} MB (limit {LIMIT_MB} MB)")
    return 0 if records == rows and peak < LIMIT_MB else 1


def measure(config: object) -> tuple[int, int, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        began = time.monotonic()
        command = [sys.executable, "-m", "tap_emaillogs", "--config", str(path)]
        tap = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert tap.stdout
        counts = {b"zeptomail_mail_logs": 0, b"email_events": 0}
        for line in tap.stdout:
            for name in counts:
                counts[name] += line.startswith(b'{"type":"RECORD","stream":"' + name)
        tap.stdout.close()
        _, status, usage = os.wait4(tap.pid, 0)
        tap.returncode = os.waitstatus_to_exitcode(status)
        assert tap.returncode == 0, f"the tap ended with {tap.returncode}"
        records, events = counts.values()
        return records, events, time.monotonic() - began, usage.ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))

"""`python guard.py FD command…`: run a command, and end it when the pipe FD ends, that is when the worker is gone.

A worker that is killed outright (out of memory, `kill -9`) cannot end the tap, which would go on spending the account's
budget beside the run that takes its place. Needs nothing but Python's own library.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

PATIENCE = 20
"""Seconds from SIGTERM to SIGKILL: the tap ends with a last STATE."""


def main() -> int:
    """Return the command's status, as a shell has it."""
    lifeline = int(sys.argv[1])
    os.set_inheritable(lifeline, False)
    child = subprocess.Popen(sys.argv[2:], close_fds=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: child.terminate())

    def watch() -> None:
        os.read(lifeline, 1)
        child.terminate()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()

    threading.Thread(target=watch, daemon=True).start()
    status = child.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())

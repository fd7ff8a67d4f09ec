"""Runs the tap with stderr on a pseudo-terminal, as a person would who pipes stdout into a loader."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import subprocess
import tempfile
import termios
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import _environment, _result, command_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outcome import Run

_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Terminal:
    """A tap that runs at a terminal; `shown` is all that was written to it so far."""

    process: subprocess.Popen[bytes]
    out: Path
    config: Mapping[str, Any]
    _raw: bytearray = field(default_factory=bytearray)

    def read(self, master: int) -> None:
        """Take what comes, until the last one has closed the terminal."""
        with contextlib.suppress(OSError):
            while data := os.read(master, 1 << 16):
                self._raw += data

    @property
    def raw(self) -> str:
        return self._raw.decode(errors="replace").replace("\r\n", "\n")

    @property
    def shown(self) -> str:
        """What was written, without the codes that move the cursor and colour it."""
        return _CODE.sub("", self.raw)

    def wait_for(self, pattern: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not re.search(pattern, self.shown):
            assert time.monotonic() < end, f"no {pattern} in:\n{self.shown}"
            time.sleep(0.02)


@dataclass
class Ended:
    """What a tap left at a terminal."""

    run: Run
    raw: str
    shown: str


@contextlib.contextmanager
def at_terminal(config: Mapping[str, Any], *arguments: str, columns: int = 160) -> Iterator[Terminal]:
    """Start the tap at a terminal; it is killed at the end of the block if it still runs."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        given = _environment({"TERM": "xterm-256color"})
        given = {name: value for name, value in given.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
        with out.open("wb") as stdout:
            line = command_line(Path(folder), config, *arguments)
            process = subprocess.Popen(line, stdout=stdout, stderr=slave, env=given)
        os.close(slave)
        terminal = Terminal(process, out, config)
        reader = threading.Thread(target=terminal.read, args=[master], daemon=True)
        reader.start()
        try:
            yield terminal
        finally:
            process.kill()
            process.wait()
            reader.join(5)
            os.close(master)


def finish(terminal: Terminal, number: int | None = None) -> Ended:
    """Send a signal, if one is given, and wait for the end."""
    if number is not None:
        terminal.process.send_signal(number)
    status = terminal.process.wait(30)
    time.sleep(0.1)  # for what is still in the terminal
    shown = terminal.shown
    run = _result(status, shown, terminal.out.read_bytes(), terminal.config, (), checked=True, cut=True)
    return Ended(run, terminal.raw, shown)

"""`python -m tap_emaillogs` is the command `tap-emaillogs`."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def main() -> None:
    """Run the command."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)  # until the tap is there, which handles them itself
    gc.disable()  # what is imported stays: there is nothing to be found
    from tap_emaillogs.cli import check_level  # noqa: PLC0415 - likewise
    from tap_emaillogs.tap import TapEmailLogs  # noqa: PLC0415 - see above

    check_level()
    if sys.stdout is None:
        _have_no_reader()
    gc.freeze()
    gc.enable()
    TapEmailLogs.cli()


def _have_no_reader() -> None:
    """Put a pipe that nobody reads where stdout was closed: writing to it ends as with any reader that has gone."""
    read, write = os.pipe()
    os.dup2(write, 1)
    for descriptor in {read, write} - {1}:
        os.close(descriptor)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)


def _leave(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler
    """End with the status that a run has which is ended by a signal."""
    sys.exit(128 + signum)


if __name__ == "__main__":
    main()

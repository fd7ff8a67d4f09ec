"""What stderr is, and whether it takes anything."""

from __future__ import annotations

import os
import select
import sys


def is_terminal() -> bool:
    """Whether a person watches stderr, and the messages on stdout do not run through the same screen."""
    try:
        watched = sys.stderr.isatty() and not sys.stdout.isatty()
    except (AttributeError, OSError, ValueError):  # closed, or None
        return False
    return watched and os.environ.get("TERM") != "dumb"


def takes_more() -> bool:
    """Whether writing to stderr now would not be held up by a full pipe, or a terminal that was stopped (Ctrl-S)."""
    try:
        return bool(select.select([], [sys.stderr.fileno()], [], 0)[1])
    except (AttributeError, OSError, ValueError):  # no file behind it: writing tells
        return True

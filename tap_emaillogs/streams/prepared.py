"""A row as it waits for its window to be whole."""

from __future__ import annotations

from itertools import count
from typing import Any, NamedTuple

_numbers = count()


class NoRow(dict[str, Any]):
    """What stands among an answer's rows and is none: null, a text. It counts as one, and makes no record."""


class PreparedRow(NamedTuple):
    """A row of a page, packed until its window is whole."""

    identity: Any
    """What tells it from other rows, hashable: the vendor's key, or a digest."""
    line: bytes
    """Its record as JSON; where its key depends on its twins, with that of the first of them, as the last column."""
    order: bytes = b""
    """What orders it among rows of the same identity; empty: nothing does, and equal rows may be twins."""
    beside: bool = False
    """Whether it lies beside the window: a neighbour shows it, unless another row of its identity lies inside."""


def nothing() -> PreparedRow:
    """Return what stands for what is no row: different from all rows, and beside every window."""
    number = next(_numbers)
    return PreparedRow(b"no row %d" % number, b"{}" + b" " * (number % 1024), beside=True)

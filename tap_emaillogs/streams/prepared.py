"""A row as it waits for its window to be whole."""

from __future__ import annotations

from typing import Any, NamedTuple


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

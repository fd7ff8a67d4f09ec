"""Finished lines of one window, kept until it is written: in memory while they are few, else in an unnamed file."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_IN_MEMORY = 4 << 20
"""Bytes of a window that stay in memory; the rest of the machine's memory is better used as the file's cache."""


class Block(NamedTuple):
    """Whole lines for one consumer."""

    consumer: int
    """Its place among the endpoint's consumers."""
    lines: bytes
    records: int
    """How many records they are."""


class Spool:
    """Blocks in the order in which they were added; to be closed."""

    def __init__(self) -> None:
        # Unlinked from the start, and readable by this user alone.
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, prefix="tap-emaillogs-")  # noqa: SIM115 - closed by `close`
        self._blocks: list[tuple[int, int, int]] = []

    def add(self, block: Block) -> None:
        """Add a block."""
        if block.lines:
            self._file.write(block.lines)
            self._blocks.append((block.consumer, len(block.lines), block.records))

    def __iter__(self) -> Iterator[Block]:
        self._file.seek(0)
        for consumer, size, records in self._blocks:
            yield Block(consumer, self._file.read(size), records)

    def close(self) -> None:
        """Give memory and disk back."""
        self._file.close()

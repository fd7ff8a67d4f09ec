"""Finished lines of one window, kept until it is written: in memory while they are few, else in an unnamed file."""

from __future__ import annotations

import errno
import tempfile
import threading
from typing import TYPE_CHECKING, NamedTuple

from tap_emaillogs.http import handles

if TYPE_CHECKING:
    from collections.abc import Iterator

_IN_MEMORY = 1 << 20
"""Bytes of a window that stay in memory; the rest of the machine's memory is better used as the file's cache."""
_ALL_IN_MEMORY = 8 << 20
"""Bytes of all windows together: of a thousand accounts many may wait to be written."""
_HANDLES = threading.BoundedSemaphore(handles.share(4))
"""Where there are no more of them, a window stays in memory: it waits for nobody, and others may wait for it."""


class Block(NamedTuple):
    """Whole lines for one consumer."""

    consumer: int
    """Its place among the endpoint's consumers."""
    lines: bytes
    records: int
    """How many records they are."""


class _InMemory:
    """Counts the bytes that all windows keep in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = 0

    def add(self, size: int) -> int:
        """Count more, or fewer, bytes; return how many there are."""
        with self._lock:
            self._bytes += size
            return self._bytes


_in_memory = _InMemory()


class Spool:
    """Blocks in the order in which they were added; to be closed."""

    def __init__(self) -> None:
        # Unlinked from the start, and readable by this user alone.
        self._file = tempfile.SpooledTemporaryFile(prefix="tap-emaillogs-")  # noqa: SIM115 - closed by `close`
        self._size, self._on_disk = 0, False
        self._blocks: list[tuple[int, int, int]] = []

    def add(self, block: Block) -> None:
        """Add a block."""
        if block.lines:
            self._file.write(block.lines)
            self._size += len(block.lines)
            if not self._on_disk and (_in_memory.add(len(block.lines)) > _ALL_IN_MEMORY or self._size > _IN_MEMORY):
                self._to_disk()
            self._blocks.append((block.consumer, len(block.lines), block.records))

    def _to_disk(self) -> None:
        """Move what is there to a file, if another one may be opened."""
        self._on_disk = _HANDLES.acquire(blocking=False)
        if not self._on_disk:
            return
        _in_memory.add(-self._size)
        try:
            self._file.rollover()
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE}:
                raise
            self._on_disk = False
            _in_memory.add(self._size)
            _HANDLES.release()

    def __iter__(self) -> Iterator[Block]:
        self._file.seek(0)
        for consumer, size, records in self._blocks:
            yield Block(consumer, self._file.read(size), records)

    def close(self) -> None:
        """Give memory and disk back."""
        self._file.close()
        if self._on_disk:
            self._on_disk = False
            _HANDLES.release()
        else:
            _in_memory.add(-self._size)
        self._size = 0

"""What is to be told of a stream's records: one warning per run and remark, with how many records it concerns."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging


class Remarks:
    """Counts remarks; shared by threads."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def add(self, stream: str, remark: str) -> None:
        """Count a record of a stream.

        Raises:
            TypeError: The remark is no text.
        """
        if not isinstance(remark, str):
            raise TypeError(f"a remark must be a text, not {type(remark).__name__}")
        with self._lock:
            self._counts[stream, remark] += 1

    def tell(self, logger: logging.Logger) -> None:
        """Warn of what was remarked since the last time."""
        with self._lock:
            told, self._counts = sorted(self._counts.items()), Counter()
        for (stream, remark), count in told:
            logger.warning("%s: %s (%d records)", stream, remark, count)

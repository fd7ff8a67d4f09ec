"""A bounded pool of daemon threads: unlike an executor's, they never hold up the end of the process."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

from tap_emaillogs.http.clock import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable

_logger = logging.getLogger("tap-emaillogs.pool")


class Pool:
    """Runs tasks on at most `size` threads, started as needed. A task reports its result itself and must not raise."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._idle = 0

    def submit(self, task: Callable[[], None]) -> None:
        """Queue a task."""
        with self._lock:
            if self._idle <= 0 and len(self._threads) < self._size:
                thread = threading.Thread(target=self._work, name=f"reader-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            else:
                self._idle -= 1
        self._tasks.put(task)

    def close(self) -> None:
        """Let the threads end once they are idle."""
        for _ in self._threads:
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except Stopped:
                return
            except BaseException as error:
                _logger.debug("a task raised", exc_info=error)
            with self._lock:
                self._idle += 1

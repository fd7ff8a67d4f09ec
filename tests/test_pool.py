"""The pool: bounded, lazy, and gone when told."""

from __future__ import annotations

import threading
import time

import pytest

from tap_emaillogs.engine.pool import Pool
from tap_emaillogs.http.clock import Stopped


def readers() -> int:
    return sum(thread.name.startswith("reader-") for thread in threading.enumerate())


def await_readers(count: int) -> None:
    deadline = time.monotonic() + 5
    while readers() > count:
        assert time.monotonic() < deadline, "threads do not end"
        time.sleep(0.001)


@pytest.fixture(autouse=True)
def _alone() -> None:
    await_readers(0)


def test_no_more_tasks_run_at_once_than_the_pool_has_threads() -> None:
    pool, lock, done = Pool(3), threading.Lock(), threading.Semaphore(0)
    running, most = 0, 0

    def task() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1
        done.release()

    for _ in range(20):
        pool.submit(task)
    for _ in range(20):
        assert done.acquire(timeout=5)
    assert most == 3
    assert readers() == 3
    pool.close()
    await_readers(0)


def test_threads_start_only_as_needed() -> None:
    pool, done = Pool(8), threading.Semaphore(0)
    for _ in range(5):
        pool.submit(done.release)
        assert done.acquire(timeout=5)
        time.sleep(0.01)  # let the thread find that it is idle
    assert readers() == 1
    pool.close()
    await_readers(0)


def test_every_queued_task_runs_before_the_pool_closes() -> None:
    pool, ran = Pool(2), []
    for number in range(50):
        pool.submit(lambda number=number: ran.append(number))  # type: ignore[misc]
    pool.close()
    await_readers(0)
    assert sorted(ran) == list(range(50))


def test_a_stopped_task_ends_its_thread_quietly() -> None:
    pool = Pool(1)

    def stop() -> None:
        raise Stopped

    pool.submit(stop)
    await_readers(0)


def test_an_unused_pool_has_no_threads() -> None:
    pool = Pool(0)
    pool.close()
    assert readers() == 0

"""Fixtures for all test modules; the helpers behind them are in `harness.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from harness import NOW, VENDORS, Ticking
from sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A busy machine is slow, not wrong; and what is found must be found again.
settings.register_profile("tests", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("tests")


@pytest.fixture
def clock() -> Ticking:
    """A clock at `NOW` that only waits move."""
    return Ticking()


@pytest.fixture
def play() -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes with the given arguments; by default three vendors at `NOW`, with 300 rows each."""
    running: list[Sandbox] = []

    def start(**arguments: object) -> Sandbox:
        box = Sandbox(**{"size": 300, "now": NOW, "vendors": VENDORS, **arguments})  # type: ignore[arg-type]
        running.append(box.__enter__())
        return box

    yield start
    for box in running:
        box.__exit__()


@pytest.fixture
def box(play: Callable[..., Sandbox]) -> Sandbox:
    """A sandbox of three vendors at `NOW`, with 300 rows each, of this test alone."""
    return play()


@pytest.fixture(scope="module")
def shared_box() -> Iterator[Sandbox]:
    """Like `box`, for a whole module: only for tests that change nothing in it."""
    with Sandbox(size=300, now=NOW, vendors=VENDORS) as running:
        yield running

"""Fixtures for all test modules; the helpers behind them are in `harness.py`, `general.py` and `outcome.py`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from general import NOW, options_of
from harness import Ticking
from plugging import plugged
from sandbox.server import Sandbox
from sandbox.vendors import VENDORS
from timing import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.base.facts import Facts

# A busy machine is slow, not wrong; and what is found must be found again.
settings.register_profile("tests", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("tests")


@pytest.fixture
def measured() -> Callable[[Callable[[int], Any]], float]:
    """Return by how much more time a call takes when its argument, a length, doubles: the least of some measurements.

    A busy machine makes any of them slow, but none fast.
    """

    def least(call: Callable[[int], Any]) -> float:
        def seconds(size: int) -> float:
            # What takes less than this is measured no better than the machine is.
            return max(0.01, cpu_seconds(lambda: call(size)))

        return min(seconds(1 << 18) / seconds(1 << 17) for _ in range(3))

    return least


@pytest.fixture
def clock() -> Ticking:
    """A clock at `NOW` that only waits move."""
    return Ticking()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(words): vendors whose facts call one of these unfit take no part")


_LONG = ("dagster", "meltano", "dbt", "dashboard", "docs_commands", "crash_matrix", "container", "soak", "history")
"""Modules whose few tests take minutes: they begin, so that no worker is left alone with them in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in _LONG)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try a general test, one that takes a `vendor` (or a `kind`: variants too), with each that can take part.

    Vendors are those that the sandbox plays, or those that the test's module plugs in: see `plugging.py`.
    """
    tried = {name for mark in metafunc.definition.iter_markers("parametrize") for name in str(mark.args[0]).split(",")}
    for name in {"vendor", "kind"} & {*metafunc.fixturenames} - tried:
        metafunc.parametrize(name, _fit(metafunc.definition, variants=name == "kind"))


def _fit(test: pytest.Item | pytest.Function, *, variants: bool = False) -> list[str]:
    """Return the vendors that can take part in a test, and their variants too."""
    needs = {word for mark in test.iter_markers("needs") for word in mark.args}
    plugs = getattr(test.getparent(pytest.Module).obj, "PLUGGED", ())  # type: ignore[union-attr]
    kinds: dict[str, Facts] = {}
    for player in [plug.player for plug in plugs] or VENDORS.values():
        kinds[player.name] = player.facts
        kinds |= {player.name + more: own for more, own in player.facts.variants.items() if variants}
    return [name for name, own in kinds.items() if needs.isdisjoint(own.unfit)]


@pytest.fixture
def vendors(request: pytest.FixtureRequest) -> list[str]:
    """All vendors that can take part in a test, for one that tries them together."""
    return _fit(request.node)


@pytest.fixture(scope="module", autouse=True)
def _plugged(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the tap and the sandbox know the vendors that a module plugs in."""
    plugs = getattr(request.module, "PLUGGED", ())
    with plugged(*plugs) if plugs else contextlib.nullcontext():
        yield


@pytest.fixture
def play() -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes with the given arguments; by default all vendors at `NOW`, with 300 rows each."""
    running: list[Sandbox] = []

    def start(**arguments: Any) -> Sandbox:
        box = Sandbox(**{"size": 300, "now": NOW, **arguments})
        running.append(box.__enter__())
        return box

    yield start
    for box in running:
        box.__exit__()


@pytest.fixture
def box(play: Callable[..., Sandbox]) -> Sandbox:
    """A sandbox of all vendors at `NOW`, with 300 rows each, of this test alone."""
    return play(options=options_of(*VENDORS))


@pytest.fixture(scope="module")
def shared_box() -> Iterator[Sandbox]:
    """Like `box`, for a whole module: only for tests that change nothing in it."""
    with Sandbox(size=300, now=NOW, options=options_of(*VENDORS)) as running:
        yield running

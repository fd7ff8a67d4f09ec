"""One account of a vendor: its rows, and what is still to happen to them."""

from __future__ import annotations

import heapq
import itertools
from abc import ABC, abstractmethod
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from sandbox.base import data
from sandbox.base.times import SECOND, span_ms, to_ms
from sandbox.base.web import to_json

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from sandbox.base.world import Account, Life, World

R = TypeVar("R")


class Log(ABC, Generic[R]):
    """One account's rows, as objects of the vendor's own that `row` turns into what it shows.

    A subclass makes its rows in `__init__`, after `super().__init__(account, world)`: it adds them, or plans that they
    are added and changed when the clock gets there.
    """

    order: ClassVar[tuple[str, ...]] = ("at", "number")
    """Attributes of a row's object that `rows` are sorted by."""

    def __init__(self, account: Account, world: World) -> None:
        self.account = account
        self.world = world
        self.options = account.options
        self.people = data.people(account.rng("people"))
        self.end = to_ms(world.born - world.quiet)
        """The youngest row at the start is not younger."""
        self.lives = 0
        """How many lives were planned."""
        self.version = 0
        """Grows with every change."""
        self._rows: list[R] = []
        self._sorted = True
        self._blobs: dict[R, tuple[int, bytes]] = {}
        self._planned: list[tuple[int, int, Callable[[], None]]] = []
        self._places = itertools.count()

    @property
    def rows(self) -> list[R]:
        """All rows that the vendor has, sorted by `order`."""
        if not self._sorted:
            self._rows.sort(key=attrgetter(*self.order))
            self._sorted = True
        return self._rows

    @abstractmethod
    def row(self, one: R) -> dict[str, Any]:
        """Return a row as the vendor shows it."""

    @abstractmethod
    def events(self) -> Counter[str]:
        """Count what all rows make in `email_events`, per `event_type`."""

    @abstractmethod
    def appear(self, count: int, at_ms: int) -> list[R]:
        """Let rows appear now that carry times up to `at_ms`, several of them the same."""

    def mutate(self, count: int, at_ms: int, kind: str | None = None) -> list[R]:  # noqa: ARG002 - rows may be final
        """Let up to `count` rows change as of then, by something of a `kind` if it is given; return them."""
        return []

    @abstractmethod
    def live(self, life: Life, number: int) -> None:
        """Plan the life of one more mail, the how manyth being `number`: the same for the same life and number."""

    def counts(self) -> dict[str, int]:
        """Return how many records each raw stream of the tap holds, beside the first one's `rows`."""
        return {}

    def blob(self, one: R, version: int) -> bytes:
        """Return a row as JSON, made when it is first asked for, and again when its `version` is another."""
        made, blob = self._blobs.get(one, (-1, b""))
        if made != version:
            blob = to_json(self.row(one))
            self._blobs[one] = version, blob
        return blob

    def add(self, one: R) -> None:
        self._rows.append(one)
        self.touch()

    def touch(self) -> None:
        """Note that a row came or changed."""
        self._sorted = False
        self.version += 1

    def plan(self, at_ms: int, action: Callable[[], None]) -> None:
        """Let something happen when the clock gets there; what is planned for the same time, in the order planned."""
        heapq.heappush(self._planned, (at_ms, next(self._places), action))

    def advance(self, now_ms: int) -> None:
        """Let everything happen that is planned up to and including `now_ms`."""
        while self._planned and self._planned[0][0] <= now_ms:
            heapq.heappop(self._planned)[2]()

    def times(self, size: int, span: int, end: int, step: int = SECOND) -> list[int]:
        """Return `size` times in the `span` up to `end`, and at their pace those of the world's future."""
        future = span_ms(self.world.future)
        times = data.moments(self.account.rng("times"), size, end - span, end, step=step)
        more = data.moments(self.account.rng("future"), size * future // span, end, end + future, step=step)
        return times + more


class Seen(Log[R]):
    """A log whose rows know all that will become of them, and are shown as they are by now: nothing is planned."""

    def times_of(self, name: str, size: int, span: tuple[int, int], step: int = SECOND) -> list[int]:
        """Return `size` times in a span, and at their pace those up to the end of a live world's future."""
        start, end = span
        ahead = to_ms(self.world.born) - end + span_ms(self.world.future) if self.world.live else 0
        times = data.moments(self.account.rng(name), size, start, end, step=step)
        more = round(size * (ahead / (end - start)))
        return times + data.moments(self.account.rng(f"{name} ahead"), more, end, end + ahead, step=step)

    def seen_ms(self) -> int:
        """Return the moment up to which things have happened."""
        return self.world.data_ms()

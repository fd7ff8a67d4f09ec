"""What every vendor of the sandbox shares: a request, a response, accounts, the clock and the time rows lie in."""

from __future__ import annotations

import heapq
import itertools
import json
import random
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection, Iterable

    from sandbox.faults import Fault

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
"""In milliseconds since 1970, which is how the sandbox counts time inside."""


def to_ms(moment: datetime) -> int:
    """Return an aware datetime as milliseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """Return milliseconds since 1970 as an aware datetime in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def to_json(value: Any) -> bytes:
    """Encode as compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass
class Request:
    """One request as a vendor sees it; `path` begins after `/<vendor name>`, so with the vendor's own API root."""

    method: str
    path: str
    query: dict[str, list[str]] = field(default_factory=dict)
    headers: Message = field(default_factory=Message)  # looks names up without regard to case
    body: bytes = b""
    fault: Fault | None = None
    """A fault that the vendor itself must play (`faults.BY_VENDOR`); the server plays all others."""

    def json(self) -> Any:
        """Decode the body; raises ValueError when it is no JSON."""
        return json.loads(self.body)

    def has(self, kind: str) -> bool:
        """Tell whether this request is to suffer the fault `kind`."""
        return self.fault is not None and self.fault.kind == kind


@dataclass
class Response:
    """An answer. `body` is sent as it is when it is bytes, and as JSON otherwise."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else to_json(self.body)


class Refused(Exception):
    """Ends a request with the vendor's own error."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


@dataclass
class World:
    """What all vendors of one sandbox have in common.

    Attributes:
        seed: Same seed, size and clock: same data.
        size: Rows of each vendor's main stream per account at the start.
        now: The clock, aware UTC.
        options: Per vendor name, what differs from the vendor's `defaults`.
        live: Whether data follows the clock: rows planned after the start appear and change when it gets there.
            Otherwise nothing changes but by `late` and `change`, and exact comparisons are easy.
        future: How far beyond the start rows are planned, at the same density (only seen when `live`).
        quiet: The youngest row at the start is at least this old, so that a first run can read all.
    """

    seed: int = 1
    size: int = 1000
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    options: dict[str, Any] = field(default_factory=dict)
    live: bool = False
    future: timedelta = timedelta(0)
    quiet: timedelta = timedelta(minutes=10)
    born: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.born = self.now()

    def now_ms(self) -> int:
        return to_ms(self.now())

    def data_ms(self) -> int:
        """Return the moment up to which data has happened."""
        return self.now_ms() if self.live else to_ms(self.born - self.quiet)

    def rng(self, name: str) -> random.Random:
        """Return a generator of its own for each name."""
        return random.Random(f"{self.seed}/{name}")


@dataclass(frozen=True)
class Account:
    """One account, found by its key; `options` are the vendor's defaults under its options under its own."""

    vendor: str
    key: str
    label: str
    size: int
    seed: str
    options: dict[str, Any]

    def rng(self, name: str) -> random.Random:
        return random.Random(f"{self.seed}/{self.vendor}/{self.label}/{name}")


class Life(NamedTuple):
    """What becomes of one mail: the vendor takes it at `at`, then each step comes so long after the one before."""

    at: datetime
    steps: tuple[tuple[timedelta, str], ...] = ()
    """(wait, what happens), the latter a name of the vendor's `transitions`."""


class Schedule:
    """What is still to happen, in order of time; ties in the order planned."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def plan(self, at_ms: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (at_ms, next(self._order), action))

    def advance(self, now_ms: int) -> bool:
        """Let everything happen up to and including `now_ms`; tell whether anything did."""
        happened = False
        while self._heap and self._heap[0][0] <= now_ms:
            heapq.heappop(self._heap)[2]()
            happened = True
        return happened


class Vendor(ABC):
    """One vendor: checks requests as strictly as its documents are, and knows the whole truth about its data.

    A subclass sets the class variables, builds its data in `__init__` after `super().__init__(world)`, and counts what
    is visible in `truth`. The server holds `lock` around every call of `handle`, `truth`, `late` and `change`.
    """

    name: ClassVar[str]
    """First part of the URL and key of the tap's configuration."""
    root: ClassVar[str] = ""
    """What the API's base URL has after the vendor's name, such as `/v3`."""
    budget: ClassVar[int | None] = None
    """Requests a minute and account, as published; enforced only on demand."""
    penalty: ClassVar[float] = 0
    """Seconds for which every call is refused once the budget is overdrawn (0: until the minute has room again)."""
    default_key: ClassVar[str]
    """The one account's key when the option `accounts` names none."""
    defaults: ClassVar[dict[str, Any]] = {}
    """Every option that the vendor knows, with its default."""
    transitions: ClassVar[dict[str, tuple[str, ...]]] = {}
    """What may follow what in the life of a mail; `""` is a mail that was just taken."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lock = threading.RLock()
        given = dict(world.options.get(self.name, {}))
        accounts: dict[str, dict[str, Any]] = given.pop("accounts", None) or {self.default_key: {}}
        self.accounts: dict[str, Account] = {}
        for position, (key, own) in enumerate(accounts.items()):
            options = {**self.defaults, "size": world.size, "seed": world.seed, "label": None, **given, **own}
            if unknown := options.keys() - self.defaults.keys() - {"size", "seed", "label"}:
                raise ValueError(f"{self.name} has no option {', '.join(sorted(unknown))}")
            label = options["label"] or ("default" if position == 0 else f"account{position + 1}")
            self.accounts[key] = Account(self.name, key, label, int(options["size"]), str(options["seed"]), options)

    @abstractmethod
    def handle(self, request: Request) -> Response:
        """Answer one request, or raise `Refused`."""

    @abstractmethod
    def error(self, status: int, message: str, code: str | None = None) -> Response:
        """Return an error in the vendor's own form."""

    def error_for(self, request: Request, status: int, message: str) -> Response:
        """Return the error that a fault plays; override where its form depends on the path."""
        del request
        return self.error(status, message)

    @abstractmethod
    def key_of(self, request: Request) -> str | None:
        """Return the key that a request shows, right or wrong: for the log, faults and budgets."""

    @abstractmethod
    def truth(self) -> dict[str, Any]:
        """Return what is visible now: `self.summary(...)` of each account."""

    @abstractmethod
    def config(self, origin: str) -> dict[str, Any]:
        """Return the tap's configuration object for this vendor; `self.tap_config(...)` does most of it."""

    def rows(self, key: str | None = None, stream: str | None = None) -> list[dict[str, Any]]:
        """Return every visible row of an account as the vendor would answer it, oldest first."""
        raise NotImplementedError

    def late(self, count: int = 1, minutes_ago: float = 30, key: str | None = None) -> int:
        """Let rows appear now that carry an older time; return how many."""
        raise NotImplementedError

    def change(self, count: int = 1, minutes_ago: float = 0, key: str | None = None) -> int:
        """Let rows change as of then, as the vendor's rows do; return how many. Rows that never change: 0."""
        del count, minutes_ago, key
        return 0

    def live(self, lives: Iterable[Life], key: str | None = None) -> None:
        """Plan the lives of further mails, which then go by the clock; the world must be `live`.

        A mail is seen from `at` on, as its vendor shows one that was just taken, and after each step as it is then.
        """
        raise NotImplementedError

    def limit_of(self, request: Request) -> tuple[str, int] | None:
        """Return which budget a request draws on and how much a minute that has."""
        return (self.key_of(request) or "", self.budget) if self.budget else None

    def too_many(self, seconds: float) -> Response:
        """Return the 429 of a budget overdrawn for `seconds` more; override for `Retry-After`."""
        del seconds
        return self.error(429, "Too Many Requests")

    def base_url(self, origin: str) -> str:
        return f"{origin}/{self.name}{self.root}"

    def account(self, key: str | None = None) -> Account:
        """Return the account of a key, or the first one."""
        return self.accounts[key if key is not None else next(iter(self.accounts))]

    def check_known(self, given: Iterable[str], known: Collection[str]) -> None:
        """Refuse a parameter that the vendor does not document."""
        for name in given:
            if name not in known:
                raise Refused(self.error(400, f"Unknown parameter: {name}"))

    def single(self, request: Request, known: Collection[str]) -> dict[str, str]:
        """Return the query's parameters, each known and given once, or refuse."""
        self.check_known(request.query, known)
        for name, values in request.query.items():
            if len(values) != 1:
                raise Refused(self.error(400, f"Parameter given more than once: {name}"))
        return {name: values[0] for name, values in request.query.items()}

    def tap_config(self, origin: str, secrets: Callable[[Account], dict[str, Any]]) -> dict[str, Any]:
        """Return base URL, no budget, and the accounts: flat when there is one, else under `accounts`."""
        common = {"base_url": self.base_url(origin), "requests_per_minute": 0}
        if len(self.accounts) == 1:
            return {**common, **secrets(self.account())}
        return {**common, "accounts": [{"account": a.label, **secrets(a)} for a in self.accounts.values()]}

    @staticmethod
    def summary(
        streams: dict[str, int], events: Counter[str], *, distinct: dict[str, int] | None = None, requests: int = 0
    ) -> dict[str, Any]:
        """Return one account's part of `truth`.

        Args:
            streams: Rows visible now, per raw stream of the tap.
            events: Rows of `email_events` that they make, per `event_type`.
            distinct: Different primary keys, where that is not the number of rows.
            requests: The fewest requests that can read it all.
        """
        return {
            "streams": {**streams, "email_events": events.total()},
            "distinct_keys": {**streams, **(distinct or {}), "email_events": events.total()},
            "email_events": dict(sorted(events.items())),
            "requests_minimum": requests,
        }

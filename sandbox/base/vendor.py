"""The player of a vendor: checks requests as strictly as its documents are, and knows the whole truth."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from sandbox.base.log import Log
from sandbox.base.times import MINUTE, to_ms
from sandbox.base.web import Refused, Request, Response
from sandbox.base.world import Account, World

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from sandbox.base.checks import Check
    from sandbox.base.facts import Facts
    from sandbox.base.world import Life

L = TypeVar("L", bound=Log[Any])


class Vendor(ABC, Generic[L]):
    """One vendor. A subclass sets the class variables, and says in `handle` what is answered to whom.

    The server holds `lock` around every call of `handle`, `truth`, `late` and `change`.
    """

    name: ClassVar[str]
    """First part of the URL and key of the tap's configuration."""
    root: ClassVar[str] = ""
    """What the API's base URL has after the vendor's name, such as `/v3`."""
    budget: ClassVar[int | None] = None
    """Requests a minute and account, as published; enforced only on demand."""
    penalty: ClassVar[float] = 0
    """Seconds for which every call is refused once the budget is overdrawn (0: until the minute has room again)."""
    overdrawn: ClassVar[str] = "Too Many Requests"
    """What is said then."""
    says_when: ClassVar[bool] = False
    """Whether `Retry-After` stands beside it."""
    default_key: ClassVar[str]
    """The one account's key when the option `accounts` names none."""
    scheme: ClassVar[str] = "Bearer"
    """What stands before the key in the header `Authorization`."""
    defaults: ClassVar[dict[str, Any]] = {}
    """Every option that the vendor knows, with its default."""
    transitions: ClassVar[dict[str, tuple[str, ...]]] = {}
    """What may follow what in the life of a mail; `""` is a mail that was just taken."""
    facts: ClassVar[Facts]
    """What the general tests must know of it."""
    log_class: type[L]
    """What holds the rows of one account."""

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
        self.logs: dict[str, L] = {key: self.log_class(account, world) for key, account in self.accounts.items()}

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

    # Whose request it is.

    def key_of(self, request: Request) -> str | None:
        """Return the key that a request shows, right or wrong: for the log, faults and budgets."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        return key if scheme == self.scheme else None

    def asked(self, request: Request, message: str, code: str | None = None) -> L:
        """Return the log of the account whose key a request shows, as it is now, or refuse with 401 and `message`."""
        key = self.key_of(request)
        if key not in self.accounts:
            raise Refused(self.error(401, message, code))
        return self.log(key)

    def limit_of(self, request: Request) -> tuple[str, int] | None:
        """Return which budget a request draws on and how much a minute that has."""
        return (self.key_of(request) or "", self.budget) if self.budget else None

    def too_many(self, seconds: float) -> Response:
        """Return the 429 of a budget overdrawn for `seconds` more."""
        after = {"Retry-After": str(int(seconds) + 1)} if self.says_when else {}
        return Response(429, self.error(429, self.overdrawn).body, after)

    def account(self, key: str | None = None) -> Account:
        """Return the account of a key, or the first one."""
        return self.accounts[key if key is not None else next(iter(self.accounts))]

    def log(self, key: str | None = None) -> L:
        """Return the log of an account, or of the first one, as it is now."""
        log = self.logs[self.account(key).key]
        log.advance(self.world.data_ms())
        return log

    # What it asks for.

    def check_known(self, request: Request, given: Iterable[str], known: Collection[str]) -> None:
        """Refuse a parameter that the vendor does not document."""
        for name in given:
            if name not in known:
                raise Refused(self.error_for(request, 400, f"Unknown parameter: {name}"))

    def single(self, request: Request, known: Collection[str] | Mapping[str, Check]) -> dict[str, str]:
        """Return the query's parameters: each known, given once and, where `known` holds checks, as it must be."""
        self.check_known(request, request.query, known)
        for name, values in request.query.items():
            if len(values) != 1:
                raise Refused(self.error_for(request, 400, f"Parameter given more than once: {name}"))
            if isinstance(known, Mapping) and not known[name](values[0]):
                raise Refused(self.error_for(request, 400, f"Invalid value of parameter {name}: {values[0]}"))
        return {name: values[0] for name, values in request.query.items()}

    def number(self, request: Request, given: Mapping[str, str], name: str, default: int, least: int = 0) -> int:
        """Return a parameter that is a whole number, or the default."""
        text = given.get(name, str(default))
        if not text.isdecimal() or int(text) < least:
            raise Refused(self.error_for(request, 400, f"Invalid {name}"))
        return int(text)

    def body(self, request: Request, known: Collection[str]) -> dict[str, Any]:
        """Return the body's JSON object, whose keys are known, or refuse."""
        try:
            body = request.json()
        except ValueError:
            body = None
        if request.headers.get_content_type() != "application/json" or not isinstance(body, dict):
            raise Refused(self.error_for(request, 400, "The body must be a JSON object"))
        self.check_known(request, body, known)
        return body

    # What there is, and what a test lets happen.

    def truth(self) -> dict[str, Any]:
        """Return what is visible now, per account: records per stream, different keys, events, the fewest requests."""
        found = {}
        for key in self.accounts:
            log = self.log(key)
            events: Counter[str] = log.events()
            streams = log.counts() or {self.facts.stream: len(log.rows)}
            streams |= {"email_events": events.total()}
            found[log.account.label] = {
                "streams": streams,
                "distinct_keys": streams,
                "email_events": dict(sorted(events.items())),
                "requests_minimum": self.fewest(log),
            }
        return found

    def fewest(self, log: L) -> int:
        """Return the fewest requests that read everything."""
        return max(1, -(-len(log.rows) // self.facts.most_rows))

    def rows(self, key: str | None = None, stream: str | None = None) -> list[dict[str, Any]]:
        """Return every visible row of an account as the vendor would answer it, oldest first."""
        del stream
        with self.lock:
            log = self.log(key)
            return [log.row(one) for one in log.rows]

    def late(self, count: int = 1, minutes_ago: float = 30, key: str | None = None) -> int:
        """Let rows appear now that carry an older time; return how many."""
        with self.lock:
            return len(self.logs[self.account(key).key].appear(count, self._ago(minutes_ago)))

    def change(self, count: int = 1, minutes_ago: float = 0, key: str | None = None) -> int:
        """Let rows change as of then, as the vendor's rows do; return how many. Rows that never change: 0."""
        with self.lock:
            return len(self.logs[self.account(key).key].mutate(count, self._ago(minutes_ago)))

    def add_events(self, count: int, at: datetime | None = None, key: str | None = None) -> list[Any]:
        """Let rows appear with times up to `at` (default: now), however old that is; return them."""
        with self.lock:
            return self.logs[self.account(key).key].appear(count, to_ms(at or self.world.now()))

    def mutate(
        self, count: int = 1, kind: str | None = None, at: datetime | None = None, key: str | None = None
    ) -> list[Any]:
        """Let rows change as of `at` (default: now), by a `kind` of change where one is given; return them."""
        with self.lock:
            return self.logs[self.account(key).key].mutate(count, to_ms(at or self.world.now()), kind)

    def live(self, lives: Iterable[Life], key: str | None = None) -> None:
        """Plan the lives of further mails, which then go by the clock; the world must be `live`.

        A mail is seen from `at` on, as its vendor shows one that was just taken, and after each step as it is then.
        """
        with self.lock:
            log = self.logs[self.account(key).key]
            for life in lives:
                log.live(life, log.lives)
                log.lives += 1

    def _ago(self, minutes: float) -> int:
        return self.world.now_ms() - round(minutes * MINUTE)

    # How the tap is told.

    def base_url(self, origin: str) -> str:
        return f"{origin}/{self.name}{self.root}"

    def secrets(self, account: Account) -> dict[str, Any]:
        """Return the settings of the tap that are an account's own."""
        return {"api_key": account.key}

    def config(self, origin: str) -> dict[str, Any]:
        """Return the tap's configuration: base URL, no budget, and the accounts: one flat, else under `accounts`."""
        common = {"base_url": self.base_url(origin), "requests_per_minute": 0}
        if len(self.accounts) == 1:
            return {**common, **self.secrets(self.account())}
        return {**common, "accounts": [{"account": a.label, **self.secrets(a)} for a in self.accounts.values()]}

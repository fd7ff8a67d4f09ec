"""The sandbox: all vendors behind one loopback port, their log, faults, budgets and truth."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict, deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sandbox.base import World
from sandbox.faults import Fault, Faults
from sandbox.vendors import VENDORS
from sandbox.web import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.base import Life, Request, Response, Vendor


class Logged(NamedTuple):
    """One request as it came and what became of it; `status` is 0 when no answer was sent."""

    vendor: str
    method: str
    path: str
    query: dict[str, list[str]]
    body: bytes
    time: datetime
    status: int
    key: str | None
    fault: str | None
    headers: dict[str, str]

    def json(self) -> Any:
        """Decode the request's body."""
        return json.loads(self.body)


class Sandbox:
    """All vendors on one loopback port, alive inside a `with` block.

    Args:
        seed: Same seed, size and clock: same data.
        size: Rows of each vendor's main stream at the start.
        now: A fixed moment, or a clock. With a clock, data is live: it appears and changes as the clock goes.
        options: Per vendor name, options that differ from its `defaults`, `accounts` among them.
        vendors: Names of the vendors to play; all by default.
        live: Override whether data follows the clock.
        future: How far beyond the start live data is planned.
        quiet: Age of the youngest row at the start, at least.
        enforce_budget: Answer 429 past a vendor's published requests a minute.
        port: 0 is any.
    """

    def __init__(  # noqa: PLR0913 - settings, all by name
        self,
        *,
        seed: int = 1,
        size: int = 1000,
        now: datetime | Callable[[], datetime] | None = None,
        options: dict[str, Any] | None = None,
        vendors: Iterable[str] | None = None,
        live: bool | None = None,
        future: timedelta = timedelta(0),
        quiet: timedelta = timedelta(minutes=10),
        enforce_budget: bool = False,
        port: int = 0,
    ) -> None:
        self.fixed = now if isinstance(now, datetime) else None
        clock = self._system if now is None else now if callable(now) else self._fixed
        live = callable(now) if live is None else live
        self.world = World(seed, size, clock, options or {}, live, future, quiet)
        names = {kind.name for kind in VENDORS}
        chosen = names if vendors is None else set(vendors)
        if unknown := (chosen | self.world.options.keys()) - names:
            raise ValueError(f"the sandbox does not know {', '.join(sorted(unknown))}")
        self.vendors: dict[str, Vendor] = {kind.name: kind(self.world) for kind in VENDORS if kind.name in chosen}
        self.faults = Faults()
        self.requests: list[Logged] = []
        self.budgets = Budgets(self.world.now if callable(now) else None) if enforce_budget else None
        self._port = port

    @staticmethod
    def _system() -> datetime:
        return datetime.now(UTC)

    def _fixed(self) -> datetime:
        assert self.fixed is not None
        return self.fixed

    def __enter__(self) -> Self:
        self._server = Server(self, self._port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="sandbox", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def base_url(self, vendor: str) -> str:
        """Return the vendor's API root, as the tap's `base_url` wants it."""
        return self.vendors[vendor].base_url(self.url)

    def config(self, vendors: Iterable[str] | None = None) -> dict[str, Any]:
        """Return a configuration of the tap that reads these vendors here."""
        return {name: self.vendors[name].config(self.url) for name in (vendors or self.vendors)}

    def vendor(self, name: str) -> Any:
        """Return the object of a vendor, for its `rows`, `late`, `change` and what is its own."""
        return self.vendors[name]

    def fault(self, **arguments: Any) -> Fault:
        """Order a fault; see `faults.Fault`."""
        return self.faults.add(Fault(**arguments))

    def clear_faults(self) -> None:
        """Cancel every fault."""
        self.faults.clear()

    def truth(self) -> dict[str, Any]:
        """Return the exact counts of what is visible now: per vendor and account, and the sums."""
        vendors: dict[str, Any] = {}
        streams: Counter[str] = Counter()
        events: Counter[str] = Counter()
        for name, vendor in self.vendors.items():
            with vendor.lock:
                vendors[name] = vendor.truth()
            for account in vendors[name].values():
                streams.update(account["streams"])
                events.update(account["email_events"])
        return {
            "seed": self.world.seed,
            "size": self.world.size,
            "now": self.world.now().isoformat(),
            "streams": dict(streams),
            "email_events": dict(sorted(events.items())),
            "vendors": vendors,
        }

    def log(self, vendor: str, request: Request, status: int, key: str | None, fault: str | None) -> None:
        """Add to `requests`."""
        self.requests.append(
            Logged(
                *(vendor, request.method, request.path, request.query, request.body, self.world.now()),
                *(status, key, fault, dict(request.headers.items())),
            )
        )

    def late(self, vendor: str, **arguments: Any) -> int:
        """Let rows appear that carry an older time; see `Vendor.late`."""
        with self.vendors[vendor].lock:
            return self.vendors[vendor].late(**arguments)

    def live(self, vendor: str, lives: Iterable[Life], key: str | None = None) -> None:
        """Plan the lives of further mails; see `Vendor.live`."""
        with self.vendors[vendor].lock:
            self.vendors[vendor].live(lives, key)

    def change(self, vendor: str, **arguments: Any) -> int:
        """Let rows change; see `Vendor.change`."""
        with self.vendors[vendor].lock:
            return self.vendors[vendor].change(**arguments)


class Budgets:
    """Requests a minute per vendor and account, with each vendor's penalty."""

    def __init__(self, now: Callable[[], datetime] | None) -> None:
        self._now = now
        self._served: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._blocked: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def refusal(self, vendor: Vendor, request: Request) -> Response | None:
        """Count a request; return the vendor's 429 when it is one too many."""
        limit = vendor.limit_of(request)
        if limit is None:
            return None
        who, now = (vendor.name, limit[0]), self._now().timestamp() if self._now else time.monotonic()
        with self._lock:
            served = self._served[who]
            while served and served[0] <= now - 60:
                served.popleft()
            if self._blocked.get(who, 0) <= now:
                if len(served) < limit[1]:
                    served.append(now)
                    return None
                self._blocked[who] = now + vendor.penalty if vendor.penalty else served[0] + 60
            return vendor.too_many(self._blocked[who] - now)

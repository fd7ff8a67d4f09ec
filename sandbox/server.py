"""The sandbox: all vendors behind one loopback port, their log, faults, budgets and truth."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sandbox.base.budgets import Budgets
from sandbox.base.faults import Fault, Faults
from sandbox.base.spoiling import spoiled, whole
from sandbox.base.web import Refused, Response, Server, phrase
from sandbox.base.world import World
from sandbox.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.base import Life, Request, Vendor


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
        dated: Give answers a `Date`, by the sandbox's clock; they have none by default.
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
        dated: bool = False,
        port: int = 0,
    ) -> None:
        self.fixed = now if isinstance(now, datetime) else None
        clock = self._system if now is None else now if callable(now) else self._fixed
        live = callable(now) if live is None else live
        self.world = World(seed, size, clock, options or {}, live, future, quiet)
        chosen = VENDORS.keys() if vendors is None else set(vendors)
        if unknown := (chosen | self.world.options.keys()) - VENDORS.keys():
            raise ValueError(f"the sandbox does not know {', '.join(sorted(unknown))}")
        self.vendors: dict[str, Vendor[Any]] = {
            name: player(self.world) for name, player in VENDORS.items() if name in chosen
        }
        self.clock_off = timedelta(0) if dated else None
        """How far the `Date` of answers is ahead of the sandbox's time; None: they have none."""
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
        self._server = Server(self.answer, self._port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,), name="sandbox", daemon=True)
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

    def renew(self, options: dict[str, Any], vendors: Iterable[str]) -> None:
        """Begin anew behind the same port: other options, vendors without a past, no faults and no requests."""
        self.world = replace(self.world, options=options)
        self.vendors = {name: VENDORS[name](self.world) for name in vendors}
        self.clear_faults()
        self.requests.clear()

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

    def late(self, vendor: str, **arguments: Any) -> int:
        """Let rows appear that carry an older time; see `Vendor.late`."""
        return self.vendors[vendor].late(**arguments)

    def live(self, vendor: str, lives: Iterable[Life], key: str | None = None) -> None:
        """Plan the lives of further mails; see `Vendor.live`."""
        self.vendors[vendor].live(lives, key)

    def change(self, vendor: str, **arguments: Any) -> int:
        """Let rows change; see `Vendor.change`."""
        return self.vendors[vendor].change(**arguments)

    # Answering.

    def answer(self, request: Request) -> Response:
        """Find whom a request is for, and what is answered: by the vendor, or in its place."""
        _, name, rest = (*request.path.split("/", 2), "")[:3]
        if name in ("_control", "truth"):
            return self._control(request)
        if name not in self.vendors:
            return Response(404, {"error": f"no vendor {name!r} here"})
        vendor, request.path = self.vendors[name], f"/{rest}"
        key = vendor.key_of(request)
        names = {key, vendor.accounts[key].label} if key in vendor.accounts else {key}
        text = f"{request.raw_query}\n{request.body.decode(errors='replace')}"
        fault = self.faults.take(name, request.path, {one for one in names if one is not None}, text)
        if fault:
            time.sleep(fault.seconds if fault.kind != "drip" else 0)
            request.fault = fault
        answer = (fault and self._in_its_place(fault, vendor, request)) or self._played(vendor, request)
        if request.fault:
            answer = spoiled(request.fault, answer)
        if self.clock_off is not None:
            moment = self.world.now() + self.clock_off
            answer.headers.setdefault("Date", format_datetime(moment, usegmt=True))
        self.log(name, request, answer.status, key, fault.kind if fault else None)
        return answer

    def log(self, vendor: str, request: Request, status: int, key: str | None, fault: str | None) -> None:
        """Add to `requests`."""
        self.requests.append(
            Logged(
                *(vendor, request.method, request.path, request.query, request.body, self.world.now()),
                *(status, key, fault, dict(request.headers.items())),
            )
        )

    def _in_its_place(self, fault: Fault, vendor: Vendor[Any], request: Request) -> Response | None:
        """Return what is answered in the vendor's place, or None when the vendor is to answer."""
        match fault.kind:
            case "status":
                answer = vendor.error_for(request, fault.status, phrase(fault.status))
                body = answer.body if fault.body is None else fault.body
                after = {}
                if fault.retry_after is not None:
                    moment = self.world.now() + timedelta(seconds=fault.retry_after)
                    after["Retry-After"] = (
                        format_datetime(moment, usegmt=True) if fault.dated else f"{fault.retry_after:g}"
                    )
                return Response(fault.status, body.encode() if isinstance(body, str) else body, after)
            case "late":
                vendor.late(fault.count, fault.minutes_ago)
            case "change":
                vendor.change(fault.count)
        return whole(fault)

    def _played(self, vendor: Vendor[Any], request: Request) -> Response:
        if self.budgets and (refusal := self.budgets.refusal(vendor, request)):
            return refusal
        try:
            if request.has("error_200"):
                return Response(200, vendor.error_for(request, 500, "Internal error").body)
            with vendor.lock:
                return vendor.handle(request)
        except Refused as refused:
            return refused.response

    def _control(self, request: Request) -> Response:
        """Answer a request to the sandbox itself.

        All JSON: GET `/truth` (or `/_control/truth`), GET `/_control/requests`, GET, POST (one fault or a list) and
        DELETE `/_control/faults`, POST `/_control/late` and `/_control/change` `{vendor, …}` (the arguments of the
        vendor's methods), POST `/_control/clock` `{now}`.
        """
        pages: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "/truth"): lambda _: self.truth(),
            ("GET", "/requests"): lambda _: [
                {**one._asdict(), "body": one.body.decode(errors="replace")} for one in self.requests
            ],
            ("GET", "/faults"): lambda _: self.faults.listed(),
            ("POST", "/faults"): lambda given: self._order(given if isinstance(given, list) else [given]),
            ("DELETE", "/faults"): lambda _: self._order([], cancel=True),
            ("POST", "/late"): lambda given: {"rows": self.late(**given)},
            ("POST", "/change"): lambda given: {"rows": self.change(**given)},
            ("POST", "/clock"): self._move,
        }
        page = pages.get((request.method, request.path.removeprefix("/_control")))
        if page is None:
            return Response(404, {"error": "no such control"})
        try:
            return Response(body=json.dumps(page(request.json() if request.body else {}), default=str).encode())
        except (KeyError, TypeError, ValueError) as error:
            return Response(400, {"error": repr(error)})

    def _order(self, orders: list[dict[str, Any]], *, cancel: bool = False) -> list[dict[str, Any]]:
        if cancel:
            self.clear_faults()
        for order in orders:
            self.fault(**order)
        return self.faults.listed()

    def _move(self, given: dict[str, str]) -> dict[str, str]:
        if self.fixed is None:
            raise ValueError("the sandbox was not started with a fixed time")
        self.fixed = datetime.fromisoformat(given["now"])
        return {"now": self.fixed.isoformat()}

"""Faults to order: each matches some requests and spoils some of them."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

BY_SERVER = frozenset(
    {"status", "reset", "half_open", "cut", "cut_json", "html", "slow", "drip", "garbage", "redirect", "late", "change"}
    | {"content_type", "flood", "deep", "row"}
)
"""Faults that look alike for every vendor; `sandbox.server` plays them."""
BY_VENDOR = frozenset({"expire_token", "empty_page", "repeat_token", "loop_token", "repeat_page", "error_200"})
"""Faults in the vendor's own terms; the vendor finds them in `Request.fault`."""


@dataclass
class Fault:
    """One order.

    Attributes:
        vendor: Name of the vendor; None is any.
        path: A part of the request's path; empty is any.
        contains: A part of the request's query string or body; empty is any.
        account: The key or label of the account; None is any.
        kind: One of `BY_SERVER` or `BY_VENDOR`: `status` answers `status` (with `retry_after` seconds and `body` if
            given, else the vendor's error); `reset` ends the connection unanswered; `half_open` answers, and never
            again on this connection, which stays open; `drip` sends the answer byte by byte, each after `seconds`;
            `cut` sends less than the Content-Length says; `cut_json` sends broken JSON whose Content-Length is right;
            `html` sends a page under 200; `slow` only waits; `garbage` sends {"unexpected": true} under 200; `deep`
            sends JSON nested 100,000 deep; `flood` lets 100 MB of blanks follow the answer; `content_type` sends it as
            a picture; `row` puts the value `body` (see `strange.VALUES`) into one of its rows, in the column `column`;
            `redirect` sends a 302 to `location`; `expire_token` refuses the paging token; `empty_page` sends no rows
            but a way on; `repeat_token` hands out the token that was sent; `loop_token` the one before it; `late` and
            `change` let `count` rows appear or change just before the answer (`minutes_ago` for late ones);
            `repeat_page` sends the page before again; `error_200` sends the vendor's error under 200.
        times: How often it strikes; -1 is forever.
        after: Matching requests that pass first.
        every: Of those that follow, strike the first and then each n-th.
        each: Count each request (its path, query and body) for itself, so that who else asks makes no difference.
        seconds: Wait before the answer, with any kind but `drip`.
        dated: Whether `retry_after` is told as a date.
    """

    kind: str
    vendor: str | None = None
    path: str = ""
    contains: str = ""
    account: str | None = None
    times: int = 1
    after: int = 0
    every: int = 1
    each: bool = False
    status: int = 503
    retry_after: float | None = None
    dated: bool = False
    body: Any = None
    column: str = ""
    seconds: float = 0
    location: str = "http://127.0.0.1:9/elsewhere"
    count: int = 1
    minutes_ago: float = 30
    seen: dict[str, int] = field(default_factory=dict, init=False)
    struck: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.kind not in BY_SERVER | BY_VENDOR:
            raise ValueError(f"no such fault: {self.kind}")

    def when(self, now: datetime) -> str:
        """Return what `Retry-After` says."""
        assert self.retry_after is not None
        if self.dated:
            return format_datetime(now + timedelta(seconds=self.retry_after), usegmt=True)
        return f"{self.retry_after:g}"


class Faults:
    """The orders in force; the first that matches and is due strikes."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def listed(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def take(self, vendor: str, path: str, names: set[str], text: str = "") -> Fault | None:
        """Return the fault that strikes a request, if any: `names` are its key and label, `text` its query and body."""
        with self._lock:
            for fault in self._faults:
                if (
                    fault.vendor not in (None, vendor)
                    or fault.path not in path
                    or fault.contains not in text
                    or (fault.account is not None and fault.account not in names)
                ):
                    continue
                request = f"{path}\n{text}" if fault.each else ""
                turn = fault.seen.get(request, 0) - fault.after
                fault.seen[request] = fault.seen.get(request, 0) + 1
                if turn >= 0 and turn % fault.every == 0 and fault.times not in (0, fault.struck):
                    fault.struck += 1
                    return fault
        return None

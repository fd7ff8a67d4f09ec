"""The faults of the matrix: what is ordered of the sandbox, and what else a cell needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.base.facts import Endpoint

SHORT = 0.25
"""`timeout_seconds` where it is to run out."""
TRIES = 3


@dataclass(frozen=True)
class Kind:
    """One fault.

    Attributes:
        order: What `Sandbox.fault` is told; empty: the cell plays it itself, by its name.
        impatient: Whether real time must pass.
        tries: `max_tries`.
        rows: Whether it is in an answer's rows, and
        kept: tells from the record's texts, written one after the other, whether the value is still there.
        of: Why a stream cannot suffer it, by the sandbox's name of the fault (`Endpoint.unfit`).
    """

    order: Mapping[str, Any] = field(default_factory=dict)
    impatient: bool = False
    tries: int = TRIES
    rows: bool = False
    kept: Callable[[str], bool] | None = None

    def unfit(self, endpoint: Endpoint) -> str | None:
        """Return why a stream cannot suffer it."""
        return endpoint.unfit.get(self.order.get("kind", ""))


def _status(status: int, **more: Any) -> Kind:
    return Kind({"kind": "status", "status": status, **more})


def _row(value: str, kept: Callable[[str], bool] | None = None) -> Kind:
    return Kind({"kind": "row", "body": value}, rows=True, kept=kept)


KINDS: dict[str, Kind] = {
    "429, Retry-After in seconds": _status(429, retry_after=7),
    "429, Retry-After as a date": _status(429, retry_after=7, dated=True),
    "429 without Retry-After": _status(429),
    **{str(status): _status(status) for status in range(500, 505)},
    "connection refused": Kind(),
    "connection reset": Kind({"kind": "reset"}),
    "half-open connection": Kind({"kind": "half_open"}, impatient=True, tries=8),
    "time-out": Kind({"kind": "slow", "seconds": 3 * SHORT}, impatient=True),
    "slow bytes": Kind({"kind": "drip", "seconds": SHORT / 5}, impatient=True),
    "cut body": Kind({"kind": "cut"}),
    "cut JSON": Kind({"kind": "cut_json"}),
    "HTML under 200": Kind({"kind": "html"}),
    "unknown wrapper": Kind({"kind": "garbage"}),
    "error under 200": Kind({"kind": "error_200"}),
    "empty page, though there is more": Kind({"kind": "empty_page"}),
    "repeated token": Kind({"kind": "repeat_token"}),
    "repeated page": Kind({"kind": "repeat_page"}),
    "expired token": Kind({"kind": "expire_token"}),
    "redirect to another host": Kind({"kind": "redirect"}),
    "wrong content type": Kind({"kind": "content_type"}),
    "100 MB": Kind({"kind": "flood"}),
    "JSON 100,000 deep": Kind({"kind": "deep"}),
    "row that is no object": _row("no object"),
    "row with a lone surrogate": _row("surrogate", lambda text: "lone " in text and "lone ?" not in text),
    "row with NUL": _row("NUL", lambda text: "amid" in text),
    "row with 1 MB of text": _row("long", lambda text: "x" * 1_000_000 in text),
    "row with NaN": _row("NaN", lambda text: "NaN" in text),
    "row with 1e400": _row("1e400", lambda text: "1e400" in text or "Infinity" in text),
    "row with an integer of 5,000 digits": _row("huge", lambda text: "7" * 5_000 in text),
    "row nested 900 deep": _row("deep", lambda text: "[" * 900 in text),
    "clock ten minutes ahead": Kind(),
    "clock ten minutes behind": Kind(),
}
"""What a stream may suffer."""

"""What the general tests must know of a vendor: its facts stand beside its player, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def millis(moment: datetime) -> str:
    """Write an aware time as the tap writes one: in UTC, with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def without_nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as it is, but for what is null at any depth."""

    def pruned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: pruned(item) for key, item in value.items() if item is not None}
        return [pruned(item) for item in value] if isinstance(value, list) else value

    return {key: pruned(item) for key, item in row.items() if item is not None}


@dataclass(frozen=True)
class Endpoint:
    """How one raw stream is read, as far as faults that strike it alone must know.

    Attributes:
        path, contains: What a `Fault` that strikes its requests, and no other stream's, says.
        rows: What the query or body of requests for rows contains, where others look only whether they are ready.
        text: A column of free text, as the vendor writes its name.
        options: Of the player, given a directory of its own, and
        settings: of the tap, given these options, under which it is read.
        token: Options under which a token authorizes its requests, if there are any.
        unfit: Faults of `sandbox.base.faults` that it cannot suffer: why, in words.
    """

    path: str = ""
    contains: str = ""
    rows: str = ""
    text: str = "subject"
    options: Callable[[str], Mapping[str, Any]] = lambda _: {}
    settings: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda _: {}
    token: Mapping[str, Any] = field(default_factory=dict)
    unfit: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """One raw stream of a vendor, and how the general tests read it.

    Attributes:
        stream: Its name.
        time: The column of a record that windows are about.
        settle: How long before now the windows of a run end, by default.
        history: How far back a first run goes, by default.
        most_rows: The largest answer.
        hours: Windows of this length make about a dozen of the history.
        column: A column that events are made of.
        recipients: The columns that name recipients: an event's is in one of them.
        named: Columns that name them with the address.
        keys: Keys of two accounts, in the vendor's form.
        said: An error in the vendor's form that says these words.
        wrong: Settings that the vendor refuses with 401.
        understood: Answers that mean no rows, among those that `test_faults` sends in vain to every other vendor.
        lookback: How far a run looks back before its bookmark, by default.
        revisits: The ages at which windows are looked at again, by default.
        requests: How many a run takes for one window whose rows fit one answer,
        when_empty: and for one without rows, beside those that
        waits: tells of: they only look whether something is ready.
        counted: Whether a request is one that the ledger counts.
        size_of: How many rows at most a request asks for.
        options: Of the player, and
        settings: of the tap, under which the general tests read it.
        youngest: Minutes before the start up to which rows are shown while a world stands still.
        unit: The resolution of windows.
        crowd: So long past the end of a run, rows lie on both sides of it when they are added there.
        shown: A row of the player as the record holds it: under its names, without nulls, times in UTC.
        own: Columns that the tap adds to a row.
        recent: Options under which the rows of the start lie within the last hours.
        endpoints: How each raw stream is read; one that is not named, by any request of the vendor's.
        variants: Other ways to be read that the tests of faults try beside it, by what stands after the vendor's name.
        unfit: What some general tests need, by the name under which they do, that this vendor has not: why, in words.
    """

    stream: str
    time: str
    settle: timedelta
    history: timedelta
    most_rows: int
    hours: float
    column: str
    recipients: tuple[str, ...]
    keys: tuple[str, str]
    said: Callable[[str], Any]
    named: tuple[str, ...] = ()
    wrong: Mapping[str, Any] = field(default_factory=lambda: {"api_key": "api_wrong0key0123456789"})
    understood: Sequence[Any] = ()
    lookback: timedelta = timedelta(hours=1)
    revisits: tuple[timedelta, ...] = (timedelta(days=1),)
    requests: int = 1
    when_empty: int = 1
    waits: Callable[[Any], bool] = lambda _: False
    counted: Callable[[Any], bool] = lambda _: True
    size_of: Callable[[Any], int] = lambda request: int(request.query["limit"][0])
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    youngest: float = 0
    unit: timedelta = timedelta(seconds=1)
    crowd: timedelta = timedelta(seconds=30)
    shown: Callable[[Mapping[str, Any]], dict[str, Any]] = without_nulls
    own: frozenset[str] = frozenset({"account", "extra_fields"})
    recent: Mapping[str, Any] = field(default_factory=lambda: {"span_days": 0.125})
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    variants: Mapping[str, Facts] = field(default_factory=dict)
    unfit: Mapping[str, str] = field(default_factory=dict)

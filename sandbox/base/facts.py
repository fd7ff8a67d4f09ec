"""What the general tests must know of a vendor: its facts stand beside its player, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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
class Facts:
    """One raw stream of a vendor, as the general tests read it.

    Attributes:
        stream: Its name.
        time: The record's column that windows are about.
        settle: How long before now the windows of a run end, by default.
        history: How far a first run goes back, by default.
        most_rows: The largest answer.
        hours: Windows of this length make about a dozen of the history.
        column: One that events are made of.
        recipients: Columns of a record that name recipients, so that an event's is among them.
        keys: Keys of two accounts, in the vendor's form.
        wrong: Settings that the vendor refuses with 401.
        said: An error in the vendor's form that says the words given.
        settings: Of the tap, under which the general tests read it.
        crowd: Rows are added so long past the end of a run, so that they lie on both sides of it.
        pages: Settings for pages of so many rows.
        size_of: How many rows at most a request asks for.
        shown: A row of the player as the record holds it: no nulls, times in UTC.
        own: Columns that the tap adds to a row.
        unfit: What general tests ask for that it has not, with the reason in words; see `tests/vendors_for.py`.
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
    wrong: Mapping[str, Any] = field(default_factory=lambda: {"api_key": "api_wrong0key0123456789"})
    settings: Mapping[str, Any] = field(default_factory=dict)
    crowd: timedelta = timedelta(seconds=30)
    pages: Callable[[int], Mapping[str, Any]] = lambda size: {"page_size": size}
    size_of: Callable[[Any], int] = lambda request: int(request.query["limit"][0])
    shown: Callable[[Mapping[str, Any]], dict[str, Any]] = without_nulls
    own: frozenset[str] = frozenset({"account", "extra_fields"})
    unfit: Mapping[str, str] = field(default_factory=dict)

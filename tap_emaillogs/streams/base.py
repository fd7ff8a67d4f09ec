"""The base of all raw streams: an ordinary `RESTStream` that reads one window of one account at a time."""

from __future__ import annotations

import copy
from importlib import resources
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from singer_sdk import SchemaDirectory, StreamSchema
from singer_sdk.streams import RESTStream
from singer_sdk.streams.rest import HTTPRequest, PageContext

from tap_emaillogs.engine import seams
from tap_emaillogs.engine.attempt import Attempt, Taken
from tap_emaillogs.engine.density import cut, estimate
from tap_emaillogs.engine.reading import Outcome, Split
from tap_emaillogs.engine.windows import Window, equal_parts
from tap_emaillogs.formats import timestamps
from tap_emaillogs.http import errors
from tap_emaillogs.streams.records import NO_KEY, Normaliser, Packed, encode, pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_emaillogs.engine.reading import Memory, Reading
    from tap_emaillogs.http.client import Meter, Reply
    from tap_emaillogs.streams.paginators import Page, PagePaginatorBase
    from tap_emaillogs.streams.provider import Account
    from tap_emaillogs.streams.records import Record

SCHEMAS = SchemaDirectory(resources.files("tap_emaillogs") / "schemas")
_ATTEMPTS = 3
"""How often a window is read whose pages moved, were refused or were fewer than announced."""
_MOST_SPLITS_AFTER_REFUSAL = 6
"""A vendor that still refuses to page after so many splits is not refusing because of size."""


class LogStream(RESTStream[Any]):
    """One endpoint of a vendor, as a stream.

    A vendor's stream gives `get_http_request`, `get_new_paginator` and `parse_page`, which see the account in
    `self.account` and the window in the page's `stream_context`. How windows are planned, read concurrently and
    written is the engine's affair (`sync.py`); whether a window is complete is judged here.
    """

    schema: ClassVar[StreamSchema[str]] = StreamSchema(SCHEMAS)
    provider: ClassVar[str]
    endpoint: ClassVar[str]
    paging: ClassVar[str]
    """What is read and how it is paged, in a few words, for the documentation."""
    unit: timedelta = timestamps.SECOND
    """The vendor's time resolution."""
    own_columns: ClassVar[tuple[str, ...]] = ("account",)
    twin_key: ClassVar[str | None] = None
    """The key column computed from the record's identity, where the vendor gives no id."""
    outside_identity: ClassVar[frozenset[str]] = frozenset()
    """Declared fields that a setting adds, and that therefore no key may depend on."""
    row_key: ClassVar[tuple[str, ...]] = ()
    """The vendor's own key of a row: rows that come twice in one reading are one."""
    time_columns: ClassVar[tuple[str, ...]] = ()
    """Columns that the vendor may filter by, used to estimate density and to find doubles at window edges."""
    exact_bounds: ClassVar[bool] = False
    """Whether the vendor promises `[start, end)`, so that no row is shown by two neighbours."""
    row_per_event: ClassVar[bool] = False
    """Whether the vendor may have several rows for one mail and recipient."""
    overrides: ClassVar[Mapping[str, Any]] = {}
    """Defaults of this endpoint that differ from its provider's."""
    rows_per_window: ClassVar[int] = 10_000
    """A window with more than twice as many is split: memory holds whole windows, and a kill costs at most one."""
    density_target: ClassVar[float] = 0.8
    """How full a part is planned, of what one answer can carry."""

    account: Account

    def __init__(self, tap: Tap) -> None:
        super().__init__(tap)
        own = {*self.own_columns, *([self.twin_key] if self.twin_key else [])}
        self.normalise = Normaliser(self.schema, own)
        self.identity = tuple(name for name in self.normalise.declared if name not in self.outside_identity)

    def for_account(self, account: Account) -> LogStream:
        """Return this stream bound to one account; both share schema and settings."""
        bound = copy.copy(self)
        bound.account = account
        return bound

    # What singer-sdk asks for.

    @property
    def url_base(self) -> str:
        """The account's API root."""
        return self.account.base_url

    @property
    def http_headers(self) -> dict[str, Any]:
        """No headers beside those of the account's client."""
        return {}

    @property
    def partitions(self) -> list[dict[str, Any]]:
        """One partition per account."""
        return [{"account": account.label} for account in self._tap.accounts_of(self)]  # type: ignore[attr-defined]

    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Read what is due for this stream alone, as `--test` does."""
        return self._tap.records_of(self, context)  # type: ignore[attr-defined,no-any-return]

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """No signpost: bookmarks are window ends."""

    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        """Do nothing: bookmarks are window ends."""

    # What a vendor's stream gives.

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        """Build the request for a page; `page.stream_context["window"]` is the window."""
        return super().get_http_request(page=page)

    def get_new_paginator(self) -> PagePaginatorBase:
        """Return a paginator for one window."""
        raise NotImplementedError

    def parse_page(self, data: Any) -> Page:
        """Understand one answer.

        Raises:
            Misunderstood: It has no known shape.
        """
        raise NotImplementedError

    def filters(self) -> dict[str, Any] | None:
        """Return the settings that make the vendor leave rows out, for requests and ledger; None: there are none."""
        return dict(self.account.settings.get("filters") or {}) or None

    def windows_in_flight(self) -> int:
        """How many windows of this endpoint may be read at the same time."""
        return int(self.account.settings["max_concurrency"])

    def postponed(self, since: datetime | None, now: datetime) -> str | None:  # noqa: ARG002 - for streams with jobs
        """Say why this endpoint is left for a later run; None: it is not.

        `since` is how far it was read; None where something is to be read for the first time.
        """
        return None

    def pinned(self, memory: Memory) -> list[Window]:  # noqa: ARG002 - likewise
        """Return the windows that must be read just as they are, since something at the vendor waits for them."""
        return []

    # Reading a window.

    def send(self, page: PageContext[Any], meter: Meter) -> Reply:
        """Ask for one page."""
        return self.account.client.send(self.get_http_request(page=page), meter, as_json=self.payload_as_json)

    def read(self, reading: Reading) -> Outcome | Split:
        """Read a window: all its records, or the parts to read instead, or what the vendor withholds.

        Raises:
            ReadError: It could not be read at all.
        """
        kept: dict[Any, Taken] = {}
        total: int | None = None
        trouble = ""
        attempt = Attempt()
        for number in range(1, _ATTEMPTS + 1):
            try:
                found = self.read_pages(reading)
            except (errors.PageRefused, errors.PagingLoop) as error:
                stuck = reading.window.length <= self.unit or reading.splits >= _MOST_SPLITS_AFTER_REFUSAL
                if stuck and number == _ATTEMPTS:
                    raise
                trouble = str(error)
                continue
            if isinstance(found, Split):
                return found
            if found.total != total:  # rows of another count prove nothing together with these
                kept.clear()
            attempt, total = found, found.total
            kept.update((row.identity, row) for row in attempt.rows)
            judged = self._judge(reading, attempt, kept)
            if not isinstance(judged, str):
                return judged
            trouble = judged
        # What may have come twice is written once: better told as missing than invented.
        rows = list(kept.values()) if self.row_key or attempt.moved else attempt.rows
        return self.give_up(reading, rows, total, trouble, moved=bool(attempt.moved))

    def _judge(self, reading: Reading, attempt: Attempt, kept: Mapping[Any, Taken]) -> Outcome | Split | str:
        """Decide what an attempt is worth; a text says why the window must be read again.

        `kept` are the rows of all attempts with the same total, by identity.
        """
        rows, total = self._distinct(attempt.rows), attempt.total
        last = attempt.last
        counted = last.total is None and len(rows) == total  # by the first page's total: the last one needs none
        if (last.capped and not counted) or self._ended_in_circles(attempt):
            return self._cut_off(reading, attempt, rows)
        if not self.row_key and attempt.pages > 1 and (shifted := seams.doubt(self, reading, attempt)):
            return self._parts(reading, attempt) or self._shifted(reading, attempt, kept, shifted)
        if total is None or len(rows) == total:
            return self.outcome(reading, rows, total)
        if self.row_key and len(kept) == total:
            return self.outcome(reading, list(kept.values()), total)
        return self._miscounted(reading, attempt, rows, total)

    def _shifted(self, reading: Reading, attempt: Attempt, kept: Mapping[Any, Taken], why: str) -> Outcome | str:
        """Judge pages that shift within a moment, which cannot be split."""
        if len(kept) == attempt.total:  # as many different rows as there are: none came twice
            return self.outcome(reading, list(kept.values()), attempt.total)
        attempt.moved = attempt.moved or why
        return why

    def _miscounted(
        self, reading: Reading, attempt: Attempt, rows: Sequence[Taken], total: int
    ) -> Outcome | Split | str:
        trouble = f"the vendor counts {total} rows and gives {len(rows)}"
        if len(rows) > total and (attempt.pages == 1 or attempt.anchored):
            if attempt.pages == 1:  # one answer: nothing in it came twice
                self.logger.warning("%s: %s; all of them are kept", reading, trouble)
            else:  # some left while pages were read
                total = min(len(rows), attempt.first.total or total)
            return self.outcome(reading, rows, total)
        paged = attempt.pages > 1 and not self.row_key
        if paged and (len(rows) > total or seams.leaves_history(self, reading.window)):
            return self._parts(reading, attempt) or trouble
        if len(rows) < total and not self.row_key and reading.memory.totals_are_wrong:
            return self.outcome(reading, rows, total, truncated=f"{trouble}; its totals were wrong before")
        return trouble

    def _parts(self, reading: Reading, attempt: Attempt) -> Split | None:
        """Split what cannot be paged: by the rows seen, or in halves where pages show their shifts by their keys."""
        if not self.row_key:
            return seams.parts_of_a_page(self, reading, attempt)
        windows = equal_parts(reading.window, 2, self.unit)
        return Split(windows) if len(windows) > 1 else None

    def _distinct(self, rows: Sequence[Taken]) -> list[Taken]:
        """Return one row for each key of the vendor's, the version shown last; without such a key all rows."""
        return list({row.identity: row for row in rows}.values()) if self.row_key else list(rows)

    def _ended_in_circles(self, attempt: Attempt) -> bool:
        """Whether a token that led nowhere was all that ended the pages: no total, and the last page a full one."""
        last = attempt.last
        return attempt.first.total is None and bool(last.token) and 0 < len(attempt.first.rows) <= len(last.rows)

    def _cut_off(self, reading: Reading, attempt: Attempt, rows: Sequence[Taken]) -> Outcome | Split:
        """Meet pages whose last one says that there is more, and no way to it."""
        if attempt.pages > 1 and (parts := self._parts(reading, attempt)):
            return parts
        why = f"the vendor shows no more than {len(rows)} rows"
        return self.outcome(reading, rows, attempt.first.total, truncated=why)

    def read_pages(self, reading: Reading) -> Attempt | Split:
        """Follow the pages of a window once.

        Raises:
            PageRefused: A page after the first could not be had.
            PagingLoop: The vendor leads in circles.
        """
        paginator = self.get_new_paginator()
        attempt = Attempt(anchored=paginator.anchored)
        context = {"account": self.account.label, "window": reading.window}
        shown = 0
        while not paginator.finished:
            try:
                reply = self.send(PageContext(context, paginator.current_value), reading.meter)
            except errors.VendorError as error:
                if paginator.count and error.status not in {401, 402, 403}:
                    raise errors.PageRefused(f"page {paginator.count + 1}: {error}", error.hint) from error
                raise
            page = self.parse_page(reply.data)
            if not all(isinstance(row, dict) for row in page.rows):
                raise errors.Misunderstood("a row of the answer is no object")
            if not paginator.count and (split := self.split(reading, page)):
                return split
            seen = paginator.count
            paginator.advance(page)
            attempt.see(page, shown)
            if attempt.moved and self.row_key:
                raise errors.PageRefused(attempt.moved)
            if paginator.count > seen:
                shown += len(page.rows)
                attempt.add(self.take(self.inside(reading.window, page.rows)), self.mark)
            if split := self._too_much(reading, attempt, paginator):
                return split
        return attempt

    def _too_much(self, reading: Reading, attempt: Attempt, paginator: PagePaginatorBase) -> Split | None:
        """Split a window that has more rows than memory should hold, where no total told so on its first page."""
        few = len(attempt.rows) <= 2 * self.rows_per_window
        if few or paginator.finished or reading.window.length <= self.unit:
            return None
        times = self.times_of(attempt.rows)
        total = max(estimate(reading.window, times, reading.memory.density), len(attempt.rows) + 1)
        return Split(cut(reading.window, times, total, self.rows_per_window, self.unit))

    def split(self, reading: Reading, page: Page) -> Split | None:
        """Decide on the first page whether the window is to be split, and where; None: read on."""
        window = reading.window
        if window.length <= self.unit:
            return None
        if page.capped:
            target = max(1, int(self.answer_limit(page) * self.density_target))
            times = self.times(page.rows)
            total = max(estimate(window, times, reading.memory.density), target + 1)
            return Split(cut(window, times, total, target, self.unit))
        if page.total is not None and page.total > 2 * self.rows_per_window:
            return Split(equal_parts(window, -(-page.total // self.rows_per_window), self.unit))
        if page.total is None and page.token:
            times = self.times(page.rows)
            total = estimate(window, times, reading.memory.density)
            if total > 2 * self.rows_per_window:
                return Split(cut(window, times, total, self.rows_per_window, self.unit))
        return None

    def answer_limit(self, page: Page) -> int:
        """How many rows one uncut reading of a window can give."""
        return page.total or len(page.rows) or 1

    def mark(self, row: Taken) -> Any:
        """Return what is the same in a row that two pages show, and in exact twins."""
        return row.line if self.row_per_event else row.identity

    def times_of(self, taken: Iterable[Taken]) -> list[datetime]:
        """Return the times of rows already packed, in their order."""
        return self.times([msgspec.json.decode(row.line) for row in taken])

    def times(self, rows: Sequence[Mapping[str, Any]]) -> list[datetime]:
        """Return the rows' times in the order of the answer, by the column that the answer is sorted by, if any."""
        columns = [[m for row in rows for m in _moments(row, (column,))] for column in self.time_columns]
        in_order = [times for times in columns if times == sorted(times) or times == sorted(times, reverse=True)]
        return next(iter([*in_order, *columns]), [])

    def give_up(
        self, reading: Reading, rows: Sequence[Taken], total: int | None, why: str, *, moved: bool = False
    ) -> Outcome | Split:
        """Split a window that stays unclear after all attempts; at the vendor's resolution say what is missing."""
        if total is not None and len(rows) < total and not reading.lacks(total - len(rows)):
            why = f"{why}; the parts of a window lack more than the whole did, so its totals are wrong"
            return self.outcome(reading, rows, total, truncated=why)
        windows = equal_parts(reading.window, 2, self.unit)
        if len(windows) > 1:
            return Split(windows)
        if total is not None and len(rows) >= total and not moved:
            self.logger.warning("%s: %s; all of them are kept", reading, why)
            return self.outcome(reading, rows, total)
        return self.outcome(reading, rows, total, truncated=why)

    def outcome(
        self,
        reading: Reading,
        rows: Sequence[Taken],
        total: int | None = None,
        *,
        truncated: str | None = None,
    ) -> Outcome:
        """Close a window whose rows were taken, and remember how dense they were."""
        reading.memory.density.learn(reading.window, len(rows))
        records = (
            Packed([row.line for row in rows]) if self.twin_key is None else Packed.with_twins(rows, self.twin_key)
        )
        return Outcome(records, "truncated" if truncated else "complete", total, truncated)

    def take(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Taken]:
        """Make records of a page's rows, packed until the window is whole; each beside what identifies it.

        That is the vendor's key, or, where there is none, a digest of the row's identity.
        """
        if self.twin_key is not None:
            return [Taken(*pack(self.record(row), self.twin_key, self.identity)) for row in rows]
        taken = []
        for row in rows:
            record = self.record(row)
            key = tuple(record[name] for name in self.row_key)  # the row may have other names for its parts
            line = encode(record)
            taken.append(Taken(line if NO_KEY in key else key, line))
        return taken

    def inside(self, window: Window, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:  # noqa: ARG002
        """Leave out rows that were asked for beyond the window's edges, and that its neighbours show."""
        return rows

    def record(self, row: Mapping[str, Any]) -> Record:
        """Return the record of a row."""
        record = self.normalise(self.prepare(row))
        record["account"] = self.account.label
        for name in self.row_key:
            record[name] = NO_KEY if record[name] in (None, "") else record[name]
        return record

    def prepare(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """Bring a row to the schema's names, where the vendor has several forms of it."""
        return row

    def events(self, record: Record) -> Iterable[Record]:
        """Derive the unified events of a record, before privacy is applied; override where they depend on settings."""
        return self.account.provider.events(self.name, record)

    def remark(self, record: Record) -> str | None:
        """Say what a record tells that makes no event; override where that depends on settings."""
        return self.account.provider.remark(self.name, record)

    def moments_of(self, record: Record) -> Iterable[tuple[datetime, timedelta]]:
        """Yield the times by which the vendor may have placed a record, each with how far off it may be."""
        return ((moment, self.unit) for moment in _moments(record, self.time_columns))


def _moments(row: Mapping[str, Any], columns: Iterable[str]) -> Iterator[datetime]:
    """Yield the times in the given columns, in whatever form they have."""
    for column in columns:
        value = row.get(column)
        try:
            if isinstance(value, str):
                yield timestamps.parse(value)
            elif isinstance(value, (int, float)):
                yield timestamps.from_epoch(value)
        except ValueError:
            continue

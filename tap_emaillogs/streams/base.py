"""The base of all raw streams: an ordinary `RESTStream` that describes one endpoint of a vendor."""

from __future__ import annotations

import contextlib
import copy
from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import msgspec
from singer_sdk import StreamSchema
from singer_sdk.streams import RESTStream

from tap_emaillogs.formats import timestamps
from tap_emaillogs.formats.values import NO_KEY
from tap_emaillogs.http.answers import decode
from tap_emaillogs.streams.codec import Codec
from tap_emaillogs.streams.paginators import count_of
from tap_emaillogs.streams.prepared import NoRow, PreparedRow, nothing
from tap_emaillogs.streams.records import Normaliser, canonical, encode, pack
from tap_emaillogs.streams.remarks import Remarks
from tap_emaillogs.streams.schemas import SCHEMAS
from tap_emaillogs.streams.shapes import Row
from tap_emaillogs.streams.twins import identity_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import PageContext

    from tap_emaillogs.streams.paginators import Page, PagePaginatorBase
    from tap_emaillogs.streams.provider import Account
    from tap_emaillogs.streams.records import Record
    from tap_emaillogs.streams.settings import Settings, StreamDefaults
    from tap_emaillogs.streams.shapes import Layout
    from tap_emaillogs.streams.window import Window


NO_TOTAL = "the number of rows that an answer announces is none, and so proves nothing"
NO_OBJECT = "what stands in an answer in a row's place is no object, and makes no record"


class LogStream(RESTStream[Any]):
    """One endpoint of a vendor: its requests, its answers, its rows, and the facts that its reader goes by.

    A vendor's stream gives `get_http_request`, `get_new_paginator` and `parse_page`. They see the account in
    `self.account` and the window in the page's `stream_context`. How windows are read is the affair of its reader
    (`engine/paged_reader.py`, or the stream's own `reader`), and when is the engine's.
    """

    schema: ClassVar[StreamSchema[str]] = StreamSchema(SCHEMAS)
    provider: ClassVar[str]
    endpoint: ClassVar[str]
    paging: ClassVar[str]
    """What is read and how it is paged, in a few words, for the documentation."""
    reader: ClassVar[str | None] = None
    """What reads its windows, as `module:class`, where paging through them is not all that it takes."""
    defaults: ClassVar[StreamDefaults] = {}
    """Defaults of this endpoint that differ from its provider's."""

    # Facts: what time and order are to the vendor.

    unit: timedelta = timestamps.SECOND
    """The vendor's time resolution: windows begin and end at multiples of it."""
    finest: ClassVar[timedelta | None] = None
    """The resolution of the range in a request, where that is finer than the times that rows show."""
    longest: ClassVar[timedelta | None] = None
    """The longest range that the vendor answers, whatever it holds."""
    time_filter: ClassVar[bool] = True
    """Whether the vendor can be asked for a range of time. If not, each run reads from one end of the log (`order`)."""
    order: ClassVar[Literal["newest", "oldest"] | None] = None
    """Which rows the vendor promises to show first, by the first of `time_columns`; None: it promises nothing."""
    exact_bounds: ClassVar[bool] = False
    """Whether the vendor promises `[start, end)`, so that no row is shown by two neighbours."""
    time_columns: ClassVar[tuple[str, ...]] = ()
    """Columns that the vendor may filter by, used to estimate density and to find doubles at window edges."""

    # Facts: how much an answer shows.

    cap: int | None = None
    """The most rows that all pages of one window show, however many there are; None: no such limit is known. Where that
    depends on the account, `bind` sets it."""
    exact_totals: ClassVar[bool] = False
    """Whether totals can be relied on to split a window by, even where not all rows can be shown."""
    rows_per_window: ClassVar[int] = 10_000
    """A window with more than twice as many is split: memory holds whole windows, and a kill costs at most one."""

    # Facts: what a row is.

    row_key: ClassVar[tuple[str, ...]] = ()
    """The vendor's own key of a row: rows that come twice in one reading are one."""
    twin_key: ClassVar[str | None] = None
    """The key column computed from the record's identity, where the vendor gives no id."""
    outside_identity: ClassVar[frozenset[str]] = frozenset()
    """Declared fields that a setting adds, and that therefore no key may depend on."""
    own_columns: ClassVar[tuple[str, ...]] = ("account",)
    row_per_event: ClassVar[bool] = False
    """Whether the vendor may have several rows for one mail and recipient."""

    account: Account
    codec: Codec | None = None
    settings: Settings
    """Those of the account, with this stream's own defaults."""

    def __init__(self, tap: Tap) -> None:
        super().__init__(tap)
        own = {*self.own_columns, *([self.twin_key] if self.twin_key else [])}
        self.normalise = Normaliser(self.schema, own)
        self._remarks = Remarks()
        self.normalise.remark = partial(self._remarks.add, self.name)
        self.identity = tuple(name for name in self.normalise.declared if name not in self.outside_identity)
        self._codec_of = cache(self._make_codec)

    def for_account(self, account: Account) -> Self:
        """Return this stream bound to one account; both share schema and settings."""
        bound = copy.copy(self)
        bound.account = account
        bound.settings = account.settings_with(self.defaults)
        bound.codec = self._codec_of(bound.layout)
        bound.bind()
        return bound

    def bind(self) -> None:
        """Set what depends on the account, or is learned of it in a run."""

    def _make_codec(self, layout: Layout | None) -> Codec | None:
        """Return what makes records of rows fast; None: they are made one by one, of dicts."""
        if layout is None:
            return None
        with contextlib.suppress(TypeError):
            return Codec(
                schema=self.schema,
                normalise=self.normalise,
                prepare=self.prepare,
                layout=layout,
                key=self.twin_key,
                row_key=self.row_key,
                identity=self.identity,
            )
        return None

    # What singer-sdk asks for.

    @property
    def url_base(self) -> str:
        """The account's API root."""
        return self.account.base_url

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

    # What a vendor's stream gives, beside `get_http_request`.

    @property
    def layout(self) -> Layout | None:
        """Where the answers hold their rows, so that these are read fast; None: they are read as dicts.

        For streams whose records are made by `prepare` and the schema alone.
        """
        return None

    def decode(self, body: bytes) -> Any:
        """Read the body of an answer.

        Raises:
            ValueError: It is no JSON.
        """
        return self.codec.decode(body) if self.codec else decode(body)

    def get_new_paginator(self) -> PagePaginatorBase:
        """Return a paginator for one window."""
        raise NotImplementedError

    def parse_page(self, data: Any, page: PageContext[Any]) -> Page:
        """Understand the answer to the request for a page.

        Raises:
            Misunderstood: It has no known shape.
        """
        raise NotImplementedError

    def is_full(self, rows: int) -> bool:
        """Whether a page of so many rows may be cut; one with fewer is not."""
        return rows >= self.settings.page_size

    def filters(self) -> dict[str, Any] | None:
        """Return the settings that make the vendor leave rows out, for requests and ledger; None: there are none."""
        return dict(self.settings.filters) or None

    def filters_shown(self) -> dict[str, Any] | None:
        """Return the filters as the ledger tells of them: without values that may be secret."""
        return self.filters()

    # Rows.

    def times(self, rows: Sequence[Any]) -> list[datetime]:
        """Return the rows' times in the order of the answer, by the column that the answer is sorted by, if any."""
        return _times([self._named(row) for row in rows], self.time_columns)

    def time_of(self, row: Any) -> datetime | None:
        """Return a row's own time, by the first of `time_columns` that has one; None: none does."""
        return next(_moments(self._named(row), self.time_columns), None)

    def _named(self, row: Any) -> Any:
        return row if isinstance(row, Row) else self.prepare(row)

    def times_of(self, taken: Iterable[PreparedRow]) -> list[datetime]:
        """Return the times of rows already packed, in their order."""
        return _times([msgspec.json.decode(row.line) for row in taken], self.time_columns)

    def take(self, rows: Sequence[Any]) -> Sequence[PreparedRow]:
        """Make records of a page's rows, packed until the window is whole; each beside what identifies it.

        That is the vendor's key, or, where there is none, a digest of the row's identity.
        """
        if self.codec:
            return self.codec.take(rows, self.account.label, self.take_row)
        return [self.take_row(row) for row in rows]  # `map` would end at a StopIteration without a word

    def total_of(self, announced: Any, rows: int) -> int | None:
        """Read the number of rows that an answer with `rows` of them announces; a warning tells of one that is none."""
        total = count_of(announced)
        if total is None and announced is not None:
            self._remarks.add(self.name, NO_TOTAL, rows)
        return total

    def take_row(self, row: Mapping[str, Any]) -> PreparedRow:
        """Make the record of one row."""
        if isinstance(row, NoRow):
            self._remarks.add(self.name, NO_OBJECT)
            return nothing()
        record = self.record(row)
        if self.twin_key is not None:
            identity = identity_of(canonical(record, self.identity))
            return PreparedRow(identity, pack(record, self.twin_key, identity))
        key = tuple(record[name] for name in self.row_key)  # the row may have other names for its parts
        line = encode(record)
        return PreparedRow(line if NO_KEY in key else key, line)

    def inside(self, window: Window, rows: Sequence[Any]) -> Sequence[Any]:
        """Leave out rows beyond the window's edges: those that were asked for, or that no filter keeps out."""
        if self.time_filter:
            return rows
        times = [self.time_of(row) for row in rows]
        return [row for row, time in zip(rows, times, strict=True) if time is None or time in window]

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

    def tell_remarks(self) -> None:
        """Warn of what could not be read of this run's rows."""
        self._remarks.tell(self.logger)

    def moments_of(self, record: Record) -> Iterable[tuple[datetime, timedelta]]:
        """Yield the times by which the vendor may have placed a record, each with how far off it may be."""
        return ((moment, self.unit) for moment in _moments(record, self.time_columns))


def _times(rows: Sequence[Mapping[str, Any]], names: Iterable[str]) -> list[datetime]:
    columns = [[moment for row in rows for moment in _moments(row, (name,))] for name in names]
    in_order = [times for times in columns if times == sorted(times) or times == sorted(times, reverse=True)]
    return next(iter([*in_order, *columns]), [])


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

"""Two shapes of vendors that no provider has, read from facts alone: a cap beside a total, a cursor without times.

Both vendors are defined here and plugged in through the tuple of providers; nothing else knows them.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from singer_sdk import typing as th

from general import NOW
from harness import Ticking, run
from outcome import Run, assert_tiles, upserted
from tap_emaillogs.config.schema import config_schema
from tap_emaillogs.engine.walk import Rows
from tap_emaillogs.formats.timestamps import millis, parse
from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.paginators import ContinueTokenPaginator, OffsetPaginator, Page, objects
from tap_emaillogs.streams.prepared import PreparedRow
from tap_emaillogs.streams.provider import Provider
from tap_emaillogs.streams.settings import Settings, option
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from singer_sdk.streams.rest import HTTPRequest, PageContext

CAP, PAGE = 1000, 100
SETTLE = timedelta(minutes=5)
COLUMNS = th.PropertiesList(
    th.Property("account", th.StringType, required=True, description="The account."),
    th.Property("mail_id", th.StringType, required=True, description="Key."),
    th.Property("created_at", th.DateTimeType, description="Time."),
    th.Property("mail_to", th.StringType, description="Recipient."),
    th.Property("extra_fields", th.StringType, description="Undeclared fields."),
).to_dict()
NAMES = {"mailId": "mail_id", "createdAt": "created_at", "mailTo": "mail_to"}


class Log(LogStream):
    """What both have in common: camel-case columns, the newest rows first."""

    schema = COLUMNS
    provider = "sixth"
    endpoint = "GET /log"
    path = "/log"
    primary_keys = ("account", "mail_id")
    replication_key = "created_at"
    row_key: ClassVar[tuple[str, ...]] = ("mail_id",)
    time_columns = ("created_at",)
    order = "newest"

    @property
    def http_headers(self) -> dict[str, Any]:
        return {"X-Client": "a subclass's own"}

    def prepare(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        return {NAMES.get(name, name): value for name, value in row.items()}


class CappedLog(Log):
    """Offsets up to a thousand rows, beside a total of all."""

    name = "sixth_capped"
    paging = "offset"
    exact_bounds = True
    cap = CAP
    exact_totals = True

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        window = (page.stream_context or {})["window"]
        request.params = {"from": millis(window.start), "to": millis(window.end), "offset": page.next_page_token}
        return request

    def get_new_paginator(self) -> OffsetPaginator:
        return OffsetPaginator(PAGE)

    def parse_page(self, data: Any, page: PageContext[Any]) -> Page:
        rows = objects(data.get("items"), "list `items`")
        return Page(rows, data["total"], more=page.next_page_token + len(rows) < data["total"])


class CursorLog(Log):
    """A cursor through all that there is."""

    name = "sixth_cursor"
    paging = "cursor"
    time_filter = False

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        request.params = {"cursor": page.next_page_token} if page.next_page_token else {}
        return request

    def get_new_paginator(self) -> ContinueTokenPaginator:
        return ContinueTokenPaginator()

    def parse_page(self, data: Any, page: PageContext[Any]) -> Page:
        return Page(objects(data.get("items"), "list `items`"), token=data.get("next"))


class KeylessLog(CursorLog):
    """The same of a vendor whose rows have no id."""

    name = "sixth_keyless"
    row_key: ClassVar[tuple[str, ...]] = ()
    twin_key = "mail_id"


@dataclass(frozen=True, kw_only=True)
class SixthSettings(Settings):
    api_key: str = option("", "API key.", secret=True)
    history_days: float | None = 30
    settle_minutes: float = SETTLE / timedelta(minutes=1)
    requests_per_minute: float = 0
    page_size: int = PAGE

    def auth(self) -> KeyAuth:
        return KeyAuth("X-Key", self.api_key)


class Sixth(Provider):
    name = "sixth"
    title = "Sixth"
    settings = SixthSettings
    required: ClassVar[tuple[tuple[str, ...], ...]] = (("api_key",),)

    def __init__(self, stream: type[LogStream]) -> None:
        self.streams = (stream,)  # type: ignore[misc] # of one test

    def error_message(self, data: Any) -> str | None:
        return data.get("error") if isinstance(data, dict) else None


class Vendor:
    """A log, the newest rows first; strict in what it refuses."""

    def __init__(self, rows: Iterable[dict[str, Any]] = ()) -> None:
        self.rows = sorted(rows, key=lambda row: row["createdAt"], reverse=True)
        self.asked: list[dict[str, str]] = []
        self.headers: list[str | None] = []
        self.before: Callable[[int], None] = lambda number: None

    def add(self, *rows: dict[str, Any]) -> None:
        self.rows = sorted([*self.rows, *rows], key=lambda row: row["createdAt"], reverse=True)

    def answer(self, query: dict[str, str]) -> tuple[int, Any]:
        self.before(len(self.asked))
        self.asked.append(query)
        if "offset" not in query:
            behind = query.get("cursor", "~")
            rows = [row for row in self.rows if row["createdAt"] + row["mailId"] < behind][: PAGE + 1]
            last = rows[PAGE - 1] if len(rows) > PAGE else None
            return 200, {"items": rows[:PAGE], "next": last["createdAt"] + last["mailId"] if last else None}
        offset = int(query["offset"])
        if offset + PAGE > CAP:
            return 400, {"error": f"no more than {CAP} rows"}
        found = [row for row in self.rows if query["from"] <= row["createdAt"] < query["to"]]
        return 200, {"items": found[offset : offset + PAGE], "total": len(found)}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type[LogStream], Vendor], dict[str, Any]]]:
    """Plug a stream in, play its vendor, and return the tap's configuration."""
    servers = []

    def start(stream: type[LogStream], vendor: Vendor) -> dict[str, Any]:
        provider = Sixth(stream)
        monkeypatch.setattr("tap_emaillogs.tap.PROVIDERS", (provider,))
        monkeypatch.setattr(TapEmailLogs, "config_jsonschema", config_schema((provider,)))

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                vendor.headers.append(self.headers["X-Client"])
                status, data = vendor.answer(query)
                body = json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        root = f"http://127.0.0.1:{server.server_address[1]}"
        return {"sixth": {"base_url": root, "api_key": "a-secret-key", "max_concurrency": 2}}

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def rows_by_day(count: int, days: float, seed: int = 1) -> list[dict[str, Any]]:
    """Return rows of which most are sent by day, and few at night."""
    dice = random.Random(seed)
    found: list[dict[str, Any]] = []
    while len(found) < count:
        at = NOW - timedelta(minutes=10) - timedelta(days=days) * dice.random()
        if dice.random() < (1.0 if 7 <= at.hour < 19 else 0.15):
            found.append(row_of(at, f"m{len(found):06}"))
    return found


def row_of(at: datetime, number: str) -> dict[str, Any]:
    return {"mailId": number, "createdAt": millis(at.replace(microsecond=0)), "mailTo": f"{number}@example.com"}


def assert_rows(vendor: Vendor, runs: Run | list[Run], stream: str, before: datetime = NOW - SETTLE) -> None:
    """Every row that is settled is there, once, and nothing else."""
    want = Counter(row["mailId"] for row in vendor.rows if parse(row["createdAt"]) < before)
    assert Counter(record["mail_to"].partition("@")[0] for record in upserted(runs, stream).values()) == want


# --- a cap beside a total


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("count", [900, 5_000])
def test_a_cap_beside_a_total_is_split_by_the_total(
    serve: Callable[..., dict[str, Any]], count: int, seed: int
) -> None:
    vendor = Vendor(rows_by_day(count, days=20, seed=seed))
    found = run(serve(CappedLog, vendor))
    assert found.status == 0, found.stderr
    assert_rows(vendor, found, CappedLog.name)
    ledger = found.windows(CappedLog.name)
    assert {row["status"] for row in ledger} == {"complete"}
    assert all(row["records"] == row["reported_total"] <= CAP for row in ledger)
    assert_tiles(ledger, NOW - timedelta(days=30), NOW - SETTLE)
    minimum = count // PAGE
    print(f"{count} rows: {len(vendor.asked)} requests for a minimum of {minimum}")  # noqa: T201 - shown by -rP
    assert len(vendor.asked) <= 1.4 * minimum
    assert set(vendor.headers) == {"a subclass's own"}


def test_more_rows_in_a_second_than_the_cap_are_told(serve: Callable[..., dict[str, Any]]) -> None:
    at = NOW - timedelta(days=3)
    vendor = Vendor([*rows_by_day(50, days=20), *(row_of(at, f"b{number:06}") for number in range(CAP + 20))])
    found = run(serve(CappedLog, vendor))
    (told,) = [row for row in found.windows(CappedLog.name) if row["status"] == "truncated"]
    assert (told["records"], told["reported_total"]) == (CAP, CAP + 20)
    assert f"{CAP} rows" in told["gap_reason"]
    assert len(found.records[CappedLog.name]) == 50 + CAP
    assert len(vendor.asked) < 100


# --- a cursor without a time filter


@pytest.mark.parametrize("stream", [CursorLog, KeylessLog])
@pytest.mark.parametrize("window_hours", [6, 8760])
def test_a_cursor_without_times_is_walked_once(
    serve: Callable[..., dict[str, Any]], stream: type[LogStream], window_hours: float
) -> None:
    vendor = Vendor(rows_by_day(5_000, days=20))
    config = serve(stream, vendor)
    config["sixth"]["window_hours"] = window_hours
    found = run(config)
    assert found.status == 0, found.stderr
    assert_rows(vendor, found, stream.name)
    (row,) = found.windows(stream.name)
    assert (row["status"], row["records"], row["requests"]) == ("complete", 5_000, 50)
    assert_tiles([row], NOW - timedelta(days=30), NOW - SETTLE)
    print(f"{len(vendor.asked)} requests for a minimum of 50")  # noqa: T201 - shown by -rP
    assert len(vendor.asked) == 50
    assert found.bookmark(stream.name) == millis(NOW - SETTLE)


def test_a_walk_ends_at_what_is_known(serve: Callable[..., dict[str, Any]]) -> None:
    """Each run reads back to its lookback, or to a revisit that is due; rows that are not settled wait."""
    clock = Ticking()
    vendor = Vendor(rows_by_day(5_000, days=20))
    config = serve(CursorLog, vendor)
    runs = [run(config, clock=clock)]
    for number in range(4):
        clock.pass_time(hours=7)
        now = clock.now()
        vendor.add(row_of(now - timedelta(minutes=1), f"n{number}"), row_of(now - timedelta(hours=1), f"o{number}"))
        vendor.add(row_of(now - timedelta(hours=12), f"late{number}"))  # for the revisit to find
        asked = len(vendor.asked)
        runs.append(run(config, state=runs[-1].state, clock=clock))
        assert len(vendor.asked) - asked <= 8
        assert f"n{number}" not in {record["mail_id"] for record in runs[-1].records[CursorLog.name]}
    clock.pass_time(hours=30)
    runs.append(run(config, state=runs[-1].state, clock=clock))
    assert_rows(vendor, runs, CursorLog.name, clock.now() - SETTLE)


def test_rows_that_come_while_walking_move_nothing(serve: Callable[..., dict[str, Any]]) -> None:
    vendor = Vendor(rows_by_day(1_000, days=20))
    vendor.before = lambda number: vendor.add(row_of(NOW - timedelta(seconds=number), f"n{number}"))
    found = run(serve(CursorLog, vendor))
    assert_rows(vendor, found, CursorLog.name)
    assert len(found.records[CursorLog.name]) == 1_000
    assert {row["status"] for row in found.windows(CursorLog.name)} == {"complete"}


def test_twins_of_a_vendor_without_ids_stay_apart(serve: Callable[..., dict[str, Any]]) -> None:
    rows = rows_by_day(950, days=20)
    shown = [{name: row[name] for name in ("createdAt", "mailTo")} for row in [*rows, *rows[:40]]]
    vendor = Vendor([])
    vendor.rows = sorted(shown, key=lambda row: row["createdAt"], reverse=True)

    def answer(query: dict[str, str]) -> tuple[int, Any]:
        start = int(query.get("cursor", 0))
        end = start + PAGE
        return 200, {"items": vendor.rows[start:end], "next": str(end) if end < len(vendor.rows) else None}

    vendor.answer = answer  # type: ignore[method-assign]
    config = serve(KeylessLog, vendor)
    found = run(config)
    keys = [record["mail_id"] for record in found.records[KeylessLog.name]]
    assert len(keys) == len(set(keys)) == 990
    vendor.rows.insert(0, {"createdAt": millis(NOW - timedelta(minutes=6)), "mailTo": "new@example.com"})
    assert set(keys) < {record["mail_id"] for record in run(config).records[KeylessLog.name]}


def test_a_walk_that_loses_its_thread_begins_again(serve: Callable[..., dict[str, Any]]) -> None:
    vendor = Vendor(rows_by_day(1_000, days=20))
    answer = vendor.answer

    def forgetful(query: dict[str, str]) -> tuple[int, Any]:
        return (400, {"error": "unknown cursor"}) if len(vendor.asked) == 4 else answer(query)

    def failing(query: dict[str, str]) -> tuple[int, Any]:
        found = forgetful(query)
        vendor.asked += [query] if found[0] == 400 else []
        return found

    vendor.answer = failing  # type: ignore[method-assign]
    found = run(serve(CursorLog, vendor))
    assert found.status == 0, found.stderr
    assert len(vendor.asked) == 5 + 10
    assert len(found.records[CursorLog.name]) == 1_000


@pytest.mark.parametrize("key", [None, "mail_id"])
def test_the_rows_of_a_walk_are_kept_on_disk(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    monkeypatch.setattr("tap_emaillogs.engine.walk._IN_MEMORY", 1_000)
    rows = Rows(key)
    for number in range(300):
        identity: Any = b"%016d" % (number // 2) if key else (f"m{number // 2}",)
        rows.add([PreparedRow(identity, b'{"number":%d}' % number)])
    assert rows._file._rolled  # type: ignore[attr-defined]
    for _ in range(2):
        records = list(rows)
        assert [record["number"] for record in records] == list(range(0, 300, 1 if key else 2))
        assert key is None or len({record[key] for record in records}) == 300
    assert rows.count == len(records)
    rows.close()

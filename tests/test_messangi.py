"""Messangi's JSON log, end to end against the sandbox: wrappers, `explain`, paging, edges, login, events."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from harness import NOW, Ticking, assert_tiles, catalog, config_of, run, upserted
from messangi_checks import LOGS, assert_whole, counted, rebuilt, started
from messangi_edges import onto_edges
from tap_emaillogs.providers.messangi import answers
from tap_emaillogs.providers.messangi.moments import dates_of, read
from tap_emaillogs.providers.messangi.settings import zone_of, zone_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

STREAM = LOGS
PATH = "/v3/mlog"
TOO_BIG = "The size of the report is too big. Please contact support"
TOO_LONG = "The date range exceeds the allowed limit: 92"
LIMIT = NOW - timedelta(minutes=5)


@pytest.fixture
def messangi(play: Callable[..., Sandbox]) -> Callable[..., Sandbox]:
    """Start a sandbox of this vendor alone, with the given options of its."""

    return partial(started, play)


# Wrappers.


@pytest.mark.parametrize(
    "envelope", ["data", "data.records", "data.rows", "data.items", "data.mlog", "records", "rows", "list"]
)
def test_every_plausible_wrapper_is_read(messangi: Callable[..., Sandbox], envelope: str) -> None:
    box = messangi(60, envelope=envelope)
    assert_whole(box, run(config_of(box), box=box))


def test_an_unknown_wrapper_is_an_error_and_never_zero_rows(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(60, envelope="result.entries")
    found = run(config_of(box), box=box)
    assert found.status == 1
    assert not found.records[STREAM]
    assert found.bookmark(STREAM) is None
    (line,) = found.lines("ERROR")
    assert "holds no list of records" in line
    assert "its keys are result" in line
    assert [row["status"] for row in found.ledger] == ["failed"]


@pytest.mark.parametrize(
    "data",
    [None, 5, "x", {}, {"data": None}, {"data": {}}, {"data": ["row"]}, {"rows": [1]}, {"data": {"list": []}}, [[]]],
)
def test_what_is_no_list_of_rows_is_not_understood(data: Any) -> None:
    assert answers.find_rows(data) is None


# explain.


@pytest.mark.parametrize("status", [200, 400])
def test_too_big_splits_until_it_fits(messangi: Callable[..., Sandbox], status: int) -> None:
    box = messangi(300, too_big=30, explain_status=status)
    found = run(config_of(box), box=box)
    assert_whole(box, found)
    assert_tiles(found.ledger, NOW - timedelta(days=30), LIMIT)
    assert all(row["records"] <= 30 for row in found.ledger)
    assert max(row["splits"] for row in found.ledger) >= 4


@pytest.mark.parametrize("status", [200, 400])
def test_a_range_that_is_too_long_is_split(messangi: Callable[..., Sandbox], status: int) -> None:
    box = messangi(100, span_days=200)
    box.fault(kind="status", status=status, body={"code": "1", "explain": TOO_LONG}, times=1)
    found = run(config_of(box, start_date=(NOW - timedelta(days=200)).isoformat()), box=box)
    assert_whole(box, found)
    for request in found.requests:
        begin, end = (datetime.fromisoformat(request.query[name][0]) for name in ("from", "to"))
        assert end - begin <= timedelta(days=92)
    assert [row["splits"] for row in found.ledger].count(1) == 2


def test_windows_of_exactly_92_days_keep_their_margin_within_the_limit(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(50)
    found = run(config_of(box, start_date=(LIMIT - timedelta(days=184)).isoformat()), box=box)
    assert_whole(box, found)
    assert {request.status for request in found.requests} == {200}


def test_too_big_at_the_resolution_is_truncated_and_said(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(40, too_big=1)
    moments = Counter(row["date"] for row in box.vendor("messangi").rows())
    crowded = sum(count > 1 for count in moments.values())
    assert crowded
    config = config_of(box, start_date=min(moments), top={"on_gap": "fail"})
    found = run(config, box=box)
    assert found.status == 1
    assert len(found.records[STREAM]) == sum(count == 1 for count in moments.values())
    cut = [row for row in found.ledger if row["status"] == "truncated"]
    assert len(cut) == 2 * crowded  # the margin of the next millisecond holds the crowd, too
    assert all(TOO_BIG in row["gap_reason"] for row in cut)
    assert len([line for line in found.lines("WARNING") if "truncated" in line]) == len(cut)


@pytest.mark.parametrize("status", [200, 400])
def test_another_explain_is_an_error(messangi: Callable[..., Sandbox], status: int) -> None:
    box = messangi(20)
    body = {"explain": "Your space is suspended, write to ops@messangi.example", "data": []}
    box.fault(kind="status", status=status, body=body, times=-1)
    found = run(config_of(box), box=box)
    assert found.status == 1
    assert not found.records[STREAM]
    assert "Your space is suspended, write to [address]" in found.lines("ERROR")[0]


@pytest.mark.parametrize("words", ["OK", "Success", "Request processed successfully", "Consulta exitosa"])
def test_an_explain_of_success_is_none(messangi: Callable[..., Sandbox], words: str) -> None:
    box = messangi(20, success_explain=words)
    assert_whole(box, run(config_of(box), box=box))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"explain": TOO_BIG}, TOO_BIG),
        ({"data": {"explain": TOO_LONG}}, TOO_LONG),
        ({"explain": "Not successful", "data": []}, "Not successful"),
        ({"explain": "Unauthorized"}, "Unauthorized"),
        ({"explain": "Something odd", "data": [{"id": "1"}]}, "Something odd"),
        ({"message": "no route"}, "no route"),
        ({"message": "whatever", "data": []}, None),
        ({"explain": "", "data": []}, None),
        ([], None),
    ],
)
def test_what_explain_means(body: Any, message: str | None) -> None:
    assert answers.error_message(body) == message


# Paging.


def test_a_quiet_account_costs_one_request(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(0)
    found = run(config_of(box), box=box)
    assert (found.status, len(found.requests)) == (0, 1)
    assert found.bookmark(STREAM) == "2026-03-01T11:55:00.000Z"
    query = found.requests[0].query
    assert query["channel"] == ["E"]
    assert query["page"] == ["1"]


def test_a_first_page_shorter_than_asked_is_followed_by_one_request(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(7)
    found = run(config_of(box), box=box)
    assert_whole(box, found)
    assert [request.query["page"] for request in found.requests] == [["1"], ["2"]]


@pytest.mark.parametrize("cap", [40, 50, 100])
def test_a_silent_cap_of_the_size_loses_nothing(messangi: Callable[..., Sandbox], cap: int) -> None:
    box = messangi(200, page_cap=cap)
    found = run(config_of(box), box=box)
    assert_whole(box, found)
    assert len(found.requests) == 200 // cap + 1  # the last page is full


@pytest.mark.parametrize(("size", "cap"), [(57, 1000), (60, 1000), (200, 1000), (300, 50), (90, 10)])
def test_a_server_that_ignores_the_page_loses_nothing(messangi: Callable[..., Sandbox], size: int, cap: int) -> None:
    box = messangi(size, page_cap=cap, ignore_page=True)
    found = run(config_of(box), box=box)
    assert_whole(box, found)
    if size == 57:
        assert len(found.requests) == 2


def test_a_full_page_that_ignores_the_page_is_split(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(300, ignore_page=True)
    found = run(config_of(box, page_size=33), box=box)
    assert_whole(box, found)


def test_a_page_that_repeats_the_one_before_by_mistake_is_read_again(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(200, page_cap=37)
    box.fault(kind="repeat_page", after=2, times=1)
    assert_whole(box, run(config_of(box), box=box))


def test_names_of_paging_and_filters_are_settings(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(120, page_param="pagina", size_param="cantidad", report_path="/reporting/mlog")
    found = run(
        config_of(
            box,
            page_param="pagina",
            size_param="cantidad",
            report_path="reporting/mlog",
            page_size=50,
            extra_params={"status": "SENT,OPEN"},
        ),
        box=box,
    )
    assert found.status == 0
    rows = [row for row in box.vendor("messangi").rows() if row["status"] in {"SENT", "OPEN"}]
    assert counted(map(rebuilt, found.records[STREAM])) == counted(rows)
    assert {row["filter"] for row in found.ledger} == {'{"channel": "E", "status": "SENT,OPEN"}'}


def test_other_channels_are_read_on_demand(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(100)
    found = run(config_of(box, channel="S"), box=box)
    assert found.status == 0
    assert {record["channel"] for record in found.records[STREAM]} == {"S"}


@pytest.mark.parametrize("kind", ["cut", "cut_json", "html", "reset"])
def test_broken_answers_are_asked_for_again(messangi: Callable[..., Sandbox], kind: str) -> None:
    box = messangi(200, page_cap=50)
    box.fault(kind=kind, after=1, times=2)
    assert_whole(box, run(config_of(box), box=box))


# Edges.


@pytest.mark.parametrize("bounds", ["[)", "[]", "(]", "()"])
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_rows_at_the_edge_of_windows_are_neither_lost_nor_doubled(
    messangi: Callable[..., Sandbox], bounds: str, order: str
) -> None:
    box = messangi(300, bounds=bounds, order=order)
    (log,) = box.vendor("messangi").logs.values()
    start, day = datetime(2026, 1, 30, tzinfo=UTC), timedelta(days=1)
    onto_edges(log, start, day, last=29)
    config = config_of(box, start_date=start.isoformat(), window_hours=24, top={"end_date": "2026-03-01T00:00:00Z"})
    found = run(config, box=box)
    assert_whole(box, found)
    assert_tiles(found.ledger, start, start + 30 * day)
    assert len(found.ledger) == 30
    del config["end_date"]
    later = run({**config, "messangi": {**config["messangi"], "lookback_minutes": 0}}, state=found.state, box=box)
    assert later.status == 0
    assert upserted([found, later], STREAM).keys() == upserted(found, STREAM).keys()


@pytest.mark.parametrize("bounds", ["[)", "[]", "(]", "()"])
def test_rows_without_milliseconds_are_neither_lost_nor_doubled_at_edges(
    messangi: Callable[..., Sandbox], bounds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = messangi(300, bounds=bounds)
    (log,) = box.vendor("messangi").logs.values()
    start, day = datetime(2026, 1, 30, tzinfo=UTC), timedelta(days=1)
    onto_edges(log, start, day, last=29)
    shown = log.row

    def whole_seconds(message: Any) -> dict[str, Any]:
        row = shown(message)
        return {**row, "date": row["date"][:19] + "Z", "statusDate": row["statusDate"][:19] + "Z"}

    monkeypatch.setattr(log, "row", whole_seconds)
    config = config_of(box, start_date=start.isoformat(), window_hours=24, top={"end_date": "2026-03-01T00:00:00Z"})
    found = run(config, box=box)
    assert_whole(box, found)
    assert len(found.ledger) == 30


def test_the_margin_before_the_first_window_is_left_out(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(50)
    rows = box.vendor("messangi").rows()
    start = datetime.fromisoformat(rows[20]["date"]) + timedelta(milliseconds=1)
    (log,) = box.vendor("messangi").logs.values()
    onto_edges(log, start.replace(microsecond=0), timedelta(days=99), last=0)  # just before, on and after the start
    for message in log._messages:
        del message.steps[1:]  # a row whose status changed after the start would be kept
    found = run(config_of(box, start_date=start.replace(microsecond=0).isoformat()), box=box)
    assert found.status == 0
    dates = {record["date"] for record in found.records[STREAM]}
    assert len(dates) == 2
    assert min(dates) == start.replace(microsecond=0).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_keys_depend_neither_on_page_nor_window_nor_columns(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(300, hide_fields=("id",))
    keys = [
        sorted(upserted(run(config_of(box, **settings)), STREAM))
        for settings in (
            {},
            {"page_size": 37},
            {"window_hours": 5},
            {"columns": {STREAM: ["campaignName", "Nothing Such"]}},
        )
    ]
    assert keys[0] == keys[1] == keys[2] == keys[3]
    assert len(keys[0]) == 300


def test_columns_are_declared_by_setting(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(20)
    found = run(config_of(box, columns={STREAM: ["campaignName"]}))
    assert found.schemas[STREAM]["properties"]["campaignName"]["type"] == ["string", "null"]
    assert {record["campaignName"] for record in found.records[STREAM]} >= {"Campaña 1000"}
    assert not any("campaignName" in (record["extra_fields"] or "") for record in found.records[STREAM])


def test_rows_without_a_date_are_kept(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(50, hide_fields=("date", "statusDate"))
    found = run(config_of(box), box=box)
    assert_whole(box, found)
    assert {record["event_at"] for record in found.records[STREAM]} == {None}


def test_a_row_that_changes_becomes_another_event(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(50)
    clock = Ticking()
    first = run(config_of(box), clock=clock)
    box.change("messangi", count=3, minutes_ago=20)
    clock.pass_time(minutes=10)
    second = run(config_of(box, lookback_minutes=60 * 24 * 30), clock=clock, state=first.state)
    before, after = upserted(first, "email_events"), upserted([first, second], "email_events")
    assert {key: after[key] for key in before} == before
    assert Counter(event["event_type"] for key, event in after.items() if key not in before) == {"opened": 3}


# Events.


def test_events_carry_what_the_row_says(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(300, new_status="SNOOZED")
    found = run(config_of(box), box=box)
    assert_whole(box, found)
    rows = {row["id"]: row for row in box.vendor("messangi").rows()}
    for event in found.records["email_events"]:
        row = rows[event["provider_event_id"]]
        assert event["message_id"] == row["id"]
        assert (event["recipient"], event["sender"]) == (row["recipient"], row["sender"])
        assert event["campaign"] == row["campaign"]
        if event["event_type"] == "queued":
            assert (event["event_at"], event["provider_event"]) == (row["date"], None)
            continue
        assert (event["event_at"], event["provider_event"]) == (row["statusDate"], row["status"])
        assert (event["bounce_class"] is not None) == (event["event_type"] == "bounced")
        if row["status"] == "BOUNCED_PERMANENT":
            assert (event["bounce_class"], event["smtp_code"], event["smtp_enhanced_code"]) == ("hard", 550, "5.1.1")
    (warning,) = [line for line in found.lines("WARNING") if "SNOOZED" in line]
    assert "unknown" in warning


def test_events_alone_are_read_from_the_logs(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(40)
    found = run(config_of(box), catalog=catalog(config_of(box), ["email_events"]), box=box)
    assert found.status == 0
    events = Counter(event["event_type"] for event in found.records["email_events"])
    assert events == box.truth()["email_events"]
    assert events["queued"] == 40


# Proof of identity.


@pytest.mark.parametrize("form", ["{}", "Bearer {}", "  {} "])
def test_an_api_key_is_sent_as_it_is(messangi: Callable[..., Sandbox], form: str) -> None:
    box = messangi(20)
    key = form.format(box.vendor("messangi").default_key)
    found = run(config_of(box, api_key=key), box=box)
    assert_whole(box, found)
    assert {request.headers["Authorization"] for request in found.requests} == {key.strip()}


def test_one_login_serves_a_whole_run(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(200, login=True, page_cap=50)
    found = run(config_of(box, window_hours=48, max_concurrency=4), box=box)
    assert_whole(box, found)
    assert box.vendor("messangi").logins.total() == 1
    tokens = {request.headers.get("Authorization") for request in found.requests} - {None}
    assert len(tokens) == 1
    assert next(iter(tokens)).removeprefix("Bearer ") not in found.stderr + json.dumps(found.state)


def test_a_token_that_expires_in_the_middle_is_renewed_once(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(200, login=True, page_cap=50)
    box.fault(kind="expire_token", path=PATH, after=2, times=1)
    assert_whole(box, run(config_of(box, window_hours=48, max_concurrency=4), box=box))
    assert box.vendor("messangi").logins.total() == 2


def test_a_wrong_password_is_tried_once_and_named(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(20, login=True)
    found = run(config_of(box, password="wrong-pässword", window_hours=48, max_concurrency=4), box=box)
    assert found.status == 1
    assert [request.path for request in found.requests] == ["/kingslanding/login"]
    (line,) = found.lines("ERROR")
    assert "the login failed: HTTP 401: Invalid username or password" in line
    assert "messangi.password" in line


@pytest.mark.parametrize("body", [{"explain": "OK"}, "", "welcome"])
def test_a_login_without_a_token_is_an_error(messangi: Callable[..., Sandbox], body: Any) -> None:
    box = messangi(20, login=True)
    box.fault(kind="status", status=200, path="/kingslanding/login", body=body)
    found = run(config_of(box), box=box)
    assert found.status == 1
    assert "no header `authorization`" in found.lines("ERROR")[0]


def test_a_refused_key_is_named(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(20)
    found = run(config_of(box, api_key="another-key"), box=box)
    assert found.status == 1
    assert "HTTP 401: Unauthorized" in found.lines("ERROR")[0]


# Bad input.


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"api_key": ""}, "messangi.api_key is empty (or give username and password)"),
        ({"api_key": "", "username": "someone"}, "messangi.api_key is empty (or give username and password)"),
        ({"channel": "X"}, "messangi.channel must be one of S, E, P, W, R"),
        ({"window_hours": 2209}, "messangi.window_hours must be at most 2208 (92 days)"),
        ({"page_param": "size"}, "messangi.page_param is the same as size_param"),
        ({"extra_params": {"from": "x"}}, "messangi.extra_params.from is set by the tap itself"),
        ({"extra_params": {"status": ["SENT"]}}, "messangi.extra_params.status must be text or a number"),
        ({"report_path": " "}, "messangi.report_path is empty"),
    ],
)
def test_mistakes_are_named_before_any_request(
    messangi: Callable[..., Sandbox], settings: dict[str, Any], sentence: str
) -> None:
    box = messangi(0)
    with pytest.raises(ConfigValidationError) as caught:
        run(config_of(box, **settings), box=box)
    assert sentence in "\n".join(caught.value.errors)
    assert not box.requests


# Dates.


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-02-03T04:05:06.789Z", "2026-02-03T04:05:06.789Z"),
        ("2026-02-03T04:05:06+02:00", "2026-02-03T02:05:06Z"),
        ("2026-02-03 04:05:06", "2026-02-03T04:05:06Z"),
        ("2026-02-03 04:05", "2026-02-03T04:05:00Z"),
        ("2026-02-03", "2026-02-03T00:00:00Z"),
        ("2026/02/03 04:05:06", "2026-02-03T04:05:06Z"),
        ("03/02/2026 04:05:06", "2026-02-03T04:05:06Z"),
        (1770091506789, "2026-02-03T04:05:06.789Z"),
        ("1770091506", "2026-02-03T04:05:06Z"),
        ("5551234", None),
        ("2026-02-31", None),
        ("", None),
        (None, None),
        (True, None),
        ({"a": 1}, None),
    ],
)
def test_dates_are_understood_in_many_forms(value: Any, text: str | None) -> None:
    found = read(value)
    assert (None if found is None else str(found)) == text


def test_the_messages_own_date_comes_first() -> None:
    row = {"statusDate": "2026-02-03T05:00:00Z", "Sent Date": "2026-02-03T04:00:00Z", "birthdate": "1970-01-01"}
    assert str(dates_of(row).own) == "2026-02-03T04:00:00Z"
    assert str(dates_of(row).status) == "2026-02-03T05:00:00Z"
    assert dates_of({"whenTimed": "2026-02-03T04:00:00Z"}).own
    assert dates_of({"subject": "2026-02-03T04:00:00Z"}).own is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("GMT", "GMT"),
        ("utc", "GMT"),
        ("GMT-5", "GMT-5"),
        ("GMT+05:30", "GMT+5:30"),
        ("-0330", "GMT-3:30"),
        ("Z", "GMT"),
    ],
)
def test_zones_are_written_as_the_vendor_wants_them(text: str, written: str) -> None:
    zone = zone_of(text)
    assert zone is not None
    assert zone_text(zone) == written


@pytest.mark.parametrize("text", ["", "Mars", "GMT+15", "Europe/Berlin", "GMT+5:99"])
def test_what_is_no_zone(text: str) -> None:
    assert zone_of(text) is None

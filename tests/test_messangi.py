"""Messangi's JSON log, end to end against the sandbox: wrappers, `explain`, paging."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from general import NOW, config_of
from harness import run
from messangi_checks import LOGS, assert_whole, counted, rebuilt, started
from outcome import assert_tiles
from tap_emaillogs.providers.messangi import answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

STREAM = LOGS
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
    assert {json.loads(row["filter"])["status"] for row in found.ledger} == {"…"}, "it may be a token"
    assert {json.loads(row["filter"])["channel"] for row in found.ledger} == {"E"}


def test_a_token_among_the_extra_parameters_is_told_to_nobody(messangi: Callable[..., Sandbox]) -> None:
    """A vendor that echoes it, in the form in which it was sent."""
    box = messangi(20)
    token = "t0ken/of the+user"
    box.fault(kind="status", status=400, body=json.dumps({"message": f"no such access: {quote(token)}, {token}"}))
    found = run(config_of(box, extra_params={"access": token, "number": 1234567}), box=box)
    assert found.status == 1
    assert "HTTP 400: no such access: [hidden], [hidden]" in found.stderr
    told = json.dumps([found.ledger, found.state]) + found.stderr
    assert "t0ken" not in told
    assert "1234567" not in told


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

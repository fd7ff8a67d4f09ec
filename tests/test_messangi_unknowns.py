"""What no page of Messangi's tells: every plausible answer is played, and nothing is lost or doubled under any."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from general import config_of
from harness import catalog, run
from messangi_checks import EVENTS, LOGS, REPORTS, assert_whole, counted, rebuilt, started
from outcome import upserted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

ANSWERS: dict[str, tuple[Any, ...]] = {
    "envelope": ("data", "data.records", "data.rows", "data.items", "data.mlog", "records", "rows", "list"),
    "bounds": ("[)", "[]", "(]", "()"),
    "rows": ("mail", "event"),
    "filter_by": ("date", "statusDate"),
    "order": ("newest", "oldest"),
    "page_cap": (1000, 40, 25, 32),
    "ignore_page": (False, False, True),
    "page_zero": ("refused", "first", "empty"),
    "explain_status": (200, 400),
    "too_big": (0, 90),
    "success_explain": (None, "OK"),
    "hide_fields": ((), ("channel",), ("statusDate",), ("recipient", "subject")),
    "login": (False, True),
    "token_form": ("Bearer {}", "bearer {}", "{}"),
}


@pytest.fixture
def messangi(play: Callable[..., Sandbox]) -> Callable[..., Sandbox]:
    return partial(started, play)


def chosen(seed: int) -> dict[str, Any]:
    """Return a vendor that answers each question somehow."""
    chance = random.Random(seed)
    return {name: chance.choice(answers) for name, answers in ANSWERS.items()}


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("first_page", [0, 1])
def test_any_mixture_of_answers(messangi: Callable[..., Sandbox], seed: int, first_page: int) -> None:
    options = chosen(seed)
    box = messangi(150, first_page=first_page or seed % 2, **options)
    found = run(config_of(box, first_page=first_page), box=box)
    if (options["rows"], options["filter_by"]) == ("event", "statusDate"):
        # Windows that show parts of one mail share its keys; all is written nevertheless, and no event is lost.
        assert counted(map(rebuilt, found.records[LOGS])) >= counted(box.vendor("messangi").rows())
        events = upserted(found, EVENTS).values()
        assert Counter(event["event_type"] for event in events) == box.truth()["email_events"]
        return
    assert_whole(box, found)


# Pages.


@pytest.mark.parametrize("cap", [1000, 40])
@pytest.mark.parametrize("size", [0, 7, 40, 200])
def test_a_vendor_that_counts_pages_from_0(messangi: Callable[..., Sandbox], size: int, cap: int) -> None:
    box = messangi(size, first_page=0, page_cap=cap)
    assert_whole(box, run(config_of(box, first_page=0), box=box))


@pytest.mark.parametrize("explain_status", [200, 400])
@pytest.mark.parametrize("page_zero", ["refused", "first", "empty"])
@pytest.mark.parametrize(("size", "cap"), [(0, 1000), (1, 1000), (7, 1000), (40, 40), (200, 40)])
def test_a_first_page_of_0_suits_a_vendor_that_counts_from_1(
    messangi: Callable[..., Sandbox], size: int, cap: int, page_zero: str, explain_status: int
) -> None:
    box = messangi(size, page_zero=page_zero, page_cap=cap, explain_status=explain_status)
    plain = run(config_of(box), box=box)
    found = run(config_of(box, first_page=0), box=box)
    assert_whole(box, found)
    assert upserted(found, LOGS) == upserted(plain, LOGS)
    assert len(found.requests) == len(plain.requests) + 1


@pytest.mark.parametrize("size", [1, 4, 20])
def test_page_0_and_a_page_1_that_changed_meanwhile_are_one(
    messangi: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    box = messangi(size, page_zero="first")
    for message in box.vendor("messangi").logs[box.vendor("messangi").default_key].visible():
        message.steps = [(message.at_ms, "SENT")]
    vendor = box.vendor("messangi")
    handle, change = vendor.handle, iter([3])

    def changing(request: Any) -> Any:
        answer = handle(request)
        vendor.change(next(change, 0), minutes_ago=20)
        return answer

    monkeypatch.setattr(vendor, "handle", changing)
    found = run(config_of(box, first_page=0), box=box)
    assert len(found.records[LOGS]) == len(upserted(found, LOGS)) == size


def test_a_second_page_of_events_of_the_same_mails_is_no_repeated_one(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(40, first_page=0, rows="event", filter_by="statusDate", page_cap=40)
    log = box.vendor("messangi").logs[box.vendor("messangi").default_key]
    log._messages = [message for message in log._messages if message.channel == "E"]
    at = min(message.at_ms for message in log._messages)
    for number, message in enumerate(log._messages):  # a burst: all are sent, then all are opened
        message.steps = [(at + number, "SENT"), (at + 1000 + number, "OPEN")]
    assert_whole(box, run(config_of(box, first_page=0), box=box))


def test_an_account_that_may_not_read_says_so_on_page_0_too(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(20)
    found = run(config_of(box, first_page=0, api_key="another-key"), box=box)
    assert (found.status, len(found.requests)) == (1, 1)
    assert "HTTP 401: Unauthorized" in found.lines("ERROR")[0]


# The wrapper.


@pytest.mark.parametrize("path", ["result.entries", "payload", "a.b.c.d"])
def test_the_place_of_the_records_is_a_setting(messangi: Callable[..., Sandbox], path: str) -> None:
    box = messangi(60, envelope=path, success_explain=None)
    box.vendor("messangi").account().options["page_cap"] = 25
    assert_whole(box, run(config_of(box, records_path=path), box=box))


@pytest.mark.parametrize("path", ["result", "result.rows", "entries"])
def test_a_wrong_place_of_the_records_is_an_error(messangi: Callable[..., Sandbox], path: str) -> None:
    box = messangi(60, envelope="result.entries")
    found = run(config_of(box, records_path=path), box=box)
    assert (found.status, found.records[LOGS]) == (1, [])
    assert "no list of records where messangi.records_path points (its keys are result)" in found.lines("ERROR")[0]


def test_a_message_beside_records_in_a_place_of_their_own_is_no_error(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(21)
    body = {"message": "Report of today", "result": {"entries": box.vendor("messangi").rows()}}
    box.fault(kind="status", status=200, body=body, times=2)
    found = run(config_of(box, records_path="result.entries"), box=box)
    assert found.status == 0, found.stderr
    assert len(found.records[LOGS]) == 21


# Channels.


def test_an_omitted_channel_reads_all_and_makes_events_of_emails(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(200)
    found = run(config_of(box, channel=""), box=box)
    assert found.status == 0
    assert all("channel" not in request.query for request in found.requests)
    channels = Counter(record["channel"] for record in found.records[LOGS])
    assert channels["E"] == 200
    assert set(channels) == {"E", "S", "W", "P"}
    assert Counter(event["event_type"] for event in found.records[EVENTS]) == box.truth()["email_events"]
    assert {row["filter"] for row in found.ledger} == {None}
    (warning,) = [line for line in found.lines("WARNING") if "other channels" in line]
    assert f"({channels.total() - 200} records)" in warning


def test_a_vendor_that_ignores_the_channel(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(200, ignore_channel=True)
    found = run(config_of(box), box=box)
    assert_whole(box, found)
    assert len(found.records[LOGS]) > 200
    assert not [event for event in found.records[EVENTS] if (event["recipient"] or "").startswith("+1555")]
    assert "unknown" not in {event["event_type"] for event in found.records[EVENTS]}
    (warning,) = [line for line in found.lines("WARNING") if "other channels" in line]
    assert f"({len(found.records[LOGS]) - 200} records)" in warning


@pytest.mark.parametrize(
    ("channel", "hidden", "are_events"),
    [("E", False, True), ("E", True, True), ("", True, True), ("S", False, False), ("S", True, False)],
)
def test_rows_without_a_channel_go_by_the_one_asked_for(
    messangi: Callable[..., Sandbox], channel: str, hidden: bool, are_events: bool
) -> None:
    box = messangi(100, hide_fields=("channel",) if hidden else ())
    found = run(config_of(box, channel=channel), box=box)
    assert found.status == 0
    assert found.records[LOGS]
    events = Counter(event["event_type"] for event in found.records[EVENTS])
    assert events == (box.truth()["email_events"] if are_events else {})


@pytest.mark.parametrize("word", ["E", "e", "Email", "E-MAIL", "Correo electrónico", "EMAIL_TRANSACTIONAL"])
def test_words_for_emails(messangi: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    box = messangi(20)
    (log,) = box.vendor("messangi").logs.values()
    shown = log.row
    monkeypatch.setattr(log, "row", lambda entry: {**shown(entry), "channel": word})
    assert_whole(box, run(config_of(box), box=box))


def test_rows_without_a_status_make_no_event_that_would_have_to_vanish(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(30, hide_fields=("status",))
    found = run(config_of(box), box=box)
    assert_whole(box, found)
    assert Counter(event["event_type"] for event in found.records[EVENTS]) == {"queued": 30}
    (warning,) = [line for line in found.lines("WARNING") if "no status" in line]
    assert "(30 records)" in warning


# The request for a report.


def report_of(folder: Path, **report: Any) -> dict[str, Any]:
    asked = {"emails": ["reports@example.com"], "from": "billing@shop.example", "directory": str(folder)}
    return {**asked, **report}


@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"emails": "recipients", "from": "sender", "timezone": "timeZone", "id": "identifier"},
        {"from": "emailSender"},
        {"timezone": "", "from": ""},
    ],
)
def test_method_and_body_of_the_request_are_settings(
    messangi: Callable[..., Sandbox], tmp_path: Path, method: str, keys: dict[str, str]
) -> None:
    box = messangi(60, directory=str(tmp_path), export_method=method, body_keys=keys)
    report = report_of(tmp_path, method=method, body_keys=keys)
    config = config_of(box, report=report)
    found = run(config, catalog=catalog(config, [REPORTS]), box=box)
    assert found.status == 0, found.stderr
    assert len(upserted(found, REPORTS)) == 60
    wrong = config_of(box, report={**report, "method": "PUT" if method == "POST" else "POST"})
    refused = run(wrong, catalog=catalog(wrong, [REPORTS]), box=box)
    assert refused.status == 1
    if keys:
        wrong = config_of(box, report={**report, "body_keys": {}})
        assert run(wrong, catalog=catalog(wrong, [REPORTS]), box=box).status == 1


def test_a_request_without_an_id(messangi: Callable[..., Sandbox], tmp_path: Path) -> None:
    box = messangi(60, directory=str(tmp_path), body_keys={"id": ""}, id_in="nowhere")
    config = config_of(box, report=report_of(tmp_path, body_keys={"id": ""}, trusted_sender="messangi.example"))
    found = run(config, catalog=catalog(config, [REPORTS]), box=box)
    assert found.status == 0, found.stderr
    assert len(upserted(found, REPORTS)) == 60
    assert "id" not in box.vendor("messangi").post().requests[0]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"channel": "X"}, "messangi.channel must be one of S, E, P, W, R (or empty: none is sent)"),
        ({"first_page": 2}, "messangi.first_page must be one of 0, 1"),
        ({"records_path": "a..b"}, "messangi.records_path must be names with dots between them"),
        ({"records_path": ""}, "messangi.records_path must be names with dots between them"),
        ({"report": {"method": "PATCH"}}, "messangi.report.method must be one of POST, PUT, GET"),
        ({"report": {"body_keys": {"sender": "x"}}}, "messangi.report.body_keys.sender is no setting"),
        (
            {"report": {"body_keys": {"from": "id"}}},
            "messangi.report.body_keys gives two parts of the body the same key",
        ),
        ({"report": {"body_keys": {"id": ""}}}, "messangi.report.body_keys.id is empty"),
    ],
)
def test_mistakes_are_named(
    messangi: Callable[..., Sandbox], tmp_path: Path, settings: dict[str, Any], sentence: str
) -> None:
    box = messangi(0)
    if "report" in settings:
        settings = {"report": report_of(tmp_path, **settings["report"])}
    with pytest.raises(ConfigValidationError) as caught:
        run(config_of(box, **settings), box=box)
    assert sentence in "\n".join(caught.value.errors)
    assert not box.requests

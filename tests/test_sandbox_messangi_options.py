"""Messangi's side of the sandbox answers in every way that its pages leave open, and plays lives."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from general import NOW
from harness import Ticking
from messangi_checks import started
from sandbox.base import Life

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

KEY = {"Authorization": "sandbox-messangi-key"}
SPAN = {"from": "2026-01-15T00:00:00.000Z", "to": "2026-03-05T00:00:00.000Z"}
BODY = {"emails": ["reports@example.com"], "from": "billing@shop.example", "timezone": "GMT", "id": "abc123"}
MINUTE = timedelta(minutes=1)


def ask(box: Sandbox, headers: dict[str, str] | None = None, **query: str) -> requests.Response:
    url, given = f"{box.base_url('messangi')}/v3/mlog", {**SPAN, "size": "1000", "channel": "E", **query}
    return requests.get(url, headers=headers or KEY, params=given, timeout=10)


def rows_of(box: Sandbox, **query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ask(box, **query).json()["data"]
    return rows


@pytest.mark.parametrize("rows", ["mail", "event"])
def test_a_life_is_played_by_the_clock(play: Callable[..., Sandbox], rows: str) -> None:
    clock = Ticking()
    box = play(size=0, now=clock.now, live=True, vendors=["messangi"], options={"messangi": {"rows": rows}})
    life = Life(NOW + 5 * MINUTE, ((MINUTE, "SENT"), (10 * MINUTE, "OPEN"), (10 * MINUTE, "CLICK")))
    box.live("messangi", [life, Life(NOW + 60 * MINUTE)])
    seen: list[list[str]] = []
    for _ in range(5):
        seen.append(sorted(row["status"] for row in rows_of(box)))
        assert box.truth()["email_events"].get("queued", 0) == len({row["id"] for row in rows_of(box)})
        assert {row["date"] for row in rows_of(box)} <= {"2026-03-01T12:05:00.000Z"}
        clock.pass_time(minutes=7)
    if rows == "mail":
        assert seen == [[], ["SENT"], ["SENT"], ["OPEN"], ["CLICK"]]
        assert box.truth()["email_events"] == {"queued": 1, "clicked": 1}
    else:
        assert seen[-1] == ["CLICK", "DEQUEUED", "OPEN", "SENT"]
        assert box.truth()["email_events"] == {"queued": 1, "sent": 1, "opened": 1, "clicked": 1}
        assert box.truth()["streams"]["messangi_message_logs"] == 4


def test_the_same_lives_are_the_same_mails_whatever_the_clock_did(play: Callable[..., Sandbox]) -> None:
    lives = [Life(NOW + n * MINUTE, ((MINUTE, "SENT"),)) for n in range(5)]
    found = []
    for wait in (0, 90):
        clock = Ticking()
        clock.pass_time(minutes=wait)
        box = play(size=0, now=clock.now, live=True, vendors=["messangi"])
        box.live("messangi", lives[:2])
        box.live("messangi", lives[2:])
        clock.pass_time(minutes=180 - wait)
        found.append(rows_of(box))
    assert found[0] == found[1]
    assert len({row["id"] for row in found[0]}) == 5


def test_a_range_is_about_either_date(play: Callable[..., Sandbox]) -> None:
    for filter_by in ("date", "statusDate"):
        box = started(play, 100, filter_by=filter_by)
        rows = box.vendor("messangi").rows()
        row = next(row for row in rows if row["statusDate"][:16] != row["date"][:16])
        day = {"from": row[filter_by][:-4] + "000Z", "to": row[filter_by][:-4] + "999Z"}
        assert row in rows_of(box, **day)
        other = "date" if filter_by == "statusDate" else "statusDate"
        day = {"from": row[other][:-4] + "000Z", "to": row[other][:-4] + "999Z"}
        assert row not in rows_of(box, **day)


def test_a_filter_of_channels_may_be_ignored(play: Callable[..., Sandbox]) -> None:
    box = started(play, 100, ignore_channel=True)
    rows = rows_of(box)
    assert {row["channel"] for row in rows} > {"E"}
    truth = box.truth()
    assert truth["streams"]["messangi_message_logs"] == len(rows)
    assert truth["email_events"]["queued"] == 100


@pytest.mark.parametrize(
    ("page_zero", "status", "count"), [("refused", 400, None), ("first", 200, 30), ("empty", 200, 0)]
)
def test_what_page_0_is(play: Callable[..., Sandbox], page_zero: str, status: int, count: int | None) -> None:
    box = started(play, 70, page_zero=page_zero)
    answer = ask(box, page="0", size="30")
    assert answer.status_code == status
    if count is not None:
        assert answer.json()["data"] == rows_of(box, page="1", size="30")[:count]


def test_pages_may_count_from_0(play: Callable[..., Sandbox]) -> None:
    box = started(play, 70, first_page=0)
    pages = [rows_of(box, page=str(page), size="30") for page in range(4)]
    assert [len(page) for page in pages] == [30, 30, 10, 0]
    assert rows_of(box, size="30") == pages[0]


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "{}"])
def test_forms_of_a_token(play: Callable[..., Sandbox], form: str) -> None:
    box = started(play, 5, token_form=form)
    given = {"username": "sandbox-default", "password": "sandbox-pässword"}
    answer = requests.post(f"{box.base_url('messangi')}/kingslanding/login", json=given, timeout=10)
    token = answer.headers["authorization"]
    assert form.startswith(token.partition(" ")[0]) or form == "{}"
    assert ask(box, {"Authorization": token}).ok


def test_method_and_keys_of_the_reports_body(play: Callable[..., Sandbox]) -> None:
    keys = {"emails": "recipients", "timezone": ""}
    box = started(play, 5, export_method="PUT", body_keys=keys)
    url = f"{box.base_url('messangi')}/v3/mlog/export"

    def status(method: str, body: dict[str, Any]) -> int:
        return requests.request(method, url, headers=KEY, params=SPAN, json=body, timeout=10).status_code

    right = {"recipients": BODY["emails"], "from": BODY["from"], "id": "abc"}
    assert status("PUT", right) == 200
    assert status("POST", right) == 404
    assert status("PUT", {**right, "timezone": "GMT"}) == 400
    assert status("PUT", {**right, "emails": BODY["emails"]}) == 400
    assert [request["emails"] for request in box.vendor("messangi").post().requests] == [BODY["emails"]]


def test_a_report_shows_things_as_they_were_when_it_was_asked_for(play: Callable[..., Sandbox]) -> None:
    clock = Ticking()
    options = {"messangi": {"report_delay": None}}
    box = play(size=0, now=clock.now, live=True, vendors=["messangi"], options=options)
    box.live("messangi", [Life(NOW, ((MINUTE, "SENT"), (10 * MINUTE, "OPEN")))])
    clock.pass_time(minutes=5)
    url = f"{box.base_url('messangi')}/v3/mlog/export"
    assert requests.post(url, headers=KEY, params=SPAN, json=BODY, timeout=10).ok
    clock.pass_time(minutes=50)
    (held,) = box.vendor("messangi").post().held
    (part,) = held.iter_attachments()
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert b"SENT" in content
    assert b"OPEN" not in content

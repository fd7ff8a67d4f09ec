"""What ZeptoMail's page leaves open: the sandbox can play each answer, and mails live by the clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.base import Life
from sandbox.server import Sandbox
from test_sandbox_zeptomail import ALL, KINDS, NOW, Client, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.thorough

STATUS, REFERENCE, TO = 8, 1, 4
HOUR = timedelta(hours=1)


@pytest.fixture
def play() -> Iterator[Any]:
    opened: list[Sandbox] = []

    def start(size: int = 60, **options: Any) -> tuple[Sandbox, Client]:
        box = Sandbox(size=size, now=NOW, vendors=["zeptomail"], options={"zeptomail": options})
        opened.append(box.__enter__())
        return box, Client(box)

    yield start
    for box in opened:
        box.__exit__()


@pytest.mark.parametrize(
    ("echo", "start"),
    [
        ("page", "19 May 2025 12:00 AM"),
        ("numeric", "19/05/2025, 12:00 AM"),
        ("us", "05/19/2025 00:00"),
        ("offset", "2025-05-19T00:00:00+0530"),
        ("day", "19 May 2025"),
    ],
)
def test_echoes(play: Any, echo: str, start: str) -> None:
    _, client = play(echo=echo, timezone="Asia/Kolkata", echo_filters={"is_hb": True})
    query = client.create()["search_query"]
    assert (query["date_from"], query["is_hb"]) == (start, True)
    _, client = play(echo="none")
    assert "search_query" not in client.create()


def test_dates_that_are_misread_or_ignored(play: Any) -> None:
    span = {"date_from": "10/07/2025, 12:00 AM", "date_to": "12/07/2025, 12:00 AM"}
    box, client = play(misread_minutes=-7 * 24 * 60, size=300)
    found = unpack(client.export(**span))[1:]
    stamps = [datetime.strptime(row[11], "%d %b %Y %I:%M %p") for row in found]  # noqa: DTZ007
    assert {stamp.day for stamp in stamps} == {3, 4}
    assert box.vendor("zeptomail").jobs()[0].listed()["search_query"]["date_from"] == "03 Jul 2025 12:00 AM"
    _, client = play(ignore_dates=True)
    assert len(unpack(client.export(**span))) == 61


@pytest.mark.parametrize(("rows_per", "rows"), [("recipient", 90), ("mail", 60), ("event", 172)])
def test_rows_per_mail_recipient_or_status(play: Any, rows_per: str, rows: int) -> None:
    box, client = play(several_recipients=2, rows_per=rows_per)
    found = unpack(client.export())[1:]
    assert len({row[REFERENCE] for row in found}) == 60
    assert len(found) == len(box.vendor("zeptomail").rows()) == box.truth()["streams"]["zeptomail_mail_logs"]
    assert len(found) == rows
    assert any(", " in row[TO] for row in found) is (rows_per == "mail")
    assert ("multiple status" in {row[STATUS] for row in found}) is (rows_per == "mail")
    assert box.truth()["email_events"]["queued"] == 90


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("dates", "form"), [("iso", "%Y-%m-%dT%H:%M:%S%z"), ("numeric", "%d/%m/%Y %I:%M %p"), ("none", "")]
)
def test_times_in_files(play: Any, kind: str, dates: str, form: str) -> None:
    _, client = play(file_dates=dates, file_timezone="Asia/Tokyo", size=100)
    head, *rows = unpack(client.export(kind))
    place = next(place for place, name in enumerate(head) if name.endswith("Time"))
    for row in rows:
        assert datetime.strptime(row[place], form) if form else row[place] == ""  # noqa: DTZ007


def test_columns_that_are_missing_or_there(play: Any) -> None:
    hidden = ("Email Reference", "Message Id", "Request Id")
    box, client = play(hide_columns=hidden)
    head, *_ = unpack(client.export())
    assert not set(hidden) & set(head)
    assert "Status Time" in head
    assert list(box.vendor("zeptomail").rows()[0]) == head
    assert "Status Time" not in unpack(play()[1].export())[0]


def test_kinds_that_a_request_leaves_out(play: Any) -> None:
    _, client = play(omitted_flags="none", size=300)
    assert {row[STATUS] for row in unpack(client.export())[1:]} == {"sent", "processed"}
    assert {row[STATUS] for row in unpack(client.export(is_hb=True))[1:]} == {"hard bounce"}


def test_lists_and_booleans_of_another_shape(play: Any) -> None:
    _, client = play(list_answer="object", booleans="string")
    body = {**ALL, "is_hb": "true"}
    job = client.ask("POST", "/mail-logs/exports", json=body).json()["data"][0]
    listed = client.ask("GET", "/mail-logs/exports").json()["data"]["exports"]
    assert (listed[0]["export_id"], listed[0]["is_downloaded"]) == (job["export_id"], "false")
    assert client.ask("POST", "/mail-logs/exports", json={**ALL, "is_hb": True}).status_code == 400


def test_a_life_goes_by_the_clock_and_files_are_of_their_moment() -> None:
    clock = [NOW]
    steps = ((HOUR, "processed"), (HOUR, "sent"), (HOUR, "soft bounce"), (HOUR, "delivered"), (HOUR, "opened"))
    with Sandbox(size=0, now=lambda: clock[0], vendors=["zeptomail"], options={"zeptomail": {"span_days": 30}}) as box:
        world = box.vendor("zeptomail")
        world.live([Life(NOW + HOUR / 2, steps), Life(NOW + 2 * HOUR, ())])
        client = Client(box)
        span = {"date_to": "20/07/2025, 12:00 AM"}
        early, seen = client.create(**span), []
        for hours in range(6):
            clock[0] = NOW + hours * HOUR
            client.token = client.grant()["access_token"]
            seen.append([row["Status"] for row in world.rows()])
        assert seen == [
            [],
            ["queued"],
            ["processed", "queued"],
            ["sent", "queued"],
            ["soft bounce", "queued"],
            ["delivered", "queued"],
        ]
        late = client.create(**span)
        for job, rows in ((early, 0), (late, 2)):
            client.states()
            client.states()
            path = f"/mail-logs/exports/{job['export_id']}/download"
            assert len(unpack(client.ask("GET", path).content)) - 1 == rows
        clock[0] = NOW + 6 * HOUR
        client.token = client.grant()["access_token"]
        reference = world.rows()[0]["Email Reference"]
        details = client.ask("GET", f"/email/email-reference/{reference}").json()["data"]
        assert {"softbounce", "delivered"} == details["email_delivery_details"].keys()
        assert details["email_tracking_details"]["email_open"]["event_count"] == 1
        assert box.truth()["email_events"] == {"delivered": 1, "queued": 2}

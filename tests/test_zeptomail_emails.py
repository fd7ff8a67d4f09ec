"""ZeptoMail's GET /email."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from harness import catalog, run
from outcome import upserted
from tap_emaillogs.formats import dates
from zeptomail_runs import NAME, asked, player, settings

if TYPE_CHECKING:
    from zeptomail_runs import Play

pytestmark = pytest.mark.thorough


@pytest.fixture
def zepto(play: Play) -> Play:
    return player(play)


@pytest.mark.parametrize("shape", ["nested", "flat"])
@pytest.mark.parametrize("empty_as_list", [True, False])
def test_emails_in_both_shapes(zepto: Play, shape: str, empty_as_list: bool) -> None:
    box = zepto(size=250, email_shape=shape, empty_as_list=empty_as_list, span_days=5)
    given = settings(box)
    found = run(given, catalog=catalog(given, ["zeptomail_emails"]), box=box)
    assert found.status == 0, found.stderr
    mails = {one["email_info"]["email_reference"]: one for one in box.vendor(NAME).rows(stream="zeptomail_emails")}
    records = {one["email_reference"]: one for one in found.records["zeptomail_emails"]}
    assert records.keys() == mails.keys()
    assert len(found.records["zeptomail_emails"]) == 250
    for reference, record in records.items():
        info = mails[reference]["email_info"]
        assert record["to"] == [info["to"][0]["address"]]
        assert record["from"] == info["from"]["address"]
        assert (record["status"], record["message_id"]) == (info["status"], info["message_id"])
        assert dates.parse(record["processed_time"]) == datetime.fromisoformat(info["processed_time"])
        assert record["email_delivery_details"] is None or empty_as_list is False
        assert record["details"] is None
        if shape == "nested":
            assert json.loads(record["extra_fields"])["to.0.name"] == info["to"][0]["name"]
    assert not any("is_" in name for one in found.requests for name in one.query)


def test_emails_are_not_selected_by_default(zepto: Play) -> None:
    box = zepto(size=10)
    assert "zeptomail_emails" not in run(settings(box), box=box).schemas


def test_a_server_that_caps_pages_silently_loses_nothing(zepto: Play) -> None:
    box = zepto(size=55, span_days=2)
    given = settings(box, page_size=10)
    found = run(given, catalog=catalog(given, ["zeptomail_emails"]), box=box)
    assert len(upserted(found, "zeptomail_emails")) == 55


def test_emails_that_shift_while_paging_are_read_again(zepto: Play) -> None:
    box = zepto(size=230, span_days=2)
    given = settings(box)
    box.fault(vendor=NAME, path="/v1.1/email", contains="offset=100", kind="late", count=3, minutes_ago=600)
    found = run(given, catalog=catalog(given, ["zeptomail_emails", "sync_windows"]), box=box)
    assert found.status == 0, found.stderr
    assert len(upserted(found, "zeptomail_emails")) == 233
    assert sum(one["records"] for one in found.ledger) == len(found.records["zeptomail_emails"])


def test_details_bring_opens_clicks_and_bounces(zepto: Play) -> None:
    box = zepto(size=60, span_days=3)
    given = settings(box, details=True)
    found = run(given, catalog=catalog(given, ["zeptomail_emails", "email_events"]), box=box)
    assert found.status == 0, found.stderr
    assert len(asked(found, "GET", "email-reference")) == 60
    assert all(one["details"]["email_info"]["email_reference"] for one in found.records["zeptomail_emails"])
    kinds = Counter(event["event_type"] for event in found.records["email_events"])
    mails = found.records["zeptomail_emails"]
    tracked = [one["details"]["email_tracking_details"] or {} for one in mails]
    assert kinds["opened"] == sum(one["email_open"]["event_count"] for one in tracked if "email_open" in one) > 0
    assert kinds["clicked"] == sum(
        one["email_link_click"]["event_count"] for one in tracked if "email_link_click" in one
    )
    assert kinds["delivered"] == sum(one["status"] == "delivered" for one in mails)
    assert kinds["bounced"] == sum(one["status"].endswith("bounce") for one in mails)
    assert len(upserted(found, "email_events")) == len(found.records["email_events"])
    clicks = [event for event in found.records["email_events"] if event["event_type"] == "clicked"]
    assert all(event["url"] and event["ip"] and event["user_agent"] for event in clicks)


def test_emails_with_another_scope_only(zepto: Play) -> None:
    box = zepto(size=10, scopes="Zeptomail.Exports.ALL")
    given = settings(box)
    found = run(given, catalog=catalog(given, ["zeptomail_emails"]), box=box)
    assert found.status == 1
    assert "Zeptomail.email.READ" in found.stderr
    assert "Invalid OAuth scope" in found.stderr

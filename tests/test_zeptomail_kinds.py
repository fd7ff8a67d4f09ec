"""Kinds of mail that a request names or leaves out."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from zeptomail_runs import NAME, change, player, read, warnings

if TYPE_CHECKING:
    from zeptomail_runs import Play

pytestmark = pytest.mark.thorough

LOGS, EMAILS, SUPPRESSED = "zeptomail_mail_logs", "zeptomail_emails", "zeptomail_suppression_list"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONTHS = -150 * 24 * 60


@pytest.fixture
def zepto(play: Play) -> Play:
    return player(play)


def test_flags_that_the_vendor_understood_otherwise(zepto: Play) -> None:
    box = zepto(echo_filters={"is_hb": False})
    found = read(box, mail_logs={"is_hb": True, "is_sb": True})
    assert found.status == 1
    assert "understood is_hb as false, not as true" in found.stderr
    box = zepto(echo_filters={"is_delivered": True})
    found = read(box)
    assert found.status == 0
    (warning,) = warnings(found, "asked for without")
    assert "is_delivered: true" in warning
    assert not warnings(read(box, mail_logs={"is_delivered": True}), "asked for without")


@pytest.mark.parametrize("other", [SUPPRESSED, EMAILS])
def test_a_busy_week_without_a_kind_that_another_stream_shows(zepto: Play, other: str) -> None:
    box = zepto(size=5000, omitted_flags="none", span_days=28)
    found = read(box, LOGS, other)
    assert found.status == 0, found.stderr
    (warning,) = warnings(found, "no hard bounce")
    assert other in warning
    assert "mail_logs to true" in warning
    statuses = {record["status"] for record in found.records[LOGS]}
    assert statuses == {"sent", "processed"}
    named = dict.fromkeys(("is_delivered", "is_sb", "is_hb", "is_mailfailure"), True)
    assert not warnings(read(box, LOGS, other, mail_logs=named), "no hard bounce")
    change(box, omitted_flags="all")
    assert not read(box, LOGS, other).lines("WARNING")
    wanted = read(box, LOGS, other, mail_logs={**named, "is_hb": False})
    assert not warnings(wanted, "no hard bounce"), "it was not to be there"


@pytest.mark.parametrize("booleans", ["json", "string", "any"])
def test_flags_are_sent_as_the_vendor_takes_them(zepto: Play, booleans: str) -> None:
    box = zepto(booleans=booleans)
    found = read(box, mail_logs={"is_hb": True, "is_delivered": False}, window_hours=200)
    assert found.status == 0, found.stderr
    assert {record["status"] for record in found.records[LOGS]} == {"hard bounce"}
    refused = [one for one in found.requests if one.status == 400]
    assert len(refused) <= (len(box.vendor(NAME).jobs()) if booleans == "string" else 0)
    bodies = [json.loads(one.body) for one in found.requests if one.method == "POST" and "exports" in one.path]
    assert {body["is_delivered"] for body in bodies if body} <= {False, "false"}

"""What the page leaves out of what others wrote, and when it calls a provider to attention."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from dashboard.facts import Facts, _named
from dashboard.private import shown
from dashboard.words import lines

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "no mary@example.com here",
        "no mary\uff20example.com here",
        "no mary%40example.com here",
        "no mary (at) example.com here",
        "see HTTPS://shop.example/mary for",
        'mailbox "mary miller" is full',
        "call +49 170 123 4567 mary@x.example",
    ],
)
def test_what_may_be_about_a_person_is_left_out(text: str) -> None:
    assert "mary" not in shown(text)
    assert "4567" not in shown(text)
    assert "…" in shown(text)


def test_codes_stay() -> None:
    assert shown("550 5.1.1 no such user") == "550 5.1.1 no such user"


def test_reasons_of_few_mails_are_summed_up() -> None:
    row = {"event_type": "bounced", "bounce_class": "soft", "code": None}
    named = _named(
        [{**row, "reason": "full", "mails": 10}, *({**row, "reason": f"Jane {n}", "mails": 9} for n in "ab")]
    )
    assert [(one["reason"], one["mails"]) for one in named] == [("full", 10), ("other, fewer than 10 mails each", 18)]


@pytest.mark.parametrize(
    ("arrived", "hours", "level"), [(0, 1, "bad"), (50, 1, "watch"), (95, 1, "ok"), (95, 25, "bad")]
)
def test_mails_that_do_not_arrive_and_a_stopped_tap_are_said(arrived: int, hours: int, level: str) -> None:
    place = {"provider": "smtp2go", "account": "default", "stream": "smtp2go_activity"}
    days = [(date(2026, 2, 10), 95), (date(2026, 2, 27), arrived)]
    facts = Facts(
        date(2026, 2, 1),
        NOW.date(),
        arrivals=[{**place, "day": day, "mails": 100, "delivered": n, "sent": 0, "sent_lately": 0} for day, n in days],
        hours=[{**place, "day": NOW.date(), "status": "complete", "complete": 1}],
        read=[{**place, "until": NOW - timedelta(hours=hours)}],
        daily=[{"provider": "smtp2go", "day": days[1][0], "queued": 0, "delivered": 1}],
        now=NOW,
    )
    (line,) = lines(facts)
    assert line.level == level
    assert any(text.startswith("Read up to 2026-0") for text in line.says)

"""What the page leaves out of what others wrote, and when it calls a provider to attention."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from dashboard.facts import Facts
from dashboard.lines import MEASURES, lines
from dashboard.private import shown
from dashboard.reasons import named
from timing import cpu_seconds

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
        "no mary @example.com here",
        "no mary at example.com here",
        "no mary_at_example.com here",
        "no mary{at}example.com here",
        "no mary&#x40;example.com here",
        "no mary%2540example.com here",
        "see shop.example/mary?u=4567",
        "\u201eHallo mary\u201c abgelehnt",
        "\u2018Hello mary\u2019 refused",
        "\u2039Hello mary\u203a refused",
        "\u300cHello mary\u300d refused",
        "&quot;Hello mary&quot; refused",
        "call +49 170 <number> mary@x.example",
        f"{'x' * 150} mary.miller%40example.com"[:160],
    ],
)
def test_what_may_be_about_a_person_is_left_out(text: str) -> None:
    assert "mary" not in shown(text)
    assert "4567" not in shown(text)
    assert "…" in shown(text)


@pytest.mark.parametrize("text", ["550 5.1.1 no such user", "452 4.2.2 <address> is full", "greylisted, try later"])
def test_codes_stay(text: str) -> None:
    assert shown(text) == text


def test_a_telephone_number_of_which_the_models_left_the_beginning_goes_whole() -> None:
    assert shown("call +49 170 <number>") == "call …"


def test_what_turns_the_order_of_letters_is_left_out() -> None:
    assert shown("shop \u202e three\x00\x1b[2J") == "shop three [2J"


def test_long_words_take_no_time() -> None:
    assert cpu_seconds(lambda: shown("x." * 50_000 + "@" * 50_000)) < 0.1


def test_without_hours_nothing_is_called_complete() -> None:
    """A ledger without accounts or streams joins nothing: that proves nothing."""
    read = [{"provider": "smtp2go", "account": None, "stream": None, "until": NOW}]
    (line,) = lines(Facts(date(2026, 2, 1), NOW.date(), read=read, now=NOW))
    assert line.level == "watch"
    assert not any("completely" in text for text in line.says)


def test_a_provider_without_a_name_is_a_provider() -> None:
    read = [{"provider": name, "account": None, "stream": "logs", "until": NOW} for name in (None, "smtp2go")]
    assert {line.name for line in lines(Facts(date(2026, 2, 1), NOW.date(), read=read, now=NOW))} == {
        "unknown",
        "SMTP2GO",
    }


def test_rates_of_a_day_of_which_something_is_missing_are_told_as_that() -> None:
    day = NOW.date() - timedelta(1)
    place = {"provider": "smtp2go", "account": "default", "stream": "smtp2go_activity", "day": day}
    counts = {"day": day, "provider": "smtp2go", "queued": 100, "delivered": 0, "bounced": 0, "complained": 0}
    hours = [{**place, "status": "complete", "complete": 1}]
    facts = Facts(day, day, daily=[counts], hours=hours, now=NOW, delivering=[{"provider": "smtp2go"}])
    (line,) = lines(facts)
    assert not any("is missing" in text for text in line.says)
    assert any("0.0 % delivered" in text for text in line.says), "it told of deliveries before these days"
    (line,) = lines(replace(facts, hours=[{**place, "status": "unavailable", "complete": 0}]))
    assert any("its rates are of what is there" in text for text in line.says)


def test_a_filter_that_is_no_json_is_said() -> None:
    read = [{"provider": "smtp2go", "account": "default", "stream": "smtp2go_activity", "until": NOW}]
    filters = [{"provider": "smtp2go", "filters": text} for text in ("***", "[1]", '"x"')]
    (line,) = lines(Facts(date(2026, 2, 1), NOW.date(), read=read, filters=filters, now=NOW))
    assert any("which cannot be read here" in text for text in line.says)


ROW = {"event_type": "bounced", "bounce_class": "soft", "code": ""}
KIND = {"event_type": "bounced", "bounce_class": "soft"}


def reasons(said: dict[str, set[str]]) -> list[tuple[str, int]]:
    """Give `named` reasons with the mails of which they were said; return what it makes of them."""
    rows = [{**ROW, "reason": reason, "mails": len(mails)} for reason, mails in said.items()]
    kinds = [{**KIND, "mails": len(set().union(*said.values()))}]
    found = named(rows, 10, kinds, lambda same: len(set().union(*(said[row["reason"]] for row in same))))
    return [(row["reason"], row["mails"]) for row in found]


def mails(start: int, count: int) -> set[str]:
    return {f"mail {number}" for number in range(start, start + count)}


def test_reasons_of_few_mails_are_summed_up() -> None:
    said = {"full": mails(0, 10), "Jane 1": mails(10, 9), "Jane 2": mails(19, 9)}
    assert reasons(said) == [("full", 10), ("other, fewer than 10 mails each", 18)]


def test_one_mail_that_is_told_of_in_ten_ways_is_one_mail() -> None:
    """What the page hides makes one reason of ten: it is about one mail all the same, and is not named."""
    said = {f'no route to "mx{number}"': mails(0, 1) for number in range(10)}
    assert reasons(said) == [("other, fewer than 10 mails each", 1)]
    said |= {'no route to "mx10"': mails(1, 9)}
    assert reasons(said) == [("no route to …", 10)]


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
        delivering=[{"provider": "smtp2go"}],
        now=NOW,
    )
    (line,) = lines(facts)
    assert line.level == level
    assert any(text.startswith("Read up to 2026-0") for text in line.says)


def test_a_filter_is_said() -> None:
    place = {"provider": "smtp2go", "account": "default", "stream": "smtp2go_activity"}
    facts = Facts(
        date(2026, 2, 1),
        NOW.date(),
        read=[{**place, "until": NOW}],
        filters=[{"provider": "smtp2go", "filters": '{"event_types": ["bounced"]}'}],
        now=NOW,
    )
    (line,) = lines(facts)
    assert any("filters" in text and "event_types" in text for text in line.says)
    facts.filters = [{"provider": "smtp2go", "filters": '{"channel": "E"}'}]
    (line,) = lines(facts)
    assert not any("filters" in text for text in line.says)


def test_many_senders_and_accounts_are_told_in_few_lines() -> None:
    accounts = [f"shop{number}" for number in range(40)]
    rates = {f"{name}_rate{end}": 0.2 for name in MEASURES for end in ("", "_low", "_high")}
    health = [
        {
            "provider": "smtp2go",
            "account": account,
            "sender_domain": f"{account}.example",
            "grade": "bad",
            "likely_cause": "a cause",
            "last_day": date(2026, 2, 3),
            **rates,
            **{f"{name}_grade": "good" for name in MEASURES},
        }
        for account in accounts
    ]
    days = [{"day": NOW.date(), "mails": 100, "delivered": 10, "sent": 0, "sent_lately": 0}]
    facts = Facts(
        date(2026, 2, 1),
        NOW.date(),
        daily=[{"provider": "smtp2go", "day": NOW.date(), "queued": 0, "delivered": 1}],
        delivering=[{"provider": "smtp2go"}],
        arrivals=[{"provider": "smtp2go", "account": account, **row} for account in accounts for row in days],
        past_thresholds=health,
        now=NOW,
    )
    (line,) = lines(facts)
    assert line.level == "bad"
    assert len(line.says) < 12
    assert any("up to its last mails on 2026-02-03" in text for text in line.says)
    assert "The same is so at 37 more of its accounts." in line.says
    assert "37 more senders are past a threshold: see the table below." in line.says

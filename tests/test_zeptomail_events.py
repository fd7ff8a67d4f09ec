"""ZeptoMail's rows and events do not depend on when a row was read."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import NOW, config_of
from harness import Ticking, catalog, run
from outcome import Run, upserted
from sandbox.base import Life
from sandbox.zeptomail import ZeptoMail
from sandbox.zeptomail.mail import EVENTS as EVENT_OF
from tap_emaillogs.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

pytestmark = pytest.mark.thorough

NAME = "zeptomail"
LOGS, EMAILS, EVENTS = "zeptomail_mail_logs", "zeptomail_emails", "email_events"
ZEPTO = next(provider for provider in PROVIDERS if provider.name == NAME)
HOUR = timedelta(hours=1)


def lives(seed: int, count: int = 60) -> list[Life]:
    """Return lives that go through every transition, each mail taken in a minute of its own."""
    choose = random.Random(seed)
    found = []
    for number in range(count):
        steps, now = [], ""
        while (following := ZeptoMail.transitions[now]) and len(steps) < 6 and (choose.random() < 0.9 or not steps):
            now = choose.choice(following)
            steps.append((timedelta(minutes=choose.choice((1, 3, 30, 200, 900))), now))
        found.append(Life(NOW + timedelta(minutes=7 * number + 1), tuple(steps)))
    return found


def test_the_lives_go_through_every_transition() -> None:
    gone = {
        pair
        for life in (*lives(1), *lives(2))
        for pair in zip(("", *(s for _, s in life.steps)), (s for _, s in life.steps), strict=False)
    }
    assert gone == {(one, two) for one, following in ZeptoMail.transitions.items() for two in following}


def played(play: Play, seed: int, hours: Sequence[float], select: Sequence[str], **options: Any) -> list[Run]:
    """Live through the lives of a seed, and read at each of these hours; a run may go on from any STATE of the last."""
    clock, choose = Ticking(), random.Random(seed)
    given = {name: options.pop(name) for name in ("details", "reference") if name in options}
    box = play(vendors=[NAME], size=0, now=clock.now, options={NAME: options})
    box.vendor(NAME).live(lives(seed))
    config = config_of(box, NAME, export_interval_minutes=0, start_date=NOW.isoformat(), **given)
    runs: list[Run] = []
    for hour in hours:
        clock.pass_time(seconds=(NOW + hour * HOUR - clock.now()).total_seconds())
        state = choose.choice(runs[-1].states[-2:]).value if runs and runs[-1].states else None
        runs.append(run(config, catalog=catalog(config, [*select, EVENTS]), state=state, clock=clock, box=box))
        assert runs[-1].status == 0, runs[-1].stderr
    return runs


END = 24.0 * 9


def assert_the_same(early: list[Run], late: list[Run], stream: str) -> None:
    """Check that nothing but facts tells early readings from a late one: events of a status that was shown."""
    assert upserted(early, stream) == upserted(late, stream)
    have, want = upserted(early, EVENTS), upserted(late, EVENTS)
    assert {key: have.get(key) for key in want} == want
    shown = {(row[0], row[1]) for one in early for row in statuses(one, stream)}
    for key in have.keys() - want.keys():
        assert (have[key]["provider_event_id"], have[key]["provider_event"]) in shown
        assert have[key]["event_type"] != "queued"


def statuses(one: Run, stream: str) -> Iterable[tuple[str, str]]:
    for record in one.records[stream]:
        for name in ("email_reference", "message_id", "request_id"):
            if record[name]:
                yield record[name], record["status"]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hide_columns": ()},
        {"rows_per": "event", "hide_columns": ()},
        {"several_recipients": 2},
        {"several_recipients": 2, "rows_per": "mail"},
        {"hide_columns": ("Email Reference", "Request Id", "Status Time")},
        {"hide_columns": ("Email Reference", "Message Id", "Status Time")},
        {"hide_columns": ("Sent Time", "Status Time"), "timezone": "Asia/Kolkata"},
    ],
    ids=str,
)
def test_mail_logs_read_early_and_late(play: Play, seed: int, options: dict[str, Any]) -> None:
    select = [LOGS, "sync_windows"]
    early = played(play, seed, (0.4, 2, 5, 9, 26, 31, 55, 100, END), select, **options)
    late = played(play, seed, (END,), select, **options)
    assert_the_same(early, late, LOGS)
    events = upserted(late, EVENTS).values()
    recipients = 60 + (30 if options.get("several_recipients") else 0)
    assert sum(event["event_type"] == "queued" for event in events) == recipients
    rows = late[0].records[LOGS]
    assert len(rows) == len(upserted(late, LOGS))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"details": True},
        {"details": True, "several_recipients": 2},
        {"email_shape": "flat", "details": True},
        {"email_shape": "flat"},
        {"several_recipients": 2, "empty_as_list": False},
    ],
    ids=str,
)
def test_emails_read_early_and_late(play: Play, seed: int, options: dict[str, Any]) -> None:
    early = played(play, seed, (0.4, 2, 3, 5, 9, 26, 31, 55, 100, END), [EMAILS], **options)
    late = played(play, seed, (END,), [EMAILS], **options)
    # What becomes of a mail a day after it was last asked for is not seen.
    settled = {record["email_reference"] for record in last(early) if record == last_of(late, record)}
    assert len(settled) > 50
    assert_the_same(*([only(one, settled) for one in runs] for runs in (early, late)), EMAILS)


def last(runs: list[Run]) -> Iterable[dict[str, Any]]:
    return upserted(runs, EMAILS).values()


def last_of(runs: list[Run], record: Mapping[str, Any]) -> dict[str, Any]:
    return upserted(runs, EMAILS)[record["account"], record["email_reference"]]


def only(one: Run, references: set[str]) -> Run:
    """Return a run as if it had met these mails alone."""
    kept = Run(one.status, one.stderr, one.messages, one.config)
    for stream, name in ((EMAILS, "email_reference"), (EVENTS, "provider_event_id")):
        kept.records[stream] = [record for record in one.records[stream] if record[name] in references]
    return kept


# One row.


def mail(**columns: Any) -> dict[str, Any]:
    """Return the record of a row of mail logs."""
    names = (
        *("email_reference", "message_id", "request_id", "recipient", "to", "from", "subject", "status", "reason"),
        *("bounce_category", "category", "client_reference", "processed_time", "sent_time", "time", "extra_fields"),
    )
    row = {"account": "default", "row_id": "r" * 32, "event_at": "2025-07-19T09:00:00Z", **dict.fromkeys(names)}
    row |= {"email_reference": "ref", "to": "a@b.example", "processed_time": "19 Jul 2025 09:00 AM"}
    extra = {name: value for name, value in columns.items() if name not in row}
    row |= {name: value for name, value in columns.items() if name in row}
    return row | ({"extra_fields": json.dumps(extra)} if extra else {})


def kinds(record: Mapping[str, Any], stream: str = LOGS) -> list[tuple[str, str]]:
    return [(event["event_type"], event["recipient"]) for event in ZEPTO.events(stream, dict(record))]


@pytest.mark.parametrize(
    ("status", "more"),
    [
        ("Queued", []),
        ("processed", []),
        ("Multiple status", []),
        (None, []),
        ("Sent", [("sent", None, None)]),
        ("DELIVERED", [("delivered", None, None)]),
        ("Soft bounce", [("bounced", "soft", None)]),
        ("hard_bounce", [("bounced", "hard", None)]),
        ("Process failed", [("failed", None, "other")]),
        ("Odd", [("unknown", None, None)]),
    ],
)
def test_statuses(status: str | None, more: list[tuple[str, str | None, str | None]]) -> None:
    queued, *others = ZEPTO.events(LOGS, mail(status=status, status_time="19 Jul 2025 11:00 AM"))
    assert (queued["event_type"], queued["event_at"], queued["provider_event"]) == (
        "queued",
        "2025-07-19T09:00:00Z",
        None,
    )
    assert [(one["event_type"], one["bounce_class"], one["reject_reason"]) for one in others] == more
    assert all(one["event_at"] == "2025-07-19T11:00:00Z" for one in others)
    assert all(one["provider_event"] == status for one in others)


def test_every_address_in_to_has_its_events() -> None:
    several = mail(to='"Doe, Ann" <a@b.example>, c@d.example; A@B.example', status="Delivered")
    assert kinds(several) == [
        (kind, address) for address in ("a@b.example", "c@d.example") for kind in ("queued", "delivered")
    ]
    apart = [mail(to=one, status="Delivered", row_id=one) for one in ("a@b.example", "c@d.example")]
    ids = [event["event_id"] for row in apart for event in ZEPTO.events(LOGS, row)]
    assert [event["event_id"] for event in ZEPTO.events(LOGS, several)] == ids, "however the rows are cut"
    assert kinds(mail(to='["a@b.example","c@d.example"]')) == [("queued", "a@b.example"), ("queued", "c@d.example")]
    assert kinds(mail(recipient="x@y.example")) == [("queued", "x@y.example")]
    assert kinds(mail(to=None, destination="x@y.example")) == [("queued", "x@y.example")]
    without = mail(email_reference=None, to="a@b.example, c@d.example", status="Sent")
    assert len({event["event_id"] for event in ZEPTO.events(LOGS, without)}) == 4


def test_ids_depend_on_the_mail_and_its_status_alone() -> None:
    def ids(**columns: Any) -> list[str]:
        return [event["event_id"] for event in ZEPTO.events(LOGS, mail(**columns))]

    plain = ids(status="Delivered")
    assert ids(status="Delivered", row_id="other", reason="x", sent_time="later", subject="other") == plain
    assert ids(status="Sent")[0] == plain[0]
    assert ids(status="Delivered", status_time="19 Jul 2025 11:00 AM")[0] == plain[0]
    assert ids(status="Delivered", status_time="19 Jul 2025 11:00 AM")[1] != plain[1]
    for other in ({"to": "other@b.example"}, {"email_reference": "r2"}, {"processed_time": "19 Jul 2025 09:01 AM"}):
        assert not set(ids(status="Delivered", **other)) & set(plain)


@pytest.mark.parametrize(
    ("reason", "codes"),
    [
        ("550 5.1.1 The email account does not exist", (550, "5.1.1")),
        ("host mx.example said: 452-4.2.2 over quota", (452, "4.2.2")),
        ("250 mails are the limit", (None, None)),
        ("Mailbox full", (None, None)),
        (None, (None, None)),
    ],
)
@pytest.mark.parametrize("column", ["reason", "bounce_reason"])
def test_reply_codes_in_a_reason(reason: str | None, codes: tuple[Any, Any], column: str) -> None:
    _, bounce = ZEPTO.events(LOGS, mail(status="Hard bounce", bounce_category="Invalid", **{column: reason}))
    assert (bounce["smtp_code"], bounce["smtp_enhanced_code"]) == codes
    assert bounce["reason"] == reason or (reason is None and bounce["reason"] == "Invalid")
    assert (bounce["smtp_response"] is not None) == (codes != (None, None))


def test_the_clients_reference_is_the_campaign() -> None:
    assert {event["campaign"] for event in ZEPTO.events(LOGS, mail(client_reference="c1", status="Sent"))} == {"c1"}


def email(**columns: Any) -> dict[str, Any]:
    names = (
        *("message_id", "request_id", "from", "subject", "client_reference", "status", "sent_time", "details"),
        *("email_tracking_details", "email_delivery_details"),
    )
    given = {"email_reference": "ref", "to": ["a@b.example"], "processed_time": "2025-07-19T09:00:00Z"}
    return {"account": "default", **dict.fromkeys(names), **given, **columns}


def test_an_outcome_has_one_id_whether_the_status_or_the_details_tell_it() -> None:
    def told(**columns: Any) -> dict[str, dict[str, Any]]:
        return {event["event_id"]: event for event in ZEPTO.events(EMAILS, email(**columns))}

    two = ["a@b.example", "C@d.example"]
    entries = [{"recipient": "c@D.example", "time": "2025-07-19T10:00:00Z", "reason": "550 5.1.1 no"}]
    status = told(to=two, status="Hard bounce")
    details = told(to=two, status="Hard bounce", email_delivery_details={"hardbounce": entries})
    assert Counter(event["event_type"] for event in status.values()) == {"queued": 2, "bounced": 2}
    assert details.keys() == status.keys()
    (bounce,) = [event for event in details.values() if event["smtp_code"]]
    assert (bounce["recipient"], bounce["event_at"]) == ("C@d.example", "2025-07-19T10:00:00Z")

    soft = [{"recipient": "a@b.example", "time": f"2025-07-19T1{hour}:00:00Z"} for hour in (3, 1)]
    first = told(status="Soft bounce")
    again = told(status="Delivered", email_delivery_details={"softbounce": soft})
    assert first.keys() <= again.keys()
    assert Counter(event["event_type"] for event in again.values()) == {"queued": 1, "bounced": 2, "delivered": 1}
    turned = told(status="Delivered", email_delivery_details={"softbounce": soft[::-1]})
    assert turned == again, "numbered by time, whatever the order of the list"
    assert told(status="Processed").keys() == told(status="Queued").keys() == {next(iter(first))}
    assert len(told(to=two, status="Multiple status", email_delivery_details={"hardbounce": entries})) == 3


def test_an_open_that_gathers_later_ones_stays_one() -> None:
    def opens(*entries: dict[str, Any]) -> list[dict[str, Any]]:
        tracking = {"email_open": {"event_count": 1, "details": list(entries)}}
        return list(ZEPTO.events(EMAILS, email(email_tracking_details=tracking)))[1:]

    began = {"first_event_time": "2025-07-19T10:00:00Z", "user_agent": "Gmail"}
    (early,), (late,) = (
        opens({**began, "time": "2025-07-19T10:00:00Z"}),
        opens({**began, "time": "2025-07-20T08:00:00Z"}),
    )
    assert early == late
    assert early["event_at"] == "2025-07-19T10:00:00Z"


# Runs.


def test_the_setting_reference_is_what_events_go_by_too(play: Play) -> None:
    hidden = ("Email Reference", "Message Id", "Request Id")
    options = {"rows_per": "event", "hide_columns": hidden, "reference": {LOGS: ["Client Reference", "Processed Time"]}}
    late = played(play, 1, (END,), [LOGS], **options)[0]
    queued = [event for event in late.records[EVENTS] if event["event_type"] == "queued"]
    assert len(queued) == 60, "one for each mail, though each has a row for each of its statuses"
    assert len(late.records[LOGS]) > 120
    without = played(play, 1, (END,), [LOGS], **{**options, "reference": {}})[0]
    assert sum(event["event_type"] == "queued" for event in without.records[EVENTS]) == len(without.records[LOGS])


def test_the_zone_of_a_status_is_the_accounts(play: Play) -> None:
    late = played(play, 3, (END,), [LOGS], hide_columns=(), timezone="Asia/Kolkata")[0]
    expected = set()
    for life in lives(3):
        ends = [sum((wait for wait, _ in life.steps[: place + 1]), timedelta()) for place in range(len(life.steps))]
        reached = [
            (end, what) for end, (_, what) in zip(ends, life.steps, strict=True) if what in ("processed", *EVENT_OF)
        ]
        if reached[-1][1] != "processed":
            expected.add(f"{life.at + reached[-1][0]:%Y-%m-%dT%H:%M}:00Z")
    assert {one["event_at"] for one in late.records[EVENTS] if one["event_type"] != "queued"} == expected


def test_rows_that_tell_no_outcome_are_remarked_once(play: Play) -> None:
    found = played(play, 1, (END,), [LOGS], several_recipients=1, rows_per="mail")[0]
    (warning,) = [line for line in found.lines("WARNING") if "Multiple status" in line]
    several = sum(record["status"] == "multiple status" for record in found.records[LOGS])
    assert f"({several} records)" in warning
    blank = played(play, 1, (END,), [LOGS], hide_columns=("Status",))[0]
    assert {event["event_type"] for event in blank.records[EVENTS]} == {"queued"}
    assert "without a status" in blank.stderr

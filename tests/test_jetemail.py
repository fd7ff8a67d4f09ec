"""JetEmail: events that never go, lives read early and late, filters."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from general import NOW, STREAMS, config_of
from harness import Ticking, run
from outcome import Run, assert_rows, expected, rows_of, upserted
from sandbox.base import Life
from sandbox.jetemail.data import TRANSITIONS
from sandbox.jetemail.search import FILTERS
from sandbox.server import Sandbox
from tap_emaillogs.config.checks import mistakes
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.providers.jetemail import PROVIDER
from tap_emaillogs.streams.records import Normaliser
from tap_emaillogs.streams.schemas import SCHEMAS
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Play = Callable[..., Sandbox]

STREAM, EVENTS = STREAMS["jetemail"], "email_events"
COLUMNS = ("first_seen", "last_updated")


def uids(found: Run) -> set[str]:
    return {record["uid"] for record in found.records[STREAM]}


UNKNOWN = [
    {"filter_column": filtered, "sort_column": ordered, "unit": unit, "date_to_inclusive": inclusive}
    for filtered, ordered, unit, inclusive in itertools.product(
        COLUMNS, COLUMNS, ("seconds", "milliseconds"), (True, False)
    )
]
every_unknown = pytest.mark.parametrize("options", UNKNOWN, ids=lambda options: "-".join(map(str, options.values())))
both_pagings = pytest.mark.parametrize("paging", ["offset", "page"])
thorough = pytest.mark.thorough


# --- events


def row(*kinds: str | tuple[str, str], **more: Any) -> dict[str, Any]:
    """Return a row with an attempt per kind, each a second after the other; (kind, receiver) names its receiver."""
    attempts = [
        {"action": kind, "date": 1_700_000_000 + number, "receiver": receiver, "response": f"250 2.0.0 {kind}"}
        for number, (kind, receiver) in enumerate(
            (kind, "a@b.example") if isinstance(kind, str) else kind for kind in kinds
        )
    ]
    first = {"uid": "u", "first_seen": 1_700_000_000, "receiver": "a@b.example"}
    return {**first, "delivery_attempts": attempts, **more}


def record(given_row: dict[str, Any]) -> dict[str, Any]:
    return {**Normaliser(SCHEMAS.get_schema(STREAM), ("account",))(given_row), "account": "default"}


def events(given_row: dict[str, Any]) -> list[dict[str, Any]]:
    found = list(PROVIDER.events(STREAM, record(given_row)))
    assert len({event["event_id"] for event in found}) == len(found)
    return found


def queued(given_row: dict[str, Any]) -> list[dict[str, Any]]:
    return [event for event in events(given_row) if event["event_type"] == "queued"]


@pytest.mark.parametrize(
    "given_row",
    [
        row(),
        row(delivery_attempts=None),
        row("QUEUED"),
        row("QUEUED", "DEFERRED", "ACCEPTED", opens=[{"date": 1_700_000_100}]),
        row("BOUNCED_HARD", delivery_status="bounced", bounce_reason="no"),
        row(delivery_status="delivered", final_response="250 ok"),
        row(receiver=None, to_address=None),
        row(receiver=None, to_address="a@b.example"),
        row("ACCEPTED", receiver="A@B.example"),
    ],
)
def test_one_queued_event_whatever_came_of_the_mail(given_row: dict[str, Any]) -> None:
    (event,) = queued(given_row)
    assert event["event_id"] == queued(row())[0]["event_id"]
    assert (event["event_at"], event["provider_event"]) == ("2023-11-14T22:13:20Z", None)


def test_a_waiting_attempt_is_no_event_of_its_own() -> None:
    found = events(row("QUEUED", "DEFERRED", "ACCEPTED"))
    assert [event["event_type"] for event in found] == ["queued", "deferred", "delivered"]


def test_each_receiver_has_its_queued_event() -> None:
    found = queued(row("QUEUED", ("ACCEPTED", "c@d.example"), ("DEFERRED", "C@d.example"), ("QUEUED", "e@f.example")))
    assert [event["recipient"] for event in found] == ["a@b.example", "c@d.example", "e@f.example"]
    assert [event["recipient_domain"] for event in found] == ["b.example", "d.example", "f.example"]
    assert len({event["event_at"] for event in found}) == 1


def test_a_recipient_told_late_changes_no_id() -> None:
    """First nobody, then the header's address, then the envelope's, which an attempt names too."""
    versions = [
        row(receiver=None),
        row(receiver=None, to_address="team@b.example"),
        row("DEFERRED", receiver=None, to_address="team@b.example"),
        row("DEFERRED", to_address="team@b.example"),
        row("DEFERRED", ("ACCEPTED", "c@d.example"), to_address="team@b.example"),
    ]
    ids = [[event["event_id"] for event in queued(version)] for version in versions]
    assert [len(found) for found in ids] == [1, 1, 1, 1, 2]
    assert all(found[0] == ids[0][0] for found in ids)
    assert [event["recipient"] for event in queued(versions[-1])] == ["a@b.example", "c@d.example"]


_KINDS = [kind for kind in TRANSITIONS if kind not in {"", "open", "click"}]


@given(
    st.lists(st.tuples(st.sampled_from(_KINDS), st.sampled_from(["a@b.example", "A@b.example", "c@d.example", None]))),
    st.lists(st.integers(1_700_000_000, 1_700_000_002), max_size=4),
    st.lists(st.integers(1_700_000_000, 1_700_000_002), max_size=4),
    st.sampled_from([None, "a@b.example", "x@y.example"]),
    st.data(),
)
def test_what_a_row_gave_it_gives_for_ever(
    kinds: list[tuple[str, str]], opens: list[int], clicks: list[int], receiver: str | None, data: st.DataObject
) -> None:
    late = row(
        *kinds,
        receiver=receiver,
        opens=[{"date": at} for at in opens],
        clicks=[{"date": at, "original_url": "https://a.example"} for at in clicks],
        bounce_reason="latest",
    )
    chosen = {
        name: data.draw(st.lists(st.sampled_from(late[name]), unique_by=id) if late[name] else st.just([]))
        for name in ("delivery_attempts", "opens", "clicks")
    }
    early = {**late, **chosen, "receiver": data.draw(st.sampled_from([None, receiver])), "bounce_reason": None}
    table = {event["event_id"]: event for event in events(early)}
    last = {event["event_id"]: event for event in events(late)}
    assert table.keys() <= last.keys()
    assert {**table, **last} == last


@pytest.mark.parametrize(
    ("given_row", "tells"),
    [
        (row(), False),
        (row(final_response="250 ok"), True),
        (row(bounce_reason="no such user"), True),
        (row(delivery_status="delivered"), True),
        (row(delivery_status="bounced", bounce_reason="no"), True),
        (row(delivery_status="queued_pending"), False),
        (row("QUEUED", delivery_status="queued_pending", final_response="250 queued"), False),
        (row("QUEUED", final_response="250 queued"), False),
        (row("QUEUED", "DEFERRED", delivery_status="delivered"), True),
        (row("DEFERRED", delivery_status="DEFERRED", final_response="421 later"), False),
        (row("DEFERRED", "ACCEPTED", delivery_status="delivered", final_response="250 ok"), False),
    ],
)
def test_an_outcome_that_no_attempt_shows_is_remarked(given_row: dict[str, Any], tells: bool) -> None:
    assert (PROVIDER.remark(STREAM, record(given_row)) is not None) == tells


def event_counts(found: Run | Iterable[Run]) -> Counter[str]:
    return Counter(event["event_type"] for event in upserted(found, EVENTS).values())


@pytest.mark.parametrize("attempts", ["shown", "missing"])
@pytest.mark.parametrize("receivers", [1, 3])
@pytest.mark.parametrize("unit", ["seconds", "milliseconds"])
def test_events_of_rows_as_clients_have_seen_them(play: Play, attempts: str, receivers: int, unit: str) -> None:
    options = {"attempts": attempts, "receivers": receivers, "unit": unit}
    box = play(vendors=["jetemail"], options={"jetemail": options})
    found = run(config_of(box, "jetemail"))
    assert_rows(box, found, "jetemail")
    (truth,) = box.vendor("jetemail").truth().values()
    assert event_counts(found) == truth["email_events"]
    mails = {event["provider_event_id"] for event in found.records[EVENTS] if event["event_type"] == "queued"}
    assert len(mails) == 300
    remarks = [line for line in found.lines("WARNING") if "no event" in line]
    assert len(remarks) == (attempts == "missing")
    waiting = sum(row.get("delivery_status") == "queued_pending" for row in rows_of(box, "jetemail"))
    assert all(f"({300 - waiting} records)" in line for line in remarks)


def test_a_remark_counts_a_row_that_two_windows_show_once(play: Play) -> None:
    options = {"attempts": "missing", "date_to_inclusive": True, "span_days": 0.04}
    box = play(vendors=["jetemail"], options={"jetemail": options})
    top = {"start_date": (NOW - timedelta(hours=1)).isoformat()}
    found = run(config_of(box, "jetemail", top=top, window_hours=10 / 3600, requests_per_minute=0), box=box)
    shown = sum(row["records"] for row in found.windows(STREAM))
    told = sum(PROVIDER.remark(STREAM, one) is not None for one in found.records[STREAM])
    (remark,) = [line for line in found.lines("WARNING") if "no event" in line]
    assert f"({told} records)" in remark
    assert told <= shown


# --- lives: read early, change, read again


def lives(chance: random.Random, count: int) -> list[Life]:
    """Draw lives that take every documented way."""
    found = []
    for _ in range(count):
        steps, state = [], ""
        while TRANSITIONS[state] and len(steps) < 6:
            state = chance.choice(TRANSITIONS[state])
            steps.append((timedelta(minutes=chance.choice([0, 1, 7, 60, 200])), state))
        found.append(Life(NOW + timedelta(minutes=chance.randrange(240)), tuple(steps)))
    return found


def tables(runs: Sequence[Run]) -> dict[str, Any]:
    return {stream: upserted(runs, stream) for stream in (STREAM, EVENTS)}


def killed(found: Run, chance: random.Random) -> Run:
    """Return a run as it is after a kill: up to some STATE, and a bit of what came after it."""
    place = chance.choice(found.states).place
    return Run(0, "", found.messages[: place + 1])


def with_tail(found: Run, cut: Run, chance: random.Random) -> Run:
    """Return what a target may have of a killed run: records behind the last STATE, too."""
    size = len(cut.messages)
    return Run(0, "", found.messages[: chance.randint(size, len(found.messages))])


@thorough
@both_pagings
@pytest.mark.parametrize("seed", range(3))
@every_unknown
def test_reading_while_rows_change_ends_as_reading_once(
    play: Play, options: dict[str, Any], seed: int, paging: str
) -> None:
    if (options["unit"] == "seconds") == options["date_to_inclusive"] and seed:
        pytest.skip("one seed will do")
    chance = random.Random(seed)
    played = lives(chance, 40)
    shown = {"receivers": chance.choice([1, 2]), "attempts": chance.choice(["shown", "missing"])}
    settings = {"page_size": 15, "paging": paging}

    def box_at(clock: Ticking) -> Sandbox:
        box = play(vendors=["jetemail"], size=0, now=clock.now, live=True, options={"jetemail": {**options, **shown}})
        box.vendor("jetemail").live(played)
        return box

    clock = Ticking()
    box = box_at(clock)
    runs: list[Run] = []
    state: dict[str, Any] = {}
    for hours in (0.5, 1, 1, 2, 5, 20, 40, 80):
        clock.pass_time(hours=hours)
        found = run(config_of(box, "jetemail", **settings), state=state, clock=clock)
        assert found.status == 0, found.stderr
        cut = killed(found, chance) if chance.random() < 0.5 and found.states else found
        state = cut.state
        runs.append(with_tail(found, cut, chance))
    runs.append(run(config_of(box, "jetemail", **settings), state=state, clock=clock))

    late_clock = Ticking(clock.now())
    late_box = box_at(late_clock)
    late = run(config_of(late_box, "jetemail", **settings), clock=late_clock)
    assert tables(runs) == tables([late])
    assert_rows(box, runs, "jetemail")
    (truth,) = box.vendor("jetemail").truth().values()
    assert event_counts(runs) == truth["email_events"]
    assert event_counts(runs)["queued"] >= 40


def test_a_life_is_the_same_whenever_it_is_looked_at(play: Play) -> None:
    played = lives(random.Random(9), 20)
    rows = []
    for hours in (48, 900):
        clock = Ticking()
        box = play(vendors=["jetemail"], size=0, now=clock.now, live=True)
        box.vendor("jetemail").live(played[:7])
        box.vendor("jetemail").live(played[7:])
        for _ in range(3):
            clock.pass_time(hours=hours)
            box.vendor("jetemail").rows()
        rows.append(box.vendor("jetemail").rows())
    assert rows[0] == rows[1]
    assert len(rows[0]) == 20


# --- filters

ALLOWED: dict[str, tuple[Any, Callable[[dict[str, Any]], bool]]] = {
    "id": ("00000003", lambda row: row["id"] == "00000003"),
    "from_address": ("billing@shop.example", lambda row: row["from_address"] == "billing@shop.example"),
    "transtype": ("api", lambda row: row["transtype"] == "api"),
    "rule_id": ("rule-7", lambda row: row["rule_id"] == "rule-7"),
    "subject": ("welcome", lambda row: "welcome" in row["subject"].lower()),
    "headerFrom": ("news@xn--mnchen-3ya.example", lambda row: "news@" in row["headerFrom"]),
    "action": ("BOUNCED_HARD", lambda row: any(a["action"] == "BOUNCED_HARD" for a in row["delivery_attempts"])),
    "ip": ("192.0.2.17", lambda row: any(a["ip"] == "192.0.2.17" for a in row["delivery_attempts"])),
    "protocol": ("smtp", lambda row: bool(row["delivery_attempts"])),
    "host": ("out3.jetemail.example", lambda row: any("out3." in a["host"] for a in row["delivery_attempts"])),
    "search": ("WELCOME", lambda row: "welcome" in row["subject"].lower()),
    "src": ("203.0.113.9", lambda _: True),
    "originhost": ("app-2", lambda _: False),
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox(size=300, now=NOW, vendors=["jetemail"]) as box:
        yield box


@pytest.mark.parametrize("name", list(ALLOWED))
def test_a_filter_is_sent_and_told(shared: Sandbox, name: str) -> None:
    value, keeps = ALLOWED[name]
    found = run(config_of(shared, "jetemail", filters={name: value}, page_size=40), box=shared)
    wanted = [expected("jetemail", row) for row in shared.vendor("jetemail").rows() if keeps(row)]
    assert_rows(shared, found, "jetemail", rows=wanted)
    assert {row["filter"] for row in found.windows(STREAM)} == {json.dumps({name: value})}


@pytest.mark.parametrize(("name", "share"), [("zone", 2), ("interface", 3), ("md5", 300)])
def test_a_filter_by_a_column_that_is_not_shown(shared: Sandbox, name: str, share: int) -> None:
    (log,) = shared.vendor("jetemail").logs.values()
    value = log.rows[0].hidden()[name]
    found = run(config_of(shared, "jetemail", filters={name: value}))
    assert len(found.records[STREAM]) == 300 // share


def test_several_filters_at_once_and_both_streams(shared: Sandbox) -> None:
    filters = {"transtype": "api", "from_address": "billing@shop.example"}
    found = run(config_of(shared, "jetemail", filters=filters), box=shared)
    wanted = {row["uid"] for row in shared.vendor("jetemail").rows() if filters.items() <= row.items()}
    assert uids(found) == wanted
    assert {event["provider_event_id"] for event in found.records[EVENTS]} == wanted
    assert all(request.query["transtype"] == ["api"] for request in found.requests)


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"action": "OPEN"}, "jetemail.filters.action must be one of ACCEPTED, REJECTED,"),
        ({"protocol": "SMTP"}, "jetemail.filters.protocol must be one of smtp, http, https"),
        ({"transtype": "ESMTP"}, "jetemail.filters.transtype must be one of smtp, http, api"),
        ({"uid": "a b"}, "jetemail.filters.uid has not the form"),
        ({"uid": "a" * 101}, "jetemail.filters.uid has not the form"),
        ({"ip": "300.1.1.1"}, "jetemail.filters.ip has not the form"),
        ({"ip": "::1"}, "jetemail.filters.ip has not the form"),
        ({"md5": "abc"}, "jetemail.filters.md5 has not the form"),
        ({"to_address": "somebody"}, "jetemail.filters.to_address must be an e-mail address"),
        ({"user": "somebody"}, "jetemail.filters.user must be an e-mail address"),
        ({"zone": "z" * 51}, "jetemail.filters.zone must be at most 50 characters long"),
        ({"search": "z" * 201}, "jetemail.filters.search must be at most 200 characters long"),
        ({"response": "z" * 501}, "jetemail.filters.response must be at most 500 characters long"),
        ({"subject": 5}, "jetemail.filters.subject must be text, not a whole number"),
        *(
            ({name: 5}, f"jetemail.filters.{name} is no setting of this tap")
            for name in ("date_from", "date_to", "from", "to", "limit", "page", "offset", "sort_by", "sort_order")
        ),
    ],
)
def test_a_filter_is_checked_as_the_page_says(filters: dict[str, Any], words: str) -> None:
    config = {"jetemail": {"api_key": "api_k", "filters": filters}}
    (found,) = mistakes(config, TapEmailLogs.config_jsonschema, PROVIDERS)
    assert found.startswith(words)


def test_every_filter_of_the_page_can_be_set() -> None:
    names = {prop.name for prop in PROVIDER.request_filters}
    assert names == FILTERS
    assert len(names) == 22

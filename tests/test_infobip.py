"""Infobip: the events of a row, and rows that change: read early and again is read once, late."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import LEDGER, NOW, STREAMS, config_of
from harness import Ticking, run
from outcome import Run, assert_rows, canonical, rows_of, upserted, window
from sandbox.base import Life
from sandbox.infobip.data import STEPS, TRANSITIONS
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.records import Normaliser
from tap_emaillogs.streams.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

STREAM, EVENTS = STREAMS["infobip"], "email_events"
(PROVIDER,) = (provider for provider in PROVIDERS if provider.name == "infobip")
both_versions = pytest.mark.parametrize("version", [1, 4])


def shown(**more: Any) -> dict[str, Any]:
    """Return the record of a row."""
    row = {
        "messageId": "m",
        "to": "a@b.example",
        "from": "s@shop.example",
        "bulkId": "bulk",
        "sentAt": "2026-03-01T00:00:00.000Z",
        "status": {"groupName": "PENDING", "name": "PENDING_ENROUTE"},
        **more,
    }
    return {**Normaliser(SCHEMAS.get_schema(STREAM), ("account",))(row), "account": "default"}


def events_of(**more: Any) -> list[dict[str, Any]]:
    return list(PROVIDER.events(STREAM, shown(**more)))


# --- events

NO_ERROR = {"groupId": 0, "groupName": "Ok", "id": 0, "name": "NO_ERROR", "description": "No Error", "permanent": False}
FULL = {"groupId": 2, "groupName": "USER_ERRORS", "id": 6010, "name": "EC_FULL", "description": "Full"}


@pytest.mark.parametrize("group", ["PENDING", "ACCEPTED", "pending"])
def test_a_waiting_mail_is_queued_and_nothing_more(group: str) -> None:
    (event,) = events_of(status={"groupName": group}, doneAt="2026-03-01T00:00:01.000Z")
    assert (event["event_type"], event["event_at"]) == ("queued", "2026-03-01T00:00:00.000Z")
    assert event["provider_event"] is None


def test_an_event_is_the_same_whatever_is_filled_in_later() -> None:
    one = events_of(status={"groupName": "UNDELIVERABLE"})
    two = events_of(
        status={"groupName": "UNDELIVERABLE", "id": 9, "name": "UNDELIVERABLE_NOT_DELIVERED", "description": "x"},
        error={**FULL, "permanent": True},
        doneAt="2026-03-01T00:00:09.000Z",
    )
    three = events_of(status={"groupName": "Undeliverable", "name": "ANOTHER", "description": "y"})
    assert [event["event_id"] for event in one] == [event["event_id"] for event in two]
    assert [event["event_id"] for event in one] == [event["event_id"] for event in three]
    assert one[0] == two[0] == three[0]
    assert [event["bounce_class"] for event in (one[1], two[1])] == ["undetermined", "hard"]
    assert two[1]["event_at"] == "2026-03-01T00:00:09.000Z"


@pytest.mark.parametrize(
    "error",
    [
        *[{**NO_ERROR, "groupName": name} for name in ("OK", "Ok", "ok", None)],
        {"groupName": "Ok"},
        {"groupName": "OK", "permanent": True},
        {"id": 0, "description": "No Error"},
        {"name": "no_error", "permanent": False},
        {"name": "NO_ERROR", "id": 7},
        {},
        None,
    ],
    ids=str,
)
def test_no_error_is_no_reason_and_no_class(error: Any) -> None:
    status = {"groupName": "REJECTED", "name": "REJECTED_CREDITS", "description": "Not enough credits"}
    rejected = events_of(status=status, error=error)[1]
    assert (rejected["event_type"], rejected["reject_reason"]) == ("rejected", "other")
    assert rejected["reason"] == "Not enough credits"
    bounced = events_of(status={"groupName": "UNDELIVERABLE", "name": "X"}, error=error)[1]
    assert (bounced["event_type"], bounced["bounce_class"]) == ("bounced", "undetermined")
    assert bounced["reason"] == "X"


@pytest.mark.parametrize(("permanent", "bounce"), [(True, "hard"), (False, "soft"), (None, "undetermined")])
@pytest.mark.parametrize("group", ["USER_ERRORS", "OK", None])
def test_an_error_tells_hard_from_soft_in_whatever_group(permanent: bool | None, bounce: str, group: str) -> None:
    """The vendor's own samples have an error of a number of its own in the group OK."""
    error = {**FULL, "groupName": group, "permanent": permanent}
    event = events_of(status={"groupName": "UNDELIVERABLE"}, error=error)[1]
    assert (event["bounce_class"], event["reason"]) == (bounce, "Full")


def test_the_campaign_is_the_customers_else_the_requests() -> None:
    assert {event["campaign"] for event in events_of(campaignReferenceId="c")} == {"c"}
    assert {event["campaign"] for event in events_of(campaignReferenceId="")} == {"bulk"}
    assert {event["campaign"] for event in events_of(bulkId=None)} == {None}


def test_what_no_document_foresees_leaves_both() -> None:
    """A group that no table has, or an end that is none: events once seen are facts."""
    strange, end = events_of(status={"groupName": "PAUSED"}), events_of(status={"groupName": "DELIVERED"})
    assert [event["event_type"] for event in strange] == ["queued", "unknown"]
    assert strange[1]["provider_event"] == "PAUSED"
    bounced = events_of(status={"groupName": "UNDELIVERABLE"})
    assert strange[0] == end[0] == bounced[0]
    assert len({event["event_id"] for event in (*strange, *end, *bounced)}) == 4


def test_events_of_a_row_without_its_key_name_no_recipient() -> None:
    for event in events_of(messageId="-", to="-", status={"groupName": "DELIVERED"}):
        assert event["message_id"] is event["recipient"] is event["recipient_domain"] is None
    assert PROVIDER.remark(STREAM, shown()) is None
    assert "messageId and to" in str(PROVIDER.remark(STREAM, shown(messageId="-", to="-")))


# --- lives: read early, changed, read again = read once, late


def paths(state: str = "", steps: int = 3) -> Iterator[tuple[str, ...]]:
    """Yield what can happen to a mail, in at most so many steps."""
    yield ()
    if steps:
        for following in TRANSITIONS.get(state, ()):
            yield from ((following, *rest) for rest in paths(following, steps - 1))


def lives(seed: int) -> list[Life]:
    """Return a mail for each way of a few steps, within six hours, each done at the latest 29 hours later."""
    dice = random.Random(seed)
    ways = [*paths(steps=2), *dice.sample([way for way in paths() if len(way) == 3], 60)]
    waits = [timedelta(0), timedelta(seconds=1), timedelta(minutes=40), timedelta(hours=3), timedelta(hours=9.5)]
    return [
        Life(
            NOW + timedelta(hours=6) * number / len(ways) + timedelta(milliseconds=dice.randrange(1000)),
            tuple((dice.choice(waits), step) for step in way),
        )
        for number, way in enumerate(ways)
    ]


def killed(found: Run, dice: random.Random) -> Run:
    """Return what is left of a run whose process was killed at some point."""
    return Run(1, "", found.messages[: dice.randrange(len(found.messages))], found.config)


def without(tables: Mapping[tuple[Any, ...], dict[str, Any]], *columns: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {key: {name: row[name] for name in row if name not in columns} for key, row in tables.items()}


def late_tables(play: Play, planned: list[Life], end: timedelta, version: int) -> dict[str, Any]:
    """Read the same lives once, when all is over, of a vendor that forgets nothing."""
    clock = Ticking()
    options = {"api_version": version, "history_hours": 500}
    box = play(size=0, now=clock.now, vendors=["infobip"], options={"infobip": options})
    box.live("infobip", planned)
    clock.pass_time(seconds=end.total_seconds())
    found = run(config_of(box, history_days=20), clock=clock)
    assert found.status == 0
    assert_rows(box, found, "infobip", version=version)
    events = Counter(event["event_type"] for event in found.records[EVENTS])
    assert events == box.truth()["vendors"]["infobip"]["default"]["email_events"]
    assert events["queued"] == len(planned) == len(upserted(found, STREAM))
    return {name: upserted(found, name) for name in (STREAM, EVENTS)}


@both_versions
@pytest.mark.parametrize("schedule", ["every three hours", "now and then", "often, and killed"])
def test_read_while_it_changes_is_read_once_late(play: Play, schedule: str, version: int) -> None:
    planned, dice = lives(seed=version), random.Random(schedule)
    clock = Ticking()
    options = {"api_version": version}
    box = play(size=0, now=clock.now, vendors=["infobip"], options={"infobip": options})
    box.live("infobip", planned)
    pauses = {"every three hours": [3.0], "now and then": [0.5, 11, 2, 7, 0.1, 9], "often, and killed": [1.0, 0.4]}
    runs: list[Run] = []
    state: dict[str, Any] = {}
    seen: set[tuple[Any, ...]] = set()
    for pause in itertools.cycle(pauses[schedule]):
        found = run(config_of(box, page_size=20), state=state, clock=clock)
        assert found.status == 0
        if "killed" in schedule and dice.random() < 0.4 and clock.now() < NOW + timedelta(hours=53):
            found = killed(found, dice)
        runs.append(found)
        state = found.state or state
        events = set(upserted(runs, EVENTS))
        assert seen <= events
        seen = events
        if clock.now() > NOW + timedelta(hours=54):
            break
        clock.pass_time(hours=pause)
    late = late_tables(play, planned, clock.now() - NOW, version)
    for name, table in late.items():
        assert upserted(runs, name) == table
    # Of the days before the first mail, a pause that nobody could foresee may have cost a second look.
    untrue = [row for row in upserted(runs, LEDGER).values() if row["status"] != "complete" and window(row).end > NOW]
    assert not untrue


def test_a_life_is_the_same_whatever_the_clock_did(play: Play) -> None:
    planned = lives(seed=3)
    rows = []
    for steps in ([60.0], [0.1, 20, 30, 9.9]):
        clock = Ticking()
        box = play(size=0, now=clock.now, vendors=["infobip"])
        box.live("infobip", planned[:50])
        box.live("infobip", planned[50:])
        for step in steps:
            clock.pass_time(hours=step)
            box.vendor("infobip").rows()
        rows.append(canonical(rows_of(box, "infobip")))
    assert rows[0] == rows[1]
    assert rows[0].total() == len(planned)


def test_every_transition_is_played() -> None:
    assert {step for following in TRANSITIONS.values() for step in following} == STEPS.keys()
    assert {STEPS[name].group[1] for name in STEPS} == set(PROVIDER.mappings[0].meanings)
    played = {pair for life in lives(seed=1) for pair in itertools.pairwise(["", *(step for _, step in life.steps)])}
    assert played == {(state, following) for state in TRANSITIONS for following in TRANSITIONS[state]}

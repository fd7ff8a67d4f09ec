"""Infobip: what its documents leave open, both ways; rows that change; filters; the edge of its 48 hours."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from harness import (
    LEDGER,
    NOW,
    STREAMS,
    Run,
    Ticking,
    asked,
    assert_rows,
    assert_tiles,
    beginning,
    canonical,
    config_of,
    limit,
    rows_of,
    run,
    upserted,
    window,
)
from sandbox.base import Life
from sandbox.infobip_data import STEPS, TRANSITIONS
from tap_emaillogs import addresses, timestamps
from tap_emaillogs.checks import mistakes
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.records import Normaliser
from tap_emaillogs.stream import SCHEMAS
from tap_emaillogs.tap import TapEmailLogs

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


# --- filters

CONFIG = {"base_url": "https://x.api.infobip.com", "api_key": "0123456789"}
FILTERS = {
    1: "messageId from to bulkId campaignReferenceId generalStatus applicationId entityId",
    4: "messageId sender destination bulkId campaignReferenceId generalStatus applicationId entityId",
}


def wrong(**settings: Any) -> list[str]:
    schema = TapEmailLogs.config_jsonschema
    return mistakes({"infobip": {**CONFIG, **settings}}, schema, PROVIDERS)


@both_versions
def test_all_filters_of_a_version_are_settings(version: int) -> None:
    given = dict.fromkeys(FILTERS[version].split(), "DELIVERED")
    assert wrong(api_version=version, filters=given) == []
    other = {name: "x" for name in FILTERS[5 - version].split() if name not in given}
    assert len(other) == 2
    for sentence, name in zip(wrong(api_version=version, filters=other), other, strict=True):
        assert sentence.startswith(f"infobip.filters.{name} is no filter of api_version {version}, which calls it ")


def test_other_filters_are_mistakes() -> None:
    assert wrong(filters={"messageid": "x"}) == [
        "infobip.filters.messageid is no setting of this tap; did you mean messageId?"
    ]
    assert wrong(filters={"sentSince": "2026-01-01"})[0].startswith("infobip.filters.sentSince is no setting")
    assert wrong(filters={"to": 5}) == ["infobip.filters.to must be text, not a whole number"]
    assert wrong(filters={"to": " "}) == ["infobip.filters.to is empty: leave it out"]
    assert wrong(filters={"bulkId": "x" * 2049})
    assert wrong(filters={"generalStatus": "ON_ITS_WAY"}) == []
    assert wrong(api_version=4, filters={"generalStatus": "delivered"})[0].startswith(
        "infobip.filters.generalStatus must be one of ACCEPTED, PENDING, UNDELIVERABLE, "
    )


def test_an_account_of_another_version_has_other_filters() -> None:
    accounts = [{"account": "one"}, {"account": "four", "api_version": 4}]
    assert wrong(accounts=accounts, filters={"from": "a@b.example"}) == [
        "infobip.accounts[1].filters.from is no filter of api_version 4, which calls it sender"
    ]


def filter_values(box: Sandbox, version: int) -> Iterator[tuple[str, str]]:
    """Yield filters, each with a value of a row."""
    for name in FILTERS[version].split():
        column = "groupName" if name == "generalStatus" else name
        rows = [row | row["status"] | (row.get("platform") or {}) for row in box.vendor("infobip").rows(stream="4")]
        old = {"from": "sender", "to": "destination"}
        yield name, next(value for row in rows if (value := row[old.get(column, column)]) is not None)


@both_versions
def test_a_filter_is_sent_with_every_request_and_told(play: Play, version: int) -> None:
    box = play(vendors=["infobip"], options={"infobip": {"api_version": version, "burst": {"count": 90}}})
    everything = canonical(rows_of(box, "infobip"))
    for name, value in filter_values(box, version):
        filters = {name: value}
        found = run(config_of(box, page_size=10, filters=filters), box=box)
        assert found.status == 0, found.stderr
        assert found.requests
        assert all(request.query[name] == [value] for request in found.requests)
        rows = upserted(found, STREAM)
        assert 0 < len(rows) < everything.total()
        assert {row["filter"] for row in found.windows(STREAM)} == {json.dumps(filters)}
        assert {row["status"] for row in found.windows(STREAM)} == {"complete"}
        events = Counter(event["event_type"] for event in found.records[EVENTS])
        assert events["queued"] == len(rows)


def test_version_4_keeps_filters_while_paging_and_takes_lists(play: Play) -> None:
    box = play(vendors=["infobip"], options={"infobip": {"api_version": 4}})
    rows = rows_of(box, "infobip")
    some = [row["messageId"] for row in rows[50:80]]
    found = run(config_of(box, page_size=10, filters={"messageId": ",".join(some)}), box=box)
    assert_rows(box, found, "infobip", rows=[row for row in rows if row["messageId"] in some])
    assert sum("cursor" in request.query for request in found.requests) >= 2
    assert all(request.query["messageId"] == [",".join(some)] for request in found.requests)


def test_the_sandbox_refuses_other_filters(play: Play) -> None:
    box = play(vendors=["infobip"], options={"infobip": {"api_version": 4}})
    config = config_of(box)
    config["infobip"]["filters"] = {"generalStatus": "DELIVERED"}
    assert run(config).status == 0
    vendor = box.vendor("infobip")
    for version, name, value in ((4, "to", "x"), (1, "sender", "x"), (4, "generalStatus", "x"), (1, "subject", "x")):
        request = type("", (), {"query": {name: [value]}, "path": f"/email/{version}/logs"})
        with pytest.raises(Exception, match="400"):
            vendor._parameters(request, __import__("sandbox.infobip_search", fromlist=[""]).__dict__[f"V{version}"])


def test_a_filter_that_names_a_recipient_is_hidden_in_the_ledger(play: Play) -> None:
    box = play(vendors=["infobip"])
    address = rows_of(box, "infobip")[0]["to"]
    privacy = {"recipient": "hash", "salt": "0123456789abcdef"}
    found = run(config_of(box, filters={"to": address}, top={"privacy": privacy}))
    (filters,) = {row["filter"] for row in found.windows(STREAM)}
    (hashed,) = {record["to"] for record in found.records[STREAM]}
    assert json.loads(filters) == {"to": hashed}
    assert address not in json.dumps(found.messages, ensure_ascii=False)


# --- what no document says: bounds, order, offsets, cursors, the edge of the history

BOUNDS = list(itertools.product((True, False), (True, False)))
ORDERS = ("newest", "oldest", "changed", "shuffled")


@pytest.mark.parametrize("older", ["less", "refuse"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bounds", BOUNDS, ids=["both", "lower", "upper", "neither"])
@pytest.mark.parametrize("kind", ["1", "4 snapshot", "4 offset", "4 ignored"])
def test_every_answer_to_what_is_unknown(
    play: Play, kind: str, bounds: tuple[bool, bool], order: str, older: str
) -> None:
    version, _, cursor = kind.partition(" ")
    zone = ("Z", "+0000", "+00:00", "-03:30")[ORDERS.index(order)]
    options = {
        "api_version": int(version),
        "lower_inclusive": bounds[0],
        "upper_inclusive": bounds[1],
        "order": order,
        "offset": zone,
        "older": older,
        "cursor": cursor or "snapshot",
        "burst": [{"count": 60}, {"count": 12, "same_ms": True, "second": (NOW - timedelta(hours=9)).isoformat()}],
    }
    box = play(vendors=["infobip"], size=260, options={"infobip": options})
    found = run(config_of(box, page_size=30, window_hours=30), box=box)
    assert found.status == 0, found.stderr
    assert_rows(box, found, "infobip")
    assert len(found.records[STREAM]) == 260, "none twice"
    rows = found.windows(STREAM)
    assert {row["status"] for row in rows} == {"complete"}
    assert_tiles(rows, beginning("infobip"), limit("infobip"))
    assert sum(row["requests"] for row in rows) == asked(found, "infobip")


@both_versions
@pytest.mark.parametrize("zone", ["Z", "+0000", "+00:00", "+05:45", "-0330"])
def test_times_of_any_zone_are_the_same_rows_and_events(play: Play, zone: str, version: int) -> None:
    plain = run(config_of(play(vendors=["infobip"], options={"infobip": {"api_version": version}})))
    box = play(vendors=["infobip"], options={"infobip": {"api_version": version, "offset": zone}})
    found = run(config_of(box))
    for name in (STREAM, EVENTS):
        assert canonical(found.records[name]) == canonical(plain.records[name])


def keys_of(rows: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(row["messageId"], row["to"]) for row in rows}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("what", ["late", "change"])
def test_rows_that_come_and_change_while_a_cursor_pages(play: Play, order: str, what: str) -> None:
    """A cursor that only says how many rows to skip: what moves between two pages must hide no row."""
    options = {"api_version": 4, "cursor": "offset", "order": order}
    box = play(vendors=["infobip"], size=200, options={"infobip": options})
    box.late("infobip", count=40, minutes_ago=5)  # pending
    there = keys_of(rows_of(box, "infobip"))
    box.fault(vendor="infobip", kind=what, count=3, minutes_ago=4, after=1, times=5)
    found = run(config_of(box, page_size=25), box=box)
    assert box.faults.listed()[0]["struck"] == 5
    assert there <= {key[1:] for key in upserted(found, STREAM)}
    assert len(found.records[STREAM]) == len(keys_of(found.records[STREAM])), "each mail once"


@pytest.mark.parametrize("order", ORDERS)
def test_rows_that_leave_a_filter_while_a_cursor_pages(play: Play, order: str) -> None:
    options = {"api_version": 4, "cursor": "offset", "order": order}
    box = play(vendors=["infobip"], size=0, options={"infobip": options})
    box.late("infobip", count=300, minutes_ago=5)  # pending
    box.fault(vendor="infobip", kind="change", count=7, minutes_ago=4, after=1, times=3)
    found = run(config_of(box, page_size=25, filters={"generalStatus": "PENDING"}), box=box)
    left = keys_of([row for row in rows_of(box, "infobip") if row["status"]["groupName"] == "PENDING"])
    assert len(left) == 279
    assert left <= {key[1:] for key in upserted(found, STREAM)}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("older", ["less", "refuse"])
def test_rows_that_leave_the_history_while_a_cursor_pages(play: Play, order: str, older: str) -> None:
    clock = Ticking()
    options = {"api_version": 4, "cursor": "offset", "order": order, "older": older, "span_hours": 48.1}
    box = play(vendors=["infobip"], size=1000, now=clock.now, live=False, options={"infobip": options})
    vendor = box.vendor("infobip")
    handle = vendor.handle

    def slow(request: Any) -> Any:
        clock.pass_time(seconds=4)
        return handle(request)

    vendor.handle = slow
    found = run(config_of(box, page_size=50), box=box, clock=clock)
    assert found.status == 0, found.stderr
    edge = timestamps.millis(clock.now() - timedelta(hours=48) + timedelta(minutes=older == "refuse"))
    kept = keys_of([row for row in rows_of(box, "infobip") if row["sentAt"] > edge])
    assert len(kept) > 900
    assert kept <= {key[1:] for key in upserted(found, STREAM)}
    assert asked(found, "infobip") < 120
    assert_tiles(found.windows(STREAM), beginning("infobip"), limit("infobip"))
    for row in found.windows(STREAM):  # what left before its turn came is told, but for a minute
        assert row["status"] == "complete" or row["window_end"] <= edge


# --- the edge of the history


@both_versions
@pytest.mark.parametrize("ahead", [0, 0.2, 7, 45])
def test_a_vendor_that_refuses_to_look_beyond_its_history(play: Play, version: int, ahead: float) -> None:
    """It refuses by its own clock, which may be ahead, and time passes between planning and asking."""
    clock = Ticking()
    options = {"api_version": version, "older": "refuse"}
    box = play(
        vendors=["infobip"],
        now=lambda: clock.now() + timedelta(seconds=ahead),
        live=False,
        options={"infobip": options},
    )
    state: dict[str, Any] = {}
    runs = []
    for _ in range(3):
        found = run({**config_of(box, page_size=40), "on_gap": "fail"}, state=state, clock=clock, box=box)
        assert found.status == 0, found.stderr
        assert {row["status"] for row in found.windows(STREAM)} == {"complete"}
        refused = [request for request in found.requests if request.status == 400]
        assert len(refused) <= 3
        assert any(request.status == 200 for request in found.requests)
        runs.append(found)
        state = found.state
        clock.pass_time(hours=20)
    assert_rows(box, runs[0], "infobip")


@pytest.mark.parametrize("older", ["less", "refuse"])
def test_what_leaves_the_history_before_it_is_asked_for_is_told(play: Play, older: str) -> None:
    """A slow run: the bookmark is 47.9 hours old, the first windows cost minutes, a later one is past the history."""
    clock = Ticking()
    box = play(vendors=["infobip"], now=clock.now, live=False, size=400, options={"infobip": {"older": older}})
    config = {**config_of(box, window_hours=0.05, max_concurrency=1, revisit_minutes=[], lookback_minutes=0)}
    early = {**config, "end_date": (NOW - timedelta(hours=47.9)).isoformat()}
    first = run(early, clock=clock)
    assert first.status == 0
    box.fault(vendor="infobip", kind="status", status=429, retry_after=600, times=1)
    later = {**config, "infobip": {**config["infobip"], "window_hours": 0.2}}
    found = run({**later, "on_gap": "fail"}, state=first.state, clock=clock, box=box)
    assert found.status == 1, "a gap"
    rows = found.windows(STREAM)
    told = [row for row in rows if row["status"] == "truncated"]
    assert told
    assert all("older than the vendor keeps" in row["gap_reason"] for row in told)
    assert all(window(row).end <= NOW - timedelta(hours=47.7) for row in told)
    assert_tiles(rows, NOW - timedelta(hours=47.9), limit("infobip"))
    kept = clock.now() - timedelta(hours=48)
    assert not [row for row in rows if row["status"] == "complete" and window(row).end <= kept and row["records"]]
    # What cannot be read any more is not asked for again, and not remembered for ever.
    clock.pass_time(hours=1)
    again = run({**later, "on_gap": "fail"}, state=found.state, clock=clock, box=box)
    assert again.status == 0
    assert not [row for row in again.windows(STREAM) if row["status"] != "complete"]
    assert "incomplete" not in json.dumps(again.state)


def test_another_refusal_at_the_edge_fails_at_once(play: Play) -> None:
    box = play(vendors=["infobip"])
    error = {"requestError": {"serviceException": {"messageId": "BAD_REQUEST", "text": "Unknown application"}}}
    box.fault(vendor="infobip", kind="status", status=400, body=error, times=-1)
    found = run(config_of(box), box=box)
    assert found.status == 1
    assert asked(found, "infobip") == 1
    box.clear_faults()
    error["requestError"]["serviceException"]["text"] = "Date range not allowed"
    box.fault(vendor="infobip", kind="status", status=400, body=error, times=-1)
    found = run(config_of(box), box=box)
    assert found.status == 1
    assert asked(found, "infobip") == 4
    assert "Date range not allowed" in found.stderr


# --- rows without a part of their key, or without a date


@both_versions
@pytest.mark.parametrize("column", ["to", "messageId"])
@pytest.mark.parametrize("mode", ["keep", "hash", "domain", "drop"])
def test_rows_without_a_part_of_their_key(play: Play, column: str, version: int, mode: str) -> None:
    options = {"api_version": version, "lacks": {"column": column, "every": 60}}
    box = play(vendors=["infobip"], options={"infobip": options})
    privacy = {"recipient": mode} | ({} if mode == "keep" else {"salt": "0123456789abcdef"})
    found = run(config_of(box, page_size=50, top={"privacy": privacy}))
    assert found.status == 0
    rows = rows_of(box, "infobip")
    lacking = [row for row in rows if row.get(column) is None]
    assert len(lacking) == 5
    records = upserted(found, STREAM)
    assert len(records) == len(rows)
    assert sum(record[column] == "-" for record in records.values()) == 5
    if mode != "keep" and column == "to":
        assert not [record for record in records.values() if "@" in record["to"]]
    events = upserted(found, EVENTS).values()
    assert sum(event["event_type"] == "queued" for event in events) == len(rows)
    (warning,) = [line for line in found.lines("WARNING") if "primary key" in line]
    assert f"without {column}," in warning
    assert "(5 records)" in warning


def test_a_recipient_has_one_hash_however_its_domain_is_written(play: Play) -> None:
    box = play(vendors=["infobip"])
    address = "Ann@Bücher.Example"
    (log,) = box.vendor("infobip").logs.values()
    for mail, one in zip(log.mails[:2], (address, "ann@xn--bcher-kva.example"), strict=True):
        mail.person = mail.person._replace(address=one)
    privacy = {"recipient": "hash", "salt": "0123456789abcdef"}
    found = run(config_of(box, top={"privacy": privacy}))
    ids = {mail.id for mail in log.mails[:2]}
    hashes = {record["to"] for record in found.records[STREAM] if record["messageId"] in ids}
    assert len(hashes) == 1
    assert addresses.domain(address) == "xn--bcher-kva.example"


@both_versions
def test_ends_without_a_date_are_dated_when_they_were_sent(play: Play, version: int) -> None:
    clock = Ticking()
    options = {"api_version": version}
    box = play(size=0, now=clock.now, vendors=["infobip"], options={"infobip": options})
    box.live("infobip", [Life(NOW, ((timedelta(minutes=1), "UNDELIVERABLE"),))])
    clock.pass_time(hours=1)
    found = run(config_of(box), clock=clock)
    (record,) = found.records[STREAM]
    assert record["doneAt"] is None
    assert [event["event_at"] for event in found.records[EVENTS]] == ["2026-03-01T12:00:00.000Z"] * 2


@both_versions
def test_rows_of_the_other_version_are_understood(play: Play, version: int) -> None:
    """An account that answers in the other version's words loses neither recipient nor sender."""
    box = play(vendors=["infobip"], options={"infobip": {"api_version": version}})
    want = upserted(run(config_of(box)), STREAM)
    vendor = box.vendor("infobip")
    show = vendor._shown
    vendor._shown = lambda log, mails, _version: show(log, mails, 5 - version)
    assert upserted(run(config_of(box)), STREAM).keys() == want.keys()

"""Messangi's law: read early, change, read again equals read once, late; a row may be a mail or an event."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from general import NOW, config_of
from harness import Ticking, catalog, run
from messangi_checks import EVENTS, LOGS, REPORTS, assert_whole, counted, rebuilt, started
from messangi_edges import onto_edges
from outcome import Run, upserted
from sandbox.base import Life
from sandbox.messangi.log import TRANSITIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

SHAPES, DATES = ("mail", "event"), ("date", "statusDate")
ROWS = pytest.mark.parametrize("rows", SHAPES)
FILTER = pytest.mark.parametrize("filter_by", DATES)
MINUTE = timedelta(minutes=1)


def lives(count: int, seed: int, hours: float = 4) -> list[Life]:
    """Walk through the transitions from moments around `NOW`; the first lives take every transition there is."""
    chance = random.Random(seed)
    wanted = [(before, after) for before, following in TRANSITIONS.items() for after in following]
    found = []
    for number in range(max(count, len(wanted))):
        path = [""]
        if number < len(wanted):
            path = way_to(wanted[number][0])
            path.append(wanted[number][1])
        while following := TRANSITIONS.get(path[-1]):
            if len(path) > 5 or chance.random() < 0.3:
                break
            path.append(chance.choice(following))
        at = NOW - timedelta(hours=hours / 2) + chance.random() * timedelta(hours=hours)
        steps = tuple((timedelta(milliseconds=chance.choice((0, 1, 999, 700_000, 3_000_000))), one) for one in path[1:])
        found.append(Life(at.replace(microsecond=at.microsecond // 1000 * 1000), steps))
    return found


def way_to(status: str) -> list[str]:
    """Return a path from "" to a status."""
    paths = [[""]]
    while paths[0][-1] != status:
        path = paths.pop(0)
        paths += [[*path, one] for one in TRANSITIONS.get(path[-1], ()) if one not in path]
    return paths[0]


class World:
    """One sandbox whose mails live by a clock, and a tap that reads it again and again."""

    def __init__(
        self, play: Callable[..., Sandbox], planned: Sequence[Life], folder: Path | None, **options: Any
    ) -> None:
        self.clock = Ticking()
        if folder is not None:
            folder.mkdir()
            options["directory"] = str(folder)
        self.box = play(size=0, now=self.clock.now, live=True, vendors=["messangi"], options={"messangi": options})
        self.box.live("messangi", planned)
        self.stream = LOGS if folder is None else REPORTS
        self.config = config_of(self.box, lookback_minutes=60 * 24, start_date=(NOW - timedelta(hours=8)).isoformat())
        if folder is not None:
            asked = {"emails": ["reports@example.com"], "from": "billing@shop.example", "directory": str(folder)}
            self.config["messangi"]["report"] = asked
        self.shown: set[tuple[str, str, str]] = set()
        """What any reading could see: (id, status, its date)."""

    def read(self, state: dict[str, Any] | None = None, **settings: Any) -> Run:
        config = {**self.config, "messangi": {**self.config["messangi"], **settings}}
        self.shown |= {(row["id"], row["status"], row["statusDate"]) for row in self.box.vendor("messangi").rows()}
        select = catalog(config, [self.stream, EVENTS, "sync_windows"])
        found = run(config, state=state, catalog=select, clock=self.clock, box=self.box)
        assert found.status == 0, found.stderr
        return found


def killed(found: Run, chance: random.Random) -> Run:
    """Return what a target got of a run that was killed somewhere."""
    return Run(-9, "", found.messages[: chance.randrange(len(found.messages) + 1)], found.config)


def early_and_late(play: Callable[..., Sandbox], folder: Path | None, seed: int, **options: Any) -> tuple[Any, ...]:
    """Read the same lives many times on the way, some runs killed, and once at the end."""
    chance = random.Random(f"{seed} reads")
    planned = lives(40, seed)
    early = World(play, planned, folder and folder / "early", **options)
    runs: list[Run] = []
    state = None
    for _ in range(6):
        found = early.read(state, window_hours=chance.choice((1, 3, 24)), page_size=chance.choice((7, 50, 1000)))
        if chance.random() < 0.4:
            found = killed(found, chance)
        runs.append(found)
        state = found.state or state
        early.clock.pass_time(minutes=chance.choice((3, 20, 60)))
    early.clock.pass_time(hours=9)
    runs.append(early.read(state))  # may take up a report that a killed run asked for, as things were then
    runs.append(early.read(runs[-1].state))
    late = World(play, planned, folder and folder / "late", **options)
    late.clock.pass_time(seconds=(early.clock.now() - late.clock.now()).total_seconds())
    return early, runs, late.read()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("stream", [LOGS, REPORTS])
@pytest.mark.parametrize("options", [{"rows": rows, "filter_by": by} for rows in SHAPES for by in DATES], ids=str)
def test_read_early_and_again_is_read_once_late(
    play: Callable[..., Sandbox], tmp_path: Path, options: dict[str, str], stream: str, seed: int
) -> None:
    early, runs, late = early_and_late(play, tmp_path if stream == REPORTS else None, seed, **options)
    if options == {"rows": "event", "filter_by": "statusDate"}:
        runs = runs[-1:]  # windows of other runs numbered the same rows otherwise: see docs/providers/messangi.md
    assert upserted(runs, stream) == upserted(late, stream)
    assert len(late.records[stream]) == len(early.box.vendor("messangi").rows())
    have, want = upserted(runs, EVENTS), upserted(late, EVENTS)
    assert {key: have[key] for key in want} == want
    assert Counter(event["event_type"] for event in want.values()) == early.box.truth()["email_events"]
    over = [have[key] for key in have.keys() - want.keys()]
    facts = {(event["message_id"], event["provider_event"], event["event_at"]) for event in over}
    assert len(facts) == len(over)
    assert facts <= early.shown
    assert "queued" not in {event["event_type"] for event in over}
    if options["rows"] == "event":
        assert not over


def test_every_transition_is_lived() -> None:
    taken = {pair for life in lives(0, 1) for pair in pairwise(["", *(status for _, status in life.steps)])}
    assert taken >= {(before, after) for before, following in TRANSITIONS.items() for after in following}


def test_a_transition_that_is_none_is_refused(play: Callable[..., Sandbox]) -> None:
    box = started(play, 0)
    with pytest.raises(ValueError, match="SENT cannot follow OPEN"):
        box.live("messangi", [Life(NOW, tuple((MINUTE, one) for one in ("SENT", "OPEN", "SENT")))])


def test_rows_that_changed_leave_no_ghost(play: Callable[..., Sandbox]) -> None:
    box, clock = started(play, 300), Ticking()
    config = config_of(box, lookback_minutes=60 * 24 * 31)
    first = run(config, clock=clock, box=box)
    assert box.change("messangi", count=100, minutes_ago=20) == 100
    clock.pass_time(minutes=10)
    again = run(config, clock=clock, box=box, state=first.state)
    late = run(config, clock=clock, box=box)
    assert upserted([first, again], LOGS) == upserted(late, LOGS)
    have, want = upserted([first, again], EVENTS), upserted(late, EVENTS)
    assert Counter(have[key]["event_type"] for key in have.keys() - want.keys()) == {"sent": 93}  # facts
    assert Counter(event["event_type"] for event in have.values())["queued"] == 300


def test_a_row_without_a_reference_is_identified_by_all_that_it_holds(play: Callable[..., Sandbox]) -> None:
    box, clock = started(play, 50, hide_fields=("id",)), Ticking()
    config = config_of(box, lookback_minutes=60 * 24 * 31)
    first = run(config, clock=clock, box=box)
    assert_whole(box, first)
    box.change("messangi", count=3, minutes_ago=20)
    clock.pass_time(minutes=10)
    again = run(config, clock=clock, box=box, state=first.state)
    assert_whole(box, again)
    assert len(upserted([first, again], LOGS)) == 53  # as documented: nothing tells that these are the same mails


def test_the_reference_is_a_setting(play: Callable[..., Sandbox]) -> None:
    box, clock = started(play, 100, rows="event"), Ticking()
    rows = box.vendor("messangi").rows()
    keys = {}
    for names in (["campaignName"], ["Campaign Name", "id"], ["nothing", "id"]):
        found = run(config_of(box, reference={LOGS: names}), clock=clock, box=box)
        assert counted(map(rebuilt, found.records[LOGS])) == counted(rows)
        assert len(upserted(found, LOGS)) == len(rows)
        keys[names[0]] = {record["record_id"] for record in found.records[LOGS]}
        of = Counter(event["event_type"] for event in found.records[EVENTS])["queued"]
        mails = {(row[names[-1] if "id" in names[:2] else "id"], row["recipient"], row["date"]) for row in rows}
        by_campaign = {(row["campaignName"], row["recipient"], row["date"]) for row in rows}
        assert of == (len(mails) if names[0] == "nothing" else len(by_campaign))
    assert keys["campaignName"] == keys["Campaign Name"] != keys["nothing"]


@ROWS
@FILTER
@pytest.mark.parametrize("bounds", ["[)", "[]", "(]", "()"])
def test_rows_at_the_edge_of_windows(play: Callable[..., Sandbox], rows: str, filter_by: str, bounds: str) -> None:
    box = started(play, 200, bounds=bounds, rows=rows, filter_by=filter_by)
    (log,) = box.vendor("messangi").logs.values()
    start, day = datetime(2026, 1, 30, tzinfo=UTC), timedelta(days=1)
    onto_edges(log, start, day, last=29)
    for message in log._messages:  # statuses come at once, so that they lie at edges, too
        at = message.at_ms
        message.steps = [(at + place % 3, status) for place, (_, status) in enumerate(message.steps)]
    config = config_of(box, start_date=start.isoformat(), window_hours=24, top={"end_date": "2026-03-01T00:00:00Z"})
    found = run(config, box=box)
    assert found.status == 0
    events = upserted(found, EVENTS).values()
    assert Counter(event["event_type"] for event in events) == box.truth()["email_events"]
    if (rows, filter_by) == ("event", "statusDate"):
        # Two windows show parts of one mail under the same keys: see docs/providers/messangi.md.
        assert set(counted(map(rebuilt, upserted(found, LOGS).values()))) <= set(counted(box.vendor("messangi").rows()))
        return
    assert counted(map(rebuilt, upserted(found, LOGS).values())) == counted(box.vendor("messangi").rows())


def test_a_vendor_that_filters_events_by_their_own_date_invents_nothing(play: Callable[..., Sandbox]) -> None:
    """The identity holds the mail's date, so windows that show different events of a mail share its keys."""
    world = World(play, lives(60, 7), None, rows="event", filter_by="statusDate")
    world.clock.pass_time(hours=9)
    found = world.read(window_hours=1)
    rows = counted(world.box.vendor("messangi").rows())
    assert counted(map(rebuilt, found.records[LOGS])) == rows  # all are written ...
    raw = counted(map(rebuilt, upserted(found, LOGS).values()))
    assert raw < rows  # ... and the raw table keeps the ones written last
    assert len({row["id"] for row in world.box.vendor("messangi").rows()}) == len(
        {record["id"] for record in upserted(found, LOGS).values()}
    )
    events = Counter(event["event_type"] for event in upserted(found, EVENTS).values())
    assert events == world.box.truth()["email_events"]


def test_the_zone_of_a_report_changes_no_key(play: Callable[..., Sandbox], tmp_path: Path) -> None:
    planned = lives(30, 3)
    tables = []
    for zone in ("GMT", "GMT-5", "GMT+05:30"):
        world = World(play, planned, tmp_path / zone.replace(":", ""))
        world.config["messangi"]["report"]["timezone"] = zone
        world.clock.pass_time(hours=9)
        found = world.read()
        assert set(found.records) >= {REPORTS, EVENTS}
        tables.append((upserted(found, REPORTS).keys(), upserted(found, EVENTS)))
    json_world = World(play, planned, None)
    json_world.clock.pass_time(hours=9)
    events = {key: dict(event, stream=REPORTS) for key, event in upserted(json_world.read(), EVENTS).items()}
    assert tables[0][0] == tables[1][0] == tables[2][0]
    assert tables[0][1] == tables[1][1] == tables[2][1] == events  # both streams hold the same events


def test_rows_shift_while_paging(play: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> None:
    """A late row moves all pages by one: the row at the boundary comes twice and is no second mail."""
    box = started(play, 200)
    vendor = box.vendor("messangi")
    handle, late = vendor.handle, iter((0, 3, 0, 3))

    def shifting(request: Any) -> Any:
        answer = handle(request)
        vendor.late(next(late, 0), minutes_ago=30)
        return answer

    monkeypatch.setattr(vendor, "handle", shifting)
    found = run(config_of(box, page_size=30), box=box)
    assert_whole(box, found)
    assert next(late, None) is None

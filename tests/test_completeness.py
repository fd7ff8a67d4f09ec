"""Silent cuts, edges, late rows: whatever a vendor does within its documents, the rows are all there, once."""

from __future__ import annotations

import itertools
import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import LEDGER, NOW, STREAMS, asked, beginning, config_of, facts, limit, options_of, stream_of
from harness import Ticking, read, run
from outcome import Run, assert_rows, assert_tiles, canonical, restored, rows_of, uncovered, upserted, window
from tap_emaillogs.formats.timestamps import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

pytestmark = pytest.mark.thorough

SMTP2GO, JETEMAIL, INFOBIP = STREAMS["smtp2go"], STREAMS["jetemail"], STREAMS["infobip"]


def two_days(box: Sandbox, vendor: str, **settings: Any) -> dict[str, Any]:
    return config_of(box, vendor, top={"start_date": (NOW - timedelta(days=2)).isoformat()}, **settings)


# --- SMTP2GO: fewer rows than the total


@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
def test_smtp2go_rows_that_long_windows_lose_are_found_in_short_ones(play: Play, order: str) -> None:
    options = {"span_days": 1.9, "order": order, "drop": {"longer_than": 4 * 3600, "every": 7}}
    box = play(vendors=["smtp2go"], options={"smtp2go": options})
    found = run(two_days(box, "smtp2go", page_size=40), box=box)
    assert found.status == 0
    assert_rows(box, found, "smtp2go")
    rows = found.windows(SMTP2GO)
    assert {row["status"] for row in rows} == {"complete"}
    assert all(row["records"] == row["reported_total"] for row in rows)
    assert max(row["splits"] for row in rows) > 2
    assert_tiles(rows, NOW - timedelta(days=2), limit("smtp2go"))
    assert sum(row["requests"] for row in rows) == asked(found, "smtp2go")


@pytest.mark.parametrize("on_gap", ["warn", "fail"])
def test_smtp2go_rows_that_no_window_shows_are_told(play: Play, on_gap: str) -> None:
    options = {"span_days": 1.9, "drop": {"longer_than": 0, "every": 30}}
    box = play(vendors=["smtp2go"], size=60, options={"smtp2go": options})
    config = two_days(box, "smtp2go", lookback_minutes=0, revisit_minutes=[4320]) | {"on_gap": on_gap}
    found = run(config, box=box)
    assert found.status == (1 if on_gap == "fail" else 0)
    cut = [row for row in found.windows(SMTP2GO) if row["status"] == "truncated"]
    assert cut
    missing = canonical(rows_of(box, "smtp2go")) - canonical(map(restored, found.records[SMTP2GO]))
    assert missing
    assert sum(row["reported_total"] - row["records"] for row in cut) == missing.total()
    for row in cut:
        assert window(row).length == timedelta(seconds=1)
        assert row["gap_reason"]
    assert len(found.lines("WARNING")) >= len(cut)
    assert_tiles(found.windows(SMTP2GO), NOW - timedelta(days=2), limit("smtp2go"))
    # The bookmark goes on, STATE remembers, and a complete reading later is told under the same id.
    assert parse(str(found.bookmark(SMTP2GO))) == limit("smtp2go")
    box.vendor("smtp2go").logs[next(iter(box.vendor("smtp2go").logs))].account.options["drop"] = None
    clock = Ticking(NOW + timedelta(days=6))
    again = run(config, state=found.state, box=box, clock=clock)
    assert_rows(box, [found, again], "smtp2go")
    told = {row["status"] for row in upserted([found, again], LEDGER).values()}
    assert told == {"complete"}


@pytest.mark.parametrize("wrong", [-2, 3])
def test_smtp2go_total_that_is_wrong_costs_no_row_and_few_requests(play: Play, wrong: int) -> None:
    box = play(vendors=["smtp2go"], options={"smtp2go": {"span_days": 1.9, "wrong_total": wrong}})
    found = run(two_days(box, "smtp2go", page_size=100), box=box)
    assert_rows(box, found, "smtp2go")
    told = {row["status"] for row in found.windows(SMTP2GO)}
    assert told == {"complete"} if wrong < 0 else "truncated" in told
    assert found.lines("WARNING")
    assert asked(found, "smtp2go") < 500


def test_smtp2go_twins_stay_apart(play: Play) -> None:
    """Identical clicks in one second are so many records, with the same keys however they are read."""
    box = play(vendors=["smtp2go"], size=1500, options={"smtp2go": {"span_days": 1.9}})
    rows = canonical(rows_of(box, "smtp2go"))
    assert max(rows.values()) > 1
    found = run(two_days(box, "smtp2go"))
    keys = upserted(found, SMTP2GO).keys()
    assert len(keys) == rows.total()
    assert_rows(box, found, "smtp2go")
    for settings in ({"page_size": 7}, {"window_hours": 1}, {"page_size": 33, "window_hours": 0.5}):
        assert upserted(run(two_days(box, "smtp2go", **settings)), SMTP2GO).keys() == keys


# --- JetEmail: caps, columns, bounds, units, paging

JETEMAIL_OPTIONS = [
    {"filter_column": column, "date_to_inclusive": inclusive, "unit": unit}
    for column, inclusive, unit in itertools.product(
        ("first_seen", "last_updated"), (True, False), ("seconds", "milliseconds")
    )
]


@pytest.mark.parametrize("paging", ["offset", "page"])
@pytest.mark.parametrize("number", range(len(JETEMAIL_OPTIONS)))
def test_jetemail_under_a_cap(play: Play, number: int, paging: str) -> None:
    options = {
        **JETEMAIL_OPTIONS[number],
        "max_count_limit": 100,
        "past_limit": "error" if number % 3 else "empty",
        "span_days": 5,
    }
    box = play(vendors=["jetemail"], size=700, options={"jetemail": options})
    found = run(config_of(box, "jetemail", paging=paging, page_size=30), box=box)
    assert found.status == 0, found.stderr
    assert_rows(box, found, "jetemail")
    assert len(found.records[JETEMAIL]) == 700, "what two windows show is written once"
    rows = found.windows(JETEMAIL)
    assert {row["status"] for row in rows} == {"complete"}
    assert_tiles(rows, beginning("jetemail"), limit("jetemail"))
    assert sum(row["requests"] for row in rows) == asked(found, "jetemail")


@pytest.mark.parametrize("number", range(len(JETEMAIL_OPTIONS)))
def test_jetemail_edges_of_windows_and_runs(play: Play, number: int) -> None:
    """Several rows in every second around the end of the first run, no lookback, and windows of minutes."""
    clock = Ticking()
    box = play(vendors=["jetemail"], size=0, options={"jetemail": JETEMAIL_OPTIONS[number]})
    box.vendor("jetemail").add_events(1000, at=limit("jetemail") + timedelta(seconds=100))
    start = (limit("jetemail") - timedelta(minutes=10)).isoformat()
    settings: dict[str, Any] = {"lookback_minutes": 0, "window_hours": 0.01, "revisit_minutes": []}
    config = config_of(box, "jetemail", top={"start_date": start}, **settings)
    first = run(config, clock=clock)
    clock.pass_time(minutes=10)
    second = run(config, state=first.state, clock=clock)
    assert len(upserted(first, JETEMAIL)) > 500
    assert_rows(box, [first, second], "jetemail")


def test_jetemail_more_in_a_second_than_the_cap_is_told(play: Play) -> None:
    box = play(vendors=["jetemail"], size=50, options={"jetemail": {"max_count_limit": 40, "span_days": 5}})
    log = next(iter(box.vendor("jetemail").logs.values()))
    for message, _ in [log.message(int((NOW - timedelta(days=1)).timestamp() * 1000)) for _ in range(95)]:
        log.add(message)
    found = run(config_of(box, "jetemail", page_size=30), box=box)
    cut = [row for row in found.windows(JETEMAIL) if row["status"] == "truncated"]
    assert cut
    assert {window(row).length for row in cut} == {timedelta(seconds=1)}
    assert len(upserted(found, JETEMAIL)) >= 50 + 40
    assert asked(found, "jetemail") < 200


@pytest.mark.parametrize("paging", ["offset", "page"])
@pytest.mark.parametrize("column", ["first_seen", "last_updated"])
@pytest.mark.parametrize("what", ["change", "late"])
def test_jetemail_rows_that_move_while_paging(play: Play, paging: str, column: str, what: str) -> None:
    box = play(vendors=["jetemail"], options={"jetemail": {"filter_column": column, "span_days": 2}})
    before = {row["uid"]: row for row in rows_of(box, "jetemail")}
    ordered = box.fault(vendor="jetemail", kind=what, after=2, every=4, times=3, count=2, minutes_ago=600)
    clock = Ticking()
    config = config_of(box, "jetemail", paging=paging, page_size=20)
    first = run(config, box=box, clock=clock)
    assert first.status == 0
    assert ordered.struck == 3
    after = {row["uid"]: row for row in rows_of(box, "jetemail")}
    still = {uid for uid, row in before.items() if after[uid] == row}
    have = {record["uid"] for record in first.records[JETEMAIL]}
    assert still <= have, f"{len(still - have)} rows were lost that did not change"
    box.clear_faults()
    runs = [first]
    for _ in range(3):  # each revisit age, one after the other
        clock.pass_time(hours=30)
        runs.append(run(config, state=runs[-1].state, clock=clock))
    assert_rows(box, runs, "jetemail")


def test_jetemail_a_row_that_leaves_as_another_comes_while_paging(play: Play) -> None:
    """The total stays, the offsets shift: the row that slips through is found at the latest by a revisit."""
    box = play(vendors=["jetemail"], options={"jetemail": {"span_days": 2}})
    vendor = box.vendor("jetemail")
    handle, calls = vendor.handle, []

    def shifting(request: Any) -> Any:
        calls.append(request)
        if len(calls) == 3:
            log = next(iter(vendor.logs.values()))
            vendor.mutate(1, at=NOW)
            log.add(log.message(int((NOW - timedelta(hours=20)).timestamp() * 1000))[0])
        return handle(request)

    vendor.handle = shifting
    clock = Ticking()
    config = config_of(box, "jetemail", page_size=20)
    runs = [run(config, clock=clock)]
    for _ in range(3):
        clock.pass_time(hours=30)
        runs.append(run(config, state=runs[-1].state, clock=clock))
    assert_rows(box, runs, "jetemail")


# --- Infobip: bounds, orders, crowds

BOUNDS = list(itertools.product((True, False), (True, False)))


@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
@pytest.mark.parametrize("bounds", BOUNDS, ids=["both", "lower", "upper", "neither"])
def test_infobip_v1_whatever_bounds_and_order(play: Play, bounds: tuple[bool, bool], order: str) -> None:
    """900 mails in one second, 60 in one millisecond: windows shrink to milliseconds, and edges are really hit."""
    lower, upper = bounds
    options = {
        "lower_inclusive": lower,
        "upper_inclusive": upper,
        "order": order,
        "burst": [{"count": 900}, {"count": 30, "same_ms": True, "second": (NOW - timedelta(hours=9)).isoformat()}],
    }
    box = play(vendors=["infobip"], size=1300, options={"infobip": options})
    found = run(config_of(box, "infobip", page_size=100, lookback_minutes=0, window_hours=12), box=box)
    assert found.status == 0
    assert_rows(box, found, "infobip")
    assert len(found.records[INFOBIP]) == 1300
    rows = found.windows(INFOBIP)
    assert {row["status"] for row in rows} == {"complete"}
    assert_tiles(rows, beginning("infobip"), limit("infobip"))
    assert sum(row["records"] for row in rows) == 1300
    assert sum(row["requests"] for row in rows) == asked(found, "infobip")
    assert min(window(row).length for row in rows) < timedelta(milliseconds=200)


@pytest.mark.parametrize("version", [1, 4])
@pytest.mark.parametrize("bounds", BOUNDS, ids=["both", "lower", "upper", "neither"])
def test_infobip_edges_of_windows_and_runs(play: Play, bounds: tuple[bool, bool], version: int) -> None:
    """Two mails in every millisecond around the end of the first run, and windows that end among them."""
    lower, upper = bounds
    clock = Ticking()
    options = {"lower_inclusive": lower, "upper_inclusive": upper, "api_version": version}
    box = play(vendors=["infobip"], size=0, options={"infobip": options})
    box.vendor("infobip").add_events(600, at=limit("infobip") + timedelta(milliseconds=100))
    start = (limit("infobip") - timedelta(seconds=1)).isoformat()
    settings: dict[str, Any] = {"lookback_minutes": 0, "window_hours": 0.1 / 3600, "revisit_minutes": []}
    config = config_of(box, "infobip", top={"start_date": start}, **settings)
    first = run(config, clock=clock)
    assert {row["status"] for row in first.windows(INFOBIP)} == {"complete"}
    clock.pass_time(minutes=1)
    settings["window_hours"] = 1
    config = config_of(box, "infobip", **settings)
    second = run(config, state=first.state, clock=clock)
    assert_rows(box, [first, second], "infobip")
    assert len(first.records[INFOBIP]) + len(second.records[INFOBIP]) == 600, "no row twice"
    assert len(second.records[INFOBIP]) == 202


@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
@pytest.mark.parametrize("bounds", BOUNDS, ids=["both", "lower", "upper", "neither"])
def test_infobip_crowded_neighbours_are_complete_or_told(play: Play, bounds: tuple[bool, bool], order: str) -> None:
    """A millisecond that fits an answer, beside others that fit too, but not together with it."""
    lower, upper = bounds
    options = {"lower_inclusive": lower, "upper_inclusive": upper, "order": order}
    box = play(vendors=["infobip"], size=20, options={"infobip": options})
    log = next(iter(box.vendor("infobip").logs.values()))
    at = int((NOW - timedelta(hours=9)).timestamp() * 1000)
    for number in range(180):
        mail, _, _ = log.mail(at + number // 60)
        log.add(mail)
    found = run(config_of(box, "infobip", page_size=100), box=box)
    missing = canonical(rows_of(box, "infobip")) - canonical(map(restored, found.records[INFOBIP]))
    told = [row for row in found.windows(INFOBIP) if row["status"] == "truncated"]
    assert bool(missing) <= bool(told), "rows are missing and nothing says so"
    assert not missing, f"{missing.total()} rows could have been read with narrower bounds"
    # Two workers may both meet the crowd before either has learned how empty the rest is.
    alone = run(config_of(box, "infobip", page_size=100, max_concurrency=1), box=box)
    assert alone.records[INFOBIP] == found.records[INFOBIP]
    assert asked(alone, "infobip") < 125


def test_infobip_more_in_a_millisecond_than_an_answer_is_told(play: Play) -> None:
    box = play(vendors=["infobip"], options={"infobip": {"burst": {"count": 120, "same_ms": True}}})
    config = config_of(box, "infobip", page_size=100) | {"on_gap": "fail"}
    found = run(config, box=box)
    assert found.status == 1
    (cut,) = [row for row in found.windows(INFOBIP) if row["status"] == "truncated"]
    assert window(cut).length == timedelta(milliseconds=1)
    assert len(upserted(found, INFOBIP)) == 280
    assert uncovered(found.windows(INFOBIP), beginning("infobip"), limit("infobip")) == [window(cut)]


@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
def test_infobip_v4_gives_the_same_rows_and_keys(play: Play, order: str) -> None:
    box = play(vendors=["infobip"], options={"infobip": {"order": order, "burst": {"count": 90}}})
    one = run(config_of(box, "infobip", page_size=50))
    four = run(config_of(box, "infobip", page_size=50, api_version=4))
    assert_rows(box, four, "infobip", version=4)
    left, right = upserted(one, INFOBIP), upserted(four, INFOBIP)
    assert left.keys() == right.keys()
    for key, record in left.items():
        assert {**right[key], "campaignReferenceId": None} == {**record, "campaignReferenceId": None}
    assert any(record["campaignReferenceId"] for record in right.values())
    left, right = upserted(one, "email_events"), upserted(four, "email_events")
    assert left.keys() == right.keys()
    for key, event in left.items():  # version 1 shows no campaign, so that its request stands for it
        assert {**right[key], "campaign": event["campaign"]} == event


def test_infobip_reports_are_never_read(play: Play) -> None:
    box = play(vendors=["infobip"])
    run(config_of(box, "infobip"))
    assert not box.vendor("infobip").reports_called


# --- edges for all


@pytest.mark.needs("lookback")
def test_rows_around_the_end_of_a_run_come_once(play: Play, vendor: str) -> None:
    clock = Ticking()
    box = play(vendors=[vendor], size=50, options=options_of(vendor))
    box.vendor(vendor).add_events(120, at=limit(vendor) + facts(vendor).crowd)
    more: dict[str, Any] = {"lookback_minutes": 0, "revisit_minutes": []}
    runs = [read(box, vendor, clock=clock, **more)]
    for _ in range(3):
        clock.pass_time(seconds=7)
        runs.append(read(box, vendor, state=runs[-1].state, clock=clock, **more))
    clock.pass_time(minutes=10)
    runs.append(read(box, vendor, state=runs[-1].state, clock=clock, **more))
    total = len(rows_of(box, vendor))
    if "still history" in facts(vendor).unfit:
        assert len(upserted(runs, stream_of(vendor))) == total
    else:
        assert_rows(box, runs, vendor)
    if vendor == "smtp2go":
        assert sum(len(one.records[SMTP2GO]) for one in runs) == total


# --- late rows and rows that change


@pytest.mark.parametrize("minutes", [2, 30, 55, 300, 1200])
def test_late_rows_are_found(play: Play, vendor: str, minutes: float) -> None:
    """Within an hour by the next run, later ones by the revisit after a day (and before it, where there is one)."""
    clock = Ticking()
    box = play(vendors=[vendor], now=clock.now, live=False, options=options_of(vendor))
    minutes = max(minutes, facts(vendor).youngest)
    runs = [read(box, vendor, clock=clock)]
    clock.pass_time(minutes=1)
    assert box.late(vendor, count=7, minutes_ago=minutes + 1) == 7
    clock.pass_time(minutes=5)
    runs.append(read(box, vendor, state=runs[-1].state, clock=clock))
    if minutes < facts(vendor).lookback / timedelta(minutes=1):
        assert len(upserted(runs, stream_of(vendor))) == 307
    for _ in range(8):
        clock.pass_time(hours=4)
        runs.append(read(box, vendor, state=runs[-1].state, clock=clock))
    assert len(upserted(runs, stream_of(vendor))) == 307
    if "still history" not in facts(vendor).unfit:
        assert_rows(box, runs, vendor)


@pytest.mark.needs("change")
def test_rows_that_change_come_again(play: Play, vendor: str) -> None:
    clock = Ticking()
    box = play(vendors=[vendor], now=clock.now, live=False, options=options_of(vendor))
    box.change(vendor, count=300, minutes_ago=8)
    box.late(vendor, count=20, minutes_ago=6)
    first = read(box, vendor, clock=clock)
    clock.pass_time(minutes=10)
    assert box.change(vendor, count=8) == 8
    clock.pass_time(minutes=10)
    second = read(box, vendor, state=first.state, clock=clock)
    assert_rows(box, [first, second], vendor)
    stream = stream_of(vendor)
    before, after = upserted(first, stream), upserted([first, second], stream)
    assert before.keys() == after.keys()
    assert sum(before[key] != after[key] for key in before) == 8
    events = upserted([first, second], "email_events")
    assert upserted(first, "email_events").keys() <= events.keys(), "a row that changes adds events and takes none"


# --- keys


@pytest.mark.parametrize(
    "other",
    [{"page_size": 13}, {"window_hours": 3}, {"max_concurrency": 1}, {"page_size": 17, "window_hours": 7}],
    ids=str,
)
def test_settings_change_no_record(shared_box: Sandbox, vendor: str, other: dict[str, Any]) -> None:
    if "page_size" in other and "page size" in facts(vendor).unfit:
        other = {"window_hours": 13}
    start = {"start_date": (NOW - timedelta(days=2)).isoformat()}
    base = read(shared_box, vendor, top=start)
    found = read(shared_box, vendor, top=start, **other)
    for name in (stream_of(vendor), "email_events"):
        assert canonical(found.records[name]) == canonical(base.records[name])


@pytest.mark.parametrize("order", ["oldest", "shuffled"])
def test_the_order_of_an_answer_changes_no_record(play: Play, order: str) -> None:
    vendors = ["smtp2go", "infobip"]
    straight = play(size=200, vendors=vendors)
    other = play(size=200, vendors=vendors, options={vendor: {"order": order} for vendor in vendors})
    one, two = run(config_of(straight, page_size=30)), run(config_of(other, page_size=30))
    for name in (SMTP2GO, INFOBIP, "email_events"):
        assert canonical(one.records[name]) == canonical(two.records[name])


@pytest.mark.parametrize(
    "privacy",
    [{"recipient": "hash", "salt": "salt0123456789abc"}, {"subject": "drop"}, {"ip": "drop", "body": "drop"}],
    ids=str,
)
def test_privacy_changes_no_key_but_that_of_a_recipient(
    shared_box: Sandbox, vendor: str, privacy: dict[str, str]
) -> None:
    base = read(shared_box, vendor)
    found = read(shared_box, vendor, top={"privacy": privacy})
    for name in (stream_of(vendor), "email_events"):
        hidden = [base.keys[name].index(one) for one in facts(vendor).recipients if one in base.keys[name]]
        hidden = hidden if "recipient" in privacy else []

        def keys(one: Run, name: str = name, hidden: list[int] = hidden) -> list[tuple[Any, ...]]:
            return sorted(tuple(v for n, v in enumerate(key) if n not in hidden) for key in upserted(one, name))

        assert keys(found) == keys(base)


def test_times_of_windows_are_whole_units(shared_box: Sandbox, vendor: str) -> None:
    start = datetime(2026, 2, 28, 3, 4, 5, 678_901, tzinfo=NOW.tzinfo).isoformat()
    clock = Ticking(NOW + timedelta(microseconds=123_456))
    found = read(shared_box, vendor, top={"start_date": start}, window_hours=3.3, clock=clock)
    assert found.ledger
    for row in found.ledger:
        assert all(not (edge - NOW) % facts(vendor).unit for edge in (window(row).start, window(row).end))


@pytest.mark.parametrize("shown", ["newest", "oldest"])
@pytest.mark.parametrize("cut", ["newest", "oldest", "sampled"])
def test_infobip_wherever_a_full_answer_is_cut(play: Play, cut: str, shown: str) -> None:
    """The order in which an answer shows its rows does not tell which ones it left out."""
    box = play(vendors=["infobip"], size=900, options={"infobip": {"burst": {"count": 200}}})
    vendor = box.vendor("infobip")
    whole, dice = vendor._found, random.Random(3)

    class Cut(list[Any]):
        def __getitem__(self, part: Any) -> Any:
            rows = sorted(self, key=lambda mail: (mail.at, mail.number))
            if cut == "sampled":
                kept = sorted(dice.sample(rows, min(part.stop, len(rows))), key=lambda mail: (mail.at, mail.number))
            else:
                kept = rows[: part.stop] if cut == "oldest" else rows[-part.stop :]
            return kept[::-1] if shown == "newest" else kept

    vendor._found = lambda *arguments: Cut(whole(*arguments))
    found = run(config_of(box, page_size=100), box=box)
    assert_rows(box, found, "infobip")
    assert {row["status"] for row in found.windows(INFOBIP)} == {"complete"}
    assert asked(found, "infobip") < 120

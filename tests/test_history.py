"""What the vendor forgets: each stretch is looked at once more before that, and what could not be is told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import LEDGER, NOW, config_of, limit
from harness import Ticking, run
from outcome import Run, assert_rows, restored, rows_of, upserted, window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

pytestmark = pytest.mark.thorough

Mail = tuple[str, str]
INFOBIP, SMTP2GO = "infobip_email_logs", "smtp2go_activity"
HISTORY = timedelta(hours=48)


def sent(record: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(record["sentAt"])


def mail(row: dict[str, Any]) -> Mail:
    return row["messageId"], row["to"]


def last_read(runs: Iterable[tuple[datetime, Run]]) -> dict[Mail, timedelta]:
    """Return how old each mail was when it was read last."""
    ages = {}
    for moment, one in runs:
        for record in one.records[INFOBIP]:
            ages[mail(record)] = moment - sent(record)
    return ages


def statuses(runs: Iterable[Run]) -> dict[str, list[dict[str, Any]]]:
    """Return the ledger's rows as an upserting target ends with them, by status."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in upserted(runs, LEDGER).values():
        found.setdefault(row["status"], []).append(row)
    return found


def live(play: Play, clock: Ticking, days: float, **options: Any) -> Sandbox:
    return play(vendors=["infobip"], size=400, now=clock.now, future=timedelta(days=days), options={"infobip": options})


@pytest.mark.parametrize("every", [60, 180, 1440, 1500])
def test_infobip_however_often_it_runs(play: Play, every: int) -> None:
    """Rows that come late and rows that change are seen as they are when the vendor is about to forget them."""
    pause, clock = timedelta(minutes=every), Ticking()
    box = live(play, clock, days=6)
    config = config_of(box, "infobip")
    runs: list[tuple[datetime, Run]] = []
    late: dict[Mail, datetime] = {}
    while clock.now() < NOW + timedelta(days=6):
        before = {mail(row) for row in rows_of(box, "infobip")}
        box.late("infobip", count=3, minutes_ago=min(20 * 60, 47 * 60 - every))
        late |= dict.fromkeys({mail(row) for row in rows_of(box, "infobip")} - before, clock.now())
        one = run(config, state=runs[-1][1].state if runs else None, clock=clock, box=box)
        assert one.status == 0, one.stderr
        runs.append((clock.now(), one))
        clock.pass_time(minutes=every)
    assert statuses(one for _, one in runs).keys() == {"complete"}
    table = upserted([one for _, one in runs], INFOBIP)
    have = {mail(record) for record in table.values()}
    forgotten = [row for row in rows_of(box, "infobip") if sent(row) < runs[-1][0] - HISTORY]
    assert len(forgotten) > 400
    missing = [row for row in forgotten if mail(row) not in have]
    assert not missing, (
        f"{len(missing)} rows are missing, {sum(row['messageId'] in late for row in missing)} of them late"
    )
    ages = last_read(runs)
    slack = timedelta(minutes=16)
    for row in forgotten:
        if sent(row) >= NOW:  # those before were there before the tap was
            wanted = min(HISTORY - pause - slack, timedelta(hours=46) - slack)
            assert ages[mail(row)] >= wanted, f"last read at the age of {ages[row['messageId']]}"
    records = {mail(record): restored(record) for record in table.values()}
    for row in forgotten:
        changed = datetime.fromisoformat(row.get("doneAt", row["sentAt"]))
        if changed < sent(row) + ages[mail(row)]:
            assert records[mail(row)] == row


def test_revisits_that_an_outage_made_impossible_are_told_once(play: Play) -> None:
    clock = Ticking()
    box = live(play, clock, days=6)
    config = config_of(box, "infobip")
    runs = [run(config, clock=clock, box=box)]
    for _ in range(12):
        clock.pass_time(hours=1)
        runs.append(run(config, state=runs[-1].state, clock=clock, box=box))
    assert statuses(runs).keys() == {"complete"}
    clock.pass_time(hours=39)
    back = run(config, state=runs[-1].state, clock=clock, box=box)
    (told,) = statuses([back])["unavailable"]
    assert window(told).end == clock.now() - HISTORY
    assert window(told).length > timedelta(hours=30)
    assert "once more" in told["gap_reason"]
    (line,) = back.lines("WARNING")
    assert "at least every 2 hours" in line
    clock.pass_time(hours=1)
    again = run(config, state=back.state, clock=clock, box=box)
    assert statuses([again]).keys() == {"complete"}
    assert not again.lines("WARNING")
    failing = run({**config, "on_gap": "fail"}, state=runs[-1].state, clock=clock, box=box)
    assert failing.status == 1


def test_what_failed_and_is_gone_by_now_is_not_failed_for_ever(play: Play) -> None:
    """A vendor that is down for 39 hours: what was read then is complete, what it forgot meanwhile is unavailable."""
    clock = Ticking()
    box = live(play, clock, days=8)
    config = config_of(box, "infobip")
    runs = [run(config, clock=clock, box=box)]
    for _ in range(24):
        clock.pass_time(hours=2)
        runs.append(run(config, state=runs[-1].state, clock=clock, box=box))
    fault = box.fault(vendor="infobip", kind="status", status=403, times=-1)
    for _ in range(20):
        clock.pass_time(hours=2)
        runs.append(run(config, state=runs[-1].state, clock=clock, box=box))
        assert runs[-1].status == 1
    assert fault.struck
    assert "failed" in statuses(runs)
    box.clear_faults()
    for _ in range(3):
        clock.pass_time(hours=2)
        runs.append(run(config, state=runs[-1].state, clock=clock, box=box))
        assert runs[-1].status == 0
    found = statuses(runs)
    assert found.keys() <= {"complete", "unavailable"}, found.keys()
    for row in found["unavailable"]:
        assert row["gap_reason"]
        assert window(row).end <= clock.now() - HISTORY + timedelta(hours=6)
    assert "incomplete" not in str(runs[-1].state)
    # Nothing that could be read is missing: all mails of the outage are there.
    have = {mail(record) for record in upserted(runs, INFOBIP).values()}
    want = {mail(row) for row in rows_of(box, "infobip") if NOW <= sent(row) < limit("infobip", clock.now())}
    assert want <= have


def test_a_failed_first_run_without_a_start_date_is_made_good_by_the_next(play: Play) -> None:
    """It begins a little later each time it is tried: the sliver between is wanted by nobody."""
    clock = Ticking()
    box = play(vendors=["smtp2go"])
    config = config_of(box, "smtp2go")
    box.fault(vendor="smtp2go", kind="status", status=402, times=-1)
    first = run(config, clock=clock)
    assert first.status == 1
    assert [row["status"] for row in first.windows(SMTP2GO)] == ["failed"]
    box.clear_faults()
    clock.pass_time(minutes=10)
    second = run(config, state=first.state, clock=clock)
    assert second.status == 0
    assert statuses([first, second]).keys() == {"complete"}
    assert_rows(box, [first, second], "smtp2go")
    assert "incomplete" not in str(second.state)


def test_a_row_that_changed_between_two_windows_is_written_as_it_is_now(play: Play) -> None:
    """The first second of a window is the last one of the window before, whose version of the row is the older one."""
    clock = Ticking()
    box = play(vendors=["jetemail"], size=0, options={"jetemail": {"filter_column": "first_seen"}})
    vendor = box.vendor("jetemail")
    edge = limit("jetemail") - timedelta(minutes=30)
    vendor.add_events(2, at=edge + timedelta(seconds=1))
    handle, calls = vendor.handle, []

    def changing(request: Any) -> Any:
        calls.append(request)
        if len(calls) == 2:
            vendor.change(count=2)
        return handle(request)

    vendor.handle = changing
    start = (limit("jetemail") - timedelta(minutes=60)).isoformat()
    config = config_of(box, "jetemail", top={"start_date": start}, window_hours=0.5, max_concurrency=1)
    found = run(config, clock=clock, box=box)
    assert len(calls) == 2
    assert {window(row).end for row in found.windows("jetemail_outbound_logs")} >= {edge}
    assert len(found.records["jetemail_outbound_logs"]) == 4, "both versions of both rows"
    assert_rows(box, found, "jetemail")


def test_a_failed_window_is_made_good_wherever_the_run_that_told_it_is_cut(play: Play) -> None:
    """Cut after any line, and continued from the last STATE before the cut: no row of the ledger stays failed."""
    clock = Ticking()
    box = play(vendors=["smtp2go"], size=300, now=clock.now, future=timedelta(days=1))
    config = config_of(box, "smtp2go")
    first = run(config, clock=clock)
    clock.pass_time(minutes=30)
    box.fault(vendor="smtp2go", kind="status", status=403, times=-1)
    cut = run(config, state=first.state, clock=clock)
    assert "failed" in {row["status"] for row in cut.ledger}
    box.clear_faults()
    began = clock.now()
    for length in range(len(cut.messages) + 1):
        prefix = Run(cut.status, "", cut.messages[:length])
        clock.pass_time(seconds=(began - clock.now()).total_seconds())
        runs, state = [first, prefix], prefix.state or first.state
        for _ in range(2):
            clock.pass_time(minutes=45)
            runs.append(run(config, state=state, clock=clock))
            state = runs[-1].state
        assert statuses(runs).keys() == {"complete"}, f"cut after {length} of {len(cut.messages)} lines"

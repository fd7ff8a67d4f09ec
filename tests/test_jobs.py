"""Export jobs: one per window however often runs end, taken up again, and never half read."""

from __future__ import annotations

import copy
import json
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import LEDGER, config_of
from harness import Ticking, catalog, command, run, started
from outcome import Run, upserted
from sandbox.base import Life

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

pytestmark = pytest.mark.thorough

NAME = "zeptomail"
LOGS = "zeptomail_mail_logs"
START = "2026-02-10T00:00:00Z"


@pytest.fixture
def zepto(play: Play) -> Play:
    """Start a sandbox of this vendor alone; keywords are its options."""

    def start(size: int = 60, **options: Any) -> Sandbox:
        moment = {"now": options.pop("now")} if "now" in options else {}
        return play(vendors=[NAME], size=size, options={NAME: options}, **moment)

    return start


def settings(box: Sandbox, **changes: Any) -> dict[str, Any]:
    """Return a configuration whose windows are few."""
    return config_of(box, NAME, **{"start_date": START, **changes})


def read(box: Sandbox, state: Mapping[str, Any] | None = None, clock: Ticking | None = None, **changes: Any) -> Run:
    """Run the mail logs and the ledger."""
    given = settings(box, **changes)
    return run(given, catalog=catalog(given, [LOGS, "sync_windows"]), state=state, box=box, clock=clock)


def change(box: Sandbox, **options: Any) -> None:
    for account in box.vendor(NAME).accounts.values():
        account.options.update(options)


def jobs(box: Sandbox) -> list[Any]:
    return list(box.vendor(NAME).jobs())


def ended() -> None:
    """Wait for the workers of a run, which its end does not wait for."""
    for thread in threading.enumerate():
        if thread.name.startswith("reader-"):
            thread.join(20)
            assert not thread.is_alive()


def noted(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the jobs that STATE remembers."""
    return [
        job
        for part in state["bookmarks"].get("sync_windows", {}).get("partitions", ())
        for job in part.get("notes", {}).get("jobs", ())
    ]


def without_notes(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the STATE of a run that was killed before it could write the jobs' ids."""
    found = copy.deepcopy(dict(state))
    for part in found["bookmarks"]["sync_windows"]["partitions"]:
        part.pop("notes", None)
    return found


def keys(box: Sandbox, runs: Run | list[Run]) -> None:
    """Check that an upserting target has every mail since `START` once."""
    start = int(datetime.fromisoformat(START).timestamp() * 1000)
    book = next(iter(box.vendor(NAME).logs.values()))
    assert len(upserted(runs, LOGS)) == sum(1 for _ in book.table("mail-logs", start))


# Failing and never ending.


def test_a_failed_job_fails_its_window_and_is_asked_for_anew(zepto: Play) -> None:
    box = zepto(fail_jobs=1, failed_text="Export Failed (internal)")
    first = read(box, window_hours=200)
    assert first.status == 1
    assert "could not make the export" in first.stderr
    assert "Export Failed (internal)" in first.stderr
    assert "asks for the window anew" in first.stderr
    assert jobs(box)[0].id not in {job["id"] for job in noted(first.state)}
    ended()
    second = read(box, first.state, window_hours=200)
    assert second.status == 0, second.stderr
    keys(box, [first, second])
    assert len(jobs(box)) == 4, "the windows behind it were taken up"


def test_a_job_that_never_ends_is_pending_and_taken_up_later(zepto: Play) -> None:
    clock = Ticking()
    box = zepto(now=clock.now, endless_jobs=-1)
    first = read(box, clock=clock, export_timeout_minutes=5, poll_seconds=10, window_hours=1000)
    assert first.status == 0, first.stderr
    assert [one["status"] for one in first.ledger] == ["pending"]
    assert "later run takes it up" in first.lines("WARNING")[0]
    assert first.bookmark(LOGS) is None
    assert timedelta(minutes=5) <= clock.now() - datetime(2026, 3, 1, 12, tzinfo=UTC) < timedelta(minutes=6)
    waits = [round(wait) for wait in clock.waits if wait > 1]
    assert waits[:4] == [10, 10, 15, 22], "polls slow down"
    assert max(waits) <= 60

    clock.pass_time(minutes=20)
    still = read(box, first.state, clock, export_timeout_minutes=0, window_hours=3)
    assert (still.status, len(jobs(box))) == (0, 1), "its window stays as it was"
    change(box, endless_jobs=0)
    last = read(box, still.state, clock, window_hours=3)
    assert last.status == 0, last.stderr
    assert len(jobs(box)) == 1, "the twenty minutes since are left for a later run"
    assert [one["status"] for one in last.ledger] == ["complete"]
    assert last.ledger[0]["window_id"] == first.ledger[0]["window_id"]
    keys(box, [first, still, last])
    assert not noted(last.state)
    clock.pass_time(minutes=40)
    assert read(box, last.state, clock).ledger[0]["window_start"] == last.ledger[0]["window_end"]


def test_a_pending_window_is_made_good_wherever_the_run_that_told_it_is_cut(zepto: Play) -> None:
    """Cut after any line, and continued from the last STATE before the cut: no row of the ledger stays pending."""
    length = 0
    while True:
        clock = Ticking()
        box = zepto(now=clock.now, endless_jobs=-1)
        cut = read(box, clock=clock, export_timeout_minutes=1, window_hours=1000)
        assert [one["status"] for one in cut.ledger] == ["pending"]
        prefix = Run(cut.status, "", cut.messages[:length])
        change(box, endless_jobs=0)
        runs, state = [prefix], prefix.state
        for _ in range(2):
            clock.pass_time(hours=1)
            runs.append(read(box, state, clock, window_hours=1000))
            state = runs[-1].state
        assert {row["status"] for row in upserted(runs, LEDGER).values()} == {"complete"}, f"cut after {length} lines"
        if length == len(cut.messages):
            break
        length += 1


def test_a_pending_job_is_a_failure_once_its_file_could_live_no_longer(zepto: Play) -> None:
    clock = Ticking()
    box = zepto(now=clock.now, endless_jobs=-1)
    first = read(box, clock=clock, export_timeout_minutes=1, window_hours=1000)
    clock.pass_time(days=3)
    second = read(box, first.state, clock, export_timeout_minutes=1, window_hours=1000)
    assert second.status == 1
    assert "was not ready in the 3 days it lives" in second.stderr
    assert not noted(second.state) or noted(second.state)[0]["id"] != jobs(box)[0].id
    change(box, endless_jobs=0)
    third = read(box, second.state, clock)
    assert third.status == 0
    keys(box, [first, second, third])


def test_a_live_job_is_taken_up_though_the_run_comes_too_soon(zepto: Play) -> None:
    clock = Ticking()
    box = zepto(now=clock.now)
    whole = read(box, clock=clock)
    clock.pass_time(hours=2)
    change(box, endless_jobs=-1)
    pending = read(box, whole.state, clock, export_timeout_minutes=1)
    assert len(noted(pending.state)) == 1
    before = len(jobs(box))
    change(box, endless_jobs=0)
    clock.pass_time(minutes=1)
    last = read(box, pending.state, clock, export_interval_minutes=600)
    assert [one["status"] for one in last.ledger] == ["complete"]
    assert len(jobs(box)) == before


# Killed.


def test_a_killed_run_is_continued_with_the_same_job(play: Play) -> None:
    box = play(vendors=[NAME], size=60, now=None, options={NAME: {"endless_jobs": -1}})
    start = (datetime.now(UTC) - timedelta(days=20)).isoformat()
    given = config_of(box, NAME, start_date=start, window_hours=1000)
    select = catalog(given, [LOGS, "sync_windows"])
    with started(given, catalog=select) as tap:
        deadline = time.monotonic() + 30
        while b'"jobs"' not in tap.out.read_bytes():
            assert time.monotonic() < deadline, "no STATE with the job"
            time.sleep(0.02)
        tap.process.kill()
        first = tap.finish()
    assert [job["id"] for job in noted(first.state)] == [job.id for job in jobs(box)]
    assert not any(job.password in json.dumps(first.state) for job in jobs(box))
    change(box, endless_jobs=0)
    second = command(given, state=first.state, catalog=select, box=box)
    assert second.status == 0, second.stderr
    assert len(jobs(box)) == 1, "exactly one job was created in all"
    expected = int(datetime.fromisoformat(start).timestamp() * 1000)
    book = next(iter(box.vendor(NAME).logs.values()))
    assert len(upserted([first, second], LOGS)) == sum(1 for _ in book.table("mail-logs", expected))


@pytest.mark.parametrize("password", [None, "", "own-password"])
@pytest.mark.parametrize("filters", [{}, {"is_delivered": True, "from": "Billing@shop.example"}])
def test_a_job_whose_id_never_reached_state_is_found(
    zepto: Play, password: str | None, filters: dict[str, Any]
) -> None:
    box = zepto(endless_jobs=-1)
    given = {"window_hours": 200, "export_password": password, "mail_logs": filters}
    first = read(box, export_timeout_minutes=0, **given)
    ended()
    change(box, endless_jobs=0)
    second = read(box, without_notes(first.state), **given)
    assert second.status == 0, second.stderr
    assert len(jobs(box)) == 3
    if not filters:
        keys(box, second)
    assert all(job.deleted for job in jobs(box))


@pytest.mark.parametrize("kind", ["cut", "reset", "cut_json", "status"])
def test_an_answer_that_was_lost_makes_no_second_job(zepto: Play, kind: str) -> None:
    box = zepto()
    box.fault(vendor=NAME, path="mail-logs/exports", contains="date_from", kind=kind, times=2)
    found = read(box, window_hours=1000)
    assert found.status == 0, found.stderr
    assert len(jobs(box)) == 1
    keys(box, found)


def test_somebody_elses_export_of_the_same_window_is_neither_read_nor_deleted(zepto: Play) -> None:
    box = zepto(endless_jobs=-1)
    first = read(box, export_timeout_minutes=0, window_hours=1000)
    stranger = jobs(box)[0]
    stranger.password = ""
    change(box, endless_jobs=0)
    second = read(box, without_notes(first.state), window_hours=1000)
    assert second.status == 0, second.stderr
    keys(box, second)
    assert len(jobs(box)) == 2
    assert not stranger.deleted


def test_an_export_that_was_read_before_is_not_read_again(zepto: Play) -> None:
    box = zepto()
    read(box, keep_exports=True, window_hours=1000)
    box.late(NAME, count=2, minutes_ago=600)
    again = read(box, keep_exports=True, window_hours=1000)
    keys(box, again)
    assert len(jobs(box)) == 2


def test_a_revisit_asks_for_a_file_of_its_own(zepto: Play) -> None:
    clock = Ticking()
    box = zepto(now=clock.now, refuse_delete=True)
    runs = [read(box, clock=clock)]
    box.late(NAME, count=2, minutes_ago=60)
    for _ in range(8):
        clock.pass_time(hours=12)
        runs.append(read(box, runs[-1].state, clock))
        assert runs[-1].status == 0
    keys(box, runs)


def test_a_file_shows_what_there_was_when_it_was_asked_for(zepto: Play) -> None:
    """One that comes a day late is no fresh reading: what changed meanwhile is still revisited."""
    clock = Ticking()
    box = zepto(now=clock.now, endless_jobs=-1, quiet_minutes=20)
    at = clock.now() + timedelta(minutes=5)
    lives = [Life(at + timedelta(minutes=one), ((timedelta(hours=3), "processed"),)) for one in range(20)]
    box.vendor(NAME).live([life._replace(steps=(*life.steps, (timedelta(hours=9), "delivered"))) for life in lives])
    clock.pass_time(hours=2)
    asked = clock.now()
    first = read(box, clock=clock, export_timeout_minutes=1, revisit_minutes=[1440])
    assert [row["status"] for row in first.ledger] == ["pending"]
    change(box, endless_jobs=0)
    clock.pass_time(hours=26)
    second = read(box, first.state, clock, revisit_minutes=[1440])
    early = [record for record in upserted([first, second], LOGS).values() if record["status"] == "queued"]
    assert len(early) == 20, "the file is as of the moment it was asked for"
    clock.pass_time(hours=9)
    third = read(box, second.state, clock, revisit_minutes=[1440])
    revisited = [row for row in third.ledger if row["window_start"] < asked.isoformat() < row["window_end"]]
    assert revisited, "its revisit is not skipped"
    statuses = {record["status"] for record in upserted([first, second, third], LOGS).values()}
    assert "queued" not in statuses
    keys(box, [first, second, third])


# Files that went.


def test_a_file_that_has_expired_is_asked_for_anew(zepto: Play) -> None:
    clock = Ticking()
    box = zepto(now=clock.now, cut_downloads=1000)
    first = read(box, clock=clock, window_hours=1000)
    assert first.status == 1
    change(box, cut_downloads=0)
    state = without_notes(first.state)
    job = jobs(box)[0]
    state["bookmarks"]["sync_windows"]["partitions"][0]["notes"] = {"jobs": []}
    box.clear_faults()
    clock.pass_time(days=4)
    second = read(box, state, clock)
    assert second.status == 0, second.stderr
    assert job.status == "expired"
    keys(box, [first, second])


@pytest.mark.parametrize("how", ["expired", "deleted", "password"])
def test_a_job_of_an_earlier_run_without_a_file(zepto: Play, how: str) -> None:
    clock = Ticking()
    box = zepto(now=clock.now, endless_jobs=-1)
    given = {"window_hours": 1000}
    first = read(box, clock=clock, export_timeout_minutes=0, **given)
    state = copy.deepcopy(first.state)
    [note] = noted(state)
    note.pop("pending")  # as a run leaves it that is killed while it waits
    change(box, endless_jobs=0)
    job = jobs(box)[0]
    if how == "expired":
        clock.pass_time(days=3, hours=1)
    elif how == "deleted":
        clock.pass_time(minutes=30)
        job.deleted = True
    else:
        job.password = "of another account"
    second = read(box, state, clock, **given)
    assert second.status == 0, second.stderr
    assert len(jobs(box)) >= 2
    assert "asking anew" in second.stderr
    keys(box, [first, second])


def test_a_file_that_goes_between_list_and_download(zepto: Play) -> None:
    box = zepto()
    box.fault(vendor=NAME, path="/download", kind="status", status=404)
    found = read(box, window_hours=1000)
    assert found.status == 1
    assert "no file any more" in found.stderr
    again = read(box, found.state, window_hours=1000)
    assert again.status == 0
    keys(box, again)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429, "retry_after": 2},
        {"kind": "status", "status": 503},
        {"kind": "reset"},
        {"kind": "cut"},
        {"kind": "cut_json"},
        {"kind": "html"},
    ],
    ids=str,
)
def test_faults_all_along_the_way(zepto: Play, fault: dict[str, Any]) -> None:
    """Every second try of each request fails.

    Counted over all requests, every second one could be the same worker's each time: between two tries at creating
    a job it looks at the list, to make no second one.
    """
    box = zepto()
    box.fault(vendor=NAME, path="/v1.1/", times=-1, every=2, each=True, **fault)
    found = read(box, window_hours=200)
    assert found.status == 0, found.stderr
    assert len(jobs(box)) == 3
    keys(box, found)
    assert sum(one.fault is not None for one in found.requests) > len(found.requests) / 3


def test_a_vendor_that_is_gone_leaves_the_job_for_the_next_run(zepto: Play) -> None:
    box = zepto()
    box.fault(vendor=NAME, path="/download", kind="status", status=503, times=-1)
    first = read(box, window_hours=1000)
    assert first.status == 1
    assert [job["id"] for job in noted(first.state)] == [job.id for job in jobs(box)]
    box.clear_faults()
    second = read(box, first.state, window_hours=1000)
    assert second.status == 0
    assert len(jobs(box)) == 1
    keys(box, second)


def test_a_run_that_is_ended_while_it_waits(play: Play) -> None:
    box = play(vendors=[NAME], size=20, now=None, options={NAME: {"endless_jobs": -1}})
    given = config_of(box, NAME, poll_seconds=20)
    with started(given) as tap:
        deadline = time.monotonic() + 30
        while len(jobs(box)) < 3 or tap.out.read_bytes().count(b'"jobs"') < 1:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        found = tap.finish(signal.SIGTERM)
    assert found.status == 143
    assert noted(found.state)


# What is asked.


def test_other_filters_are_another_question(zepto: Play) -> None:
    box = zepto(endless_jobs=-1)
    first = read(box, export_timeout_minutes=0, window_hours=1000)
    change(box, endless_jobs=0)
    second = read(box, first.state, window_hours=1000, mail_logs={"is_hb": True})
    assert second.status == 0
    assert len(jobs(box)) == 2
    assert {one["status"] for one in second.records[LOGS]} == {"hard bounce"}


def test_many_windows_are_few_looks_at_the_list(zepto: Play) -> None:
    box = zepto(polls=3)
    found = read(box, window_hours=60)
    assert found.status == 0
    assert len(jobs(box)) >= 8
    looks = [one for one in found.requests if one.method == "GET" and one.path.endswith("/exports")]
    assert len(looks) < 2 * len(jobs(box))
    keys(box, found)


def test_a_damaged_note_is_forgotten(zepto: Play) -> None:
    box = zepto(endless_jobs=-1)
    first = read(box, export_timeout_minutes=0, window_hours=1000)
    state = copy.deepcopy(first.state)
    noted(state)[0]["asked"] = "whenever"
    change(box, endless_jobs=0)
    second = read(box, state, window_hours=1000)
    assert second.status == 0, second.stderr
    assert len(jobs(box)) == 1, "found in the list instead"
    keys(box, second)


@pytest.mark.parametrize("kind", ["garbage", "error_200"])
def test_an_answer_that_makes_no_sense(zepto: Play, kind: str) -> None:
    box = zepto()
    if kind == "garbage":
        box.fault(vendor=NAME, path="mail-logs/exports", kind=kind, times=-1)
    else:
        body = {"data": {"error_code": "TM_3201", "message": "Mandatory field missing"}}
        box.fault(vendor=NAME, path="mail-logs/exports", kind="status", status=200, body=body, times=-1)
    found = read(box, window_hours=1000)
    assert found.status == 1
    assert ("no list of exports" if kind == "garbage" else "Mandatory field missing") in found.stderr
    assert not found.records[LOGS]

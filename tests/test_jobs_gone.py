"""An export that was read and deleted, and a STATE that still waits for it: it is asked for anew, and soon."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from general import NOW, config_of
from harness import Ticking, catalog, run
from outcome import Run, upserted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

NAME, LOGS = "zeptomail", "zeptomail_mail_logs"


def read(box: Sandbox, state: Mapping[str, Any] | None = None, clock: Ticking | None = None) -> Run:
    config = config_of(box, NAME, start_date="2026-02-20T00:00:00Z")
    return run(config, catalog=catalog(config, [LOGS, "sync_windows"]), state=state, box=box, clock=clock)


def notes(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts = state["bookmarks"].get("sync_windows", {}).get("partitions", ())
    return [job for part in parts for job in part.get("notes", {}).get("jobs", ())]


def cut(found: Run) -> Iterator[Run]:
    """Yield the run as a loader has it that died after each STATE with a job."""
    return (Run(0, "", found.messages[: place + 1]) for place, state in found.states if notes(state))


@pytest.fixture
def whole(play: Play) -> tuple[Sandbox, Run, Ticking]:
    """Return a run that read and deleted its exports."""
    clock = Ticking()
    box = play(vendors=[NAME], size=40, now=clock.now, options={NAME: {"polls": 2}})
    found = read(box, clock=clock)
    assert found.status == 0
    assert all(job.deleted for job in box.vendor(NAME).jobs())
    return box, found, clock


def assert_all(whole: Run, begun: Run, again: Run) -> None:
    assert again.status == 0, again.stderr
    assert upserted([begun, again], LOGS).keys() == upserted(whole, LOGS).keys()
    assert not notes(again.state)


def test_the_state_before_the_last_waits_for_nothing(whole: tuple[Sandbox, Run, Ticking]) -> None:
    box, first, clock = whole
    begun = [*cut(first)][-1]
    assert all(job["listed"] for job in notes(begun.state)), "STATE says that the vendor has shown it"
    clock.waits.clear()
    again = read(box, begun.state, clock)
    assert_all(first, begun, again)
    assert sum(clock.waits) < 60
    assert "does not list the export" in again.stderr
    assert "asking anew" in again.stderr


def test_every_earlier_state_gives_the_rows_soon_and_says_what_it_waits_for(
    whole: tuple[Sandbox, Run, Ticking],
) -> None:
    box, first, clock = whole
    for begun in cut(first):
        clock.waits.clear()
        again = read(box, begun.state, clock)
        assert_all(first, begun, again)
        assert sum(clock.waits) < 180
        if not all(job.get("listed") for job in notes(begun.state)):
            assert "is not in the vendor's list (yet); waiting" in again.stderr


def test_a_pending_export_that_somebody_deleted_is_asked_for_anew(play: Play) -> None:
    clock = Ticking()
    box = play(vendors=[NAME], size=40, now=clock.now, options={NAME: {"endless_jobs": -1}})
    first = read(box, clock=clock)
    assert notes(first.state)[0]["pending"]
    for account in box.vendor(NAME).accounts.values():
        account.options["endless_jobs"] = 0
    for job in box.vendor(NAME).jobs():
        job.deleted = True
    again = read(box, first.state, clock)
    assert again.status == 0, again.stderr
    assert {row["status"] for row in upserted([first, again], "sync_windows").values()} == {"complete"}


def test_a_twin_process_that_deletes_the_file_costs_one_export_and_no_stall(play: Play) -> None:
    """The job is seen in progress, and then it is in no list any more: whoever asked for it asks anew."""
    clock = Ticking()
    box = play(vendors=[NAME], size=40, now=clock.now, options={NAME: {"polls": 3}})
    first = threading.Event()

    class Twin(Ticking):
        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            clock.pass_time(seconds=seconds)
            waiting = [job for job in box.vendor(NAME).jobs() if job.polls >= 2]
            if waiting and not first.is_set():
                first.set()
                waiting[0].deleted = True

    twin = Twin(NOW)
    found = read(box, clock=twin)
    assert first.is_set()
    assert found.status == 0, found.stderr
    assert sum(twin.waits) < 400
    assert {row["status"] for row in found.ledger} == {"complete"}

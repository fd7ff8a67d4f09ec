"""The fault matrix: whatever happens to a stream, it has the rows that it has without, or a failure with its name.

Every raw stream of every provider meets every fault of `fault_kinds.KINDS`, three times over, or for good. Beside it
all other streams of its vendor are read, and another vendor's, which must not feel it. Once the fault is over, the next
run has everything. What came of each cell is recorded in `fault_matrix.json`, of which docs/reliability.md is made:

    TAP_EMAILLOGS_RECORD=1 pytest tests/test_fault_matrix.py && python scripts/generate_reliability_doc.py
"""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fault_kinds import KINDS
from fault_stage import (
    SUBJECTS,
    Closed,
    Opening,
    Skewed,
    Stage,
    Subject,
    Tables,
    cells,
    orders,
    tables,
    unfit,
    without,
)
from general import EVENTS, LEDGER, facts
from harness import Ticking, catalog, run
from outcome import Run, upserted
from sandbox.server import Sandbox
from tap_emaillogs.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.base.faults import Fault

RECORD = Path(__file__).parent / "fault_matrix.json"
SAME, FAILED, PENDING, CUT, WARNED = "same rows", "named failure", "pending", "truncated", "warning"
"""Two are the ledger's words: asked for and not there yet; not to be had, which is told as a warning. The last is of
rows that the vendor has not sent: something else stood in their place, and nothing else is missing."""

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(60)]


def _parameters() -> Iterator[Any]:
    """Yield the cells; one in seven of the quick ones, in turn over faults and streams, is not thorough."""
    for number, cell in enumerate(cells()):
        subject, name, how = cell
        slow = KINDS[name].impatient or name == "100 MB" or name.startswith("clock")
        quick = not slow and number % 7 == 0
        marks = () if quick else (pytest.mark.thorough,)
        yield pytest.param(*cell, id=f"{name}-{how}-{subject}", marks=marks)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as found:
        yield found


@pytest.fixture(scope="module")
def record() -> Iterator[dict[str, dict[str, dict[str, str]]]]:
    """What came of the cells, by fault, stream and whether it lasted; written when it is to be."""
    found: dict[str, Any] = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    yield found
    if os.environ.get("TAP_EMAILLOGS_RECORD"):
        whole = {
            name: {
                str(subject): {"unfit": why}
                if (why := unfit(subject, name))
                else found.get(name, {}).get(str(subject), {})
                for subject in SUBJECTS
            }
            for name in KINDS
        }
        RECORD.write_text(json.dumps(whole, indent=1) + "\n", "utf-8")


@pytest.mark.parametrize(("subject", "name", "how"), [*_parameters()])
def test_the_same_rows_or_a_failure_with_its_name(
    stage: Stage, record: dict[str, dict[str, dict[str, str]]], subject: Subject, name: str, how: str
) -> None:
    # A machine may be too busy for a short time-out: then a cell comes to something else, and is played again.
    for _ in range(3 if KINDS[name].impatient else 1):
        if name.startswith("clock"):
            outcome = _with_a_wrong_clock(stage, subject, 10 if name.endswith("ahead") else -10)
        else:
            outcome = _struck(stage, subject, name, lasting=how == "lasting")
        if outcome == record.get(name, {}).get(str(subject), {}).get(how):
            break
    if os.environ.get("TAP_EMAILLOGS_RECORD"):
        record.setdefault(name, {}).setdefault(str(subject), {})[how] = outcome
    assert outcome == record[name][str(subject)][how], "another outcome than docs/reliability.md tells: record it"


def test_every_stream_of_every_provider_is_in_it() -> None:
    assert {subject.stream for subject in SUBJECTS} == {
        str(vars(kind)["name"]) for provider in PROVIDERS for kind in provider.streams
    }


def _struck(stage: Stage, subject: Subject, name: str, *, lasting: bool) -> str:
    """Play a fault; check what came of it, and that the next run has everything."""
    kind = KINDS[name]
    refused, token = name == "connection refused", name == "expired token"
    alone = refused or token  # an address and a token are the whole account's
    options = dict(subject.endpoint.token) if token else {}
    whole = stage.whole(subject, alone=alone, **options)
    stage.begin(subject, **options)
    patient, config = stage.config(subject), stage.config(subject, kind)
    ordered = None
    if refused:
        with Closed(stage.box) as closed:
            vendor = config[subject.vendor]
            vendor["base_url"] = vendor["base_url"].replace(stage.box.url, f"http://127.0.0.1:{closed.port}")
            clock = Ticking() if lasting else Opening(closed.open)
            found = stage.read(subject, config, clock=clock, alone=alone)
            assert clock.waits, "nothing was refused"
    else:
        ordered = stage.box.fault(
            **orders(subject, kind, stage), **({"times": -1} if lasting else {"times": 3, "every": 3})
        )
        found = stage.read(subject, config, alone=alone)
        assert ordered.struck, "nothing was struck"
        stage.box.clear_faults()
    assert not stage.abroad.came, "a redirect was followed"
    outcome = _outcome(found, subject)
    _compare_others(found, whole, subject)
    if outcome == SAME and _misses(found, whole, subject, ordered):
        outcome = WARNED
    elif outcome == SAME:
        _compare(found, whole, subject, name)
        assert not lasting or kind.kept is None or any(map(kind.kept, _texts(found, subject))), "the value is lost"
    elif outcome == CUT:
        _compare_part(found, whole, subject, name)
    else:
        _compare_part(found, whole, subject, name)
        _compare_in_the_end(stage, found, patient, whole, subject, name, alone=alone)
    return outcome


def _outcome(found: Run, subject: Subject) -> str:
    """Return what the run says of itself, the same in status, stderr and ledger."""
    statuses = Counter(row["status"] for row in found.windows(subject.stream))
    errors = found.lines("ERROR")
    if found.status == 0:
        assert not errors, errors
        assert statuses
        assert statuses.keys() <= {"complete", "pending", "truncated"}, f"{statuses}, and yet the status is 0"
        if statuses["truncated"]:
            assert any(subject.stream in line for line in found.lines("WARNING"))
            return CUT
        return PENDING if statuses["pending"] else SAME
    assert found.status == 1
    assert len(errors) == 1, errors
    for word in (subject.vendor, "account default", subject.stream, "What to do: "):
        assert word in errors[0]
    assert "inside the tap" not in errors[0], errors[0]
    assert statuses["failed"] == 1, statuses
    (failed,) = (row for row in found.windows(subject.stream) if row["status"] == "failed")
    assert failed["gap_reason"]
    return FAILED


def _compare_others(found: Run, whole: Tables, subject: Subject) -> None:
    """Check that the other streams have not felt it."""
    have = tables(found)
    for stream in whole.keys() - {subject.stream, EVENTS}:
        assert have[stream] == whole[stream], stream
    assert {row["status"] for row in found.ledger if row["stream"] != subject.stream} == {"complete"}
    own = facts(subject.neighbour).stream
    assert _of(have, own) == _of(whole, own)


def _of(found: Tables, stream: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {key: record for key, record in found.get(EVENTS, {}).items() if record["stream"] == stream}


def _compare(found: Run, whole: Tables, subject: Subject, name: str) -> None:
    """Check that no row is missing, too much or other than it was."""
    have, kind = tables(found), KINDS[name]
    if not kind.rows:
        assert have == whole
        return
    column = subject.endpoint.text
    for stream in whole.keys() & {subject.stream, EVENTS}:
        one, two = (Counter(without(record, column) for record in of[stream].values()) for of in (have, whole))
        assert one == two, stream


def _texts(found: Run, subject: Subject) -> Iterator[str]:
    """Yield all that a record holds, for each."""
    for record in found.records[subject.stream]:
        yield "\n".join(map(str, record.values()))


def _misses(found: Run, whole: Tables, subject: Subject, ordered: Fault | None) -> bool:
    """Whether rows are missing in whose place the vendor sent what is no row; a warning says how many."""
    missing = len(whole[subject.stream]) - len(tables(found)[subject.stream])
    if ordered is None or ordered.body != "no object" or not missing:
        return False
    assert missing <= ordered.struck
    assert any(subject.stream in line and f"({missing} records)" in line for line in found.lines("WARNING"))
    _compare_part(found, whole, subject, "row that is no object")
    return True


def _compare_part(found: Run, whole: Tables, subject: Subject, name: str) -> None:
    """Check that what is out is a part of what is right."""
    column = subject.endpoint.text if KINDS[name].rows else None
    for stream in whole.keys() & {subject.stream, EVENTS}:
        for key, record in tables(found)[stream].items():
            if column is None:
                assert record == whole[stream].get(key)
            else:
                assert without(record, column) in {without(one, column) for one in whole[stream].values()}


def _compare_in_the_end(  # noqa: PLR0917 - one cell's parts
    stage: Stage, found: Run, config: Any, whole: Tables, subject: Subject, name: str, *, alone: bool
) -> None:
    """Check that the fault leaves no trace once it is over."""
    runs, clock = [found], Ticking()
    for _ in range(6):  # what is pending may be given up first
        runs.append(stage.read(subject, config, state=runs[-1].state, clock=clock, alone=alone))
        if runs[-1].status == 0 and {row["status"] for row in upserted(runs, LEDGER).values()} == {"complete"}:
            break
        clock.pass_time(days=1)
    assert runs[-1].status == 0, runs[-1].stderr
    assert {row["status"] for row in upserted(runs, LEDGER).values()} == {"complete"}
    have = tables(*runs)
    for stream in whole.keys() & {subject.stream, EVENTS}:
        assert have[stream].keys() == whole[stream].keys(), stream
        if not KINDS[name].rows:
            assert have[stream] == whole[stream], stream


def _with_a_wrong_clock(stage: Stage, subject: Subject, minutes: int) -> str:
    """Read every half hour by a clock that is wrong, nothing twice; compare with one look at the end."""
    true, vendor = Ticking(), subject.vendor
    options = {vendor: stage.options(subject)[vendor] | dict(facts(vendor + subject.variant).recent)}
    future = timedelta(hours=3)
    with Sandbox(size=120, now=true.now, future=future, vendors=[vendor], options=options, dated=True) as box:
        config = stage.config_in(box, subject, lookback_minutes=0, revisit_minutes=[])
        select = catalog(config, [subject.stream, LEDGER])
        runs: list[Run] = []
        for _ in range(8):
            state = runs[-1].state if runs else None
            runs.append(run(config, catalog=select, state=state, clock=Skewed(true, minutes), box=box))
            true.pass_time(minutes=30)
            assert runs[-1].status == 0, runs[-1].stderr
        config[vendor]["settle_minutes"] = 0
        late = run(config, catalog=select, clock=true, box=box)
    assert len(upserted(late, subject.stream)) > 5
    assert upserted(runs, subject.stream).keys() == upserted(late, subject.stream).keys()
    return SAME

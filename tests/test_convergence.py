"""The law: read early, change, read again = read once, late.

Hypothesis makes lives of mails, out of every transition that the vendor's sandbox knows, and schedules of reads, some
of them killed halfway. Both ends are compared: the tables of a target that upserts after all those reads, and those of
one read at the end. The times of reading, which only the ledger tells, stay aside.
"""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from general import NOW, config_of
from harness import Ticking, catalog, run
from outcome import Run, upserted
from sandbox.base import Life
from sandbox.server import Sandbox
from sandbox.vendors import VENDORS as PLAYED
from tap_emaillogs.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

pytestmark = pytest.mark.thorough

MINUTE = timedelta(minutes=1)
TAKEN = timedelta(hours=12)
"""Mails are taken within so long after `NOW`."""
END = timedelta(hours=40)
"""The last read; whatever was to happen has happened."""
EVENTS, LEDGER = "email_events", "sync_windows"
EXAMPLES = 25


_EXPORTS = {"export_interval_minutes": 0, "window_hours": 1000}


@dataclass(frozen=True)
class Scene:
    """A vendor as its documents may be understood."""

    vendor: str
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    select: tuple[str, ...] = ()
    """The streams to read; all that are selected by default where it is empty."""
    reports: bool = False
    """Whether reports by mail are saved to a directory."""
    anonymous: bool = False
    """Whether rows hold no reference of their mail: then all that they hold identifies them, and older ones stay."""
    overwrites: bool = False
    """Whether it shows one status per row: events of a status that it showed before stay, since they are facts."""

    @property
    def waits(self) -> bool:
        """Whether the vendor is asked for a file that it makes in its own time."""
        return self.reports or self.settings is _EXPORTS

    def __str__(self) -> str:
        options = (f"{key}={value}" for key, value in self.options.items())
        return "-".join([self.vendor, *self.select[:1], *options])


SCENES = (
    Scene("infobip"),
    Scene("infobip", {"api_version": 4}),
    Scene("smtp2go"),
    Scene("smtp2go", {"attempts": "grow", "paging": "offset", "order": "oldest"}, {"page_size": 3}),
    Scene("jetemail"),
    Scene("jetemail", {"filter_column": "first_seen", "unit": "milliseconds", "receivers": 2}, {"page_size": 3}),
    Scene(
        "jetemail",
        {"filter_column": "first_seen", "sort_column": "last_updated", "receivers": 3, "ties": "shuffled"},
        {"paging": "page", "page_size": 13},
    ),
    Scene("zeptomail", {}, _EXPORTS, overwrites=True),
    Scene("zeptomail", {"rows_per": "event"}, _EXPORTS),
    Scene("zeptomail", {"rows_per": "mail", "several_recipients": 2}, _EXPORTS, overwrites=True),
    Scene("zeptomail", {"hide_columns": ("Status Time", "Email Reference")}, _EXPORTS, overwrites=True),
    Scene("zeptomail", select=("zeptomail_emails", EVENTS), overwrites=True),
    Scene("zeptomail", {"email_shape": "flat"}, {"details": True}, ("zeptomail_emails", EVENTS), overwrites=True),
    Scene("messangi", select=("messangi_message_reports", EVENTS), reports=True, overwrites=True),
    Scene("messangi", {"rows": "event"}, select=("messangi_message_reports", EVENTS), reports=True),
    Scene("messangi", {}, overwrites=True),
    Scene("messangi", {"hide_fields": ("id",)}, anonymous=True, overwrites=True),
    Scene("messangi", {"hide_fields": ("id",), "rows": "event"}, anonymous=True),
    Scene("messangi", {"rows": "event"}),
    Scene("messangi", {"bounds": "[]", "order": "oldest", "page_cap": 3}, overwrites=True),
)


@dataclass(frozen=True)
class Read:
    """One run of the tap; `share` of its messages reach the target before it is killed."""

    after: timedelta
    share: float


@st.composite
def lives(draw: st.DrawFn, vendor: str) -> Life:
    steps: list[tuple[timedelta, str]] = []
    state = ""
    for _ in range(draw(st.integers(0, 6))):
        following = PLAYED[vendor].transitions.get(state, ())
        if not following:
            break
        state = draw(st.sampled_from(following))
        steps.append((draw(st.sampled_from([0, 1, 7, 90, 240])) * MINUTE, state))
    at = draw(st.integers(0, int(TAKEN / MINUTE))) * MINUTE
    return Life(NOW + at, tuple(steps))


reads = st.lists(
    st.builds(
        Read,
        st.integers(0, int((END - timedelta(hours=1)) / MINUTE)).map(lambda minutes: minutes * MINUTE),
        st.sampled_from([0.0, 0.3, 0.7, 1.0, 1.0]),
    ),
    min_size=1,
    max_size=5,
).map(lambda found: sorted(found, key=lambda read: read.after))


@contextlib.contextmanager
def played(scene: Scene, plan: Iterable[Life], clock: Ticking) -> Iterator[Sandbox]:
    with tempfile.TemporaryDirectory() as directory:
        options = {**scene.options, **({"directory": directory} if scene.reports else {})}
        with Sandbox(size=0, now=clock.now, vendors=[scene.vendor], options={scene.vendor: options}) as box:
            box.live(scene.vendor, plan)
            yield box


def read(scene: Scene, box: Sandbox, clock: Ticking, state: Any = None, **more: Any) -> Run:
    config = config_of(box, scene.vendor, top={"start_date": (NOW - timedelta(hours=1)).isoformat()})
    config[scene.vendor] |= {"revisit_minutes": [], "settle_minutes": 1, **scene.settings, **more}
    if scene.reports:
        directory = box.vendor(scene.vendor).account().options["directory"]
        report = {"emails": ["reports@example.com"], "from": "shop@example.com", "directory": directory}
        config[scene.vendor]["report"] = report
    select = catalog(config, {*scene.select, LEDGER}) if scene.select else None
    found = run(config, state=state, catalog=select, clock=clock)
    assert found.status == 0, found.stderr
    return found


def killed(whole: Run, share: float) -> Run:
    """Return what a target has, and the STATE that goes on from there, when only so much of a run came through."""
    if share >= 1:
        return whole
    schemas = sum(message["type"] == "SCHEMA" for message in whole.messages)
    return Run(-9, "", whole.messages[: max(schemas, int(len(whole.messages) * share))])


def tables(runs: Iterable[Run]) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    runs = list(runs)
    names = {name for one in runs for name in one.schemas} - {LEDGER}
    return {name: upserted([one for one in runs if name in one.keys], name) for name in names}


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_read_early_and_again_is_read_once_and_late(scene: Scene) -> None:
    assert PLAYED[scene.vendor].transitions, "its sandbox plays no lives"

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(st.lists(lives(scene.vendor), min_size=1, max_size=6), reads)
    def law(plan: list[Life], schedule: list[Read]) -> None:
        clock = Ticking()
        runs: list[Run] = []
        state: Any = None
        with played(scene, plan, clock) as box:
            for one in schedule:
                clock.pass_time(seconds=max(0.0, (NOW + one.after - clock.now()).total_seconds()))
                whole = killed(read(scene, box, clock, state), one.share)
                runs.append(whole)
                state = whole.state or state
            clock.pass_time(seconds=max(0.0, (NOW + END - clock.now()).total_seconds()))
            # Everything is looked at again, as revisits do in their time. A file that was asked for by a run that was
            # killed is taken up first, and shows what there was then.
            for _ in range(2 if scene.waits else 1):
                runs.append(read(scene, box, clock, state, lookback_minutes=END / MINUTE + 120))
                state = runs[-1].state
        other = Ticking()
        with played(scene, plan, other) as box:
            other.pass_time(seconds=END.total_seconds())
            once = read(scene, box, other)
        compare(scene, plan, tables(runs), tables([once]))
        event(f"{len(schedule)} early reads")

    law()


def compare(scene: Scene, plan: list[Life], early: dict[str, Any], late: dict[str, Any]) -> None:
    assert early.keys() == late.keys()
    for name, have in early.items():
        want = late[name]
        missing = {key: want[key] for key in want.keys() - have.keys()}
        assert not missing, (
            f"{name}: {len(missing)} records of the late read are missing: {next(iter(missing.values()))}"
        )
        ghosts = [have[key] for key in have.keys() - want.keys()]
        if name == EVENTS and scene.overwrites:
            for one in ghosts:
                assert one["event_type"] != "queued", one
                assert _shown(one["provider_event"], plan), one
        elif name == EVENTS or not scene.anonymous:
            assert not ghosts, f"{name}: {len(ghosts)} ghosts, such as {ghosts[0]}"
        for key, record in want.items():
            assert have[key] == record, f"{name}: the record differs"


def _shown(status: str, plan: list[Life]) -> bool:
    """Whether some mail of the plan had a status."""
    words = {name.replace("_", " ").lower() for life in plan for _, name in life.steps}
    return status.replace("_", " ").lower() in words


def test_every_provider_obeys_the_law() -> None:
    assert {scene.vendor for scene in SCENES} == {provider.name for provider in PROVIDERS}


def test_every_stream_obeys_the_law() -> None:
    """Each raw stream is read in some scene."""
    found: set[str] = set()
    for scene in SCENES:
        clock = Ticking()
        with played(scene, [Life(NOW, ())], clock) as box:
            clock.pass_time(hours=20)
            found |= read(scene, box, clock).schemas.keys()
    names = {str(vars(kind)["name"]) for provider in PROVIDERS for kind in provider.streams}
    assert found >= {*names, EVENTS}

"""The scenarios behind the golden file, and what of their runs is frozen.

Frozen per run: exit status, every SCHEMA with its keys, every record, the last STATE, the ledger, and beside them the
requests of each window. Not frozen: the order of messages, the number of STATEs, `time_extracted`, stderr.

Made deterministic here, so that nothing else has to be:

- `Still` keeps `now` where it is while a run waits: else `read_at` would tell which thread waited when.
- `max_concurrency` is 1: which windows are cut depends on the rows that the windows before them had.
- A report's id is random by design (`secrets`): it is normalised to `r…`, and so is a request's note in STATE.
- Which window pays for Zoho's token or for the list of jobs that all exports share is a matter of threads: the
  requests of ZeptoMail are those of its account, as the sandbox counts them, without polls and tokens, and only of
  runs in which nothing failed.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from general import LEDGER, NOW, config_of
from harness import Ticking, catalog, run
from sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from outcome import Run

ALL = ("smtp2go", "jetemail", "infobip", "zeptomail", "messangi")
_IDENTS_IN_PATHS = r"(?<=exports/).+(?=/download)|(?<=email-reference/).+"
_IDENT = re.compile(r"\br[0-9a-f]{24}\b")


class Still(Ticking):
    """A clock that only `pass_time` moves; waits return at once, and only `monotonic` tells of them."""

    def __init__(self, now: datetime = NOW) -> None:
        super().__init__(now)
        self._now = now

    def now(self) -> datetime:
        return self._now

    def pass_time(self, **span: float) -> None:
        super().pass_time(**span)
        self._now += timedelta(**span)


@dataclass
class World:
    """A sandbox, the tap's configuration for it, and a clock that both go by."""

    directory: str
    """Where Messangi's reports come to."""
    clock: Ticking = field(default_factory=Still)

    def start(
        self,
        vendors: tuple[str, ...] = ALL,
        *,
        size: int = 40,
        options: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        **top: Any,
    ) -> World:
        """Start the sandbox; `options` are its, `settings` the tap's, both by vendor, `top` the tap's own."""
        given = {name: dict((options or {}).get(name, {})) for name in vendors}
        if "messangi" in vendors:
            given["messangi"]["directory"] = self.directory
        self.box = Sandbox(
            seed=8, size=size, now=self.clock.now, vendors=vendors, options=given, future=timedelta(days=4)
        )
        self.box.__enter__()
        self.config = config_of(self.box, max_concurrency=1, top=top)
        for name, changes in (settings or {}).items():
            self.config[name] |= changes
        if "messangi" in vendors:
            report = {"emails": ["reports@example.com"], "from": "shop@example.com", "directory": self.directory}
            self.config["messangi"]["report"] = report | self.config["messangi"].get("report", {})
        self.state: dict[str, Any] | None = None
        self.streams: tuple[str, ...] | None = None
        return self

    def run(self, **span: float) -> Run:
        """Run the tap with the last STATE, `span` after the run before."""
        self.clock.pass_time(**span)
        names = self.streams or tuple(_streams(self.config))
        select = catalog(self.config, names)
        found = run(self.config, state=self.state, catalog=select, clock=self.clock, box=self.box, checked=False)
        self.state = found.state or self.state
        return found

    def disturb(self, minutes_ago: float = 30) -> None:
        """Let rows appear late, and others change."""
        for vendor in self.box.vendors:
            self.box.late(vendor, count=6, minutes_ago=minutes_ago)
            self.box.change(vendor, count=4, minutes_ago=minutes_ago)

    def refuse(self, windows: Mapping[str, tuple[str, ...]] | None = None) -> None:
        """Refuse every request for good, or those that mention one of these edges of windows, by vendor."""
        for vendor in self.box.vendors:
            for part in windows[vendor] if windows else ("",):
                path = "/v1.1" if vendor == "zeptomail" else ""  # Zoho still gives tokens
                self.box.fault(vendor=vendor, path=path, contains=part, kind="status", status=403, times=-1)


def _streams(config: Mapping[str, Any]) -> Iterator[str]:
    found = catalog(config, ())
    yield from (entry["tap_stream_id"] for entry in found["streams"])


# The scenarios: each yields (name of the run, the run).

_WINDOWS: dict[str, dict[str, Any]] = {
    "smtp2go": {"window_hours": 240, "page_size": 15},
    "jetemail": {"window_hours": 240, "page_size": 15},
    "infobip": {"window_hours": 12, "page_size": 20},
    "zeptomail": {"window_hours": 480, "page_size": 15},
    "messangi": {"window_hours": 480, "page_size": 15},
}

_LATER_EDGES = {
    "smtp2go": ("2026-02-19T11:56:40Z",),
    "jetemail": ("1771502200",),
    "infobip": ("2026-02-28T23%3A58",),
    "zeptomail": ("09/02/2026, 11:50 AM", "09%2F02%2F2026%2C+11%3A56+AM"),
    "messangi": ("2026-02-14T11%3A57%3A29.999Z",),
}
"""Edges of a first run's later windows under `_WINDOWS`, as its requests have them."""


def days(world: World) -> Iterator[tuple[str, Run]]:
    """Every stream of every vendor over two days, with late rows, changed rows, revisits, an outage and its repair."""
    world.start(size=60, settings=_WINDOWS)
    yield "first", world.run()
    yield "quiet, 10 minutes later", world.run(minutes=10)
    world.disturb()
    yield "late and changed rows, an hour later", world.run(minutes=60)
    world.disturb(minutes_ago=600)
    yield "a day later", world.run(days=1)
    world.refuse()
    yield "an outage, 3 hours later", world.run(hours=3)
    world.box.clear_faults()
    world.disturb(minutes_ago=20)
    yield "repaired, an hour later", world.run(hours=1)


def outage(world: World) -> Iterator[tuple[str, Run]]:
    """Every vendor fails in the middle of the first run, is repaired, and is not asked for longer than it remembers."""
    world.start(settings=_WINDOWS, on_gap="fail")
    world.refuse(_LATER_EDGES)
    yield "broken in the middle", world.run()
    world.box.clear_faults()
    yield "repaired, 2 hours later", world.run(hours=2)
    yield "quiet, 30 minutes later", world.run(minutes=30)
    yield "65 days later: gaps", world.run(days=65)
    yield "a day after that", world.run(days=1)


def privacy(world: World) -> Iterator[tuple[str, Run]]:
    """Recipients and addresses hashed, subjects and bodies left out."""
    hidden = {"recipient": "hash", "subject": "drop", "ip": "hash", "body": "drop", "salt": "golden-salt-of-the-tests"}
    world.start(size=30, privacy=hidden)
    yield "first", world.run()
    world.disturb()
    yield "an hour later", world.run(hours=1)


def variants(world: World) -> Iterator[tuple[str, Run]]:
    """The other ways to read: version 4, page numbers, headers, filters, details, another zone, domains only."""
    world.start(
        size=30,
        options={"infobip": {"api_version": 4, "offset": "+02:00"}, "zeptomail": {"timezone": "Asia/Kolkata"}},
        settings={
            "smtp2go": {"include_headers": True, "custom_headers": ["X-Order"], "event_types": ["delivered", "opened"]},
            "jetemail": {"paging": "page", "page_size": 12},
            "infobip": {"page_size": 12},
            "zeptomail": {"details": True, "page_size": 20},
            "messangi": {"report": {"timezone": "GMT-5"}, "extra_params": {"status": "SENT,OPEN"}},
        },
        privacy={"recipient": "domain", "subject": "hash", "ip": "drop", "salt": "golden-salt-of-the-tests"},
    )
    yield "first", world.run()
    world.disturb()
    yield "an hour later", world.run(hours=1)
    yield "a day later", world.run(days=1)


def accounts(world: World) -> Iterator[tuple[str, Run]]:
    """Two accounts of each vendor, one of which has settings of its own and fails for a while."""
    keys = {
        "smtp2go": ("api-ONEKEY0123456789", "api-TWOKEY0123456789"),
        "jetemail": ("api_onekey0123456789", "api_twokey0123456789"),
        "infobip": ("onekey0123456789ab", "twokey0123456789ab"),
        "zeptomail": ("1000.one-refresh.zeptomail", "1000.two-refresh.zeptomail"),
    }
    options = {
        vendor: {"accounts": {one: {"label": "one"}, two: {"label": "two", "size": 11}}}
        for vendor, (one, two) in keys.items()
    }
    world.start(tuple(keys), size=18, options=options)
    for vendor in keys:
        world.config[vendor]["accounts"][1] |= {
            "start_date": (NOW - timedelta(hours=40)).isoformat(),
            "lookback_minutes": 90,
        }
        world.box.fault(vendor=vendor, account="two", kind="status", status=403, times=-1)
    yield "first, one account refused", world.run()
    world.box.clear_faults()
    yield "10 minutes later", world.run(minutes=10)
    yield "an hour later", world.run(minutes=60)


def caps(world: World) -> Iterator[tuple[str, Run]]:
    """More rows in a moment than an answer may have: windows are cut, and at last truncated."""
    world.start(
        ("smtp2go", "jetemail", "infobip", "messangi"),
        size=80,
        options={
            "infobip": {"burst": {"count": 30, "same_ms": True}},
            "jetemail": {"max_count_limit": 20},
            "messangi": {"too_big": 25},
            "smtp2go": {"span_days": 2},
        },
        settings={
            "infobip": {"page_size": 12},
            "jetemail": {"page_size": 10},
            "messangi": {"page_size": 10},
            "smtp2go": {"page_size": 10, "window_hours": 24},
        },
    )
    yield "first", world.run()
    yield "10 minutes later", world.run(minutes=10)
    yield "a day later", world.run(days=1)


def pending(world: World) -> Iterator[tuple[str, Run]]:
    """A report by mail that does not come is left for later runs, given up, and asked for anew."""
    span = {"start_date": (NOW - timedelta(days=30)).isoformat(), "end_date": (NOW - timedelta(days=2)).isoformat()}
    world.start(
        ("messangi",),
        options={"messangi": {"lost_reports": 1}},
        settings={"messangi": {"report": {"wait_minutes": 0}}},
        **span,  # the same window in each run: another one that is under way would be noted in STATE, or not yet
    )
    world.streams = ("messangi_message_reports", "email_events", LEDGER)
    yield "first", world.run()
    yield "10 minutes later", world.run(minutes=10)
    yield "4 days later: given up", world.run(days=4)
    del world.config["end_date"]
    yield "10 minutes after that: asked anew", world.run(minutes=10)


def slow_exports(world: World) -> Iterator[tuple[str, Run]]:
    """An export that is not ready in time is taken up by a later run."""
    world.start(
        ("zeptomail",), options={"zeptomail": {"job_seconds": 3600}}, settings={"zeptomail": {"window_hours": 2000}}
    )
    world.streams = ("zeptomail_mail_logs", "email_events", LEDGER)
    yield "first", world.run()
    yield "30 minutes later", world.run(minutes=30)
    yield "2 hours later", world.run(hours=2)
    yield "3 hours after that", world.run(hours=3)


SCENARIOS: dict[str, Callable[[World], Iterator[tuple[str, Run]]]] = {
    one.__name__: one for one in (days, outage, privacy, variants, accounts, caps, pending, slow_exports)
}


# What is frozen.


def play(name: str) -> dict[str, Any]:
    """Run a scenario; return {"schemas": …, "runs": [{"name", "status", "records", "state", "requests"}]}."""
    with tempfile.TemporaryDirectory() as directory:
        world = World(directory)
        try:
            runs = list(SCENARIOS[name](world))
            schemas: dict[str, Any] = {}
            for title, found in runs:
                for stream, schema in found.schemas.items():
                    entry = {"key_properties": found.keys[stream], "schema": schema}
                    assert schemas.setdefault(stream, entry) == entry, f"{name}, {title}: SCHEMA of {stream} changed"
            frozen = [_frozen(title, found) for title, found in runs]
        finally:
            world.box.__exit__()
    found = {"schemas": schemas, "runs": frozen}
    normal: dict[str, Any] = json.loads(_IDENT.sub("r…", json.dumps(found, sort_keys=True, ensure_ascii=False)))
    return normal


def _frozen(title: str, found: Run) -> dict[str, Any]:
    assert "Traceback" not in found.stderr, found.stderr
    records = {stream: _sorted(rows, found.keys[stream]) for stream, rows in sorted(found.records.items())}
    requests = {
        " ".join(str(row[part]) for part in ("stream", "account", "window_start", "window_end")): row["requests"]
        for row in records.get(LEDGER, ())
        if row["provider"] != "zeptomail"
    }
    if not found.status:  # where a window fails, what is still asked for its neighbours is a matter of threads
        requests |= _requests_of_jobs(found)
    ledger = [{key: value for key, value in row.items() if key != "requests"} for row in records.get(LEDGER, ())]
    if LEDGER in records:
        records[LEDGER] = ledger
    return {
        "name": title,
        "status": found.status,
        "records": records,
        "state": _state(found.state),
        "requests": requests,
    }


def _requests_of_jobs(found: Run) -> Counter[str]:
    """Count ZeptoMail's requests, by account, method and path, without tokens and looks at the list of jobs."""
    return Counter(
        f"zeptomail {request.method} {re.sub(_IDENTS_IN_PATHS, '…', request.path)}"
        for request in found.requests
        if request.vendor == "zeptomail" and "token" not in request.path
        if (request.method, request.path.rsplit("/", 1)[-1]) != ("GET", "exports")
    )


def _sorted(rows: list[dict[str, Any]], keys: list[str]) -> list[dict[str, Any]]:
    """Sort by primary key, and versions of one row by their text."""
    return sorted(rows, key=lambda row: ([row[key] for key in keys], json.dumps(row, sort_keys=True)))


def _state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Name each partition by its context: their order is that in which endpoints got there."""
    named: dict[str, Any] = json.loads(json.dumps(state))
    for entry in named.get("bookmarks", {}).values():
        if "partitions" in entry:
            parts = {" ".join(map(str, part["context"].values())): part for part in entry["partitions"]}
            entry["partitions"] = dict(sorted(parts.items()))
    return named

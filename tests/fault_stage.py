"""Where the cells of the fault matrix are played: one port, behind which every cell finds vendors without a past.

A cell reads one stream, all other streams of its vendor, and another vendor's. What is read without a fault is read
once, and compared with whatever a fault leaves: keys and all.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import tempfile
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fault_kinds import KINDS, SHORT, TRIES
from general import EVENTS, LEDGER, NOW, OWN, config_of, facts, pages
from harness import Ticking, catalog, run
from outcome import Run, upserted
from sandbox.base.facts import Endpoint
from sandbox.base.web import Response, Server
from sandbox.server import Sandbox
from sandbox.vendors import VENDORS as PLAYERS
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.provider import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fault_kinds import Kind
    from sandbox.base.web import Request

SIZE, PAGE = 24, 8
LONG = 5
"""`timeout_seconds` where it is not to run out."""
MOST_REQUESTS = 1_000
LONGEST_WAIT = timedelta(days=1).total_seconds()


@dataclass(frozen=True)
class Subject:
    """A raw stream of a provider, read as its vendor's documents or a variant of them have it."""

    stream: str
    vendor: str
    variant: str = ""

    @property
    def endpoint(self) -> Endpoint:
        return facts(self.vendor + self.variant).endpoints.get(self.stream, Endpoint())

    @property
    def siblings(self) -> list[str]:
        """All raw streams of the vendor."""
        return [name_of(kind) for one in PROVIDERS if one.name == self.vendor for kind in one.streams]

    @property
    def makes_events(self) -> bool:
        return any(self.stream in one.event_sources for one in PROVIDERS)

    @property
    def neighbour(self) -> str:
        """Another vendor."""
        names = [one.name for one in PROVIDERS]
        following = [*names[names.index(self.vendor) + 1 :], *names]
        return next(name for name in following if "faults" not in facts(name).unfit)

    def __str__(self) -> str:
        return self.stream + (f" ({self.variant})" if self.variant else "")


SUBJECTS = tuple(
    Subject(name_of(kind), provider.name, variant)
    for provider in PROVIDERS
    for variant in ("", *facts(provider.name).variants)
    for kind in provider.streams
)

Tables = dict[str, dict[tuple[Any, ...], dict[str, Any]]]


class Stage:
    """A sandbox that plays one cell after the other."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._whole: dict[Any, Tables] = {}

    def __enter__(self) -> Self:
        self.directory = self._stack.enter_context(tempfile.TemporaryDirectory())
        self.box = self._stack.enter_context(Sandbox(size=SIZE, now=NOW, vendors=[]))
        self.abroad = self._stack.enter_context(Abroad())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def options(self, subject: Subject, **more: Any) -> dict[str, dict[str, Any]]:
        """Return the players' options, which hold directories that are empty by now."""
        found: dict[str, dict[str, Any]] = {}
        for vendor in (subject.vendor, subject.neighbour):
            own = facts(vendor + (subject.variant if vendor == subject.vendor else ""))
            folder = Path(self.directory) / vendor
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            found[vendor] = dict(own.options)
            for endpoint in own.endpoints.values():
                found[vendor] |= endpoint.options(str(folder))
        found[subject.vendor] |= more
        return found

    def config(self, subject: Subject, kind: Kind | None = None) -> dict[str, Any]:
        """Return the tap's configuration for a subject and its neighbour, as a fault needs it."""
        own = self.config_in(self.box, subject)
        other = self.config_in(self.box, Subject(facts(subject.neighbour).stream, subject.neighbour))
        patience = SHORT if kind is not None and kind.impatient else LONG
        return {"timeout_seconds": patience, "max_tries": kind.tries if kind else TRIES, **own, **other}

    @staticmethod
    def config_in(box: Sandbox, subject: Subject, **more: Any) -> dict[str, Any]:
        """Return the configuration of a subject's vendor in a sandbox."""
        kind = subject.vendor + subject.variant
        given = {"window_hours": 2_000, **facts(kind).settings, **pages(subject.vendor, PAGE)}
        for endpoint in facts(kind).endpoints.values():
            given |= endpoint.settings(box.world.options[subject.vendor])
        return config_of(box, subject.vendor, **{**given, **more})

    def begin(self, subject: Subject, **options: Any) -> None:
        """Let vendors without a past answer."""
        self.box.renew(self.options(subject, **options), (subject.vendor, subject.neighbour))

    def read(
        self,
        subject: Subject,
        config: Mapping[str, Any],
        *,
        state: Any = None,
        clock: Ticking | None = None,
        alone: bool = False,
    ) -> Run:
        """Run the tap; `alone`: without the vendor's other streams.

        No run may take more than a day of the clock's, or a thousand requests.
        """
        clock = clock or Ticking()
        streams = {*([subject.stream] if alone else subject.siblings), facts(subject.neighbour).stream, LEDGER}
        if not alone or subject.makes_events:  # events would be made of another stream
            streams.add(EVENTS)
        select = catalog(config, streams)
        found = run(config, catalog=select, state=state, clock=clock, box=self.box)
        assert sum(clock.waits) < LONGEST_WAIT, "it waits without end"
        assert len(found.requests) < MOST_REQUESTS, "it asks without end"
        return found

    def whole(self, subject: Subject, *, alone: bool = False, **options: Any) -> Tables:
        """Return what is read without a fault."""
        key = subject, alone, json.dumps(options)
        if key not in self._whole:
            self.begin(subject, **options)
            found = self.read(subject, self.config(subject), alone=alone)
            assert found.status == 0, found.stderr
            self._whole[key] = tables(found)
            assert self._whole[key][subject.stream], "nothing to lose"
        return self._whole[key]


def tables(*runs: Run) -> Tables:
    """Return what a target that upserts ends with, but for the ledger."""
    names = {name for one in runs for name in one.keys} - {LEDGER}
    return {name: upserted(runs, name) for name in names}


def without(record: Mapping[str, Any], column: str) -> str:
    """Return a record as text, without what a value in a column of text, or in a new field, changes."""
    hidden = OWN | {column.lower().replace(" ", "_"), "provider_event_id"}  # an id may be made of what it replaces
    return json.dumps({name: value for name, value in record.items() if name not in hidden}, sort_keys=True)


class Abroad:
    """Another host, where nobody is to go; `came` lists who did."""

    def __init__(self) -> None:
        self.came: list[str] = []

    def __enter__(self) -> Self:
        self._server = Server(self._answer, 0)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True)
        self._thread.start()
        self.url = f"http://localhost:{self._server.server_address[1]}/elsewhere"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: Request) -> Response:
        self.came.append(request.path)
        return Response(200, {"data": []})


class Closed:
    """A port that refuses connections until it is opened, behind which the sandbox answers then."""

    def __init__(self, box: Sandbox) -> None:
        self._box = box
        self._socket: socket.socket | None = socket.socket()
        self._socket.bind(("127.0.0.1", 0))  # and nobody listens
        self._server: Server | None = None
        self.port = self._socket.getsockname()[1]

    def open(self) -> None:
        """Begin to answer."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._server = Server(self._box.answer, self.port)
            threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


class Opening(Ticking):
    """A clock whose first wait opens a port."""

    def __init__(self, opened: Callable[[], None]) -> None:
        super().__init__()
        self._opened = opened

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        self._opened()


class Skewed(Ticking):
    """The clock of a machine that is wrong by so many minutes; `true` is the vendor's."""

    def __init__(self, true: Ticking, minutes: float) -> None:
        super().__init__()
        self._true, self._skew = true, timedelta(minutes=minutes)
        self.waits = true.waits

    def now(self) -> Any:
        return self._true.now() + self._skew

    def monotonic(self) -> float:
        return self._true.monotonic()

    def wait(self, seconds: float) -> None:
        self._true.wait(seconds)


def unfit(subject: Subject, name: str) -> str | None:
    """Return why a stream cannot suffer a fault."""
    kind = KINDS[name]
    if (why := kind.unfit(subject.endpoint)) is not None:
        return why
    player = PLAYERS[subject.vendor]
    if name == "expired token" and not subject.endpoint.token:
        return facts(player.name).unfit.get("expire_token")
    return None


def orders(subject: Subject, kind: Kind, stage: Stage) -> dict[str, Any]:
    """Return what the sandbox is told, so that just this stream is struck."""
    endpoint = subject.endpoint
    where = {
        "vendor": subject.vendor,
        "path": endpoint.path,
        "contains": (kind.rows and endpoint.rows) or endpoint.contains,
    }
    more = {"column": endpoint.text} if kind.rows else {"location": stage.abroad.url}
    return {**where, **kind.order, **more}


def cells() -> Iterator[tuple[Subject, str, str]]:
    """Yield every cell of the matrix: a stream, a fault, and whether it passes or lasts."""
    for subject in SUBJECTS:
        for name in KINDS:
            if unfit(subject, name) is None:
                yield from (
                    (subject, name, how)
                    for how in (("passing",) if name.startswith("clock") else ("passing", "lasting"))
                )

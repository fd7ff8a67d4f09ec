"""Runs the tap against a sandbox as a user would, and reads what it writes.

For every test module:

- `Run`: the parsed messages of one run (schemas, records by stream, states with their place, stderr, status).
- `run(config, ...)`: in process, fast, with any clock; `command(config, ...)`: a subprocess of the command line.
  Both check on the way out what holds for every run: whole lines of JSON, a SCHEMA before its RECORDs, every record
  valid, and nothing secret and no address in stderr or STATE.
- `Ticking`: a clock whose waits return at once and move the time; give its `now` to the sandbox to share the time.
- `catalog(config, select, ...)`: a catalog that selects streams, and leaves out properties.
- `upserted(runs, stream)`: what a target that upserts would end with.
- `assert_rows(box, runs, vendor, ...)`: every row of the sandbox is there, nothing else, field by field.
- `assert_ledger(...)`: the ledger tiles a stretch of time, and its sums are those of the run.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jsonschema import Draft7Validator

from sandbox.vendors import VENDORS as PLAYERS
from tap_emaillogs.engine.windows import subtract, union
from tap_emaillogs.formats import timestamps
from tap_emaillogs.http.clock import Clock, Stopped
from tap_emaillogs.streams.window import Window
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sandbox.base.facts import Facts
    from sandbox.server import Logged, Sandbox

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEDGER, EVENTS = "sync_windows", "email_events"


def facts(kind: str) -> Facts:
    """Return what the general tests must know of a vendor or a variant of it, which stands beside its player."""
    own = PLAYERS[vendor_of(kind)].facts
    return own.variants.get(kind.removeprefix(vendor_of(kind)), own)


def vendor_of(kind: str) -> str:
    """Return the vendor of a variant such as `infobip4`."""
    return next(name for name in PLAYERS if kind.startswith(name))


def stream_of(vendor: str) -> str:
    """Return the stream of a vendor that the general tests read."""
    return facts(vendor).stream


VENDORS = tuple(PLAYERS)
STREAMS = {vendor: stream_of(vendor) for vendor in VENDORS}

PROGRAM = ["-m", "tap_emaillogs"]
"""What Python runs as the tap; `plugging.plugged` changes it."""
_SECRET = re.compile(r"key|secret|token|password|salt")
_ADDRESS = re.compile(r"[^\s\"'<>,;:()\[\]{}=/\\]+(?:@|%40)[^\s\"'<>,;:()\[\]{}=/\\]+")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
MILLIS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Ticking(Clock):
    """A clock that stands still but for `wait`, which returns at once and moves it, and `pass_time`."""

    def __init__(self, now: datetime = NOW) -> None:
        super().__init__()
        self._began = now
        self._elapsed = 0.0
        self._lock = threading.Lock()
        self.waits: list[float] = []
        """Every wait asked for, in seconds."""

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def wait(self, seconds: float) -> None:
        if self.stopped:
            raise Stopped
        with self._lock:
            self.waits.append(seconds)
            self._elapsed += max(0.0, seconds)

    def pass_time(self, **span: float) -> None:
        """Move on, as `timedelta(**span)` says."""
        with self._lock:
            self._elapsed += timedelta(**span).total_seconds()


class Message(NamedTuple):
    """One line of stdout and its place."""

    place: int
    value: dict[str, Any]


@dataclass
class Run:
    """What one run of the tap wrote."""

    status: int
    stderr: str
    messages: list[dict[str, Any]]
    config: Mapping[str, Any] = field(repr=False, default_factory=dict)
    tail: str = ""
    """Text after the last line break: only a process that was killed may leave any."""
    requests: Sequence[Logged] = ()
    """What the sandbox saw of it, when `run` or `command` was given the sandbox."""

    def __post_init__(self) -> None:
        self.schemas: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, list[str]] = {}
        self.records: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.placed: defaultdict[str, list[Message]] = defaultdict(list)
        self.states: list[Message] = []
        for place, message in enumerate(self.messages):
            match message["type"]:
                case "SCHEMA":
                    self.schemas[message["stream"]] = message["schema"]
                    self.keys[message["stream"]] = message["key_properties"]
                case "RECORD":
                    self.records[message["stream"]].append(message["record"])
                    self.placed[message["stream"]].append(Message(place, message["record"]))
                case "STATE":
                    self.states.append(Message(place, message["value"]))

    @property
    def state(self) -> dict[str, Any]:
        """The last STATE; empty when there was none."""
        return self.states[-1].value if self.states else {}

    @property
    def ledger(self) -> list[dict[str, Any]]:
        """The rows of `sync_windows`."""
        return self.records[LEDGER]

    def windows(self, stream: str, account: str = "default") -> list[dict[str, Any]]:
        """Return the ledger's rows of one endpoint."""
        return [row for row in self.ledger if (row["stream"], row["account"]) == (stream, account)]

    def bookmark(self, name: str, /, **context: str) -> str | None:
        """Return the last STATE's bookmark of a partition whose context holds `context`."""
        return bookmarks(self.state).get(name, {}).get(tuple(sorted(context.items()))) or next(
            (
                value
                for found, value in bookmarks(self.state).get(name, {}).items()
                if set(context.items()) <= set(found)
            ),
            None,
        )

    def lines(self, level: str) -> list[str]:
        """Return the lines of stderr of a level."""
        return [line for line in self.stderr.splitlines() if re.search(rf"(?<!\w){level}(?!\w)", line)]


def bookmarks(state: Mapping[str, Any]) -> dict[str, dict[tuple[tuple[str, str], ...], str]]:
    """Return {stream: {context: bookmark}} of a STATE."""
    return {
        stream: {
            tuple(sorted(part["context"].items())): part["replication_key_value"]
            for part in entry.get("partitions", [])
            if "replication_key_value" in part
        }
        for stream, entry in state.get("bookmarks", {}).items()
    }


# Running.


class _Output(io.BytesIO):
    """A stdout that tells what is written to it."""

    def __init__(self, watch: Callable[[bytes], None] | None) -> None:
        super().__init__()
        self._watch = watch

    def write(self, data: Any) -> int:
        if self._watch is not None:
            self._watch(bytes(data))
        return super().write(data)


def config_of(box: Sandbox, *vendors: str, top: Mapping[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """Return a configuration for these vendors of the sandbox (default: all it plays), each with `settings`."""
    given = box.config(vendors or None)
    return {**{name: {**vendor, **settings} for name, vendor in given.items()}, **(top or {})}


def run(
    config: Mapping[str, Any],
    *,
    state: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
    box: Sandbox | None = None,
    checked: bool = True,
    watch: Callable[[bytes], None] | None = None,
) -> Run:
    """Run the tap in this process; `clock` stands still at `NOW` by default, and waits take no time.

    `watch` is called with whatever is handed to stdout, as it happens.
    """
    clock = clock or Ticking()
    out = io.TextIOWrapper(_Output(watch), encoding="utf-8")
    errors = io.StringIO()
    seen = len(box.requests) if box else 0
    kind = type("Tap", (TapEmailLogs,), {"clock_class": staticmethod(lambda: clock)})
    status = 0
    with _captured_logs(errors), contextlib.redirect_stdout(out):
        try:
            kind(
                config=json.loads(json.dumps(config)),
                state=json.loads(json.dumps(state)) if state else None,
                catalog=json.loads(json.dumps(catalog)) if catalog else None,
            ).sync_all()
        except SystemExit as end:
            status = int(end.code or 0)
    _wait_for_readers()
    out.flush()
    return _result(
        status, errors.getvalue(), out.buffer.getvalue(), config, box.requests[seen:] if box else (), checked=checked
    )


def _wait_for_readers() -> None:
    """Let threads end that a run left behind, which end with a process: in the next test they would still speak."""
    until = time.monotonic() + 2
    for thread in threading.enumerate():
        if thread.name.startswith("reader-"):
            thread.join(max(0.0, until - time.monotonic()))


def general(box: Sandbox, vendor: str, *, top: Mapping[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """Return the configuration under which the general tests read a vendor."""
    return config_of(box, vendor, top=top, **{**facts(vendor).settings, **settings})


def pages(vendor: str, size: int) -> dict[str, int]:
    """Return the settings for answers of so many rows, where a vendor has pages."""
    return {} if "page size" in facts(vendor).unfit else {"page_size": size}


def options_of(*vendors: str, **more: Any) -> dict[str, dict[str, Any]]:
    """Return the options under which players are played in general tests, and `more` for each of them."""
    return {vendor: {**facts(vendor).options, **more} for vendor in vendors}


def read(
    box: Sandbox,
    vendor: str,
    *,
    state: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
    top: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Run:
    """Read a vendor's stream of the general tests and its events, as `general` configures it."""
    config = general(box, vendor, top=top, **settings)
    return run(config, catalog=main_streams(config, vendor), state=state, clock=clock, box=box)


def main_streams(config: Mapping[str, Any], *vendors: str) -> Any:
    """Return a catalog of the streams that the general tests read of these vendors."""
    return catalog(config, [*(facts(vendor).stream for vendor in vendors), EVENTS, LEDGER])


def command(
    config: Mapping[str, Any],
    *arguments: str,
    state: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
    box: Sandbox | None = None,
    environment: Mapping[str, str] | None = None,
    checked: bool = True,
    timeout: float = 60,
) -> Run:
    """Run `python -m tap_emaillogs` with files for config, state and catalog; it uses the system's clock."""
    seen = len(box.requests) if box else 0
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.run(
            command_line(Path(folder), config, *arguments, state=state, catalog=catalog),
            capture_output=True,
            timeout=timeout,
            env=_environment(environment),
            check=False,
        )
    return _result(
        process.returncode,
        process.stderr.decode(),
        process.stdout,
        config,
        box.requests[seen:] if box else (),
        checked=checked and not arguments,
    )


def command_line(
    folder: Path,
    config: Mapping[str, Any],
    *arguments: str,
    state: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
) -> list[str]:
    """Write the files into `folder` and return the command line that reads them."""
    line = [sys.executable, *PROGRAM, *arguments]
    for name, value in (("config", config), ("state", state), ("catalog", catalog)):
        if value is not None:
            path = folder / f"{name}.json"
            path.write_text(json.dumps(value), encoding="utf-8")
            line += [f"--{name}", str(path)]
    return line


@dataclass
class Process:
    """A tap running beside the test; its stdout goes to a file, so that nothing holds it up."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path
    config: Mapping[str, Any]

    def finish(self, number: signal.Signals | None = None, timeout: float = 30, *, checked: bool = True) -> Run:
        """Send a signal, if one is given, and return what was written until the end."""
        if number is not None and self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout)
        return _result(
            status, self.err.read_text("utf-8"), self.out.read_bytes(), self.config, (), checked=checked, cut=True
        )


@contextlib.contextmanager
def started(
    config: Mapping[str, Any], *, state: Mapping[str, Any] | None = None, catalog: Mapping[str, Any] | None = None
) -> Iterator[Process]:
    """Start the command line and go on; it is killed at the end of the block if it still runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out, err = folder / "out", folder / "err"
        line = command_line(folder, config, state=state, catalog=catalog)
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(line, stdout=stdout, stderr=stderr, env=_environment(None))
        try:
            yield Process(process, out, err, config)
        finally:
            process.kill()
            process.wait()


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TAP_EMAILLOGS")}
    return {**clean, "PYTHONWARNINGS": "default", **(more or {})}


@contextlib.contextmanager
def _captured_logs(into: io.StringIO) -> Iterator[None]:
    """Collect what the tap logs, and undo what it does to this process."""
    root = logging.getLogger()
    handler = logging.StreamHandler(into)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    level, others = root.level, [*root.handlers]
    handled = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers = others
        root.setLevel(level)
        if threading.current_thread() is threading.main_thread():
            for number, action in handled.items():
                signal.signal(number, action)


def _result(
    status: int,
    stderr: str,
    stdout: bytes,
    config: Mapping[str, Any],
    requests: Sequence[Logged],
    *,
    checked: bool,
    cut: bool = False,
) -> Run:
    lines, _, rest = stdout.rpartition(b"\n")
    # A process that was killed may leave half a character at the end, and only there.
    whole, tail = lines.decode(), rest.decode(errors="replace" if cut else "strict")
    if not checked:
        with contextlib.suppress(ValueError):
            return Run(status, stderr, [json.loads(line) for line in whole.split("\n") if line], config, tail, requests)
        return Run(status, stderr, [], config, stdout.decode(), requests)
    assert cut or not tail, f"half a line: {tail[:200]}"
    found = Run(status, stderr, [json.loads(line) for line in whole.split("\n") if line], config, tail, requests)
    check(found)
    return found


# What holds for every run.


def check(found: Run) -> None:
    """Check what no run may break: the protocol, the schemas, and that nothing secret or personal leaks."""
    _check_protocol(found)
    for stream, records in found.records.items():
        assert_valid(found.schemas[stream], records)
        for record in records:
            for key in found.keys[stream]:
                assert record[key] is not None, f"{stream}: {key} is null"
    for _, state in found.states:
        for partitions in bookmarks(state).values():
            for value in partitions.values():
                assert MILLIS.fullmatch(value), value
    assert "Traceback" not in found.stderr, found.stderr
    assert_private("stderr", found.stderr, found.config)
    states = json.dumps([state for _, state in found.states], ensure_ascii=False)
    json.loads(states, parse_float=_no_fraction)
    assert_private("STATE", states, found.config)


def _no_fraction(text: str) -> None:
    raise AssertionError(f"STATE holds {text}: loaders read such numbers as Decimal, and cannot write them")


def _check_protocol(found: Run) -> None:
    seen: set[str] = set()
    for message in found.messages:
        assert message["type"] in {"SCHEMA", "RECORD", "STATE"}, message
        if message["type"] == "SCHEMA":
            seen.add(message["stream"])
        elif message["type"] == "RECORD":
            assert message["stream"] in seen, f"a record of {message['stream']} before its schema"
            assert message["time_extracted"]


def assert_private(place: str, text: str, config: Mapping[str, Any]) -> None:
    """Check that a text holds no secret of the configuration and nobody's address."""
    for secret in _secrets(config):
        assert secret not in text, f"{place} holds a secret"
    found = _ADDRESS.search(text)
    assert found is None, f"{place} holds an address: {found and found[0]}"


def _secrets(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _secrets(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item, name)
    elif isinstance(value, str) and len(value) > 3 and _SECRET.search(name):
        yield value


@cache
def _validator(schema: str) -> tuple[Draft7Validator, set[int]]:
    document = json.loads(schema)
    Draft7Validator.check_schema(document)
    return Draft7Validator(document), set()


def assert_valid(schema: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> None:
    """Validate records against a SCHEMA, undeclared properties included; a record known to be valid is not again."""
    validator, known = _validator(json.dumps(schema, sort_keys=True))
    for record in records:
        content = hash(json.dumps(record, sort_keys=True))
        if content in known:
            continue
        known.add(content)
        mistake = next(iter(validator.iter_errors(record)), None)
        assert mistake is None, f"{mistake and mistake.message} at {mistake and mistake.json_path}"
        assert record.keys() <= schema["properties"].keys(), record.keys() - schema["properties"].keys()
        _assert_times(schema, record)


def _assert_times(schema: Mapping[str, Any], value: Any, name: str = "") -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _assert_times(schema.get("properties", {}).get(key, {}), item, key)
    elif isinstance(value, list):
        for item in value:
            _assert_times(schema.get("items", {}), item, name)
    elif schema.get("format") == "date-time":
        assert value is None or _UTC.fullmatch(value), f"{name}: {value}"


# Catalogs.


def catalog(
    config: Mapping[str, Any], select: Iterable[str], without: Mapping[str, Iterable[str]] | None = None
) -> Any:
    """Return the tap's catalog with only the streams of `select` selected, `without` some of their properties."""
    tap = _discovered(json.dumps(config, sort_keys=True))
    found = json.loads(tap)
    names = {entry["tap_stream_id"] for entry in found["streams"]}
    wanted = set(select)
    assert wanted <= names, wanted - names
    left_out = {stream: set(properties) for stream, properties in (without or {}).items()}
    for entry in found["streams"]:
        stream = entry["tap_stream_id"]
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = stream in wanted
            elif item["breadcrumb"][-1] in left_out.get(stream, ()):
                item["metadata"]["selected"] = False
    return found


@cache
def _discovered(config: str) -> str:
    with _captured_logs(io.StringIO()):
        return json.dumps(TapEmailLogs(config=json.loads(config)).catalog_dict, default=str)


# What came of it.


def upserted(runs: Run | Iterable[Run], stream: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Replay the records of a stream, one run after another, into a table by primary key."""
    table: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in [runs] if isinstance(runs, Run) else runs:
        for record in one.records[stream]:
            table[tuple(record[key] for key in one.keys[stream])] = record
    return table


def canonical(rows: Iterable[Any]) -> Counter[str]:
    """Count rows, each as text with sorted keys."""
    return Counter(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows)


def pruned(value: Any) -> Any:
    """Leave out nulls at every depth, and write whole numbers in one way."""
    if isinstance(value, dict):
        return {key: pruned(item) for key, item in value.items() if item is not None}
    if isinstance(value, float) and value.is_integer():
        return int(value)  # 0 and 0.0 are one number
    return [pruned(item) for item in value] if isinstance(value, list) else value


OWN = frozenset().union(*(player.facts.own for player in PLAYERS.values()))
"""Columns that the tap adds, of any vendor."""


def restored(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the vendor's row that a record was made of: the tap's columns out, extra fields back in their places."""
    row = pruned({key: value for key, value in record.items() if key not in OWN})
    extra = record.get("extra_fields")
    for path, value in (json.loads(extra) if extra else {}).items():
        *parents, name = path.split(".")
        place: Any = row
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
        place[name] = value
    return dict(pruned(row))


def rows_of(box: Sandbox, vendor: str, key: str | None = None, version: int | None = None) -> list[dict[str, Any]]:
    """Return the sandbox's rows of an account as `restored` should give them back."""
    world = box.vendor(vendor)
    version = version or world.account(key).options.get("api_version")
    return [expected(vendor, row) for row in world.rows(key, stream=str(version or facts(vendor).stream))]


def expected(vendor: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sandbox's row as `restored` should give it back."""
    return dict(pruned(facts(vendor).shown(row)))


def assert_rows(
    box: Sandbox,
    runs: Run | Sequence[Run],
    vendor: str,
    *,
    key: str | None = None,
    label: str = "default",
    version: int | None = None,
    rows: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Check that an upserting target ends with exactly the sandbox's rows of an account, every field as it was."""
    found = [record for record in upserted(runs, stream_of(vendor)).values() if record["account"] == label]
    want = canonical(rows if rows is not None else rows_of(box, vendor, key, version))
    have = canonical(restored(record) for record in found)
    missing, invented = want - have, have - want
    assert not missing, f"{vendor}: {missing.total()} of {want.total()} rows are missing, such as {next(iter(missing))}"
    assert not invented, f"{vendor}: {invented.total()} records too many, such as {next(iter(invented))}"


# The ledger.


def window(row: Mapping[str, Any]) -> Window:
    """Return the window of a ledger row."""
    assert MILLIS.fullmatch(row["window_start"]), row
    assert MILLIS.fullmatch(row["window_end"]), row
    return Window(timestamps.parse(row["window_start"]), timestamps.parse(row["window_end"]))


def assert_tiles(rows: Iterable[Mapping[str, Any]], start: datetime, end: datetime) -> None:
    """Check that windows cover [start, end) without hole or overlap."""
    windows = sorted(window(row) for row in rows)
    assert windows, "no window"
    for one, two in pairwise(windows):
        assert one.end == two.start, f"between {one} and {two}"
    assert (windows[0].start, windows[-1].end) == (start, end)


def complete(rows: Iterable[Mapping[str, Any]]) -> list[Window]:
    """Return the stretches of time that complete windows cover."""
    return union(window(row) for row in rows if row["status"] == "complete")


def uncovered(rows: Iterable[Mapping[str, Any]], start: datetime, end: datetime) -> list[Window]:
    """Return the stretches of [start, end) that no complete window covers."""
    return subtract(Window(start, end), complete(rows))


def asked(run_: Run, vendor: str) -> int:
    """Return how many requests of a run a vendor saw that the ledger counts."""
    return sum(request.vendor == vendor and facts(vendor).counted(request) for request in run_.requests)


def needed(run_: Run, vendor: str) -> int:
    """Return how many of them were not there to see whether something is ready, which is a matter of time."""
    return asked(run_, vendor) - sum(
        facts(vendor).waits(request) for request in run_.requests if request.vendor == vendor
    )


def limit(vendor: str, now: datetime = NOW) -> datetime:
    """Return where the windows of a run end: now minus settle."""
    return now - facts(vendor).settle


def beginning(vendor: str, now: datetime = NOW) -> datetime:
    """Return where a first run begins without a `start_date`."""
    return now - facts(vendor).history

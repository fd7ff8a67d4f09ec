"""What a run wrote: its messages, what must hold for each run, and what it is compared with.

- `Run`: the parsed messages of one run (schemas, records by stream, states with their place, stderr, status).
- `check(run)`: whole lines of JSON, a SCHEMA before its RECORDs, every record valid, and nothing secret and no address
  in stderr or STATE. The harness does that for every run.
- `upserted(runs, stream)`: what a target that upserts would end with.
- `assert_rows(box, runs, vendor, ...)`: every row of the sandbox is there, nothing else, field by field.
- `assert_tiles(...)`: the ledger tiles a stretch of time.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from jsonschema import Draft7Validator

from general import LEDGER, OWN, facts, stream_of
from tap_emaillogs.engine.windows import subtract, union
from tap_emaillogs.formats import timestamps
from tap_emaillogs.streams.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sandbox.server import Logged, Sandbox

MILLIS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_SECRET = re.compile(r"key|secret|token|password|salt")
_ADDRESS = re.compile(r"[^\s\"'<>,;:()\[\]{}=/\\]+(?:@|%40)[^\s\"'<>,;:()\[\]{}=/\\]+")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


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


def upserted(runs: Run | Iterable[Run], stream: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Replay the records of a stream, one run after another, into a table by primary key."""
    table: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in [runs] if isinstance(runs, Run) else runs:
        for record in one.records[stream]:
            table[tuple(record[key] for key in one.keys[stream])] = record
    return table


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
        content = hash(msgspec.json.encode(record, order="sorted"))
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

"""What workers make of a window's rows, and how they are written: as users of the SDK expect, and at a bounded cost."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from general import LEDGER, NOW, STREAMS, config_of
from harness import Ticking, catalog, run
from outcome import bookmarks, upserted
from tap_emaillogs.files.jobs import JobReader
from tap_emaillogs.formats.values import json_text
from tap_emaillogs.privacy.plan import Privacy
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.providers.jetemail.logs import OutboundLogs
from tap_emaillogs.providers.smtp2go.activity import Activity
from tap_emaillogs.streams.output import LineWriter
from tap_emaillogs.streams.schemas import columns
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.server import Sandbox

EVENTS = "email_events"


# A vendor's code is called by workers: what goes wrong there is that endpoint's failure.


def test_an_error_in_a_vendors_events_ends_that_endpoint_alone(
    shared_box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[Any]:
        raise KeyError("no such column")
        yield

    smtp2go = next(provider for provider in PROVIDERS if provider.name == "smtp2go")
    monkeypatch.setattr(type(smtp2go), "events", broken)
    found = run(config_of(shared_box), box=shared_box)
    assert found.status == 1
    assert not found.records[STREAMS["smtp2go"]]
    assert {row["status"] for row in found.windows(STREAMS["smtp2go"])} == {"failed"}
    for vendor in ("jetemail", "infobip"):
        assert len(found.records[STREAMS[vendor]]) == 300
        assert {row["status"] for row in found.windows(STREAMS[vendor])} == {"complete"}
    assert [line for line in found.lines("ERROR") if "an error inside the tap (KeyError)" in line]
    points = [json.loads(text) for text in re.findall(r"METRIC: (\{.*sync_duration.*\})", found.stderr)]
    ended = {point["tags"]["stream"]: point["tags"]["status"] for point in points}
    assert ended[STREAMS["smtp2go"]] == ended[EVENTS] == "failed"
    assert ended[STREAMS["jetemail"]] == "succeeded"


# What users of the SDK expect of a RESTStream.


def test_post_process_changes_and_drops_records(shared_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def post_process(self: Activity, row: dict[str, Any], context: Any = None) -> dict[str, Any] | None:
        assert context == {"account": "default"}
        return None if row["event"] == "opened" else {**row, "subject": "mine"}

    whole = run(config_of(shared_box, "smtp2go"), box=shared_box)
    monkeypatch.setattr(Activity, "post_process", post_process)
    found = run(config_of(shared_box, "smtp2go"), box=shared_box)
    kept = [row for row in whole.records[STREAMS["smtp2go"]] if row["event"] != "opened"]
    assert 0 < len(kept) < 300
    assert found.records[STREAMS["smtp2go"]] == [{**row, "subject": "mine"} for row in kept]
    assert upserted(found, EVENTS) == upserted(whole, EVENTS)


def test_what_post_process_adds_is_no_way_around_privacy(shared_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Activity, "post_process", lambda _, row, context=None: {**row, "reason": row["recipient"]})
    privacy = {"recipient": "hash", "salt": "0123456789abcdef!"}
    found = run(config_of(shared_box, "smtp2go", top={"privacy": privacy}), box=shared_box)
    rows = found.records[STREAMS["smtp2go"]]
    assert rows
    assert not [row for row in rows if "@" in (row["reason"] or "")]


def test_a_stream_that_is_to_be_read_whole_begins_anew_each_time(play: Callable[..., Sandbox]) -> None:
    clock = Ticking()
    box = play(now=clock.now, vendors=["smtp2go"])
    config, name = config_of(box, "smtp2go"), STREAMS["smtp2go"]
    chosen = catalog(config, [name, LEDGER])
    for entry in chosen["streams"]:
        if entry["tap_stream_id"] == name:
            entry["replication_method"] = "FULL_TABLE"
    first = run(config, catalog=chosen, clock=clock)
    clock.pass_time(hours=1)
    second = run(config, catalog=chosen, state=first.state, clock=clock)
    assert upserted(second, name) == upserted(first, name)
    assert len(upserted(first, name)) == 300
    assert name not in bookmarks(second.state)


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("mapped", [True, False])
def test_a_stream_read_whole_activates_its_version_where_that_is_asked_for(
    shared_box: Sandbox, asked: bool, mapped: bool
) -> None:
    name = STREAMS["smtp2go"]
    top: dict[str, Any] = {"emit_activate_version_messages": True} if asked else {}
    top |= {"stream_maps": {name: {"more": "1"}}} if mapped else {}
    config = config_of(shared_box, "smtp2go", top=top)
    chosen = catalog(config, [name, EVENTS])
    for entry in chosen["streams"]:
        if entry["tap_stream_id"] == name:
            entry["replication_method"] = "FULL_TABLE"
    found = run(config, catalog=chosen, checked=False)  # which knows the other kinds of messages
    told = [message for message in found.messages if message["type"] == "ACTIVATE_VERSION"]
    assert [message["stream"] for message in told] == ([name] if asked else [])
    versions = {
        (message["stream"], message.get("version")) for message in found.messages if message["type"] == "RECORD"
    }
    assert versions == {(name, told[0]["version"] if asked else None), (EVENTS, None)}
    if asked:
        places = {message["type"]: place for place, message in reversed([*enumerate(found.messages)])}
        assert places["SCHEMA"] < places["ACTIVATE_VERSION"] < places["RECORD"]


def test_metrics_count_what_is_written(shared_box: Sandbox) -> None:
    found = run(config_of(shared_box, "smtp2go"), box=shared_box)
    counted: dict[str, int] = {}
    timed = set()
    for text in re.findall(r"METRIC: (\{.*\})", found.stderr):
        point = json.loads(text)
        if point["metric"] == "record_count":
            counted[point["tags"]["stream"]] = counted.get(point["tags"]["stream"], 0) + point["value"]
        if point["metric"] == "sync_duration":
            timed.add(point["tags"]["stream"])
    assert counted == {name: len(records) for name, records in found.records.items()}
    assert timed == set(found.records)


@pytest.mark.parametrize("columns", [{"recipient"}, {"recipient", "delivery_attempts"}])
def test_columns_left_out_leave_the_others_as_they_are(shared_box: Sandbox, columns: set[str]) -> None:
    config, name = config_of(shared_box, "smtp2go"), STREAMS["smtp2go"]
    whole = run(config, box=shared_box)
    found = run(config, catalog=catalog(config, [name, EVENTS], without={name: sorted(columns)}), box=shared_box)
    rest = [{key: value for key, value in row.items() if key not in columns} for row in whole.records[name]]
    assert found.records[name] == rest
    assert upserted(found, EVENTS) == upserted(whole, EVENTS)


# STATE may cost a tenth of the output, and nothing may grow with the number of accounts but the work.


def quiet_run(box: Sandbox, accounts: int, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int, int]:
    """Read many quiet accounts; return the bytes of output and of STATE, and how many STATEs there were."""
    sizes: list[int] = []
    lines = LineWriter.write_lines

    def counted(self: LineWriter, block: bytes) -> None:
        sizes.extend(len(line) for line in block.splitlines() if line.startswith(b'{"type":"STATE"'))
        lines(self, block)

    with monkeypatch.context() as patched:
        patched.setattr(LineWriter, "write_lines", counted)
        config = config_of(box, "smtp2go", start_date=(NOW - timedelta(minutes=30)).isoformat())
        config["smtp2go"]["accounts"] = [{"account": f"a{number}"} for number in range(accounts)]
        found = run(config, box=box)
    assert found.status == 0
    assert len(found.ledger) == accounts
    assert len(bookmarks(found.state)[STREAMS["smtp2go"]]) == accounts
    return sum(len(json.dumps(message)) for message in found.messages), sum(sizes), len(sizes)


def test_state_does_not_follow_each_of_many_quiet_accounts(
    play: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    box = play(size=0, vendors=["smtp2go"])
    few, many = (quiet_run(box, accounts, monkeypatch) for accounts in (10, 200))
    assert many[0] < 25 * few[0]
    assert many[2] < 60  # on a machine so slow that a run takes a minute, one a second


def test_state_follows_each_window_that_is_worth_it(play: Callable[..., Sandbox]) -> None:
    box = play(size=3000, vendors=["smtp2go"])
    config = config_of(box, "smtp2go", window_hours=72)
    quiet = {"start_date": (NOW - timedelta(minutes=30)).isoformat()}
    config["smtp2go"]["accounts"] = [{"account": f"a{number}", **(quiet if number else {})} for number in range(30)]
    found = run(config, box=box)
    ends = {row["window_end"] for row in found.windows(STREAMS["smtp2go"], "a0")}
    reached = {bookmarks(state.value).get(STREAMS["smtp2go"], {}).get((("account", "a0"),)) for state in found.states}
    assert len(ends) > 5
    assert ends <= reached


# What fresh eyes found.


class Stingy(io.RawIOBase):
    """An unbuffered stdout that takes a part of what it is given, and now and then nothing at all."""

    def __init__(self) -> None:
        self.taken = bytearray()
        self._turn = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int | None:  # type: ignore[override] # of any kind of buffer
        self._turn += 1
        if self._turn % 3 == 0:
            return None
        part = bytes(data[: 1 + self._turn % 7])
        self.taken += part
        return len(part)


def test_an_unbuffered_stdout_that_takes_parts_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = Stingy()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=raw))
    writer = LineWriter()
    lines = [b'{"line":%d}\n' % number for number in range(50)]
    for line in lines:
        writer.write_lines(line)
    assert bytes(raw.taken) == b"".join(lines)


def test_what_is_cleaned_up_at_a_vendor_keeps_no_other_waiting(
    play: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    box = play(vendors=["zeptomail", "smtp2go"], size=60)
    threads: list[str] = []
    delete = JobReader._delete

    def watched(self: JobReader, job: Any) -> None:
        threads.append(threading.current_thread().name)
        delete(self, job)

    monkeypatch.setattr(JobReader, "_delete", watched)
    found = run(config_of(box), box=box)
    assert found.status == 0
    assert threads
    assert all(name.startswith("reader-") for name in threads)
    deleted = [request for request in found.requests if request.method == "DELETE"]
    assert len(deleted) == len(threads)  # the run has waited for them


def test_post_process_may_edit_what_lies_deeper(shared_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def post_process(_: OutboundLogs, row: dict[str, Any], context: Any = None) -> dict[str, Any]:
        for attempt in row["delivery_attempts"] or ():
            attempt.clear()
        row["opens"] = None
        return row

    whole = run(config_of(shared_box, "jetemail"), box=shared_box)
    monkeypatch.setattr(OutboundLogs, "post_process", post_process)
    found = run(config_of(shared_box, "jetemail"), box=shared_box)
    assert upserted(found, EVENTS) == upserted(whole, EVENTS)


def test_a_subclass_of_a_stream_takes_its_place(shared_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(Activity):
        """Only a subclass."""

    whole = run(config_of(shared_box, "smtp2go"), box=shared_box)
    smtp2go = type(next(provider for provider in PROVIDERS if provider.name == "smtp2go"))
    with monkeypatch.context() as patched:
        patched.setattr(smtp2go, "streams", (Mine,))
        assert run(config_of(shared_box, "smtp2go"), box=shared_box).records == whole.records
    discover = TapEmailLogs.discover_streams
    swapped: Any = lambda tap: [Mine(tap) if isinstance(one, Activity) else one for one in discover(tap)]  # noqa: E731
    monkeypatch.setattr(TapEmailLogs, "discover_streams", swapped)
    found = run(config_of(shared_box, "smtp2go"), box=shared_box)
    assert found.records[STREAMS["smtp2go"]] == whole.records[STREAMS["smtp2go"]]


@pytest.mark.parametrize("maps", [{EVENTS: None}, {"smtp2go_activity": {}, "__else__": None}])
def test_a_stream_that_is_mapped_to_null_is_not_written(shared_box: Sandbox, maps: dict[str, Any]) -> None:
    found = run(config_of(shared_box, "smtp2go", top={"stream_maps": maps}), box=shared_box)
    assert found.status == 0
    assert found.records[STREAMS["smtp2go"]]
    assert not found.records[EVENTS]


def test_code_that_exits_ends_its_endpoint_and_no_more(shared_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def exits(*_: object) -> Iterator[Any]:
        sys.exit(3)
        yield

    monkeypatch.setattr(Activity, "events", exits)
    found = run(config_of(shared_box, "smtp2go", "jetemail"), box=shared_box)
    assert found.status == 1
    assert {row["status"] for row in found.windows(STREAMS["smtp2go"])} == {"failed"}
    assert len(found.records[STREAMS["jetemail"]]) == 300


@pytest.mark.parametrize("name", ["emailSubject", "subject_line", "X-Subject"])
def test_a_subject_in_a_field_that_no_schema_declares_does_not_come_back(name: str) -> None:
    row = {"account": "a", "event_id": "0", "reason": "550 spam: Your invoice 17 is here"}
    row["extra_fields"] = json.dumps({name: "Your invoice 17 is here"})
    plan = Privacy.of({"privacy": {"subject": "drop"}}).plan(columns(Activity), columns(Activity))
    ((found,),) = plan.hide(row, [[row]])
    assert "invoice" not in json.dumps(found)


@pytest.mark.parametrize("kind", ["email_subject", "Receiver", "html"])
def test_a_number_that_json_has_not_opens_no_way_around_privacy(kind: str) -> None:
    extra = json_text({kind: "Bob Lee has secrets", "n": float("inf"), "list": [float("nan")]})
    assert json.loads(extra) == {kind: "Bob Lee has secrets", "n": "Infinity", "list": ["NaN"]}
    plan = Privacy.of({"privacy": {"subject": "drop", "recipient": "drop", "body": "drop"}})
    row = {"account": "a", "event_id": "0", "extra_fields": extra}
    ((found,),) = plan.plan(columns(Activity), columns(Activity)).hide(row, [[row]])
    assert "secrets" not in found["extra_fields"]


@pytest.mark.parametrize("hook", ["bind", "filters"])
def test_code_that_fails_while_a_run_is_planned_ends_its_endpoint_alone(
    shared_box: Sandbox, monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    def broken(_: object) -> None:
        raise LookupError("not here")

    monkeypatch.setattr(Activity, hook, broken)
    found = run(config_of(shared_box, "smtp2go", "jetemail"), box=shared_box)
    assert found.status == 1
    assert len(found.records[STREAMS["jetemail"]]) == 300
    (line,) = [line for line in found.lines("ERROR") if "failed" in line]
    assert "smtp2go, account default, stream smtp2go_activity: failed: an error inside the tap (LookupError)" in line


@pytest.mark.parametrize("error", [LookupError("no"), SystemExit(3)])
def test_a_cleaning_up_that_fails_holds_nothing_up(
    play: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def broken(*_: object) -> None:
        raise error

    box = play(vendors=["zeptomail"], size=60)
    monkeypatch.setattr(JobReader, "_delete", broken)
    found = run(config_of(box), box=box)
    assert found.status == 0
    assert {row["status"] for row in found.ledger} == {"complete"}
    assert "Traceback" not in found.stderr

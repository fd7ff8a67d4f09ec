"""One row that no reader takes, among good ones: through the command line, at every vendor that answers in JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from general import EVENTS, config_of, stream_of
from harness import run
from outcome import Run, upserted
from sandbox.base.web import Response
from tap_emaillogs.providers.jetemail import JetEmail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

VENDORS = ("smtp2go", "jetemail", "infobip", "messangi")
_ID = re.compile(rb'"(?:uid|email_id|messageId|id)":"([^"]+)"')
DEEP = '{"a":' * 900 + '"ann@x.example"' + "}" * 900
PLANTED = {
    "deep": DEEP,
    "deeper": "[" * 50_000 + "]" * 50_000,
    "digits": "7" * 5_000,
    "digits inside": f'{{"n":[-{"7" * 5_000}]}}',
    "infinite": "1e400",
    "infinite inside": '{"n":[1e400,NaN,-Infinity]}',
    "surrogate": '"a\\ud800b"',
    "surrogate in a key": '{"\\udfff":1}',
    "NUL": '"a\\u0000b"',
    "long": '"' + "x" * 1_000_000 + '"',
}
PRIVACY = {"recipient": "hash", "subject": "hash", "body": "drop", "ip": "hash", "salt": "pepper-and-salt-0"}


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the sandbox put a field `planted` into the rows of one mail, always the same."""
    encoded = Response.encoded

    def start(value: str) -> None:
        victims: list[bytes] = []

        def planted(answer: Response) -> bytes:
            body = encoded(answer)
            for match in _ID.finditer(body):
                if not victims:
                    victims.append(match.group())
                if match.group() in victims:
                    return body.replace(match.group(), match.group() + b',"planted":' + value.encode())
            return body

        monkeypatch.setattr(Response, "encoded", planted)

    return start


def strictly(config: dict[str, Any], **more: Any) -> Run:
    """Run the tap, and read every line of its output as a reader does that takes nothing but JSON."""
    written: list[bytes] = []

    def refused(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    found = run(config, watch=written.append, **more)
    for line in b"".join(written).decode().split("\n")[:-1]:
        record = json.loads(line, parse_constant=refused).get("record") or {}
        if record.get("extra_fields"):
            json.loads(record["extra_fields"], parse_constant=refused)
    return found


def planted_in(records: Iterable[dict[str, Any]]) -> list[Any]:
    extras = [json.loads(record["extra_fields"] or "{}") for record in records]
    return [extra["planted"] for extra in extras if "planted" in extra]


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("vendor", VENDORS)
def test_one_row_that_cannot_be_read_costs_no_other(
    play: Callable[..., Sandbox], plant: Callable[[str], None], vendor: str, name: str
) -> None:
    box = play(vendors=[vendor], size=40)
    before = run(config_of(box, vendor))
    plant(PLANTED[name])
    after = strictly(config_of(box, vendor))
    assert after.status == 0, after.stderr
    stream = stream_of(vendor)
    assert upserted(after, stream).keys() == upserted(before, stream).keys(), "an undeclared field is in no key"
    assert upserted(after, EVENTS) == upserted(before, EVENTS)
    values = planted_in(after.records[stream])
    assert values
    if name.startswith("deep"):
        assert all(isinstance(value, str) for value in values)
    want = {
        "deep": [DEEP],
        "digits": ["7" * 5_000],
        "digits inside": [{"n": ["-" + "7" * 5_000]}],
        "infinite": ["Infinity"],
        "infinite inside": [{"n": ["Infinity", "NaN", "-Infinity"]}],
        "surrogate": ["a\ufffdb"],
        "surrogate in a key": [{"\ufffd": 1}],
        "NUL": ["ab"],
    }
    assert values[0] in want.get(name, values)
    told = [line for line in after.lines("WARNING") if "comes as text" in line]
    assert len(told) == (name in {"deep", "deeper", "digits"}), told
    assert all(stream in line and "records)" in line for line in told)


@pytest.mark.parametrize("odd", ['["u"]', '{"u":1}', "null", "7", "1.5", "true"])
@pytest.mark.parametrize("paging", ["offset", "page"])
def test_an_id_of_another_kind_costs_no_row(
    play: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch, paging: str, odd: str
) -> None:
    """JetEmail's `uid` is what its pages are held together by."""
    box = play(vendors=["jetemail"], size=60)
    config = config_of(box, "jetemail", paging=paging, page_size=20)
    before = run(config)
    victim = before.records[stream_of("jetemail")][25]["uid"]
    encoded = Response.encoded
    monkeypatch.setattr(
        Response,
        "encoded",
        lambda answer: encoded(answer).replace(f'"uid":"{victim}"'.encode(), f'"uid":{odd}'.encode()),
    )
    after = strictly(config)
    assert after.status == 0, after.stderr
    table = upserted(after, stream_of("jetemail"))
    assert len(table) == len(upserted(before, stream_of("jetemail"))) == 60
    assert {row["uid"] for row in table.values()} >= {
        row["uid"] for row in before.records[stream_of("jetemail")] if row["uid"] != victim
    }
    assert {row["status"] for row in after.ledger} == {"complete"}


@pytest.mark.parametrize("vendor", VENDORS)
def test_nothing_of_what_cannot_be_read_is_shown_with_privacy(
    play: Callable[..., Sandbox], plant: Callable[[str], None], vendor: str
) -> None:
    box = play(vendors=[vendor], size=40)
    plant(DEEP)
    found = strictly(config_of(box, vendor, top={"privacy": PRIVACY}))
    assert found.status == 0, found.stderr
    assert set(planted_in(found.records[stream_of(vendor)])) == {None}
    assert "ann@x.example" not in json.dumps([*found.records[stream_of(vendor)], *found.records[EVENTS]])


@pytest.mark.parametrize("beside", ["null", '"text"', "[]", "5"])
def test_what_is_no_object_among_rows_costs_no_row_and_no_further_request(
    play: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch, beside: str
) -> None:
    box = play(vendors=["jetemail", "infobip"], size=40)
    before = run(config_of(box), box=box)
    encoded = Response.encoded
    lists = (b'"data":[{', b'"results":[{')

    def planted(answer: Response) -> bytes:
        body = encoded(answer)
        for start in lists:
            body = body.replace(start, start[:-1] + beside.encode() + b",{")
        return body

    monkeypatch.setattr(Response, "encoded", planted)
    after = strictly(config_of(box, "infobip"))
    assert after.status == 0, after.stderr
    assert upserted(after, stream_of("infobip")) == upserted(before, stream_of("infobip"))
    told = [line for line in after.lines("WARNING") if "is no object" in line]
    assert len(told) == 1
    assert stream_of("infobip") in told[0]


# What a vendor's module may do wrong while rows are prepared.


def _raising(error: BaseException) -> Callable[..., Any]:
    def events(*_: object) -> Any:
        raise error

    return events


def _breaking_off(error: BaseException) -> Callable[..., Any]:
    def events(*_: object) -> Any:
        yield {"event_id": "0" * 32}
        raise error

    return events


def _endless_depth(*_: object) -> Any:
    return _endless_depth()


WRONG: dict[str, Callable[..., Any]] = {
    **{f"raises {type(error).__name__}": _raising(error) for error in (KeyError("x"), MemoryError(), SystemExit(3))},
    **{f"ends with {type(error).__name__}": _breaking_off(error) for error in (ValueError("x"), SystemExit(0))},
    "raises KeyboardInterrupt": _raising(KeyboardInterrupt()),
    "raises GeneratorExit": _raising(GeneratorExit()),
    "RecursionError": _endless_depth,
    "None": lambda *_: None,
    "a number": lambda *_: 5,
    "a text": lambda *_: "event",
    "numbers": lambda *_: [1, 2],
    "Nones": lambda *_: [None],
    "columns of another type": lambda *_: [{"event_id": object(), "event_type": {1: 2}}],
    "an event without columns": lambda *_: [{}],
    "bytes": lambda *_: [{"event_id": b"\xff", "event_type": "opened", "recipient": 7}],
    "a lone surrogate": lambda *_: [{"event_id": "0" * 32, "event_type": "opened", "subject": "\ud800"}],
}


@pytest.mark.parametrize("hidden", [False, True], ids=["plain", "hidden"])
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("hook", ["events", "remark"])
def test_what_a_vendors_module_does_wrong_is_its_own_failure(
    shared_box: Sandbox, monkeypatch: pytest.MonkeyPatch, wrong: str, hook: str, *, hidden: bool
) -> None:
    monkeypatch.setattr(JetEmail, hook, WRONG[wrong])
    top = {"privacy": PRIVACY} if hidden else None
    found = strictly(config_of(shared_box, "jetemail", "infobip", top=top), checked=False)
    assert len(upserted(found, stream_of("infobip"))) == 300
    if found.status:
        failed = [line for line in found.lines("ERROR") if "failed" in line]
        assert len(failed) == 1
        assert "jetemail, account default, stream jetemail_outbound_logs" in failed[0]
        assert "Traceback" not in found.stderr
    else:
        harmless = {"an event without columns", "columns of another type", "bytes", "a lone surrogate"}
        assert hook == "remark" or wrong in harmless

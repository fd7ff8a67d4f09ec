"""Records: one type per column, nothing lost, and keys that nothing but the data changes."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from general import NOW
from harness import Ticking
from tap_emaillogs.engine.readers import reader_of
from tap_emaillogs.engine.reading import EndpointContext, Reading
from tap_emaillogs.formats.timestamps import SECOND
from tap_emaillogs.formats.values import json_text
from tap_emaillogs.http.client import Reply, decode
from tap_emaillogs.streams.records import Normaliser, canonical, digest, twin_key, without_nul
from tap_emaillogs.streams.window import Window
from tap_emaillogs.tap import TapEmailLogs

SCHEMA: dict[str, Any] = {
    "properties": {
        "account": {"type": "string"},
        "key": {"type": "string"},
        "text": {"type": ["string", "null"]},
        "count": {"type": ["integer", "null"]},
        "price": {"type": ["number", "null"]},
        "done": {"type": ["boolean", "null"]},
        "date": {"type": ["string", "null"], "format": "date-time"},
        "tags": {"type": ["array", "null"], "items": {"type": ["string", "null"]}},
        "anything": {"type": ["object", "null"]},
        "status": {
            "type": ["object", "null"],
            "properties": {
                "name": {"type": ["string", "null"]},
                "inner": {"type": ["object", "null"], "properties": {"id": {"type": ["integer", "null"]}}},
            },
        },
        "opens": {
            "type": ["array", "null"],
            "items": {
                "type": ["object", "null"],
                "properties": {
                    "city": {"type": ["string", "null"]},
                    "date": {"type": ["string", "null"], "format": "date-time"},
                },
            },
        },
        "extra_fields": {"type": ["string", "null"]},
    }
}
normalise = Normaliser(SCHEMA, ("account", "key"))

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def extra(**row: Any) -> dict[str, Any]:
    """Return a row's extra fields; empty when there are none."""
    found = normalise(row)["extra_fields"]
    loaded: dict[str, Any] = {} if found is None else json.loads(found)
    assert found is None or loaded
    return loaded


# Types.


@pytest.mark.parametrize(
    ("name", "value", "becomes"),
    [
        ("text", "abc", "abc"),
        ("text", 5, "5"),
        ("text", True, "true"),
        ("text", {"b": 1, "a": [None]}, '{"a":[null],"b":1}'),
        ("count", 5, 5),
        ("count", "5", 5),
        ("count", 5.0, 5),
        ("price", 1, 1.0),
        ("price", "0.25", 0.25),
        ("done", "TRUE", True),
        ("done", 0, False),
        ("date", "2026-03-01 12:00:00+02:00", "2026-03-01T10:00:00Z"),
        ("date", 1_700_000_000, "2023-11-14T22:13:20Z"),
        ("date", 1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
        ("date", "1700000000", "2023-11-14T22:13:20Z"),
        ("tags", "one", ["one"]),
        ("tags", ["a", 1, None], ["a", "1", None]),
        ("tags", "", []),
        ("anything", {"deep": {"er": [1]}}, {"deep": {"er": [1]}}),
        ("status", {"name": "x", "inner": {"id": "7"}}, {"name": "x", "inner": {"id": 7}}),
    ],
)
def test_a_value_that_can_be_read_as_its_type_is(name: str, value: object, becomes: object) -> None:
    record = normalise({name: value})
    assert record[name] == becomes
    assert type(record[name]) is type(becomes)
    assert record["extra_fields"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", "five"),
        ("count", 5.5),
        ("count", True),
        ("count", [5]),
        ("count", 1 << 63),
        ("count", "9" * 40),
        ("price", "much"),
        ("price", False),
        ("price", {"amount": 1}),
        ("done", "maybe"),
        ("done", 2),
        ("done", [True]),
        ("date", "yesterday"),
        ("date", "2026-02-31"),
        ("date", True),
        ("date", 1e300),
        ("date", "0001-01-01T00:00:00+01:00"),
        ("date", {"at": 5}),
        ("anything", "text"),
        ("anything", [1]),
        ("status", "DELIVERED"),
        ("status", 3),
        ("status", [{"name": "x"}]),
    ],
)
def test_a_value_of_another_type_goes_to_the_extra_fields(name: str, value: object) -> None:
    assert normalise({name: value})[name] is None
    assert extra(**{name: value}) == {name: value}


@pytest.mark.parametrize("name", ["anything", "status", "count", "price", "done", "date"])
@pytest.mark.parametrize("nothing", [None, "", []])
def test_a_vendors_ways_to_write_nothing_are_null(name: str, nothing: object) -> None:
    record = normalise({name: nothing})
    assert record[name] is None
    assert record["extra_fields"] is None


def test_what_is_not_declared_comes_under_its_path() -> None:
    row = {
        "new": {"a": [1]},
        "status": {"name": "x", "colour": "red", "inner": {"id": "none", "more": True}},
        "opens": [{"city": "Rome", "zip": 1}, "odd", {"date": "never", "city": None}],
        "tags": ["a"],
    }
    assert extra(**row) == {
        "new": {"a": [1]},
        "status.colour": "red",
        "status.inner.id": "none",
        "status.inner.more": True,
        "opens.0.zip": 1,
        "opens.1": "odd",
        "opens.2.date": "never",
    }
    record = normalise(row)
    assert record["status"] == {"name": "x", "inner": {}}
    assert record["opens"] == [{"city": "Rome"}, None, {}]


def test_the_taps_own_columns_are_never_taken_from_the_vendor() -> None:
    record = normalise({"account": "theirs", "key": "theirs", "extra_fields": "theirs"})
    assert (record["account"], record["key"]) == (None, None)
    assert extra(account="theirs", key="k", extra_fields=1) == {"account": "theirs", "key": "k", "extra_fields": 1}


def test_every_declared_column_is_there_and_no_other() -> None:
    assert normalise({}) == dict.fromkeys(SCHEMA["properties"])
    assert normalise({"x": 1}).keys() == SCHEMA["properties"].keys()
    assert "account" not in normalise.declared


def test_nul_is_removed_everywhere_keys_included() -> None:
    row = {
        "text": "a\0b",
        "tags": ["\0x"],
        "anything": {"k\0": ["v\0", {"\0": "\0"}]},
        "status": {"name": "\0", "c\0lour": "r\0d"},
        "n\0w": {"d\0ep": "\0"},
        "count": "no\0",
    }
    record = normalise(row)
    assert "\\u0000" not in json.dumps(record)
    assert "\\u0000" not in record["extra_fields"]
    assert (record["text"], record["tags"], record["anything"]) == ("ab", ["x"], {"k": ["v", {"": ""}]})
    assert extra(**row) == {"count": "no", "status.clour": "rd", "nw": {"dep": ""}}
    assert without_nul([{"a\0": "\0"}, 5, None]) == [{"a": ""}, 5, None]


def test_numbers_that_are_no_json_come_as_text() -> None:
    row = decode(b'{"price": NaN, "new": -Infinity, "anything": {"x": Infinity}, "date": NaN}')
    record = normalise(row)
    assert record["price"] is None
    assert record["anything"] == {"x": "Infinity"}
    assert json.loads(record["extra_fields"], parse_constant=pytest.fail) == {
        "price": "NaN",
        "new": "-Infinity",
        "date": "NaN",
    }


_FITTING: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}


def assert_fits(value: Any, spec: dict[str, Any]) -> None:
    if value is None:
        return
    kinds = spec["type"] if isinstance(spec["type"], list) else [spec["type"]]
    assert type(value) is _FITTING[kinds[0]]
    if kinds[0] == "array":
        for item in value:
            assert_fits(item, spec["items"])
    elif "properties" in spec:
        assert value.keys() <= spec["properties"].keys()
        for name, item in value.items():
            assert_fits(item, spec["properties"][name])


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "new"]), values))
def test_whatever_a_vendor_sends_every_column_has_its_type(row: dict[str, Any]) -> None:
    record = normalise(row)
    for name, spec in SCHEMA["properties"].items():
        assert_fits(record[name], spec)
    if record["extra_fields"] is not None:
        msgspec.json.decode(record["extra_fields"])  # stricter than Python: no `Infinity`


def told(value: Any) -> Any:
    """Return a value as JSON can have it: what is no number there is a text."""
    if isinstance(value, dict):
        return {name: told(item) for name, item in value.items()}
    if isinstance(value, list):
        return [told(item) for item in value]
    return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, value) if isinstance(value, float) else value


@given(st.dictionaries(st.text(min_size=1, max_size=5).filter(lambda name: name not in SCHEMA["properties"]), values))
def test_undeclared_fields_come_back_from_the_extra_fields(row: dict[str, Any]) -> None:
    found = normalise(row)["extra_fields"]
    expected = told(without_nul(row))
    assert (json.loads(found) if found else {}) == expected
    assert found is None or found == json_text(expected)


# Keys.


@given(st.lists(st.binary(max_size=3), max_size=4), st.lists(st.binary(max_size=3), max_size=4))
def test_digests_tell_parts_apart(one: list[bytes], two: list[bytes]) -> None:
    assert (digest(*one) == digest(*two)) == (one == two)
    assert len(digest(*one)) == 32


@given(st.binary(max_size=20) | st.binary(min_size=16, max_size=16), st.integers(0, 3))
def test_a_twins_key_is_the_digest_of_its_content_and_of_its_place(content: bytes, place: int) -> None:
    assert twin_key(content, place) == digest(content, *([str(place).encode()] if place else []))


def test_null_is_the_same_as_absent_at_every_depth() -> None:
    full = {"a": 1, "b": None, "c": {"x": None, "y": [{"z": None, "w": 0}]}}
    bare = {"c": {"y": [{"w": 0}]}, "a": 1}
    assert canonical(full, ("a", "b", "c")) == canonical(bare, ("a", "b", "c"))
    assert canonical({"a": 0}, ("a",)) != canonical({}, ("a",))
    assert canonical({"a": ""}, ("a",)) != canonical({}, ("a",))


class Tap(TapEmailLogs):
    clock_class = Ticking


_TAP = Tap(config={"smtp2go": {"api_key": "none"}})
_ACTIVITY: Any = _TAP.streams["smtp2go_activity"]
ACTIVITY = _ACTIVITY.for_account(_TAP.accounts["smtp2go"][0])


def keyed(pages: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the records of a window that the vendor gives in these pages."""
    tokens = [*map(str, range(1, len(pages))), None]
    total = sum(map(len, pages))
    answers = [
        {"data": {"events": page, "total_events": total, "continue_token": token}}
        for page, token in zip(pages or [[]], tokens, strict=True)
    ]
    whole = {"data": {"events": [row for page in pages for row in page], "total_events": total, "continue_token": None}}
    asked: list[str | None] = []

    def send(request: Any, *_: object, **__: object) -> Reply:
        token = request.data.get("continue_token")
        again = token is None and bool(asked)  # whether twins are twins is asked for in one page
        asked.append(token)
        return Reply(200, {}, b"", whole if again else answers[int(token or 0)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ACTIVITY.account.client, "send", send)
        outcome = reader_of(ACTIVITY).read(Reading(Window(NOW, NOW + SECOND), EndpointContext({}, lambda: None)))
    assert outcome.status == "complete"
    return [dict(record) for record in outcome.records]


def keys(rows: list[dict[str, Any]]) -> Counter[str]:
    found = Counter(record["event_id"] for record in keyed([rows]))
    assert set(found.values()) <= {1}
    return found


events = st.fixed_dictionaries(
    {
        "event": st.sampled_from(["opened", "clicked"]),
        "date": st.sampled_from(["2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z"]),
    },
    optional={
        "recipient": st.sampled_from(["a", "b", None]),
        "byte_size": st.sampled_from([1, 2, None]),
        "recipients": st.sampled_from([["a"], ["a", "b"], None]),
        "metadata": st.sampled_from([{"x": 1, "y": {"k": None, "v": [1, 2]}}, {"y": {"v": [1, 2]}, "x": 1}, {}, None]),
    },
)
windows = st.lists(events, max_size=12)


def reordered(value: Any, rng: Any) -> Any:
    """Return the same JSON with its objects' keys in another order."""
    if isinstance(value, dict):
        names = list(value)
        rng.shuffle(names)
        return {name: reordered(value[name], rng) for name in names}
    return [reordered(item, rng) for item in value] if isinstance(value, list) else value


@given(windows, st.data(), st.randoms(use_true_random=False))
def test_nothing_but_the_data_changes_a_key(rows: list[dict[str, Any]], data: st.DataObject, rng: Any) -> None:
    changed = []
    for row in rows:
        other = {name: value for name, value in row.items() if value is not None or data.draw(st.booleans())}
        other |= data.draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "subject": st.none(),
                    "brand_new": values,
                    "headers": st.text(max_size=3),
                    "custom_headers": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
                },
            )
        )
        changed.append(reordered(other, rng))
    rng.shuffle(changed)
    assert keys(changed) == keys(rows)


@given(windows, st.integers(1, 6), st.randoms(use_true_random=False))
def test_page_boundaries_and_the_order_of_rows_change_no_record(
    rows: list[dict[str, Any]], size: int, rng: Any
) -> None:
    marked = [{**row, "brand_new": number} for number, row in enumerate(rows)]
    shuffled = rng.sample(marked, len(marked))
    pages = [shuffled[start : start + size] for start in range(0, len(shuffled), size)]
    whole, paged = ({record["event_id"]: record for record in keyed(p)} for p in ([marked], pages))
    assert paged == whole
    assert len(whole) == len(rows)


@given(windows.filter(bool))
def test_one_more_twin_has_a_key_of_its_own_and_leaves_the_others_theirs(rows: list[dict[str, Any]]) -> None:
    before, after = keys(rows), keys([*rows, dict(rows[0])])
    assert len(after - before) == 1
    assert not before - after


def test_two_clicks_in_one_second_stay_two_records() -> None:
    click = {"event": "clicked", "date": "2026-03-01T12:00:00Z", "recipient": "a"}
    assert len(keys([click, click])) == 2
    assert keys([click]) == keys([{**click, "date": "2026-03-01T13:00:00+01:00"}])
    assert keys([click]) != keys([{**click, "date": "2026-03-01T12:00:00.000Z"}])


def test_a_key_of_rows_does_not_hold_their_account() -> None:
    assert [record["account"] for record in keyed([[{"event": "opened"}]])] == ["default"]
    assert "account" not in ACTIVITY.identity
    assert not {"headers", "custom_headers", "event_id", "extra_fields"} & set(ACTIVITY.identity)

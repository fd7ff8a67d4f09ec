"""The fast way from bytes to lines and the tolerant one give the same lines and keys, byte for byte."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.streams.rest import PageContext

from general import NOW
from harness import Ticking
from tap_emaillogs.formats.timestamps import SECOND
from tap_emaillogs.http.answers import decode
from tap_emaillogs.http.errors import Misunderstood
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.prepared import PreparedRow
from tap_emaillogs.streams.records import Packed, digest
from tap_emaillogs.streams.shapes import Row
from tap_emaillogs.streams.window import Window
from tap_emaillogs.tap import TapEmailLogs


class Tap(TapEmailLogs):
    clock_class = Ticking


_INFOBIP = {"api_key": "none", "base_url": "https://x.api.infobip.com"}
_CONFIGS: list[dict[str, Any]] = [
    {"smtp2go": {"api_key": "none"}},
    {"infobip": {**_INFOBIP, "api_version": 1}},
    {"infobip": {**_INFOBIP, "api_version": 4}},
]


def _streams() -> dict[str, Any]:
    found = {}
    for config in _CONFIGS:
        tap: Any = Tap(config=config)
        ((vendor, (account, *_)),) = tap.accounts.items()
        for stream in tap.streams.values():
            if getattr(stream, "provider", None) == vendor and type(stream).layout is not LogStream.layout:
                bound: Any = stream.for_account(account)
                found[f"{stream.name} {config[vendor].get('api_version', '')}".strip()] = bound
    return found


STREAMS = _streams()
streams = pytest.mark.parametrize("name", STREAMS)
ASKED: PageContext[Any] = PageContext({"window": Window(NOW, NOW + SECOND)}, None)


def test_every_stream_with_a_layout_is_tested() -> None:
    there = {kind for provider in PROVIDERS for kind in provider.streams if kind.layout is not LogStream.layout}
    assert {type(stream) for stream in STREAMS.values()} == there


def fresh(name: str) -> Any:
    """Return a stream whose codec has learned nothing yet."""
    stream = STREAMS[name]
    bound = stream.for_account(stream.account)
    bound.codec = bound._make_codec(bound.layout)
    assert bound.codec is not None
    return bound


# Rows as vendors might send them, written by hand: a JSON library would not write all of this.

_plain = st.text(max_size=4)
_texts = (
    st.sampled_from(['""', '"a"', '"-"', '":null"', '"ł✉"', '"\\\\u0000"'])
    | _plain.map(json.dumps)
    | _plain.map(lambda text: json.dumps(text, ensure_ascii=False))
)
_numbers = st.sampled_from(
    [
        *("0", "-0", "-0.0", "1.0", "1.5", "5e3", "0.1", "1e22", "1e-7", "1700000000", "1700000000123", "1" * 30),
        *("9223372036854775807", "9223372036854775808", "-9223372036854775809"),
    ]
)
_UNREADABLE = [
    *("9" * 5000, '{"x":-%s}' % ("9" * 5000), "[" * 400 + '"x"' + "]" * 400, '{"a":' * 1200 + "1" + "}" * 1200),
    *("[" * 20_000 + "]" * 20_000, '{"x":1e400,"y":[NaN]}', '[{"x":"\\udfff"}]'),
]
_rare = st.sampled_from(
    ['"\\u0000"', '"a\\u0000b"', '"\\ud800"', "NaN", "-Infinity", "1e400", *_UNREADABLE[:1], *_UNREADABLE[2:3]]
)
"""What no Struct reads, and partly not even JSON: a whole answer falls back."""
_scalars = st.sampled_from(["null", "true", "false"]) | _numbers | _texts
_names = st.sampled_from(["a", "b", "groupId", "name", "host", "applicationId", "permanent", "", "ł", "x.y"])
_space = st.sampled_from(["", "", "", " ", "\n\t"])


def _object(names: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def text(pairs: list[tuple[str, str]], space: str) -> str:
        return "{" + f",{space}".join(f'"{name}":{space}{value}' for name, value in pairs) + "}"

    return st.builds(text, st.lists(st.tuples(names, values), max_size=4), _space)


_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]") | _object(_names, inner),
    max_leaves=5,
)
_times = st.sampled_from(
    [
        *("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.123Z", "2026-03-01T12:00:00.123+0000", "2026-03-01 12:00"),
        *("2026-03-01T13:00:00+01:00", "2016-12-31T23:59:60Z", "2026-02-31T12:00:00Z", "2026-03-01T24:00:00Z"),
        *("1700000000", "", "yesterday", "2026-W01-1T12:00:00Z", "2026-03-01T12:00:00.12xZ", "٢٠٢٦-03-01T12:00:00Z"),
    ]
).map(json.dumps)


def _fitting(spec: dict[str, Any]) -> st.SearchStrategy[str]:
    kind = next(name for name in [*spec["type"], spec["type"]] if name in _FITTING)
    if spec.get("format") == "date-time":
        return _times
    if kind == "array":
        return st.lists(_fitting(spec["items"]) | st.just("null"), max_size=3).map(lambda t: f"[{','.join(t)}]")
    if kind == "object" and "properties" in spec:
        properties = spec["properties"]
        values = st.one_of([*(_fitting(inner) for inner in properties.values()), st.just("null"), _values])
        return _object(st.sampled_from([*sorted(properties), "colour"]), values)
    fitting: st.SearchStrategy[str] = _FITTING[kind]
    return fitting


_FITTING: dict[str, Any] = {
    "string": _texts,
    "integer": st.sampled_from(["0", "1", "-5", "9223372036854775807"]),
    "number": st.sampled_from(["0", "1", "0.0021", "1e22", "-0"]),
    "boolean": st.sampled_from(["true", "false"]),
    "object": _object(_names, _values),
    "array": st.nothing(),
}


@st.composite
def rows(draw: st.DrawFn, name: str) -> str:
    """Return a row as JSON: as declared, or also with values of another type, undeclared fields, and some twice."""
    stream, odd = STREAMS[name], draw(st.sampled_from([False, False, True]))
    vendors = {column: field for field, column in stream.layout.renamed}
    never = {*stream.normalise.own, *(() if odd else (one for _, columns in stream.layout.spread for one in columns))}
    pairs = []
    for column, spec in stream.schema["properties"].items():
        sent = column not in never and draw(st.booleans())
        if sent:
            value = draw(_fitting(spec)) if not odd or draw(st.integers(0, 9)) else draw(_values)
            pairs.append((vendors.get(column, column), "null" if draw(st.integers(0, 9)) == 5 else value))
    names = ["brand_new", "another", "learned_0", "get", "", "Übrig", 'quo\\"te', "back\\\\slash", "line\\nbreak"]
    if odd:
        names += ["x.y", "status.colour", "status.name", "nul\\u0000", "applicationId", "from", "to", "date", "sender"]
        names += ["destination", "platform", "account", "event_id", "extra_fields"]
    pairs += draw(st.lists(st.tuples(st.sampled_from(names), _values), max_size=draw(st.sampled_from([0, 0, 1, 3]))))
    if draw(st.booleans()):
        inside = _object(st.sampled_from(["applicationId", "entityId", "more"]), _texts | _values)
        pairs.append(("platform", draw(inside)))
    pairs = draw(st.permutations(pairs)) if draw(st.booleans()) else pairs
    if odd and draw(st.booleans()):
        pairs.append((draw(st.sampled_from(["subject", "text", "metadata", "status", "brand_new"])), draw(_rare)))
    return "{" + ",".join(f'"{field}":{value}' for field, value in pairs) + "}"


def answer(stream: Any, given: list[str], beside: str = '"total_events":null') -> bytes:
    """Return an answer with these rows."""
    text = f"[{','.join(given)}]"
    for place, name in enumerate(reversed(stream.layout.rows_at)):
        more = f",{beside}" if not place else ',"request_id":"abc"'
        text = f'{{"{name}":{text}{more}}}'
    return text.encode("utf-8", "surrogatepass")


def reference(stream: Any, body: bytes) -> list[PreparedRow] | None:
    """Return what the tolerant way makes of an answer; None: it is no JSON."""
    try:
        data = decode(body)
    except ValueError:
        return None
    return [stream.take_row(row) for row in stream.parse_page(data, ASKED).rows]


def fast(stream: Any, body: bytes) -> list[PreparedRow] | None:
    """Return what the codec makes of it."""
    try:
        page = stream.parse_page(stream.codec.decode(body), ASKED)
    except ValueError:
        return None
    before = repr(page.rows)
    taken: list[PreparedRow] = stream.take(page.rows)
    assert repr(page.rows) == before, "rows are compared with the next page's"
    return taken


@streams
@given(data=st.data())
@settings(max_examples=200)
def test_both_ways_give_the_same_lines_and_keys(name: str, data: st.DataObject) -> None:
    stream = fresh(name)
    for _ in range(2):  # the second page meets what the first one taught
        body = answer(stream, data.draw(st.lists(rows(name), max_size=4)))
        want, have = reference(stream, body), fast(stream, body)
        assert want == have
        assert have is None or all(type(row) is PreparedRow for row in have)


@streams
@given(data=st.data())
def test_rows_read_like_dicts(name: str, data: st.DataObject) -> None:
    stream = fresh(name)
    body = answer(stream, data.draw(st.lists(rows(name), max_size=4)))
    try:
        plain = stream.parse_page(decode(body), ASKED).rows
    except ValueError:
        return
    quick = stream.parse_page(stream.codec.decode(body), ASKED).rows
    window = Window(NOW, NOW + SECOND)
    assert stream.times(plain) == stream.times(quick)
    assert len(stream.inside(window, plain)) == len(stream.inside(window, quick))
    for one, two in zip(plain, quick, strict=True):
        for column in (*stream.row_key, *stream.time_columns):
            assert one.get(column) == two.get(column)


_documents = st.recursive(
    _scalars | _rare,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | _object(
            st.sampled_from(["data", "events", "results", "error", "errorCode", "request_id", "cursor", "to"]), inner
        )
    ),
    max_leaves=8,
)


@streams
@given(document=_documents, cut=st.sampled_from([None, None, -1, 5]), mark=st.sampled_from([b"", b"\xef\xbb\xbf"]))
@settings(max_examples=200)
def test_whatever_answers_is_understood_alike(name: str, document: str, cut: int | None, mark: bytes) -> None:
    stream = fresh(name)
    body = mark + document.encode("utf-8", "surrogatepass")[:cut]
    found: list[Any] = []
    for read in (decode, stream.codec.decode):
        try:
            data = read(body)
        except ValueError:
            found.append("no JSON")
            continue
        said = stream.account.provider.error_message(data)
        try:
            page = stream.parse_page(data, ASKED)
            found.append((said, page.total, page.token, page.capped, stream.take(page.rows)))
        except Misunderstood as error:
            found.append((said, str(error)))
    assert found[0] == found[1]


@streams
def test_one_new_field_leaves_rows_on_the_fast_way(name: str) -> None:
    stream = fresh(name)
    for page in (['{"brand_new":1}', "{}"], ['{"brand_new":{"b":1,"a":[]}}', '{"and_more":null}']):
        body = answer(stream, page)
        assert all(isinstance(row, Row) for row in stream.parse_page(stream.codec.decode(body), ASKED).rows)
        assert fast(stream, body) == reference(stream, body)


@streams
def test_names_without_end_are_not_learned(name: str) -> None:
    stream = fresh(name)
    for page in range(30):
        body = answer(stream, [f'{{"field_{page}_{number}":1}}' for number in range(9)] + ["{}"])
        assert fast(stream, body) == reference(stream, body)
    assert isinstance(stream.parse_page(stream.codec.decode(body), ASKED).rows[-1], Row)
    assert len(stream.codec._shapes) <= 8


@streams
def test_invalid_utf8_in_a_value_becomes_a_mark(name: str) -> None:
    stream = fresh(name)
    for field in ("subject", "text", "delivery_attempts", "status", "brand_new"):
        body = answer(stream, [f'{{"{field}":"\N{BULLET}"}}', f'{{"{field}":[{{"host":"\N{BULLET}"}}]}}'])
        body = body.replace("\N{BULLET}".encode(), b"\xff")
        assert fast(stream, body) == reference(stream, body)


_twins = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([b"", b"1", b"2"]), st.integers(0, 3)), max_size=30)


@given(given_rows=_twins)
def test_twins_are_numbered_by_their_order_and_come_together(given_rows: list[tuple[str, bytes, int]]) -> None:
    lines: defaultdict[bytes, list[tuple[bytes, bytes]]] = defaultdict(list)
    taken = []
    for name, order, value in given_rows:
        identity = name.encode() * 16
        line = b'{"value":%d,"extra_fields":null' % value
        lines[identity].append((order, line + b"}"))
        taken.append(PreparedRow(identity, b'%s,"key":"%s"}' % (line, digest(identity).encode()), order))
    want = [
        b'%s,"key":"%s"}' % (line[:-1], digest(identity, *([str(place).encode()] if place else [])).encode())
        for identity, twins in lines.items()
        for place, (_, line) in enumerate(sorted(twins))
    ]
    assert list(Packed.with_twins(taken).lines) == want


@streams
@pytest.mark.parametrize("value", _UNREADABLE, ids=lambda value: value[:12])
def test_a_row_that_cannot_be_read_comes_with_what_is_readable(name: str, value: str) -> None:
    good = [f'{{"subject":"{number}","messageId":"m{number}","to":"t{number}"}}' for number in range(50)]
    fields = (
        "metadata",
        "status",
        "byte_size",
        "price",
        "subject",
        "text",
        "sentAt",
        "date",
        "recipients",
        "brand_new",
    )
    for field in fields:
        stream = fresh(name)
        bad = f'{{"messageId":"bad","to":"bad","email_id":"bad","{field}":{value}}}'
        body = answer(stream, [*good[:25], bad, *good[25:]])
        have = fast(stream, body)
        assert have == reference(stream, body)
        assert have is not None
        assert len(have) == 51
        alone = fast(stream, answer(stream, good)) or []
        assert [have[place] for place in (*range(25), *range(26, 51))] == alone, "the good ones are as they were"
        record = json.loads(have[25].line, parse_constant=pytest.fail)
        assert "bad" in {record.get("messageId"), record.get("email_id")}
        extra = json.loads(record["extra_fields"] or "{}", parse_constant=pytest.fail)
        where = {key: item for key, item in {**record, **extra}.items() if key.split(".")[0] == field}
        assert any(item is not None for item in where.values()), "it is there, as text or as a part of its column"
        assert _depth(record) < 310


def _depth(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inside), default=0)


@streams
def test_what_is_no_object_among_rows_counts_and_makes_no_record(name: str) -> None:
    stream = fresh(name)
    good = [f'{{"subject":"{number}","messageId":"m{number}","to":"t{number}"}}' for number in range(3)]
    body = answer(stream, [good[0], "null", good[1], '"text"', "5", "[]", good[2]])
    for read in (stream.codec.decode, decode):
        page = stream.parse_page(read(body), ASKED)
        taken = stream.take(page.rows)
        assert len(page.rows) == len(taken) == 7
        assert [one.line for one in taken if not one.beside] == [
            one.line for one in fast(stream, answer(stream, good)) or []
        ]
        assert len({one.identity for one in taken}) == 7
    with pytest.raises(Misunderstood, match="no objects"):
        stream.parse_page(decode(answer(stream, ["null", "5"])), ASKED)

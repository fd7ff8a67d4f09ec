"""Every text of every schema says what it holds, and nothing but that decides what becomes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from singer_sdk import Stream, StreamSchema

from tap_emaillogs.engine.ledger import SyncWindows
from tap_emaillogs.privacy.annotations import HOLDS, MEANINGS, Columns, recipient_keys, without_annotations, words_of
from tap_emaillogs.privacy.plan import Privacy
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.events import EmailEvents
from tap_emaillogs.streams.schemas import SCHEMAS, AnnotatedSchemas, columns
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from pathlib import Path

KINDS = [*(kind for provider in PROVIDERS for kind in provider.streams), EmailEvents, SyncWindows]
BUNDLED = sorted(path.name.removesuffix(".json") for path in SCHEMAS.dir_path.iterdir())
TEXT = {"type": ["string", "null"]}


def described(properties: dict[str, Any], *keys: str) -> Columns:
    return Columns("new_vendor_log", {"type": "object", "properties": properties}, keys)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(vars(kind)["name"]))
def test_every_text_of_every_stream_says_what_it_holds(kind: type[Stream]) -> None:
    words = dict(words_of(columns(kind)))
    assert {"account", "window_id", "event_id"} & words.keys()
    assert set(words.values()) <= MEANINGS.keys()


def test_every_bundled_schema_is_some_streams() -> None:
    assert sorted(columns(kind).stream for kind in KINDS) == BUNDLED


def test_every_word_of_the_vocabulary_is_used() -> None:
    assert {word for kind in KINDS for _, word in words_of(columns(kind))} == MEANINGS.keys()


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (TEXT, "note"),
        ({**TEXT, HOLDS: "surprise"}, "note"),
        ({"type": "array", "items": TEXT, HOLDS: "text"}, "note[]"),
        ({"type": ["array", "null"]}, "note[]"),
        ({"type": "object"}, "note"),
        ({"type": "object", HOLDS: "subject"}, "note"),
        ({"type": "array", "items": {"type": "object", "properties": {"inner": TEXT}}}, "note[].inner"),
    ],
)
def test_a_text_that_says_nothing_is_refused(spec: dict[str, Any], path: str) -> None:
    new = described({"id": {"type": "string", HOLDS: "id"}, "note": spec}, "id")
    with pytest.raises(ValueError, match="'x-holds' must be one of") as caught:
        dict(words_of(new))
    assert str(caught.value).startswith(f"new_vendor_log: {path}: ")
    with pytest.raises(ValueError, match="'x-holds' must be one of"):
        Privacy.of({"privacy": {"subject": "drop"}}).plan(new, new)


def test_the_annotation_decides_and_not_the_name() -> None:
    new = described(
        {
            "rowId": {"type": "string", HOLDS: "id"},
            "emailSubject": {**TEXT, HOLDS: "subject"},
            "whoGotIt": {**TEXT, HOLDS: "recipient"},
            "whoSentIt": {**TEXT, HOLDS: "sender"},
            "content": {**TEXT, HOLDS: "body"},
            "readFrom": {**TEXT, HOLDS: "reader_ip"},
            "to": {**TEXT, HOLDS: "none"},
            "remarks": {"type": "array", "items": {**TEXT, HOLDS: "text"}},
            "people": {"type": "object", HOLDS: "recipient"},
        },
        "rowId",
    )
    row = {
        "rowId": "7",
        "emailSubject": "Your order 77",
        "whoGotIt": "Ann Weber <ann@x.example>",
        "whoSentIt": "shop@s.example",
        "content": "Dear Ann",
        "readFrom": "198.51.100.7",
        "to": "the point",
        "remarks": ["Your order 77 to Ann Weber from 198.51.100.7: Dear Ann", None],
        "people": {"first": {"name": "Ann Weber", "mail": "ann@x.example"}},
    }
    privacy = Privacy.of({"privacy": {"recipient": "drop", "subject": "drop", "body": "drop", "ip": "drop"}})
    assert privacy.plan(new, new).hide(row, [[row]]) == [
        [
            {
                "rowId": "7",
                "emailSubject": None,
                "whoGotIt": None,
                "whoSentIt": "shop@s.example",
                "content": None,
                "readFrom": None,
                "to": "the point",
                "remarks": [" to  from : ", None],
                "people": {"first": {"name": None, "mail": None}},
            }
        ]
    ]


def test_where_no_column_is_a_senders_the_events_keep_no_sender() -> None:
    new = described({"id": {"type": "string", HOLDS: "id"}, "by": {**TEXT, HOLDS: "text"}}, "id")
    row, event = {"id": "7", "by": "a@s.example"}, {"event_id": "e", "sender": "a@s.example"}
    privacy = Privacy.of({"privacy": {"recipient": "domain"}})
    assert privacy.plan(new, columns(EmailEvents)).hide(row, [[event]])[0][0]["sender"] == "@s.example"


def test_a_recipient_in_a_key_is_found_by_its_annotation() -> None:
    spec = {"type": "string", HOLDS: "recipient"}
    assert recipient_keys(described({"whoGotIt": spec, "to": {**spec, HOLDS: "id"}, "cc": spec}, "to", "whoGotIt")) == [
        "whoGotIt"
    ]
    found = {columns(kind).stream: recipient_keys(columns(kind)) for kind in KINDS}
    assert {stream: keys for stream, keys in found.items() if keys} == {"infobip_email_logs": ["to"]}


def test_the_outside_sees_no_annotation() -> None:
    tap = TapEmailLogs(config={provider.name: {} for provider in PROVIDERS}, validate_config=False)
    assert len(tap.streams) == len(KINDS)
    assert HOLDS not in json.dumps(tap.catalog_dict)
    for stream in tap.streams.values():
        assert HOLDS not in json.dumps(stream.schema)
        assert without_annotations(columns(type(stream)).schema) == SCHEMAS.get_schema(stream.name)


def test_a_vendor_may_have_its_schemas_elsewhere(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"id": {"type": "string", HOLDS: "id"}}}
    (tmp_path / "other_log.json").write_text(json.dumps(schema))

    class Other(Stream):
        name = "other_log"
        primary_keys = ("id",)
        schema: ClassVar[StreamSchema[str]] = StreamSchema(AnnotatedSchemas(tmp_path))

    assert columns(Other).schema == schema
    assert AnnotatedSchemas(tmp_path).get_schema("other_log") == without_annotations(schema)

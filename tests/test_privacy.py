"""`privacy`: what is hidden, where it stands and where it could come back."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from general import config_of, facts, stream_of
from harness import read, run
from outcome import Run, upserted
from tap_emaillogs.engine.ledger import SyncWindows
from tap_emaillogs.formats import addresses
from tap_emaillogs.privacy.plan import Privacy
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.events import EmailEvents
from tap_emaillogs.streams.schemas import SCHEMAS, columns
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

EVENTS = "email_events"
SALT = "pepper-and-salt-0"
ALL = {"subject": "hash", "body": "drop", "ip": "hash", "salt": SALT}
MODES = ("hash", "domain", "drop")
every_mode = pytest.mark.parametrize("mode", MODES)
RAW = [vars(kind)["name"] for provider in PROVIDERS for kind in provider.streams]
KINDS = {
    str(vars(kind)["name"]): columns(kind)
    for kind in (*(kind for provider in PROVIDERS for kind in provider.streams), EmailEvents, SyncWindows)
}
RECIPIENTS = frozenset({"recipient", "recipients", "to", "cc", "bcc", "to_address", "receiver", "destination"})
"""Columns and fields of vendors' rows that hold a recipient."""


def in_one_form(address: str) -> str:
    """Return an address in lower case, its domain as IDNA writes it."""
    name, _, domain = address.lower().rpartition("@")
    return f"{name}@{domain.encode('idna').decode()}"


def token(text: str) -> str:
    return hmac.new(SALT.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]


def apply(
    privacy: Privacy, stream: str, record: dict[str, Any], source: tuple[str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return a record as it may be written; `source` is the raw record, after its stream, that it was made of."""
    origin, raw = source or (stream, record)
    ((found,),) = privacy.plan(KINDS[origin], KINDS[stream]).hide(raw, [[record]])
    return found


def cleared(stream: str, record: Mapping[str, Any], **privacy: str) -> dict[str, Any]:
    return apply(Privacy.of({"privacy": {"salt": SALT, **privacy}}), stream, dict(record))


# --- recipients


def test_nothing_is_touched_by_default() -> None:
    record = {"account": "a", "recipient": "a@b.example"}
    for config in ({}, {"privacy": {}}, {"privacy": {"recipient": "keep", "salt": "0123456789abcdef"}}):
        assert apply(Privacy.of(config), "smtp2go_activity", record) is record


@pytest.mark.parametrize(
    ("text", "hashed", "domain"),
    [
        ("Ann@Example.com", [token("ann@example.com")], ["@example.com"]),
        ("Ann <Ann@Example.com>", [token("ann@example.com")], ["@example.com"]),
        (
            '"Weber, Ann" <ann@example.com>, c@bücher.example; mailto:d@e.example',
            [token("ann@example.com"), token("c@xn--bcher-kva.example"), token("d@e.example")],
            ["@example.com", "@xn--bcher-kva.example", "@e.example"],
        ),
        ("o'neil+tag@example.com", [token("o'neil+tag@example.com")], ["@example.com"]),
        ("+4915112345678", [token("+4915112345678")], []),
        ("Undisclosed recipients", [token("undisclosed recipients")], []),
    ],
)
def test_recipients_are_hidden_one_by_one(text: str, hashed: list[str], domain: list[str]) -> None:
    record = {"to": text, "recipients": [text, None]}
    assert cleared("smtp2go_activity", record, recipient="hash") == {
        "to": ", ".join(hashed),
        "recipients": [", ".join(hashed), None],
    }
    assert cleared("smtp2go_activity", record, recipient="domain")["to"] == (", ".join(domain) or None)
    assert cleared("smtp2go_activity", record, recipient="drop") == {"to": None, "recipients": None}


def test_nested_recipients() -> None:
    record = {"delivery_attempts": [{"receiver": "A@b.example", "ip": "192.0.2.1"}, None]}
    found = cleared("jetemail_outbound_logs", record, recipient="hash", ip="drop")
    assert found == {"delivery_attempts": [{"receiver": token("a@b.example"), "ip": "192.0.2.1"}, None]}


@every_mode
def test_a_recipient_in_a_key_is_always_hashed(mode: str) -> None:
    found = cleared("infobip_email_logs", {"messageId": "m", "to": "A@b.example"}, recipient=mode)
    assert found == {"messageId": "m", "to": token("a@b.example")}


@pytest.mark.parametrize(("mode", "kept"), [("hash", "b.example"), ("domain", "b.example"), ("drop", None)])
def test_the_domain_stays_but_under_drop(mode: str, kept: str | None) -> None:
    assert cleared(EVENTS, {"recipient_domain": "b.example"}, recipient=mode) == {"recipient_domain": kept}


def test_every_stream_and_event_gives_the_same_hash(shared_box: Sandbox, vendor: str) -> None:
    plain = read(shared_box, vendor)
    hidden = read(shared_box, vendor, top={"privacy": {"recipient": "hash", "salt": SALT}})
    before, after = upserted(plain, EVENTS), upserted(hidden, EVENTS)
    assert before.keys() == after.keys()
    for key, event in after.items():
        assert event["recipient"] == token(in_one_form(before[key]["recipient"]))
        assert event["recipient_domain"] == before[key]["recipient_domain"]
        assert event["message_id"] == before[key]["message_id"]
    columns = facts(vendor).recipients
    values = [record[column] for record in hidden.records[stream_of(vendor)] for column in columns]
    raw = {name for value in values for name in (value if isinstance(value, list) else [value])}
    assert {event["recipient"] for event in after.values()} <= raw


# --- texts


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("550 <ann@x.example>: no", "550 <@x.example>: no"),
        ("https://s.example/u?email=ann%40x.example&a=1", "https://s.example/u?email=@x.example&a=1"),
        ("https://s.example/u?r=%3Fe%3Dann%2540x.example", "https://s.example/u?r=%3Fe%3D@x.example"),
        ("https://s.example/u?email=ann.weber@x.example", "https://s.example/u?email=@x.example"),
        ("bounce+ann=x.example@s.example failed", "@s.example failed"),
        ("to=<ann@x.example>, relay=mx.x.example[192.0.2.1]:25", "to=<@x.example>, relay=mx.x.example[192.0.2.1]:25"),
        ("ann@x.example.", "@x.example."),
        ("'ann@x.example'", "'@x.example'"),
        ("ünï@bücher.example's box", "@xn--bcher-kva.example's box"),
        ("see https://medium.example/@handle", "see https://medium.example/@handle"),
        ("5 @ 3 EUR", "5 @ 3 EUR"),
    ],
)
def test_addresses_in_texts(text: str, domain: str) -> None:
    assert cleared("smtp2go_activity", {"smtp_response": text}, recipient="domain") == {"smtp_response": domain}


def test_a_sender_keeps_its_address_but_not_its_recipients() -> None:
    record = {
        "recipient": "ann@x.example",
        "from": "shop@s.example",
        "sender_full": "Shop <shop@s.example>",
        "reply_to": "bounce+ann=x.example@s.example",
        "sender": "ANN@x.example",
        "username": "api@s.example",
    }
    found = cleared("smtp2go_activity", record, recipient="hash")
    assert [found[name] for name in ("from", "sender_full", "username")] == [
        *("shop@s.example", "Shop <shop@s.example>", "api@s.example")
    ]
    assert (found["reply_to"], found["sender"]) == (
        f"bounce+{token('ann@x.example')}@s.example",
        token("ann@x.example"),
    )


def test_headers_hide_names_and_subjects() -> None:
    headers = "To: Ann Weber\r\n <ann@x.example>\r\nSUBJECT: Your\r\n order\r\nX-Order: 7\r\nX-For: b@c.example\r\n"
    custom = {"Subject": "Your order", "To": "Ann Weber <ann@x.example>", "X-Order": "7"}
    pairs = {"list": [{"name": "Subject", "value": "Your order"}, {"key": "To", "value": "Ann <ann@x.example>"}]}
    record = {"headers": headers, "custom_headers": custom, "metadata": pairs}
    found = cleared("smtp2go_activity", record, recipient="domain", subject="drop")
    assert found["headers"] == "To: @x.example\r\nSUBJECT: \r\nX-Order: 7\r\nX-For: @c.example\r\n"
    assert found["custom_headers"] == {"Subject": None, "To": "@x.example", "X-Order": "7"}
    assert [pair["value"] for pair in found["metadata"]["list"]] == [None, "@x.example"]


def test_free_objects_and_extra_fields() -> None:
    value = {
        "ann@x.example": {"to": {"name": "Ann", "address": "ann@x.example"}, "n": 1, "ok": True},
        "opens.0.ip": "198.51.100.7",
        "delivery_attempts.0.ip": "192.0.2.1",
        "rcpt_to": ["Ann"],
        "Subject": "Hello",
        "html": "<p>Hi</p>",
        "phone.to": 4915112345678,
    }
    settings = {"recipient": "drop", "subject": "hash", "body": "drop", "ip": "drop"}
    found = cleared("smtp2go_activity", {"extra_fields": json.dumps(value)}, **settings)
    found |= cleared("smtp2go_activity", {"custom_headers": value}, **{**settings, "ip": "keep"})
    want = {
        "": {"to": {"name": None, "address": None}, "n": 1, "ok": True},
        "opens.0.ip": None,
        "delivery_attempts.0.ip": "192.0.2.1",
        "rcpt_to": [None],
        "Subject": token("Hello"),
        "html": None,
        "phone.to": None,
    }
    assert found["custom_headers"] == {**want, "opens.0.ip": "198.51.100.7"}
    assert json.loads(found["extra_fields"]) == want


def test_columns_of_a_setting_are_undocumented_too() -> None:
    record = {"record_id": "k", "mystery": "ann@x.example", "client_ip": "198.51.100.7", "number": 3, "none": None}
    names = (stream for stream in RAW if stream.startswith("messangi"))
    for stream in (*names, "smtp2go_activity"):
        found = cleared(stream, record, recipient="domain", ip="drop")
        assert {name: found[name] for name in record if name != "record_id"} == {
            "mystery": "@x.example",
            "client_ip": None,
            "number": 3,
            "none": None,
        }


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("198.51.100.7", None),
        ("via 198.51.100.7, 2001:db8::7 and ::ffff:198.51.100.7.", "via ,  and ."),
        ("Chrome/120.0.0.0 Safari", "Chrome/120.0.0.0 Safari"),
        ("at 10:11:12, build 1.2.3", "at 10:11:12, build 1.2.3"),
        ("http://198.51.100.7/x", "http:///x"),
        ("999.1.1.1", "999.1.1.1"),
    ],
)
def test_ip_addresses_of_the_recipients_side(text: str, left: str | None) -> None:
    record = {"email_client": {"about": text}, "host": text, "outbound_ip": "192.0.2.1"}
    found = cleared("smtp2go_activity", record, ip="drop")
    assert found["email_client"] == {"about": left}
    assert found["outbound_ip"] == "192.0.2.1"
    assert cleared(EVENTS, {"ip": "198.51.100.7"}, ip="hash") == {"ip": token("198.51.100.7")}


def test_what_the_raw_row_hides_does_not_come_back_in_its_events() -> None:
    raw = {
        "account": "default",
        "event_id": "e",
        "event": "spam",
        "to": "Ann Weber <ann@x.example>",
        "recipient": "+4915112345678",
        "metadata": {"x": "198.51.100.7"},
        "subject": "Your order 77",
        "error": "Ann Weber (+4915112345678, 198.51.100.7) complained of: Your order 77",
    }
    raw = dict.fromkeys(SCHEMAS.get_schema("smtp2go_activity")["properties"]) | raw
    privacy = Privacy.of({"privacy": {"recipient": "drop", "subject": "drop", "ip": "drop"}})
    (event,) = next(p for p in PROVIDERS if p.name == "smtp2go").events("smtp2go_activity", raw)
    for _ in range(2):
        found = apply(privacy, EVENTS, {**event, "subject": None, "recipient": None}, ("smtp2go_activity", raw))
        assert found["reason"] == " (, ) complained of: "
    assert apply(privacy, "smtp2go_activity", raw, ("smtp2go_activity", raw))["error"] == " (, ) complained of: "


def test_a_short_subject_does_not_eat_words() -> None:
    record = {"subject": "mail", "reason": "mailbox: mail", "event": "mail", "smtp_response": "mail"}
    found = cleared("smtp2go_activity", record, subject="drop")
    assert found == {"subject": None, "reason": "mailbox: ", "event": "mail", "smtp_response": None}
    found = cleared("smtp2go_activity", {"subject": "Re", "reason": "Re: Re", "error": "Re"}, subject="drop")
    assert found == {"subject": None, "reason": "Re: Re", "error": None}


# --- everything at once, in every stream

VICTIM = "victim.w@hidden.example"
IP = "203.0.113.77"
SUBJECT = "Secret offer No. 4711"
OURS = {
    *("account", "provider", "stream", "status", "event_type", "bounce_class", "reject_reason"),
    "smtp_enhanced_code",
}


def poisoned(spec: Mapping[str, Any], path: tuple[str, ...] = ()) -> Any:  # noqa: C901, PLR0911 - one per kind of column
    """Make a value that holds an address, a subject and an IP address wherever a text may."""
    kind = next(name for name in ([spec["type"]] if isinstance(spec["type"], str) else spec["type"]) if name != "null")
    name = path[-1] if path else ""
    if kind == "array":
        return [poisoned(spec.get("items") or {"type": "object"}, path)] * 2
    if kind == "object" and "properties" in spec:
        return {key: poisoned(inner, (*path, key)) for key, inner in spec["properties"].items()}
    if kind == "object":
        return {VICTIM: [VICTIM, {"Subject": SUBJECT, "ip": IP, "to": [f"Victim W <{VICTIM}>"]}], "x": text(ip=True)}
    if kind != "string" or spec.get("format") == "date-time":
        return {"integer": 1, "number": 1.5, "boolean": True}.get(kind, "2026-01-01T00:00:00Z")
    if name in RECIPIENTS:
        return f"Victim W <{VICTIM}>"
    if name == "subject":
        return SUBJECT
    if name == "recipient_domain":
        return "hidden.example"
    if name in {"extra_fields", "filter"}:
        return json.dumps({"a.to": "Victim W", "subject": SUBJECT, "html": SUBJECT, "c": text(ip=True), VICTIM: IP})
    if name in OURS or name.endswith("_id") or name in {"uid", "messageId", "email_reference"}:
        return "id-7"
    if name in {"from", "sender", "sender_full", "reply_to", "from_address", "headerFrom", "bounce_address"}:
        return f"bounce+{VICTIM.replace('@', '=')}@shop.example"
    return text(ip=name in {"user_agent", "url", "ip"} or path[0] in {"opens", "clicks"})


def text(*, ip: bool) -> str:
    return f"a {VICTIM.upper()}, <{VICTIM}> https://x.example/?u={VICTIM.replace('@', '%40')} Victim W: {SUBJECT}" + (
        f" {IP}" if ip else ""
    )


@every_mode
@pytest.mark.parametrize("stream", [*RAW, EVENTS, "sync_windows"])
def test_nothing_hidden_is_left_in_any_column(stream: str, mode: str) -> None:
    schema = SCHEMAS.get_schema(stream)
    record = {name: poisoned(spec, (name,)) for name, spec in schema["properties"].items()}
    record |= {"recipient": record.get("recipient", VICTIM), "more": text(ip=True)}
    found = cleared(stream, record, recipient=mode, **{key: value for key, value in ALL.items() if key != "salt"})
    named, subject = not RECIPIENTS.isdisjoint(schema["properties"]), "subject" in schema["properties"]
    for name, value in found.items():
        left = json.dumps(value, ensure_ascii=False).lower()
        assert "victim.w" not in left, (name, value)
        assert "victim w" not in left or not named, (name, value)
        assert "offer" not in left or not subject, (name, value)
        assert IP not in left, (name, value)


# --- whole runs over data where every field holds an address


def poisoning(row: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Wrap what shows a row of a sandbox: every field holds an address, the recipient's or another."""

    def spoil(value: Any, name: str, number: int) -> Any:
        key = name.lower().replace(" ", "_") if " " in name or name.istitle() else name  # a column of a file
        if isinstance(value, dict):
            return {name: spoil(item, name, number) for name, item in value.items()}
        if isinstance(value, list):
            return [spoil(item, name, number) for item in value]
        if not isinstance(value, str) or key in KEPT or TIME.match(value):
            return value
        if key in RECIPIENTS:
            return f'"Victim {number}" <victim{number}@hidden{number}.example>'
        if key in {"from", "sender", "sender_full", "from_address", "headerFrom", "reply_to", "user", "username"}:
            return f"bounce+victim{number}=hidden{number}.example@shop.example"
        more = IP if "IP" in name.split() else "b.victim%40other.example"
        return f"{value} victim{number}@hidden{number}.example {more}"

    def spoiled(*arguments: Any) -> dict[str, Any]:
        original = row(*arguments)
        number = abs(hash(json.dumps(original, sort_keys=True, default=str))) % 1000
        found: dict[str, Any] = spoil(original, "", number)
        if all(name.istitle() for name in original if " " in name) and any(" " in name for name in original):
            return found  # a file's columns are fixed
        odd = {"mail": "x.victim@other.example", "ips": [IP]}
        return {**found, "odd": odd, "opened_by": "y.victim@other.example"}

    return spoiled


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:|\d\d \w{3} \d{4} ")
KEPT = frozenset(
    {
        "status",
        "channel",
        "event",
        "action",
        "groupName",
        "uid",
        "messageId",
        "email_id",
        "id",
        "message_id",
        "request_id",
        "email_reference",
        "currency",
    }
)


@pytest.fixture
def spoiled_box(play: Callable[..., Sandbox]) -> Sandbox:
    box = play(size=120, vendors=[provider.name for provider in PROVIDERS])
    for vendor in box.vendors.values():
        for log in vendor.logs.values():
            log.row = poisoning(log.row)  # type: ignore[method-assign]
    return box


@every_mode
def test_no_address_is_left_in_all_output_of_a_run(spoiled_box: Sandbox, mode: str) -> None:
    plain = run(config_of(spoiled_box))
    found = run(config_of(spoiled_box, top={"privacy": {**ALL, "recipient": mode}}))
    assert found.status == 0
    assert output(plain).count("victim") > 5000
    left = output(found)
    assert "victim" not in left
    assert IP not in left
    assert "198.51.100." not in left, "the IP addresses of the sandbox's readers"
    for stream, records in plain.records.items():
        if stream != "sync_windows":
            assert len(found.records[stream]) == len(records)
    assert upserted(found, EVENTS).keys() == upserted(plain, EVENTS).keys()


@every_mode
def test_the_sandboxs_people_are_gone(shared_box: Sandbox, vendor: str, mode: str) -> None:
    plain = read(shared_box, vendor)
    found = read(shared_box, vendor, top={"privacy": {**ALL, "recipient": mode, "subject": "drop"}})
    left = output(found)
    people = {event["recipient"].lower() for event in plain.records[EVENTS]}
    assert len(people) > 80
    assert not [address for address in people if address in left]
    texts = [record[column] for record in plain.records[stream_of(vendor)] for column in facts(vendor).named]
    names = {name for text in texts for name in addresses.names(text or "") if " " in name}
    assert bool(names) == bool(texts)
    assert not [name for name in names if json.dumps(name.lower(), ensure_ascii=False)[1:-1] in left]
    subjects = {event["subject"] for event in plain.records[EVENTS] if event["subject"]}
    assert not [subject for subject in subjects if json.dumps(subject.lower(), ensure_ascii=False)[1:-1] in left]


def output(found: Run) -> str:
    return "\n".join([*(json.dumps(m, ensure_ascii=False) for m in found.messages), found.stderr]).lower()


def test_events_alone_are_as_private(spoiled_box: Sandbox) -> None:
    maps = {stream_of(vendor): {"__filter__": "False"} for vendor in spoiled_box.vendors}
    found = run(config_of(spoiled_box, top={"privacy": {**ALL, "recipient": "drop"}, "stream_maps": maps}))
    assert found.records[EVENTS]
    assert "victim" not in output(found)


# --- the configuration


THREE = ("smtp2go", "jetemail", "infobip")


def mistakes(privacy: Mapping[str, Any], *vendors: str) -> list[str]:
    config = {
        "smtp2go": {"api_key": "k"},
        "jetemail": {"api_key": "k"},
        "infobip": {"api_key": "k", "base_url": "https://x.example"},
    }
    tap = TapEmailLogs(config={**{name: config[name] for name in vendors}, "privacy": privacy}, validate_config=False)
    return tap._validate_config(raise_errors=False)


@pytest.mark.parametrize("name", ["recipient", "subject", "ip"])
def test_hashing_needs_a_salt(name: str) -> None:
    (mistake,) = mistakes({name: "hash"}, "smtp2go")
    what, how = mistake.split("; ", 1)
    assert what == f"privacy.salt is missing: privacy.{name} is to be hashed"
    assert "secrets.token_hex" in how
    assert not mistakes({name: "hash", "salt": "0123456789abcdef"}, "smtp2go")


@pytest.mark.parametrize("mode", ["domain", "drop"])
def test_a_hidden_key_needs_a_salt(mode: str) -> None:
    (mistake,) = mistakes({"recipient": mode}, *THREE)
    assert "`to` is in the primary key of infobip_email_logs" in mistake
    assert not mistakes({"recipient": mode}, "smtp2go", "jetemail")
    assert not mistakes({"recipient": mode, "salt": "0123456789abcdef"}, *THREE)
    assert not mistakes({"recipient": "keep"}, *THREE)


def test_in_undocumented_columns_every_address_counts_as_a_recipients() -> None:
    privacy = Privacy.of({"privacy": {"recipient": "domain", "salt": "0123456789abcdef"}})
    row = {"account": "default", "record_id": "0", "sender": "shop@a.example", "from": "b@b.example"}
    assert apply(privacy, "messangi_message_logs", dict(row))["sender"] == "@a.example"
    assert apply(privacy, "messangi_message_logs", dict(row))["from"] == "@b.example"
    event = {"event_id": "0", "sender": "shop@a.example"}
    assert apply(privacy, "email_events", event, ("messangi_message_logs", row))["sender"] == "@a.example"
    documented = ("smtp2go_activity", {"account": "default", "event_id": "0", "sender": "shop@a.example"})
    assert apply(privacy, "email_events", event, documented)["sender"] == "shop@a.example"

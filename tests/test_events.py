"""`email_events`: what each vendor's rows become, under which ids, and at no further request."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from general import NOW, STREAMS, VENDORS, config_of, facts, general, needed, options_of, stream_of
from harness import Ticking, catalog, command, read, run
from outcome import Run, upserted
from sandbox.infobip.data import Status
from tap_emaillogs.formats import addresses, smtp
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.providers.infobip import GROUPS, PERMANENT
from tap_emaillogs.providers.jetemail import ATTEMPTS, READING
from tap_emaillogs.providers.smtp2go import EVENTS as SMTP2GO
from tap_emaillogs.streams.events import EventRow
from tap_emaillogs.streams.meanings import BounceClass, EventType, MappingTable, Meaning, RejectReason
from tap_emaillogs.streams.records import Normaliser
from tap_emaillogs.streams.schemas import SCHEMAS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.server import Sandbox

EVENTS = "email_events"
BY_NAME = {provider.name: provider for provider in PROVIDERS}


def record_of(vendor: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a vendor's row to its stream's schema, as the stream does."""
    record = Normaliser(SCHEMAS.get_schema(STREAMS[vendor]), ("account", "event_id"))(row)
    return {**record, "account": "default"} | ({"event_id": "e"} if vendor == "smtp2go" else {})


def events_of(vendor: str, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(BY_NAME[vendor].events(STREAMS[vendor], record_of(vendor, row)))


def by_id(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {event["event_id"]: event for event in events}
    assert len(found) == len(events)
    return found


# --- the tables

SMTP2GO_DOCUMENTED = {
    "processed": ("queued", None, None),
    "soft-bounced": ("bounced", "soft", None),
    "hard-bounced": ("bounced", "hard", None),
    "rejected": ("rejected", None, "other"),
    "spam": ("complained", None, None),
    "delivered": ("delivered", None, None),
    "unsubscribed": ("unsubscribed", None, None),
    "resubscribed": ("subscribed", None, None),
    "opened": ("opened", None, None),
    "clicked": ("clicked", None, None),
}
JETEMAIL_DOCUMENTED = {
    "ACCEPTED": ("delivered", None, None),
    "REJECTED": ("rejected", None, "other"),
    "BOUNCED_HARD": ("bounced", "hard", None),
    "BOUNCED_SOFT": ("bounced", "soft", None),
    "DEFERRED": ("deferred", None, None),
    "SPAM": ("rejected", None, "spam"),
    "VIRUS": ("rejected", None, "virus"),
    "QUEUED": ("queued", None, None),
}
INFOBIP_DOCUMENTED = {
    "ACCEPTED": ("queued", None, None),
    "PENDING": ("queued", None, None),
    "UNDELIVERABLE": ("bounced", "undetermined", None),
    "DELIVERED": ("delivered", None, None),
    "EXPIRED": ("failed", None, "timed_out"),
    "REJECTED": ("rejected", None, "other"),
}


@pytest.mark.parametrize(
    ("table", "documented"),
    [
        (SMTP2GO, SMTP2GO_DOCUMENTED),
        (ATTEMPTS, JETEMAIL_DOCUMENTED),
        (READING, {"opens": ("opened", None, None), "clicks": ("clicked", None, None)}),
        (GROUPS, INFOBIP_DOCUMENTED),
        (PERMANENT, {"true": ("bounced", "hard", None), "false": ("bounced", "soft", None)}),
    ],
)
def test_every_documented_value_has_its_meaning(table: MappingTable, documented: dict[str, tuple[str | None]]) -> None:
    found = {value: (m.event_type, m.bounce_class, m.reject_reason) for value, m in table.meanings.items()}
    assert found == documented


def test_tables_use_the_vocabulary_and_say_why() -> None:
    for provider in PROVIDERS:
        assert provider.mappings, provider.name
        streams = {vars(kind)["name"] for kind in provider.streams}
        for table in provider.mappings:
            assert set(table.streams) <= streams
            for meaning in (*table.meanings.values(), *table.cases.values()):
                assert meaning.event_type in get_args(EventType)
                assert meaning.bounce_class in (None, *get_args(BounceClass))
                assert meaning.reject_reason in (None, *get_args(RejectReason))
                assert meaning.why


@pytest.mark.parametrize(
    "arguments",
    [
        {"event_type": "bounced"},
        {"event_type": "sent", "bounce_class": "hard"},
        {"event_type": "failed"},
        {"event_type": "opened", "reject_reason": "other"},
    ],
)
def test_a_class_stands_only_where_it_belongs(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=arguments["event_type"]):
        Meaning(why="", **arguments)


def test_spelling_makes_no_difference() -> None:
    table = MappingTable(
        "s", {"Soft bounce": Meaning("bounced", "w", bounce_class="soft")}, streams=("s",), at="somewhen"
    )
    for value in ("Soft bounce", "soft_bounce", "SOFT-BOUNCE", " soft  Bounce "):
        assert value in table
        assert table[value].bounce_class == "soft"
    for unknown in ("softbounce", "", None):
        assert unknown not in table
        assert table[unknown].event_type == "unknown"


# --- columns


@pytest.mark.parametrize(
    ("text", "code", "enhanced"),
    [
        ("550-5.1.1 The email account\n550 5.1.1 does not exist", 550, "5.1.1"),
        ("550 5.7.1 Rejected", 550, "5.7.1"),
        ("550-Blocked\\n550 5.7.1 see https://x.example", 550, "5.7.1"),
        ("550-Blocked\\r\\n550 #5.7.1 see", 550, "5.7.1"),
        ("452-4.2.2 over\r\n452 4.2.2 quota", 452, "4.2.2"),
        ("smtp; 550 5.1.1 unknown", 550, "5.1.1"),
        ("host mx.example[192.0.2.1] said: 550 5.1.1 <a@b.example>... unknown (in reply to RCPT)", 550, "5.1.1"),
        ("host mx.example said: 554 No", 554, None),
        ("550 Requested action not taken (5.1.1)", 550, "5.1.1"),
        ("250 2.0.0 OK 1707717247", 250, "2.0.0"),
        ("250 OK", 250, None),
        ("421", 421, None),
        ("5.1.1", None, "5.1.1"),
        ("5.1.1 no such user", None, "5.1.1"),
        ("450 milter 4.6.2 says wait", 450, None),
        ("550 4.7.1 contradicts itself", 550, None),
        ("550 5.1.1.2 is a version", 550, None),
        ("mailbox 550 is full", None, None),
        ("in 250 ms", None, None),
        ("2024-05-01 10:00", None, None),
        ("198.51.100.7 refused", None, None),
        ("5500 mails", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_codes_of_a_response(text: str | None, code: int | None, enhanced: str | None) -> None:
    assert smtp.parse(text) == (code, enhanced)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("550 5.1.1 unknown", (550, "5.1.1")),
        ("550 mails a day are the limit", (None, None)),
        ("The server said: 550 5.7.1 blocked", (550, "5.7.1")),
        ("Mailbox full", (None, None)),
    ],
)
def test_codes_in_other_texts_need_both(text: str, found: tuple[Any, Any]) -> None:
    assert smtp.parse(text, certain=True) == found


@pytest.mark.parametrize(
    ("text", "address", "domain"),
    [
        ("a@b.example", "a@b.example", "b.example"),
        ("Ann <A@B.Example>", "A@B.Example", "b.example"),
        ('"Weber, Ann" <a@bücher.EXAMPLE>', "a@bücher.EXAMPLE", "xn--bcher-kva.example"),
        ("x@xn--mnchen-3ya.example", "x@xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("Ann <a@b.example>, c@d.example", "a@b.example", "b.example"),
        ('"a b"@b.example', '"a b"@b.example', "b.example"),
        ("undisclosed recipients", "undisclosed recipients", None),
        ("+4915112345", "+4915112345", None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_addresses_are_taken_out(text: str | None, address: str | None, domain: str | None) -> None:
    assert addresses.bare(text) == address
    assert addresses.domain(address) == domain


def test_an_event_has_every_column() -> None:
    columns = list(SCHEMAS.get_schema(EVENTS)["properties"])
    row = EventRow("p", "s", {"account": "a"}, key="k")
    event = row.event(SMTP2GO, "delivered", own={}, at=None)
    assert set(event) == set(columns)
    assert {name for name, value in event.items() if value is not None} == {
        *("event_id", "provider", "account", "stream", "provider_event_id", "event_type", "provider_event")
    }


# --- SMTP2GO


def test_smtp2go_takes_a_click_from_its_free_objects() -> None:
    row = {
        "event": "clicked",
        "date": "2024-02-12T05:54:07Z",
        "email_id": "1r-1",
        "recipient": "Ann@Example.com",
        "sender": "s@shop.example",
        "subject": "Hi",
        "url": "https://shop.example/a",
        "email_client": {"name": "Gmail", "User-Agent": "Mozilla/5.0", "ip": "198.51.100.7"},
        "metadata": {"geo": [{"Country": "DE"}], "ip": "ignored: the client's comes first"},
    }
    (event,) = events_of("smtp2go", row)
    assert (event["user_agent"], event["ip"], event["country"]) == ("Mozilla/5.0", "198.51.100.7", "DE")
    assert (event["url"], event["event_at"]) == ("https://shop.example/a", "2024-02-12T05:54:07Z")
    assert (event["recipient"], event["recipient_domain"]) == ("Ann@Example.com", "example.com")
    assert (event["message_id"], event["provider_event_id"]) == ("1r-1", "e")


def test_smtp2go_invents_nothing() -> None:
    row = {"event": "delivered", "metadata": {"ip": "192.0.2.1", "country": "US"}, "recipients": ["a@b.c", "d@e.f"]}
    (event,) = events_of("smtp2go", row)
    for column in ("ip", "country", "user_agent", "recipient", "recipient_domain", "smtp_code", "event_at", "reason"):
        assert event[column] is None, column
    (event,) = events_of("smtp2go", {"event": "rejected", "error": "suppressed", "recipients": ["a@b.c"]})
    assert (event["recipient"], event["reason"]) == ("a@b.c", "suppressed")


# --- JetEmail


def jetemail_row(*kinds: str, **more: Any) -> dict[str, Any]:
    attempts = [
        {"action": kind, "date": 1_700_000_000 + number, "receiver": "a@b.example", "response": f"250 2.0.0 {kind}"}
        for number, kind in enumerate(kinds)
    ]
    return {"uid": "u", "first_seen": 1_700_000_000, "receiver": "a@b.example", "delivery_attempts": attempts, **more}


def test_jetemail_fans_out() -> None:
    row = jetemail_row(
        *("QUEUED", "DEFERRED", "BOUNCED_SOFT"),
        bounce_reason="over quota",
        opens=[{"date": 1_700_000_100, "country": "DE", "email_client": "Mail"}],
        clicks=[{"date": 1_700_000_101, "original_url": "https://a.example"}],
    )
    events = events_of("jetemail", row)
    assert [event["event_type"] for event in events] == ["queued", "deferred", "bounced", "opened", "clicked"]
    assert [event["reason"] for event in events] == [None, None, "over quota", None, None]
    assert [event["event_at"] for event in events[2:4]] == ["2023-11-14T22:13:22Z", "2023-11-14T22:15:00Z"]
    assert (events[3]["country"], events[3]["user_agent"], events[4]["url"]) == ("DE", "Mail", "https://a.example")
    assert {event["provider_event_id"] for event in events} == {"u"}


def test_jetemail_row_without_attempts_is_queued() -> None:
    (event,) = events_of("jetemail", jetemail_row())
    assert (event["event_type"], event["event_at"], event["provider_event"]) == ("queued", "2023-11-14T22:13:20Z", None)


def test_jetemail_action_that_is_not_documented() -> None:
    (_, event) = events_of("jetemail", jetemail_row("EATEN BY A DOG"))
    assert (event["event_type"], event["provider_event"]) == ("unknown", "EATEN BY A DOG")


@st.composite
def jetemail_rows(draw: st.DrawFn) -> dict[str, Any]:
    kinds = draw(st.lists(st.sampled_from(sorted(JETEMAIL_DOCUMENTED)), max_size=4))
    entry = st.fixed_dictionaries(
        {"date": st.integers(1_700_000_000, 1_700_000_003)},
        optional={"country": st.sampled_from(["DE", None]), "email_client": st.just("Mail")},
    )
    return jetemail_row(*kinds, opens=draw(st.lists(entry, max_size=5)), clicks=draw(st.lists(entry, max_size=5)))


@given(jetemail_rows(), st.randoms())
def test_ids_do_not_depend_on_the_order_of_the_answer(row: dict[str, Any], chance: random.Random) -> None:
    shuffled = {**row}
    for name in ("delivery_attempts", "opens", "clicks"):
        shuffled[name] = chance.sample(row[name], len(row[name]))
    assert by_id(events_of("jetemail", shuffled)) == by_id(events_of("jetemail", row))


@given(jetemail_rows(), st.sampled_from(["opens", "clicks"]), st.integers(1_700_000_000, 1_700_000_003))
def test_a_row_that_gains_an_open_adds_one_event_and_changes_none(row: dict[str, Any], kind: str, date: int) -> None:
    before = by_id(events_of("jetemail", row))
    later = {**row, kind: [{"date": date}, *row[kind]], "last_updated": 1_700_009_999, "action_count": 99}
    after = by_id(events_of("jetemail", later))
    assert len(after) == len(before) + 1
    assert {key: after[key] for key in before} == before


# --- Infobip


def infobip_row(group: str | None, **more: Any) -> dict[str, Any]:
    return {
        "messageId": "m",
        "to": "a@b.example",
        "from": "Shop <s@shop.example>",
        "sentAt": "2024-01-01T00:00:00.000+0000",
        "doneAt": "2024-01-01T00:00:09.000+0000",
        "status": {"groupName": group, "name": f"{group}_X", "description": "told by the status"},
        **more,
    }


def infobip_end(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a row tells beside that its mail was taken."""
    queued, end = events_of("infobip", row)
    assert (queued["event_type"], queued["event_at"]) == ("queued", "2024-01-01T00:00:00.000Z")
    return end


@pytest.mark.parametrize("group", INFOBIP_DOCUMENTED)
def test_infobip_event_is_dated_by_its_state(group: str) -> None:
    final = group in {"UNDELIVERABLE", "DELIVERED", "EXPIRED", "REJECTED"}
    found = events_of("infobip", infobip_row(group))
    assert [event["event_at"] for event in found] == [f"2024-01-01T00:00:0{at}.000Z" for at in (0, 9)[: 1 + final]]
    assert {event["sender"] for event in found} == {"s@shop.example"}
    unfinished = events_of("infobip", infobip_row(group, doneAt=None))
    assert [event["event_at"] for event in unfinished] == ["2024-01-01T00:00:00.000Z"] * (1 + final)


@pytest.mark.parametrize(("permanent", "bounce"), [(True, "hard"), (False, "soft"), (None, "undetermined")])
def test_infobip_error_tells_hard_from_soft(permanent: bool | None, bounce: str) -> None:
    event = infobip_end(infobip_row("UNDELIVERABLE", error={"permanent": permanent}))
    assert (event["event_type"], event["bounce_class"]) == ("bounced", bounce)


def test_infobip_states_are_events_of_their_own() -> None:
    (first,) = events_of("infobip", infobip_row("PENDING"))
    taken, last = events_of("infobip", infobip_row("DELIVERED"))
    again = infobip_end(infobip_row("DELIVERED", doneAt="2024-01-02T00:00:00.000+0000", text="x"))
    other = infobip_end(infobip_row("DELIVERED", to="c@d.example"))
    assert taken == first
    assert len({first["event_id"], last["event_id"], other["event_id"]}) == 3
    assert again["event_id"] == last["event_id"]


@pytest.mark.parametrize(
    ("error", "reason", "response", "codes"),
    [
        ({"name": "EC_FULL", "description": "Mailbox full"}, "Mailbox full", None, (None, None)),
        ({"name": "EC_EMAIL_550_5_1_1", "description": "Gone"}, "Gone", None, (550, "5.1.1")),
        ({"name": "EC_SMTP_451"}, "EC_SMTP_451", None, (451, None)),
        ({"name": "EC_HTTP_404", "description": "x"}, "x", None, (None, None)),
        ({"description": "550 5.1.1 unknown"}, "550 5.1.1 unknown", "550 5.1.1 unknown", (550, "5.1.1")),
        ({"description": "550 mails a day"}, "550 mails a day", None, (None, None)),
        ({"groupName": "OK", "name": "NO_ERROR", "description": "No Error"}, "told by the status", None, (None, None)),
        (None, "told by the status", None, (None, None)),
    ],
)
def test_infobip_codes_come_from_the_error(error: Any, reason: str, response: Any, codes: tuple[Any, Any]) -> None:
    event = infobip_end(infobip_row("UNDELIVERABLE", error=error))
    assert (event["reason"], event["smtp_response"]) == (reason, response)
    assert (event["smtp_code"], event["smtp_enhanced_code"]) == codes
    delivered = infobip_end(infobip_row("DELIVERED", error=error))
    assert delivered["reason"] is delivered["smtp_code"] is None


# --- whole runs


def counts(found: Run, vendor: str) -> dict[str, int]:
    events = upserted(found, EVENTS).values()
    return dict(Counter(event["event_type"] for event in events if event["provider"] == vendor))


def truth(box: Sandbox, vendor: str) -> dict[str, int]:
    return dict(box.truth()["vendors"][vendor]["default"]["email_events"])


SOURCES = {provider.name: provider.event_sources[0] for provider in PROVIDERS}


def test_counts_are_the_truth(play: Callable[..., Sandbox], clock: Ticking, vendor: str) -> None:
    box = play(vendors=[vendor], now=clock.now, options=options_of(vendor))
    found = read(box, vendor, clock=clock)
    assert counts(found, vendor) == truth(box, vendor)
    assert len(found.records[EVENTS]) == len(upserted(found, EVENTS))


def test_counts_are_the_truth_from_the_command_line(play: Callable[..., Sandbox]) -> None:
    box = play(size=60, now=None, options=options_of(*VENDORS))
    found = command(config_of(box))
    for vendor in VENDORS:
        assert counts(found, vendor) == truth(box, vendor)


@pytest.mark.parametrize("vendor", ["zeptomail", "messangi"])
def test_an_export_or_report_is_read_once_too(play: Callable[..., Sandbox], vendor: str) -> None:
    seen = []
    for select in ([SOURCES[vendor], EVENTS], [SOURCES[vendor]], [EVENTS]):
        clock = Ticking()
        box = play(size=60, now=clock.now, vendors=[vendor])
        config = config_of(box)
        found = run(config, catalog=catalog(config, select), clock=clock, box=box)
        assert {stream for stream, records in found.records.items() if records} == set(select)
        asked_for = Counter((request.method, request.path) for request in found.requests)
        asked_for.pop(("GET", "/v1.1/mail-logs/exports"), None)  # how often one looks at a job is a matter of time
        seen.append(asked_for)
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("selection", ["both", "raw only", "events only", "without properties"])
def test_an_endpoint_is_read_once_whatever_is_selected(shared_box: Sandbox, vendor: str, selection: str) -> None:
    stream, config = stream_of(vendor), general(shared_box, vendor)
    everything = read(shared_box, vendor)
    select = {"raw only": [stream], "events only": [EVENTS]}.get(selection, [stream, EVENTS])
    gone = {EVENTS: ["subject"], stream: [facts(vendor).column]} if selection == "without properties" else {}
    found = run(config, catalog=catalog(config, select, gone), box=shared_box)
    assert found.status == 0
    assert needed(found, vendor) == needed(everything, vendor)
    if EVENTS in select:
        assert counts(found, vendor) == truth(shared_box, vendor)
        assert upserted(found, EVENTS).keys() == upserted(everything, EVENTS).keys()
    assert {stream for stream, records in found.records.items() if records} == set(select)
    for name, properties in gone.items():
        assert not {column for record in found.records[name] for column in record} & set(properties)


def test_stream_maps_cost_no_request(shared_box: Sandbox, vendor: str) -> None:
    everything = read(shared_box, vendor)
    column = facts(vendor).column
    maps = {
        stream_of(vendor): {"__filter__": f"'1' in str({column})", "extra_fields": None},
        EVENTS: {"shouted": "event_type.upper()", "recipient": None},
    }
    found = read(shared_box, vendor, top={"stream_maps": maps})
    assert needed(found, vendor) == needed(everything, vendor)
    assert counts(found, vendor) == truth(shared_box, vendor)
    assert all(event["shouted"] == event["event_type"].upper() for event in found.records[EVENTS])
    assert not any("recipient" in event for event in found.records[EVENTS])
    assert not any("extra_fields" in record for record in found.records[stream_of(vendor)])
    kept = [record[column] for record in everything.records[stream_of(vendor)] if "1" in str(record[column])]
    assert [record[column] for record in found.records[stream_of(vendor)]] == kept != []


def test_changed_rows_give_the_new_events_only(box: Sandbox) -> None:
    before = run(config_of(box, "jetemail"))
    box.vendor("jetemail").mutate(10, kind="open", at=NOW - timedelta(minutes=20))
    after = run(config_of(box, "jetemail"))
    old, new = upserted(before, EVENTS), upserted(after, EVENTS)
    added = [event for key, event in new.items() if key not in old]
    assert [event["event_type"] for event in added] == ["opened"] * 10
    assert {key: new[key] for key in old} == old


def test_a_status_nobody_knows_warns_once_in_each_run(box: Sandbox) -> None:
    (log,) = box.vendor("infobip").logs.values()
    strange = Status((9, "ODD_a@b.example"), (1, "x"), "y", (0, "OK", 0, "NO_ERROR", "No Error"))
    for mail in log.rows[:7]:
        mail.status = strange
    log.version += 1
    for _ in range(2):
        found = run(config_of(box, "infobip"))
        events = [event for event in found.records[EVENTS] if event["event_type"] == "unknown"]
        assert [event["provider_event"] for event in events] == ["ODD_a@b.example"] * 7
        (warning,) = [line for line in found.lines("WARNING") if "no mapping" in line]
        assert "infobip_email_logs" in warning
        assert "a@b" not in warning


@pytest.mark.parametrize("vendor", ["smtp2go", "jetemail"])
def test_a_row_without_a_status_is_unknown_too(vendor: str) -> None:
    rows = {"smtp2go": {}, "jetemail": jetemail_row() | {"delivery_attempts": [{"date": 1}]}}
    (event,) = (event for event in events_of(vendor, rows[vendor]) if event["event_type"] != "queued")
    assert (event["event_type"], event["provider_event"]) == ("unknown", None)


@pytest.mark.parametrize("status", [None, {}, {"groupName": None}, {"groupName": ""}, {"groupId": 77}])
def test_a_row_that_will_show_its_status_later_leaves_nothing_behind(status: Any) -> None:
    (event,) = events_of("infobip", {"to": "a@b", "status": status})
    assert event["event_type"] == "queued"


def test_a_status_group_is_known_by_its_number_too() -> None:
    _, event = events_of("infobip", {"to": "a@b", "status": {"groupId": 3}})
    assert event["event_type"] == "delivered"


# --- documentation


def script() -> Any:
    path = Path(__file__).parents[1] / "scripts" / "generate_events_doc.py"
    spec = importlib.util.spec_from_file_location("generate_events_doc", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date() -> None:
    module = script()
    assert module.PAGE.read_text("utf-8") == module.page(), "run scripts/generate_events_doc.py"


def test_the_page_has_every_value() -> None:
    page = script().page()

    def values() -> Iterator[str]:
        for provider in PROVIDERS:
            for table in provider.mappings:
                yield from table.meanings

    for value in values():
        assert f"| `{value}` |" in page
    assert json.dumps(page)

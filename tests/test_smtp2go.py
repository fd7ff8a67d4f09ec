"""SMTP2GO: keys that outlive a growing row, an event per recipient, filters, error lines, lives."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from general import NOW, STREAMS, config_of
from harness import Ticking, command, run
from outcome import Run, assert_rows, canonical, expected, restored, rows_of, upserted
from sandbox.base import Life
from sandbox.server import Sandbox
from tap_emaillogs.config.checks import mistakes
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.providers.smtp2go import PROVIDER
from tap_emaillogs.streams.records import Normaliser
from tap_emaillogs.streams.schemas import SCHEMAS
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Play = Callable[..., Sandbox]

STREAM, EVENTS = STREAMS["smtp2go"], "email_events"


def alone(play: Play, size: int = 300, **options: Any) -> Sandbox:
    """Start a sandbox of this vendor with the given options."""
    return play(vendors=["smtp2go"], size=size, options={"smtp2go": options})


def record_of(**row: Any) -> dict[str, Any]:
    schema = SCHEMAS.get_schema(STREAM)
    return {**Normaliser(schema, ("account", "event_id"))(row), "account": "default", "event_id": "e" * 32}


def events_of(**row: Any) -> list[dict[str, Any]]:
    return list(PROVIDER.events(STREAM, record_of(**row)))


def tables(runs: Run | Sequence[Run]) -> dict[str, Any]:
    return {stream: upserted(runs, stream) for stream in (STREAM, EVENTS)}


# --- keys


def test_a_processed_event_whose_attempts_grow_stays_one_row(play: Play) -> None:
    """As the issue measured it: of 300 rows 69 became ghosts, since their key held the attempts."""
    box = alone(play, attempts="grow")
    config = config_of(box)
    first = run(config)
    processed = sum(row["event"] == "processed" for row in rows_of(box, "smtp2go"))
    assert box.change("smtp2go", count=69) == 69 < processed
    second = run({**config, "start_date": (NOW - timedelta(days=30)).isoformat()})
    changed = sum(upserted(first, STREAM)[key] != row for key, row in upserted(second, STREAM).items())
    assert changed == 69
    assert tables([first, second]) == tables(second)
    assert_rows(box, [first, second], "smtp2go")
    assert len(upserted([first, second], STREAM)) == 300


def test_twins_whose_attempts_differ_end_as_they_are(play: Play) -> None:
    """Two processed events that are equal but for their attempts: each of the two keys ends with one of them."""
    box = alone(play, size=0, attempts="grow")
    vendor = box.vendor("smtp2go")
    vendor.live([Life(NOW - timedelta(hours=1))])
    vendor.logs[vendor.account().key].advance(vendor.world.now_ms())
    log = vendor.logs[vendor.account().key]
    (event,) = log.rows
    twin = type(event)(event.at, event.kind, event.mail, event.detail)
    log.add(twin)
    runs: list[Run] = []
    for one in (event, twin, twin, event):
        one.tried(event.at + 1000 * len(runs), "421 later")
        runs.append(run(config_of(box)))
    assert len(upserted(runs, STREAM)) == 2
    assert_rows(box, runs, "smtp2go")


# --- events


def test_processed_gives_an_event_for_each_recipient() -> None:
    several = ["Ann <Ann@Example.com>", "bob@bücher.example", None, "", "ann@example.com", "bob@xn--bcher-kva.example"]
    found = events_of(event="processed", date="2024-02-12T05:54:07Z", recipients=several, email_id="1r", sender="s@a.b")
    assert [event["recipient"] for event in found] == ["Ann@Example.com", "bob@bücher.example"]
    assert [event["recipient_domain"] for event in found] == ["example.com", "xn--bcher-kva.example"]
    assert {event["event_type"] for event in found} == {"queued"}
    assert {(event["message_id"], event["sender_domain"], event["campaign"]) for event in found} == {
        ("1r", "a.b", None)
    }
    assert len({event["event_id"] for event in found}) == 2
    grown = events_of(event="processed", recipients=several, delivery_attempts=[{"host": "mx"}])
    assert [event["event_id"] for event in grown] == [event["event_id"] for event in found]
    turned = events_of(event="processed", recipients=["bob@bücher.example", "Ann <Ann@Example.com>"])
    assert {event["event_id"] for event in turned} == {event["event_id"] for event in found}


@pytest.mark.parametrize("recipients", [None, [], ["ann@example.com"], ["ann@example.com", "ANN@example.com", None]])
def test_processed_for_one_recipient_is_one_event(recipients: list[str | None] | None) -> None:
    (event,) = events_of(event="processed", recipient="ann@example.com", recipients=recipients)
    (plain,) = events_of(event="processed", recipient="ann@example.com")
    assert event["recipient"] == "ann@example.com"
    assert event["event_id"] == plain["event_id"]


def test_only_processed_is_told_for_each_recipient() -> None:
    for kind in ("delivered", "opened", "rejected", "hard-bounced", "unheard-of"):
        (event,) = events_of(event=kind, recipient="ann@example.com", recipients=["ann@example.com", "bob@example.com"])
        assert event["recipient"] == "ann@example.com"


def test_queued_events_are_one_per_mail_and_recipient(play: Play) -> None:
    box = alone(play, size=600)
    found = run(config_of(box))
    queued = [event for event in found.records[EVENTS] if event["event_type"] == "queued"]
    pairs = Counter((event["provider_event_id"], event["recipient"].lower()) for event in queued)
    assert set(pairs.values()) == {1}
    processed = [row for row in rows_of(box, "smtp2go") if row["event"] == "processed"]
    assert len(processed) < len(queued)
    (truth,) = box.vendor("smtp2go").truth().values()
    assert Counter(event["event_type"] for event in found.records[EVENTS]) == truth["email_events"]


# --- filters

BY_FILTER: dict[str, Any] = {
    "search": "welcome | user12@",
    "search_subject": "invoice",
    "search_sender": "billing@",
    "search_recipient": "user1",
    "search_usernames": ["TestUser", "büro"],
    "region": "eu",
}


@pytest.mark.parametrize("name", [*BY_FILTER, "search_email_id", "all"])
def test_filters_reach_the_vendor_and_the_ledger(play: Play, name: str) -> None:
    box = alone(play)
    vendor = box.vendor("smtp2go")
    log = vendor.logs[vendor.account().key]
    email_id = log.rows[40].mail.email_id
    filters = {**BY_FILTER, "search_email_id": email_id} if name == "all" else {name: BY_FILTER.get(name, email_id)}
    own: dict[str, Any] = {"event_types": ["delivered", "opened"]} if name in {"all", "region"} else {}
    found = run(config_of(box, "smtp2go", filters=filters, **own, page_size=20), box=box)
    assert found.status == 0, found.stderr
    for request in found.requests:
        body = request.json()
        assert {key: body[key] for key in (*filters, *own)} == {**filters, **own}
    assert all(json.loads(row["filter"]) == {**own, **filters} for row in found.ledger)
    fits: dict[str, Callable[[Any], bool]] = {
        "search_subject": lambda mail: "invoice" in mail.subject.lower(),
        "search_sender": lambda mail: "billing@" in mail.sender,
        "search_recipient": lambda mail: "user1" in mail.person.address,
        "search_usernames": lambda mail: mail.username in {"TestUser", "büro"},
        "search_email_id": lambda mail: mail.email_id == email_id,
        "region": lambda mail: mail.region == "eu",
        "search": lambda mail: "welcome" in mail.subject.lower() or "user12@" in f"{mail.to} {mail.person.address}",
    }
    want = [
        expected("smtp2go", log.row(event))
        for event in log.rows
        if all(fits[key](event.mail) for key in filters) and (not own or event.kind in own["event_types"])
    ]
    assert_rows(box, found, "smtp2go", rows=want)
    assert name == "all" or 0 < len(want) < 300


def test_filters_beside_subaccounts_and_another_host(play: Play) -> None:
    """`region` names the API's host, `filters.region` what is searched."""
    box = alone(play)
    config = config_of(box, "smtp2go", region="au", subaccounts=["Marketing"], filters={"region": "us"})
    found = run(config, box=box)
    assert all(json.loads(row["filter"]) == {"subaccounts": ["Marketing"], "region": "us"} for row in found.ledger)
    assert all("search" not in request.json() for request in found.requests)
    tap = TapEmailLogs(config={"smtp2go": {"api_key": "k" * 10, "region": "au", "filters": {"region": "us"}}})
    assert tap.accounts["smtp2go"][0].base_url == "https://au-api.smtp2go.com/v3"


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"search": 5}, "smtp2go.filters.search must be text, not a whole number"),
        ({"search_usernames": "ann"}, "smtp2go.filters.search_usernames must be a list, not text"),
        ({"search_usernames": [1]}, "smtp2go.filters.search_usernames[0] must be text, not a whole number"),
        ({"region": "de"}, "smtp2go.filters.region must be one of us, eu, au"),
        ({"event_types": ["opened"]}, "smtp2go.filters.event_types is no setting of this tap"),
        ({"subaccounts": ["a"]}, "smtp2go.filters.subaccounts is no setting of this tap"),
        ({"only_latest": True}, "smtp2go.filters.only_latest is no setting of this tap"),
        ({"start_date": "2026-01-01"}, "smtp2go.filters.start_date is no setting of this tap"),
        ({"serch": "x"}, "smtp2go.filters.serch is no setting of this tap; did you mean search?"),
    ],
    ids=str,
)
def test_filters_that_the_vendor_does_not_know_are_mistakes(filters: dict[str, Any], said: str) -> None:
    config = {"smtp2go": {"api_key": "k" * 10, "filters": filters}}
    found = mistakes(config, TapEmailLogs.config_jsonschema, PROVIDERS)
    assert len(found) == 1
    assert found[0].startswith(said)


def test_the_sandbox_refuses_what_the_vendor_would(play: Play) -> None:
    box = alone(play)
    key = {"X-Smtp2go-Api-Key": box.vendor("smtp2go").account().key}
    for body in ({"search_usernames": "a"}, {"region": "de"}, {"search": ["a"]}, {"search_email": "a"}, {"limit": 0}):
        answer = requests.post(f"{box.base_url('smtp2go')}/activity/search", json=body, headers=key, timeout=10)
        assert answer.status_code == 400, body


# --- error lines

REQUEST_ID = "82aff18a-ca05-11ee-8a81-f23c9216ce11"
ERRORS: dict[str, Any] = {
    "under data": {"data": {"error": "No such thing", "error_code": "E_ApiResponseCodes.X"}},
    "flat": {"error": "No such thing", "error_code": "E_ApiResponseCodes.X"},
    "long": {"data": {"error": "No such thing" + " at all" * 200, "error_code": "E_ApiResponseCodes.X"}},
    "flat, id within": {"data": {"error": "No such thing", "request_id": REQUEST_ID}},
    "no words": {"data": {}},
    "no words, no data": {},
}


@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500])
@pytest.mark.parametrize("form", ERRORS)
def test_the_request_id_is_in_every_error_line(play: Play, form: str, status: int) -> None:
    box = alone(play)
    body = {"request_id": REQUEST_ID, **ERRORS[form]}
    box.fault(vendor="smtp2go", kind="status", status=status, body=body, times=-1)
    found = run(config_of(box, "smtp2go", top={"max_tries": 2}), box=box)
    assert found.status == 1
    (line,) = found.lines("ERROR")
    assert f"request_id {REQUEST_ID}" in line
    assert ("No such thing" in line) == ("no words" not in form)
    assert all(REQUEST_ID in text for text in found.lines("WARNING") if "follows in" in text)
    if status in {401, 403}:  # a first run that may read nothing writes nothing
        assert not found.records
        return
    (row,) = found.ledger
    assert REQUEST_ID in row["gap_reason"]


@pytest.mark.parametrize("flat", [False, True])
def test_the_request_id_is_in_the_error_line_of_the_command(play: Play, *, flat: bool) -> None:
    box = play(now=None, vendors=["smtp2go"], options={"smtp2go": {"flat_errors": flat}})
    config = config_of(box)
    config["smtp2go"]["api_key"] = "api-WRONG0KEY0123456789"
    found = command(config, box=box)
    assert found.status == 1
    (line,) = [line for line in found.stderr.splitlines() if "HTTP 401" in line and "What to do" in line]
    answer = requests.post(
        f"{box.base_url('smtp2go')}/activity/search", json={}, headers={"X-Smtp2go-Api-Key": "no"}, timeout=10
    ).json()
    assert f"request_id {answer['request_id']}: " in line


@pytest.mark.parametrize("number", [None, 5, "", "x" * 500, "a b", "ann@example.com", {"a": 1}])
def test_a_request_id_of_no_known_form_is_left_out(number: Any) -> None:
    assert PROVIDER.error_message({"request_id": number, "data": {"error": "no"}}) == "no"
    assert PROVIDER.error_message({"request_id": number, "data": {"events": []}}) is None
    assert PROVIDER.error_message({"request_id": number}) is None


# --- lives: read early, change, read again


def lives(chance: random.Random, count: int, transitions: dict[str, tuple[str, ...]]) -> list[Life]:
    """Draw lives that take every documented way."""
    found = []
    for _ in range(count):
        steps: list[tuple[timedelta, str]] = []
        state = ""
        while transitions[state] and len(steps) < 6:
            state = chance.choice(transitions[state])
            steps.append((timedelta(minutes=chance.choice([0, 1, 7, 60, 200])), state))
        found.append(Life(NOW + timedelta(minutes=chance.randrange(240)), tuple(steps)))
    return found


@pytest.mark.parametrize("attempts", ["grow", "fixed"])
@pytest.mark.parametrize("paging", ["offset", "snapshot"])
@pytest.mark.parametrize("seed", range(3))
def test_reading_while_mails_live_ends_as_reading_once(play: Play, seed: int, paging: str, attempts: str) -> None:
    chance = random.Random(seed)
    options = {"attempts": attempts, "paging": paging, "order": chance.choice(["newest", "oldest", "shuffled"])}
    clock = Ticking()

    def box_at(at: Ticking) -> Sandbox:
        box = play(vendors=["smtp2go"], size=0, now=at.now, live=True, options={"smtp2go": options})
        box.live("smtp2go", lives(random.Random(seed), 40, box.vendor("smtp2go").transitions))
        return box

    box = box_at(clock)
    config = config_of(box, "smtp2go", page_size=15)
    runs: list[Run] = []
    state: dict[str, Any] = {}
    for hours in (0.5, 1, 1, 2, 5, 20, 40):
        clock.pass_time(hours=hours)
        found = run(config, state=state, clock=clock)
        assert found.status == 0, found.stderr
        if found.states and chance.random() < 0.5:  # killed: up to some STATE, and a bit of what came after it
            place = chance.choice(found.states).place
            runs.append(Run(0, "", found.messages[: chance.randint(place + 1, len(found.messages))]))
            state = Run(0, "", found.messages[: place + 1]).state
        else:
            runs.append(found)
            state = found.state
    runs.append(run(config, state=state, clock=clock))
    late_clock = Ticking(clock.now())
    late = run(config_of(box_at(late_clock), "smtp2go", page_size=15), clock=late_clock)
    assert tables(runs) == tables(late)
    assert_rows(box, runs, "smtp2go")
    (truth,) = box.vendor("smtp2go").truth().values()
    events = Counter(event["event_type"] for event in upserted(runs, EVENTS).values())
    assert events == truth["email_events"]
    assert events["queued"] >= 40


def test_a_life_is_the_same_whenever_it_is_looked_at(play: Play) -> None:
    played = lives(random.Random(1), 30, Sandbox(now=NOW, size=0, vendors=["smtp2go"]).vendor("smtp2go").transitions)
    seen = []
    for pauses in ([90.0], [0.1] * 10 + [89.0], [3.0, 7.0, 80.0]):
        clock = Ticking()
        box = play(vendors=["smtp2go"], size=0, now=clock.now, options={"smtp2go": {"attempts": "grow"}})
        box.live("smtp2go", played)
        for hours in pauses:
            clock.pass_time(hours=hours)
            rows = rows_of(box, "smtp2go")
        seen.append(canonical(rows))
    assert seen[0] == seen[1] == seen[2]
    kinds = {json.loads(row)["event"] for row in seen[0]}
    assert kinds == {"processed", *filter(None, box.vendor("smtp2go").transitions)}


def test_a_row_tells_what_its_older_version_told(play: Play) -> None:
    """Events of the processed row: the same ids and the same columns, whatever its attempts are by now."""
    clock = Ticking()
    box = play(vendors=["smtp2go"], size=0, now=clock.now, options={"smtp2go": {"attempts": "grow"}})
    step = timedelta(minutes=20)
    box.live("smtp2go", [Life(NOW, ((step, "soft-bounced"), (step, "soft-bounced"), (step, "delivered")))] * 5)
    config, shown, attempts = config_of(box), [], []
    for _ in range(5):
        clock.pass_time(minutes=15)
        found = run(config, clock=clock)
        shown.append({key: row for key, row in upserted(found, EVENTS).items() if row["event_type"] == "queued"})
        attempts.append(sum(len(row["delivery_attempts"] or ()) for row in found.records[STREAM]))
    assert shown[0]
    assert all(one == shown[0] for one in shown)
    assert attempts[0] < attempts[-1]
    assert canonical(map(restored, found.records[STREAM])) == canonical(rows_of(box, "smtp2go"))

"""Infobip's request filters: settings under its own names, sent with every request, told in the ledger."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import requests

from general import STREAMS, config_of
from harness import run
from outcome import assert_rows, canonical, rows_of, upserted
from tap_emaillogs.config.checks import mistakes
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

STREAM, EVENTS = STREAMS["infobip"], "email_events"
both_versions = pytest.mark.parametrize("version", [1, 4])

CONFIG = {"base_url": "https://x.api.infobip.com", "api_key": "0123456789"}
FILTERS = {
    1: "messageId from to bulkId campaignReferenceId generalStatus applicationId entityId",
    4: "messageId sender destination bulkId campaignReferenceId generalStatus applicationId entityId",
}


def wrong(**settings: Any) -> list[str]:
    schema = TapEmailLogs.config_jsonschema
    return mistakes({"infobip": {**CONFIG, **settings}}, schema, PROVIDERS)


@both_versions
def test_all_filters_of_a_version_are_settings(version: int) -> None:
    given = dict.fromkeys(FILTERS[version].split(), "DELIVERED")
    assert wrong(api_version=version, filters=given) == []
    other = {name: "x" for name in FILTERS[5 - version].split() if name not in given}
    assert len(other) == 2
    for sentence, name in zip(wrong(api_version=version, filters=other), other, strict=True):
        assert sentence.startswith(f"infobip.filters.{name} is no filter of api_version {version}, which calls it ")


def test_other_filters_are_mistakes() -> None:
    assert wrong(filters={"messageid": "x"}) == [
        "infobip.filters.messageid is no setting of this tap; did you mean messageId?"
    ]
    assert wrong(filters={"sentSince": "2026-01-01"})[0].startswith("infobip.filters.sentSince is no setting")
    assert wrong(filters={"to": 5}) == ["infobip.filters.to must be text, not a whole number"]
    assert wrong(filters={"to": " "}) == ["infobip.filters.to is empty: leave it out"]
    assert wrong(filters={"bulkId": "x" * 2049})
    assert wrong(filters={"generalStatus": "ON_ITS_WAY"}) == []
    assert wrong(api_version=4, filters={"generalStatus": "delivered"})[0].startswith(
        "infobip.filters.generalStatus must be one of ACCEPTED, PENDING, UNDELIVERABLE, "
    )


def test_an_account_of_another_version_has_other_filters() -> None:
    accounts = [{"account": "one"}, {"account": "four", "api_version": 4}]
    assert wrong(accounts=accounts, filters={"from": "a@b.example"}) == [
        "infobip.accounts[1].filters.from is no filter of api_version 4, which calls it sender"
    ]


def filter_values(box: Sandbox, version: int) -> Iterator[tuple[str, str]]:
    """Yield filters, each with a value of a row."""
    for name in FILTERS[version].split():
        column = "groupName" if name == "generalStatus" else name
        rows = [row | row["status"] | (row.get("platform") or {}) for row in box.vendor("infobip").rows(stream="4")]
        old = {"from": "sender", "to": "destination"}
        yield name, next(value for row in rows if (value := row[old.get(column, column)]) is not None)


@both_versions
def test_a_filter_is_sent_with_every_request_and_told(play: Play, version: int) -> None:
    box = play(vendors=["infobip"], options={"infobip": {"api_version": version, "burst": {"count": 90}}})
    everything = canonical(rows_of(box, "infobip"))
    for name, value in filter_values(box, version):
        filters = {name: value}
        found = run(config_of(box, page_size=10, filters=filters), box=box)
        assert found.status == 0, found.stderr
        assert found.requests
        assert all(request.query[name] == [value] for request in found.requests)
        rows = upserted(found, STREAM)
        assert 0 < len(rows) < everything.total()
        assert {row["filter"] for row in found.windows(STREAM)} == {json.dumps(filters)}
        assert {row["status"] for row in found.windows(STREAM)} == {"complete"}
        events = Counter(event["event_type"] for event in found.records[EVENTS])
        assert events["queued"] == len(rows)


def test_version_4_keeps_filters_while_paging_and_takes_lists(play: Play) -> None:
    box = play(vendors=["infobip"], options={"infobip": {"api_version": 4}})
    rows = rows_of(box, "infobip")
    some = [row["messageId"] for row in rows[50:80]]
    found = run(config_of(box, page_size=10, filters={"messageId": ",".join(some)}), box=box)
    assert_rows(box, found, "infobip", rows=[row for row in rows if row["messageId"] in some])
    assert sum("cursor" in request.query for request in found.requests) >= 2
    assert all(request.query["messageId"] == [",".join(some)] for request in found.requests)


@pytest.mark.parametrize(
    ("version", "name", "value"),
    [(4, "to", "x"), (4, "from", "x"), (1, "sender", "x"), (4, "generalStatus", "delivered"), (1, "subject", "x")],
)
def test_the_sandbox_refuses_other_filters(play: Play, version: int, name: str, value: str) -> None:
    box = play(vendors=["infobip"])
    headers = {"Authorization": f"App {box.vendor('infobip').default_key}"}
    more = {"useCursor": "true"} if version == 4 else {}
    url = f"{box.base_url('infobip')}/email/{version}/logs"
    for given, status in (({}, 200), ({"generalStatus": "DELIVERED"}, 200), ({name: value}, 400)):
        assert requests.get(url, params={**more, **given}, headers=headers, timeout=10).status_code == status


def test_a_filter_that_names_a_recipient_is_hidden_in_the_ledger(play: Play) -> None:
    box = play(vendors=["infobip"])
    address = rows_of(box, "infobip")[0]["to"]
    privacy = {"recipient": "hash", "salt": "0123456789abcdef"}
    found = run(config_of(box, filters={"to": address}, top={"privacy": privacy}))
    (filters,) = {row["filter"] for row in found.windows(STREAM)}
    (hashed,) = {record["to"] for record in found.records[STREAM]}
    assert json.loads(filters) == {"to": hashed}
    assert address not in json.dumps(found.messages, ensure_ascii=False)

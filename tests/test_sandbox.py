"""The sandbox itself: as strict as the vendors' pages, exact in its truth, and faulty only to order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.infobip.data import EVENT_TYPES as INFOBIP_EVENTS
from sandbox.server import Sandbox
from sandbox.smtp2go.data import EVENT_TYPES as SMTP2GO_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.thorough

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
VENDORS = ("smtp2go", "jetemail", "infobip")
SINCE, UNTIL = "2025-02-27T12:00:00.000Z", "2025-03-01T12:00:00.000Z"


def sandbox(**settings: Any) -> Sandbox:
    return Sandbox(**{"seed": 5, "size": 700, "now": NOW, "vendors": VENDORS, **settings})


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with sandbox() as running:
        yield running


def smtp2go(box: Sandbox, key: str | None = None, **body: Any) -> requests.Response:
    headers = {"X-Smtp2go-Api-Key": key or box.vendor("smtp2go").default_key}
    return requests.post(f"{box.base_url('smtp2go')}/activity/search", json=body, headers=headers, timeout=10)


def jetemail(box: Sandbox, **query: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {box.vendor('jetemail').default_key}"}
    return requests.get(f"{box.base_url('jetemail')}/outbound/logs", params=query, headers=headers, timeout=10)


def infobip(box: Sandbox, path: str = "/email/1/logs", **query: Any) -> requests.Response:
    headers = {"Authorization": f"App {box.vendor('infobip').default_key}"}
    return requests.get(f"{box.base_url('infobip')}{path}", params=query, headers=headers, timeout=10)


ASK: dict[str, Callable[..., requests.Response]] = {"smtp2go": smtp2go, "jetemail": jetemail, "infobip": infobip}


def all_smtp2go(box: Sandbox, **body: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    body = {"start_date": "2025-01-25", "end_date": "2025-03-02", **body}
    while True:
        data = smtp2go(box, **body, **token).json()["data"]
        rows += data["events"]
        if not data["continue_token"]:
            assert data["total_events"] == len(rows)
            return rows
        token = {"continue_token": data["continue_token"]}


def all_jetemail(box: Sandbox, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    pagination: dict[str, Any] = {"next_offset": 0}
    while pagination["next_offset"] is not None:
        answer = jetemail(box, limit=100, offset=pagination["next_offset"], **query).json()
        rows += answer["data"]
        pagination = answer["pagination"]
    return rows


def canonical(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


# --- data and truth


def test_same_seed_same_data_and_exact_truth(box: Sandbox) -> None:
    again = sandbox()
    assert again.truth() == box.truth()
    for name in VENDORS:
        assert again.vendor(name).rows() == box.vendor(name).rows()
        assert len(box.vendor(name).rows()) == 700
    assert sandbox(seed=6).vendor("smtp2go").rows() != box.vendor("smtp2go").rows()


def test_every_kind_occurs_and_seconds_are_crowded(box: Sandbox) -> None:
    events = box.vendor("smtp2go").rows()
    assert {event["event"] for event in events} == SMTP2GO_EVENTS.keys()
    assert max(canonical(events).values()) > 1, "twin clicks"
    assert max(Counter(event["date"] for event in events).values()) > 2
    assert {mail["status"]["groupName"] for mail in box.vendor("infobip").rows()} <= INFOBIP_EVENTS.keys()
    actions = {try_["action"] for row in box.vendor("jetemail").rows() for try_ in row["delivery_attempts"]}
    assert len(actions) == 8
    truth = box.truth()["email_events"]
    assert truth.keys() == {
        *("queued", "delivered", "deferred", "bounced", "rejected", "failed", "opened", "clicked"),
        *("complained", "unsubscribed", "subscribed"),
    }


# --- SMTP2GO


def test_smtp2go_pages_hold_everything_once(box: Sandbox) -> None:
    truth = canonical(box.vendor("smtp2go").rows())
    for limit in (1000, 99):
        assert canonical(all_smtp2go(box, limit=limit)) == truth
    with sandbox(options={"smtp2go": {"order": "shuffled"}}) as shuffled:
        assert canonical(all_smtp2go(shuffled, limit=150)) == truth


def test_smtp2go_start_counts_and_end_does_not(box: Sandbox) -> None:
    rows = box.vendor("smtp2go").rows()
    second, count = Counter(row["date"] for row in rows).most_common(1)[0]
    after = (datetime.fromisoformat(second) + timedelta(seconds=1)).isoformat()
    assert smtp2go(box, start_date=second, end_date=after).json()["data"]["total_events"] == count
    assert smtp2go(box, start_date=second, end_date=second).json()["data"]["total_events"] == 0
    before = smtp2go(box, start_date="2025-01-25T00:00:00", end_date=second).json()["data"]["total_events"]
    assert before + smtp2go(box, start_date=second).json()["data"]["total_events"] == len(rows)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"limit": 1001}, "limit"),
        ({"limit": "10"}, "limit"),
        ({"limit": True}, "limit"),
        ({"event_types": ["example"]}, "event_types"),
        ({"event_types": "opened"}, "event_types"),
        ({"start_date": "yesterday"}, "start_date"),
        ({"startdate": "2025-01-01"}, "startdate"),
        ({"include_headers": "true"}, "include_headers"),
        ({"continue_token": "made-up"}, "continue_token"),
        ({"continue_token": None}, "continue_token"),
    ],
)
def test_smtp2go_refuses(box: Sandbox, body: dict[str, Any], field: str) -> None:
    answer = smtp2go(box, **body)
    assert answer.status_code == 400
    assert answer.json()["data"]["error_code"] == "E_ApiResponseCodes.NON_VALIDATING_IN_PAYLOAD"
    assert answer.json()["data"]["field_validation_errors"]["fieldname"] == field


def test_smtp2go_token_belongs_to_its_search(box: Sandbox) -> None:
    body: dict[str, Any] = {"start_date": "2025-01-25", "limit": 10}
    token = smtp2go(box, **body).json()["data"]["continue_token"]
    assert smtp2go(box, **body, continue_token=token).status_code == 200
    for other in ({**body, "limit": 11}, {**body, "event_types": ["opened"]}, {"limit": 10}):
        assert smtp2go(box, **other, continue_token=token).status_code == 400


def test_smtp2go_filters_and_headers(box: Sandbox) -> None:
    opened = all_smtp2go(box, event_types=["opened"], include_headers=True, custom_headers=["x-order"])
    truth = [row for row in box.vendor("smtp2go").rows() if row["event"] == "opened"]
    assert all("Subject: " in row["headers"] and row["custom_headers"].keys() == {"x-order"} for row in opened)
    plain = [{k: v for k, v in row.items() if k not in ("headers", "custom_headers")} for row in opened]
    assert canonical(plain) == canonical(truth)


def test_smtp2go_can_lose_rows_of_long_windows() -> None:
    with sandbox(options={"smtp2go": {"drop": {"longer_than": 86400, "every": 10}}}) as box:
        data = smtp2go(box, start_date="2025-01-25", limit=1000).json()["data"]
        assert (data["total_events"], len(data["events"])) == (700, 630)
        day = smtp2go(box, start_date="2025-02-20", end_date="2025-02-21").json()["data"]
        assert day["total_events"] == len(day["events"]) > 0


# --- JetEmail


def test_jetemail_pages_hold_everything_once(box: Sandbox) -> None:
    truth = canonical(box.vendor("jetemail").rows())
    assert canonical(all_jetemail(box)) == truth
    pages = [jetemail(box, limit=100, page=n + 1, sort_order="ASC").json()["data"] for n in range(7)]
    assert canonical([row for page in pages for row in page]) == truth
    assert jetemail(box).json()["pagination"] == {
        "total_count": 700,
        "total_pages": 14,
        "current_page": 1,
        "per_page": 50,
        "offset": 0,
        "has_next_page": True,
        "has_previous_page": False,
        "next_offset": 50,
        "previous_offset": None,
        "showing_from": 1,
        "showing_to": 50,
        "count_limited": False,
        "max_count_limit": 1_000_000,
    }


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 101},
        {"limit": 0},
        {"page": 0},
        {"page": 1, "offset": 0},
        {"date_from": "2025-01-01"},
        {"date_from": 1.5},
        {"sort_order": "desc"},
        {"sort_by": "uid'"},
        {"action": "OPEN"},
        {"cursor": "x"},
        {"limit": [1, 2]},
    ],
)
def test_jetemail_refuses(box: Sandbox, query: dict[str, Any]) -> None:
    answer = jetemail(box, **query)
    assert answer.status_code == 400
    assert answer.json()["success"] is False


@pytest.mark.parametrize("column", ["first_seen", "last_updated"])
@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("unit", ["seconds", "milliseconds"])
def test_jetemail_dates(column: str, inclusive: bool, unit: str) -> None:
    options = {"filter_column": column, "date_to_inclusive": inclusive, "unit": unit}
    with sandbox(options={"jetemail": options}) as box:
        scale = 1 if unit == "seconds" else 1000
        seconds = Counter(row[column] // scale for row in box.vendor("jetemail").rows())
        second, count = seconds.most_common(1)[0]
        asked = jetemail(box, date_from=second, date_to=second).json()
        assert asked["pagination"]["total_count"] == (count if inclusive else 0)
        assert len(all_jetemail(box, date_from=second)) == sum(n for at, n in seconds.items() if at >= second)


@pytest.mark.parametrize(("past", "status"), [("empty", 200), ("error", 400)])
def test_jetemail_stops_counting(past: str, status: int) -> None:
    with sandbox(options={"jetemail": {"max_count_limit": 250, "past_limit": past}}) as box:
        page = jetemail(box, limit=100, offset=200).json()
        assert page["pagination"]["count_limited"]
        assert page["pagination"]["total_count"] == 250
        assert (len(page["data"]), page["pagination"]["has_next_page"]) == (50, False)
        beyond = jetemail(box, limit=100, offset=250)
        assert beyond.status_code == status
        assert not beyond.json().get("data")


def test_jetemail_rows_change() -> None:
    with sandbox() as box:
        before = box.truth()
        changed = {row.uid for row in box.vendor("jetemail").mutate(4)}
        newest = jetemail(box, limit=4).json()["data"]
        assert {row["uid"] for row in newest} == changed
        assert all(row["last_updated"] == NOW.timestamp() for row in newest)
        assert box.truth()["streams"]["jetemail_outbound_logs"] == before["streams"]["jetemail_outbound_logs"]
        assert box.truth()["email_events"]["opened"] == before["email_events"]["opened"] + 1


# --- Infobip


def test_infobip_v1_cuts_silently(box: Sandbox) -> None:
    assert len(infobip(box).json()["results"]) == 50
    newest = infobip(box, limit=600, sentSince=SINCE, sentUntil=UNTIL).json()
    assert newest.keys() == {"results"}
    sent = [row["sentAt"] for row in newest["results"]]
    assert sent == sorted(sent, reverse=True)
    assert len(sent) == 600
    rows = infobip(box, limit=1000, sentSince=SINCE, sentUntil=UNTIL).json()["results"]
    assert canonical(rows) == canonical(box.vendor("infobip").rows())
    assert len({(row["messageId"], row["to"]) for row in rows}) == 700
    assert len({row["messageId"] for row in rows}) < 700


@pytest.mark.parametrize(("lower", "upper"), [(True, False), (True, True), (False, False), (False, True)])
def test_infobip_bounds(lower: bool, upper: bool) -> None:
    with sandbox(options={"infobip": {"lower_inclusive": lower, "upper_inclusive": upper}}) as box:
        times = sorted(row["sentAt"] for row in box.vendor("infobip").rows())
        low, high = times[100], times[200]
        found = [row["sentAt"] for row in infobip(box, limit=1000, sentSince=low, sentUntil=high).json()["results"]]
        inner = [at for at in times if low < at < high]
        expected = inner + [low] * times.count(low) * lower + [high] * times.count(high) * upper
        assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("version", [1, 4])
@pytest.mark.parametrize(
    "query",
    [
        {"limit": 1001},
        {"limit": 0},
        {"sentSince": "2025-03-01T00:00:00Z"},
        {"sentSince": "2025-03-01"},
        {"sentSince": "2025-13-01T00:00:00.000Z"},
        {"sentsince": SINCE},
        {"generalStatus": ""},
        {"messageId": "m" * 2049},
        {"sentSince": [SINCE, SINCE]},
    ],
)
def test_infobip_refuses(box: Sandbox, version: int, query: dict[str, Any]) -> None:
    more = {"useCursor": "true"} if version == 4 else {}
    answer = infobip(box, f"/email/{version}/logs", **more, **query)
    assert answer.status_code == 400
    assert answer.json().keys() >= ({"requestError"} if version == 1 else {"errorCode", "violations"})


@pytest.mark.parametrize("style", ["Z", "+0000", "+00:00", "+02:00"])
def test_infobip_dates_mean_the_same_however_written(box: Sandbox, style: str) -> None:
    with sandbox(options={"infobip": {"offset": style}}) as other:
        rows, plain = other.vendor("infobip").rows(), box.vendor("infobip").rows()
        assert all(row["sentAt"].endswith(style) for row in rows)
        same = [datetime.fromisoformat(row["sentAt"]) for row in rows]
        assert same == [datetime.fromisoformat(row["sentAt"]) for row in plain]
    assert infobip(box, sentSince=SINCE.replace("Z", "+0000")).json()["results"]


def test_infobip_v4_goes_on_by_cursor(box: Sandbox) -> None:
    query: dict[str, Any] = {"sentSince": SINCE, "sentUntil": UNTIL, "limit": 300, "useCursor": "true"}
    assert infobip(box, "/email/4/logs", limit=300).status_code == 400, "useCursor is needed"
    rows: list[dict[str, Any]] = []
    answer = infobip(box, "/email/4/logs", **query).json()
    rows += answer["results"]
    wrong = {**query, "limit": 200, "cursor": answer["cursor"]["nextCursor"]}
    assert infobip(box, "/email/4/logs", **wrong).status_code == 400
    while cursor := answer["cursor"].get("nextCursor"):
        answer = infobip(box, "/email/4/logs", **query, cursor=cursor).json()
        rows += answer["results"]
    assert canonical(rows) == canonical(box.vendor("infobip").rows(stream="4"))


def test_infobip_burst_history_and_reports() -> None:
    options = {"burst": {"count": 300, "same_ms": True}, "history_hours": 5}
    with sandbox(options={"infobip": options}) as box:
        mails = box.vendor("infobip").rows()
        assert len(mails) == 700
        assert Counter(row["sentAt"] for row in mails).most_common(1)[0][1] >= 300
        oldest = (NOW - timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        found = infobip(box, sentSince=SINCE, limit=1000).json()["results"]
        assert len(found) == sum(row["sentAt"] >= oldest for row in mails) < 700
        assert infobip(box, "/email/1/reports").status_code == 404
        assert box.vendor("infobip").reports_called == 1


def test_infobip_pending_mails_become_final() -> None:
    with sandbox() as box:
        box.late("infobip", count=5, minutes_ago=20)
        before = box.truth()["vendors"]["infobip"]["default"]["email_events"]
        assert box.change("infobip", count=3) == 3
        after = box.truth()["vendors"]["infobip"]["default"]["email_events"]
        assert after["queued"] == before["queued"] == 705
        assert sum(after.values()) >= sum(before.values()) + 2
        assert box.truth()["streams"]["infobip_email_logs"] == 705


# --- what all have in common


@pytest.mark.parametrize("size", [0, 1, 3])
def test_small_and_quiet_accounts(size: int) -> None:
    with sandbox(size=size, now=NOW + timedelta(milliseconds=1)) as box:
        assert {name: len(box.vendor(name).rows()) for name in VENDORS} == dict.fromkeys(VENDORS, size)
        assert len(all_smtp2go(box)) == len(all_jetemail(box)) == len(infobip(box).json()["results"]) == size


@pytest.mark.parametrize("name", VENDORS)
def test_wrong_keys_and_paths(box: Sandbox, name: str) -> None:
    good = {"smtp2go": "X-Smtp2go-Api-Key", "jetemail": "Authorization", "infobip": "Authorization"}[name]
    path = {"smtp2go": "/activity/search", "jetemail": "/outbound/logs", "infobip": "/email/1/logs"}[name]
    for headers in ({}, {good: "wrong"}, {good: f"Bearer {box.vendor(name).default_key}x"}, {good: "App no"}):
        method = "POST" if name == "smtp2go" else "GET"
        answer = requests.request(method, box.base_url(name) + path, headers=headers, timeout=10)
        assert answer.status_code == 401
        assert answer.json()
    assert {*ASK} == {*VENDORS}


def test_accounts_have_their_own_data_and_keys() -> None:
    accounts = {"api-A": {"size": 30}, "api-B": {"size": 20, "label": "second"}}
    with sandbox(vendors=["smtp2go"], options={"smtp2go": {"accounts": accounts}}) as box:
        assert len(smtp2go(box, "api-A", start_date="2025-01-25").json()["data"]["events"]) == 30
        assert len(smtp2go(box, "api-B", start_date="2025-01-25").json()["data"]["events"]) == 20
        assert smtp2go(box, "api-C").status_code == 401
        listed = box.config()["smtp2go"]["accounts"]
        assert [(one["account"], one["api_key"]) for one in listed] == [("default", "api-A"), ("second", "api-B")]
        assert box.truth()["streams"]["smtp2go_activity"] == 50
        assert [entry.key for entry in box.requests] == ["api-A", "api-B", "api-C"]


@pytest.mark.parametrize("name", VENDORS)
def test_late_rows_appear(name: str) -> None:
    with sandbox() as box:
        answer = requests.post(
            f"{box.url}/_control/late", json={"vendor": name, "count": 7, "minutes_ago": 90}, timeout=10
        )
        assert answer.json() == {"rows": 7}
        assert len(box.vendor(name).rows()) == 707


def test_live_data_follows_the_clock() -> None:
    clock = [NOW]
    with sandbox(now=lambda: clock[0], future=timedelta(days=2), options={"smtp2go": {"history_days": 60}}) as box:
        seen = []
        for _ in range(3):
            streams = box.truth()["streams"]
            seen.append(
                [streams[name] for name in ("smtp2go_activity", "jetemail_outbound_logs", "infobip_email_logs")]
            )
            clock[0] += timedelta(days=1)
        assert seen[0] <= seen[1] <= seen[2]
        assert all(late > early for early, late in zip(seen[0], seen[2], strict=True))
        assert canonical(all_smtp2go(box, end_date="2025-03-09")) == canonical(box.vendor("smtp2go").rows())


@pytest.mark.parametrize(("name", "budget", "wait"), [("smtp2go", 60, 60), ("jetemail", 240, 300), ("infobip", 60, 60)])
def test_budgets_on_demand(name: str, budget: int, wait: int) -> None:
    clock = [NOW]
    with sandbox(size=20, now=lambda: clock[0], enforce_budget=True) as box:
        with requests.Session() as session, pytest.MonkeyPatch.context() as patch:
            patch.setattr(requests, "get", session.get)
            patch.setattr(requests, "post", session.post)
            codes = [ASK[name](box).status_code for _ in range(budget)]
            refused = ASK[name](box)
        assert set(codes) == {200}
        assert refused.status_code == 429
        assert ("Retry-After" in refused.headers) == (name != "smtp2go")
        clock[0] += timedelta(seconds=wait - 1)
        assert ASK[name](box).status_code == 429
        clock[0] += timedelta(seconds=2)
        assert ASK[name](box).status_code == 200


def test_unknown_options_and_vendors_are_mistakes() -> None:
    with pytest.raises(ValueError, match="smtp2go has no option ordr"):
        sandbox(options={"smtp2go": {"ordr": "newest"}})
    with pytest.raises(ValueError, match="does not know sendgrid"):
        sandbox(vendors=["sendgrid"])


# --- faults


def test_faults_strike_as_ordered() -> None:
    with sandbox() as box:
        box.fault(
            kind="status", vendor="jetemail", path="outbound", status=503, retry_after=2, after=1, every=2, times=2
        )
        codes = [jetemail(box).status_code for _ in range(6)]
        assert codes == [200, 503, 200, 503, 200, 200]
        assert [entry.fault for entry in box.requests] == [None, "status", None, "status", None, None]
        box.fault(kind="status", status=429, retry_after=2, account="default", times=-1)
        assert [smtp2go(box).headers["Retry-After"], infobip(box).headers["Retry-After"]] == ["2", "2"]
        box.clear_faults()
        assert smtp2go(box).status_code == 200
        with pytest.raises(ValueError, match="no such fault"):
            box.fault(kind="earthquake")


@pytest.mark.parametrize("name", VENDORS)
def test_faults_of_every_vendor(name: str) -> None:
    with sandbox() as box:
        ask = ASK[name]
        box.fault(kind="reset", vendor=name)
        with pytest.raises(requests.ConnectionError, match="reset"):
            ask(box)
        box.fault(kind="cut", vendor=name)
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            ask(box)
        box.fault(kind="cut_json")
        with pytest.raises(requests.JSONDecodeError):
            ask(box).json()
        box.fault(kind="html")
        assert ask(box).headers["Content-Type"] == "text/html"
        box.fault(kind="garbage")
        assert ask(box).json() == {"unexpected": True}
        box.fault(kind="error_200")
        wrong = ask(box)
        assert wrong.status_code == 200
        assert "rror" in wrong.text
        box.fault(kind="slow", seconds=0.2)
        assert ask(box).elapsed.total_seconds() >= 0.2
        box.fault(kind="redirect", location=f"{box.url}/truth")
        assert "streams" in ask(box).json()
        box.fault(kind="late", vendor=name, count=2)
        ask(box)
        assert len(box.vendor(name).rows()) == 702
        assert [entry.status for entry in box.requests] == [0, 200, 200, 200, 200, 200, 200, 302, 200]


def test_faults_of_paging() -> None:
    with sandbox() as box:
        body: dict[str, Any] = {"start_date": "2025-01-25", "limit": 100}
        first = smtp2go(box, **body).json()["data"]
        token = first["continue_token"]
        second = smtp2go(box, **body, continue_token=token).json()["data"]

        def faulty(kind: str) -> dict[str, Any]:
            box.fault(kind=kind, vendor="smtp2go", contains="continue_token")
            data: dict[str, Any] = smtp2go(box, **body, continue_token=token).json()["data"]
            return data

        assert faulty("empty_page") == {"events": [], "total_events": 700, "continue_token": token}
        assert faulty("repeat_token") == {**second, "continue_token": token}
        assert faulty("repeat_page") == {**second, "events": first["events"]}
        assert faulty("loop_token")["continue_token"] not in (token, second["continue_token"])
        assert "expired" in faulty("expire_token")["error"]
        box.fault(kind="empty_page", vendor="jetemail")
        page = jetemail(box).json()
        assert (page["data"], page["pagination"]["next_offset"]) == ([], 0)
        box.fault(kind="empty_page", vendor="infobip")
        assert infobip(box, "/email/4/logs", useCursor="true").json()["cursor"]["nextCursor"]


# --- over HTTP and as a program


def test_control_over_http() -> None:
    with sandbox() as box:
        control = f"{box.url}/_control"
        assert requests.get(f"{box.url}/truth", timeout=10).json() == box.truth()
        order = [{"kind": "html", "vendor": "infobip", "times": -1}]
        assert len(requests.post(f"{control}/faults", json=order, timeout=10).json()) == 1
        assert infobip(box).headers["Content-Type"] == "text/html"
        assert requests.delete(f"{control}/faults", timeout=10).json() == []
        assert infobip(box).headers["Content-Type"] == "application/json"
        assert requests.post(f"{control}/change", json={"vendor": "jetemail", "count": 3}, timeout=10).json() == {
            "rows": 3
        }
        moved = requests.post(f"{control}/clock", json={"now": "2025-03-02T00:00:00+00:00"}, timeout=10)
        assert (moved.status_code, box.world.now().day) == (200, 2)
        log = requests.get(f"{control}/requests", timeout=10).json()
        assert [(entry["path"], entry["fault"]) for entry in log] == [
            ("/email/1/logs", "html"),
            ("/email/1/logs", None),
        ]
        assert requests.post(f"{control}/faults", json={"kind": "nothing"}, timeout=10).status_code == 400
        assert requests.get(f"{box.url}/elsewhere", timeout=10).status_code == 404


def test_as_a_program(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "sandbox", "--size", "20", "--now", "2025-03-01T12:00:00Z", "--ready", str(ready)]
    command += ["--options", '{"infobip": {"size": 9}}', "--vendors", *VENDORS]
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]}
    ) as program:
        assert program.stdout
        line = json.loads(program.stdout.readline())
        assert line == json.loads(ready.read_text())
        assert line["config"].keys() == {*VENDORS}
        assert line["config"]["smtp2go"]["base_url"] == f"{line['url']}/smtp2go/v3"
        truth = requests.get(f"{line['url']}/truth", timeout=10).json()
        assert (truth["streams"]["smtp2go_activity"], truth["streams"]["infobip_email_logs"]) == (20, 9)
        program.send_signal(signal.SIGTERM)
        assert program.communicate(timeout=10) == ("", "")
    assert program.returncode == 0

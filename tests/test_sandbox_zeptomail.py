"""ZeptoMail's side of the sandbox is strict, counts exactly, and makes every kind of file."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pyzipper
import requests

from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

NOW = datetime(2025, 7, 19, 9, 0, 30, tzinfo=UTC)
ALL = {"date_from": "19/05/2025, 12:00 AM", "date_to": "19/07/2025, 09:00 AM"}
KINDS = {
    "mail-logs": "zeptomail_mail_logs",
    "activity-logs": "zeptomail_activity_logs",
    "suppression-list": "zeptomail_suppression_list",
}


class Client:
    """The few calls that a client makes; `ask` is the raw one."""

    def __init__(self, box: Sandbox, position: int | None = None) -> None:
        config = box.config(["zeptomail"])["zeptomail"]
        self.config = config if position is None else {**config, **config["accounts"][position]}
        self.token = self.grant().get("access_token", "none")

    def grant(self, **changes: str) -> dict[str, Any]:
        form = {name: self.config[name] for name in ("refresh_token", "client_id", "client_secret")}
        url = f"{self.config['accounts_url']}/oauth/v2/token"
        answer = requests.post(url, data={"grant_type": "refresh_token", **form, **changes}, timeout=10)
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        return body

    def ask(self, method: str, path: str, **arguments: Any) -> requests.Response:
        headers = {"Authorization": f"Zoho-oauthtoken {self.token}"}
        return requests.request(method, self.config["base_url"] + path, headers=headers, timeout=30, **arguments)

    def create(self, kind: str = "mail-logs", **changes: Any) -> dict[str, Any]:
        answer = self.ask("POST", f"/{kind}/exports", json={**ALL, **changes})
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()["data"][0]
        return job

    def states(self, kind: str = "mail-logs") -> list[str]:
        return [job["file_status"] for job in self.ask("GET", f"/{kind}/exports").json()["data"]]

    def export(self, kind: str = "mail-logs", **changes: Any) -> bytes:
        job = self.create(kind, **changes)
        self.states(kind)
        self.states(kind)
        return self.ask("GET", f"/{kind}/exports/{job['export_id']}/download").content


@pytest.fixture
def play() -> Any:
    opened: list[Sandbox] = []

    def start(size: int = 60, **options: Any) -> tuple[Sandbox, Client]:
        box = Sandbox(size=size, now=NOW, vendors=["zeptomail"], options={"zeptomail": options})
        opened.append(box.__enter__())
        return box, Client(box)

    yield start
    for box in opened:
        box.__exit__()


Play = Callable[..., tuple[Sandbox, Client]]


def unpack(content: bytes, password: str = "", delimiter: str = ",", encoding: str = "utf-8-sig") -> list[list[str]]:
    rows: list[list[str]] = []
    with pyzipper.AESZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            text = archive.read(member, pwd=password.encode() or None).decode(encoding)
            head, *body = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            rows += body if rows else [head, *body]
    return rows


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"refresh_token": "other"}, "invalid_code"),
        ({"client_id": "other"}, "invalid_client"),
        ({"client_secret": "other"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"surprise": "x"}, "invalid_request"),
    ],
)
def test_oauth_errors_come_under_200(play: Play, changes: dict[str, str], error: str) -> None:
    assert play()[1].grant(**changes) == {"error": error}


def test_ten_tokens_in_ten_minutes(play: Play) -> None:
    box, client = play()
    first = client.grant()
    assert (first["expires_in"], first["token_type"]) == (3600, "Bearer")
    assert [client.grant().get("error") for _ in range(9)] == [None] * 8 + ["Access Denied"]
    assert box.vendor("zeptomail").tokens.issued.total() == 10
    box.fixed = NOW + timedelta(minutes=10)
    assert "access_token" in client.grant()


def test_tokens_end(play: Play) -> None:
    box, client = play()
    assert client.ask("GET", "/mail-logs/exports").status_code == 200
    box.fault(kind="expire_token", path="/activity-logs")
    assert client.ask("GET", "/activity-logs/exports").status_code == 401
    client.token = client.grant()["access_token"]
    box.fixed = NOW + timedelta(hours=1)
    assert client.ask("GET", "/mail-logs/exports").status_code == 401
    client.token = "Bearer"
    assert client.ask("GET", "/mail-logs/exports").json()["error"]["code"] == "INVALID_OAUTHTOKEN"


def test_a_wrong_scope_is_named(play: Play) -> None:
    _, client = play(scopes="Zeptomail.Exports.READ", scope_status=403)
    assert client.ask("GET", "/mail-logs/exports").status_code == 200
    answer = client.ask("POST", "/mail-logs/exports", json=ALL)
    assert answer.status_code == 403
    assert "Zeptomail.Exports.CREATE" in answer.json()["error"]["message"]
    assert "Zeptomail.email.READ" in client.ask("GET", "/email", params=ALL).text


@pytest.mark.parametrize(
    "changes",
    [
        {"surprise": "x"},
        {"dndType": "email"},
        {"date_from": "19/05/2025;12:00 AM"},
        {"date_from": "19/05/2025;12 AM"},
        {"date_from": "9/5/2025, 1:00 AM"},
        {"date_from": "2025-05-19T00:00:00Z"},
        {"date_to": ALL["date_from"]},
        {"is_sb": "true"},
        {"is_sb": 1},
        {"password": ""},
        {"mailagent_key": "unknown"},
    ],
)
def test_bodies_are_checked(play: Play, changes: dict[str, Any]) -> None:
    box, client = play()
    answer = client.ask("POST", "/mail-logs/exports", json={**ALL, **changes})
    assert (answer.status_code, list(answer.json()["error"])) == (400, ["code", "message", "details"])
    assert box.vendor("zeptomail").jobs() == []


def test_other_date_forms_and_answers(play: Play) -> None:
    _, client = play(date_format="hour", create_answer="object", booleans="string", error_shape="data")
    body = {"date_from": "19/05/2025;12 AM", "date_to": "19/07/2025;09 AM", "is_hb": "true"}
    assert client.ask("POST", "/mail-logs/exports", json=body).json()["data"]["export_id"]
    assert list(client.ask("POST", "/mail-logs/exports", json=ALL).json()["data"]) == ["error_code", "message"]


@pytest.mark.parametrize("kind", KINDS)
def test_exports_hold_exactly_what_truth_counts(play: Play, kind: str) -> None:
    box, client = play(size=300)
    head, *rows = unpack(client.export(kind))
    assert len(rows) == box.truth()["streams"][KINDS[kind]] > 10
    assert [dict(zip(head, row, strict=True)) for row in rows] == box.vendor("zeptomail").rows(stream=KINDS[kind])
    if kind == "mail-logs":
        counted = Counter(row[head.index("Status")] for row in rows)
        events = box.truth()["email_events"]
        assert events["bounced"] == counted["soft bounce"] + counted["hard bounce"]
        assert (events["failed"], events["queued"]) == (counted["process failed"], len(rows))
    if kind == "activity-logs":
        assert len(set(map(tuple, rows))) < len(rows), "there are exact twins"


@pytest.mark.parametrize("inclusive", [False, True])
def test_windows_of_a_minute_tile(play: Play, *, inclusive: bool) -> None:
    box, client = play(timezone="America/New_York", date_to_inclusive=inclusive)
    row = box.vendor("zeptomail").rows()[30]
    minute = datetime.strptime(row["Processed Time"], "%d %b %Y %I:%M %p").replace(tzinfo=UTC)  # digits as they are
    before, here, after = ((minute + timedelta(minutes=shift)).strftime("%d/%m/%Y, %I:%M %p") for shift in (-1, 0, 1))
    assert [row["Subject"], row["Email Reference"]] in [
        [line[7], line[1]] for line in unpack(client.export(date_from=here, date_to=after))
    ]
    assert (row["Email Reference"] in str(unpack(client.export(date_from=before, date_to=here)))) is inclusive


def test_filters(play: Play) -> None:
    _, client = play(size=400)
    statuses = {row[8] for row in unpack(client.export(is_sb=True, is_hb=True, is_delivered=False))[1:]}
    assert statuses == {"soft bounce", "hard bounce"}
    agents = {row[13] for row in unpack(client.export(mailagent_key="1bc8a7c7c719f435"))[1:]}
    assert agents == {"agent-1"}
    kinds = {row[0] for row in unpack(client.export("suppression-list", dndType="domain"))[1:]}
    assert kinds == {"domain"}


def test_the_life_of_a_job(play: Play) -> None:
    box, client = play(polls=3, progress_text="Processing")
    job = client.create(is_delivered=True, password="s3cret")
    path = f"/mail-logs/exports/{job['export_id']}"
    assert client.ask("GET", f"{path}/download").status_code == 400
    assert [client.states() for _ in range(3)] == [["Processing"], ["Processing"], ["completed"]]
    listed = client.ask("GET", "/mail-logs/exports").json()["data"][0]
    assert listed["search_query"] == {
        "mailagent_name": "All Agents",
        "is_delivered": True,
        "date_to": "19 Jul 2025 09:00 AM",
        "date_from": "19 May 2025 12:00 AM",
    }
    assert (listed["created_time"], listed["expiry_time"]) == ("19 Jul 2025 09:00 AM", "22 Jul 2025 09:00 AM")
    assert "s3cret" not in str(listed)
    assert listed["file_size"] == len(client.ask("GET", f"{path}/download").content)
    box.fixed = NOW + timedelta(days=3)
    client.token = client.grant()["access_token"]
    assert client.ask("GET", f"{path}/download").status_code == 410
    assert client.states() == ["expired"]
    assert client.ask("DELETE", "/mail-logs/exports", params={"export_ids": f"{job['export_id']},no"}).ok is False
    assert client.ask("DELETE", "/mail-logs/exports", params={"export_ids": job["export_id"]}).ok
    assert client.states() == []
    assert [job.deleted for job in box.vendor("zeptomail").jobs()] == [True]


def test_jobs_fail_or_never_end_or_keep_their_files(play: Play) -> None:
    _, client = play(fail_jobs=1, failed_text="Failed: size", refuse_delete=True)
    first, _ = client.create(), client.create()
    client.states()
    assert client.states() == ["completed", "Failed: size"]
    assert client.ask("DELETE", "/mail-logs/exports", params={"export_ids": first["export_id"]}).status_code == 403
    _, client = play(endless_jobs=-1)
    client.create()
    assert [client.states() for _ in range(5)] == [["in-progress"]] * 5


@pytest.mark.parametrize("encryption", ["aes", "zipcrypto"])
def test_files_are_encrypted(play: Play, encryption: str) -> None:
    _, client = play(encryption=encryption, parts=2, bom=True, delimiter=";", newlines=True, nul=True)
    content = client.export(password="Pässwörd ключ")
    with pyzipper.AESZipFile(io.BytesIO(content)) as archive:
        assert [bool(member.flag_bits & 1) for member in archive.infolist()] == [True, True]
    with pytest.raises(RuntimeError, match="password"):
        unpack(content, "wrong", ";")
    rows = unpack(content, "Pässwörd ключ", ";")
    assert len(rows) == 1 + 60
    assert any("\n" in row[7] for row in rows)
    assert any("\0" in row[7] for row in rows)


def test_odd_files(play: Play) -> None:
    _, client = play(container="csv", encoding="latin-1", wide=200, extra_column="Überraschung", colliding=True)
    head, *rows = csv.reader(io.StringIO(client.export(password="x").decode("latin-1"), newline=""))
    assert (len(head), {len(row) for row in rows}) == (200, {200})
    assert [head[3], *head[15:18]] == ["From", "from", "FROM ", "Überraschung"]
    _, client = play(cut_downloads=1, bomb_bytes=1_000_000, member_prefix="../")
    half = client.export()
    with pytest.raises(pyzipper.BadZipFile):
        unpack(half)
    job = client.ask("GET", "/mail-logs/exports").json()["data"][0]
    whole = client.ask("GET", f"/mail-logs/exports/{job['export_id']}/download").content
    assert len(whole) // 2 == len(half)
    with pyzipper.AESZipFile(io.BytesIO(whole)) as archive:
        assert [(one.filename, one.file_size > 1_000_000) for one in archive.infolist()] == [
            ("../MailReport.csv", True)
        ]


def test_a_large_export_is_never_held(play: Play) -> None:
    box, client = play(size=5, big_export_rows=20_000)
    job = client.create()
    tracemalloc.start()
    client.states()
    client.states()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
    rows = unpack(client.ask("GET", f"/mail-logs/exports/{job['export_id']}/download").content)
    assert len(rows) - 1 == box.truth()["streams"]["zeptomail_mail_logs"] == 20_000
    parts = [client.export(date_to="10/07/2025, 03:17 AM"), client.export(date_from="10/07/2025, 03:17 AM")]
    assert sum(len(unpack(part)) - 1 for part in parts) == 20_000


@pytest.mark.parametrize("shape", ["nested", "flat"])
def test_emails_page_by_offset(play: Play, shape: str) -> None:
    box, client = play(email_shape=shape, email_limit=25)
    query = {"date_from": "19/05/2025;12:00 AM", "date_to": "19/07/2025, 09:00 AM"}
    seen: list[str] = []
    for offset in (0, 25, 50):
        body = client.ask("GET", "/email", params={**query, "limit": "25", "offset": str(offset)}).json()
        page = body["data"] if shape == "flat" else [{**one, **one["email_info"]} for one in body["data"]["logs"]]
        seen += [one["email_reference"] for one in page]
    assert len(seen) == len(set(seen)) == box.truth()["streams"]["zeptomail_emails"] == 60
    for wrong in ({"limit": "26"}, {"page": "1"}, {"is_hb": "yes"}, {"date_from": "2025-05-19"}, {"offset": "-1"}):
        assert client.ask("GET", "/email", params={**query, **wrong}).status_code == 400


def test_emails_say_processed_unless_filtered(play: Play) -> None:
    _, client = play(size=300, email_status="processed")

    def statuses(**query: str) -> set[str]:
        body = client.ask("GET", "/email", params={**ALL, "limit": "100", **query}).json()
        return {one["email_info"]["status"] for one in body["data"]["logs"]}

    assert statuses() == {"processed"}
    assert statuses(is_hb="true") == {"hard bounce"}


def test_details_tell_opens_clicks_and_bounces(play: Play) -> None:
    _, client = play(size=100)
    logs = client.ask("GET", "/email", params={**ALL, "limit": "100"}).json()["data"]["logs"]
    assert logs[0]["email_tracking_details"] == []
    found: Counter[str] = Counter()
    for log in logs:
        details = client.ask("GET", f"/email/email-reference/{log['email_info']['email_reference']}").json()["data"]
        for part in ("email_tracking_details", "email_delivery_details"):
            found.update(list(details[part]))
    assert {"email_open", "email_link_click", "delivered", "hardbounce"} <= found.keys()
    assert client.ask("GET", "/email/email-reference/no").status_code == 404


def test_rows_come_late_and_change(play: Play) -> None:
    box, client = play(size=300)
    before = box.truth()["email_events"]
    assert (box.late("zeptomail", count=3, minutes_ago=45), box.change("zeptomail", count=2)) == (3, 2)
    rows = unpack(client.export())[1:]
    assert len(rows) == 303
    assert box.truth()["email_events"]["delivered"] >= before["delivered"] + 2


def test_accounts_are_apart() -> None:
    accounts = {"first": {"size": 7}, "second": {"size": 9, "client_id": "other", "label": "zwei"}}
    options = {"zeptomail": {"accounts": accounts}}
    with Sandbox(now=NOW, vendors=["zeptomail"], options=options) as box:
        sizes = [len(unpack(Client(box, position).export())) - 1 for position in (0, 1)]
        assert sizes == [7, 9]
        assert {
            label: one["streams"]["zeptomail_emails"] for label, one in box.truth()["vendors"]["zeptomail"].items()
        } == {
            "default": 7,
            "zwei": 9,
        }
        assert Client(box, 1).grant(client_id="1000.SANDBOXCLIENT") == {"error": "invalid_code"}
        assert [len(box.vendor("zeptomail").jobs(key)) for key in accounts] == [1, 1]


def test_live_mails_appear_and_reach_their_end() -> None:
    clock = [NOW]
    with Sandbox(size=500, now=lambda: clock[0], future=timedelta(days=3), vendors=["zeptomail"]) as box:
        first = box.vendor("zeptomail").rows()
        clock[0] += timedelta(days=2)
        later = {row["Email Reference"]: row["Status"] for row in box.vendor("zeptomail").rows()}
        assert len(later) > len(first)
        assert {row["Email Reference"] for row in first} <= later.keys()

"""Messangi's side of the sandbox is strict, counts exactly, and sends its reports by real mail."""

from __future__ import annotations

import csv
import gzip
import io
import smtplib
import ssl
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pytest
import requests
from imap_tools import AND, MailBox, MailBoxUnencrypted

from sandbox.messangi.mailbox import Mailbox
from sandbox.server import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.thorough

NOW = datetime(2025, 7, 19, 9, 0, 30, tzinfo=UTC)
SPAN = {"from": "2025-06-01T00:00:00.000Z", "to": "2025-07-19T09:00:00.000Z", "channel": "E"}
BODY = {"emails": ["reports@example.com"], "from": "billing@shop.example", "timezone": "GMT", "id": "abc123"}
KEY = {"Authorization": "sandbox-messangi-key"}


class Client:
    def __init__(self, box: Sandbox) -> None:
        self.url = box.base_url("messangi")

    def log(self, headers: dict[str, str] | None = None, **query: Any) -> requests.Response:
        return requests.get(f"{self.url}/v3/mlog", headers=headers or KEY, params={**SPAN, **query}, timeout=10)

    def report(self, query: dict[str, str] | None = None, **changes: Any) -> requests.Response:
        body = {name: value for name, value in {**BODY, **changes}.items() if value is not None}
        given = {**SPAN, **(query or {})}
        return requests.post(f"{self.url}/v3/mlog/export", headers=KEY, params=given, json=body, timeout=10)

    def login(self, username: str = "sandbox-default", password: str = "sandbox-pässword") -> requests.Response:
        body = {"username": username, "password": password}
        return requests.post(f"{self.url}/kingslanding/login", json=body, timeout=10)


@pytest.fixture
def play() -> Any:
    opened: list[Sandbox] = []

    def start(size: int = 60, **options: Any) -> tuple[Sandbox, Client]:
        box = Sandbox(size=size, now=NOW, vendors=["messangi"], options={"messangi": options})
        opened.append(box.__enter__())
        return box, Client(box)

    yield start
    for box in opened:
        box.__exit__()


Play = Callable[..., tuple[Sandbox, Client]]


def attached(mail: EmailMessage) -> tuple[str, list[list[str]]]:
    """Return the attachment's file name and its rows, whatever it is packed in."""
    (part,) = mail.iter_attachments()
    content, name = part.get_payload(decode=True), part.get_filename() or ""
    assert isinstance(content, bytes)
    if name.endswith(".gz"):
        content = gzip.decompress(content)
    elif name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = archive.read(archive.namelist()[0])
    return name, list(csv.reader(io.StringIO(content.decode(), newline="")))


def test_the_key_comes_bare_or_as_bearer(play: Play) -> None:
    _, client = play()
    assert client.log().ok
    assert client.log({"Authorization": "Bearer sandbox-messangi-key"}).ok
    for wrong in ("", "other", "Basic sandbox-messangi-key", "Token sandbox-messangi-key"):
        assert client.log({"Authorization": wrong}).json() == {"code": "401", "explain": "Unauthorized"}


def test_a_login_gives_a_token_for_a_day(play: Play) -> None:
    box, client = play()
    assert client.login(password="wrong").status_code == 401
    answer = client.login()
    token = {"Authorization": answer.headers["authorization"]}
    assert token["Authorization"].startswith("Bearer ")
    assert "token" not in answer.text
    assert client.log(token).ok
    box.fault(kind="expire_token")
    assert client.log(token).status_code == 401
    token = {"Authorization": client.login().headers["authorization"]}
    box.fixed = NOW + timedelta(days=1)
    assert client.log(token).status_code == 401
    assert box.vendor("messangi").logins.total() == 2


@pytest.mark.parametrize(
    "query",
    [
        {"from": None},
        {"from": "2025-06-01T00:00:00Z"},
        {"from": "2025-06-31T00:00:00.000Z"},
        {"from": "2025-06-01T00:00:00.000+00:00"},
        {"to": SPAN["from"]},
        {"channel": "E,S"},
        {"status": "SENT, OPEN"},
        {"limit": "5"},
        {"page": "0"},
        {"size": "x"},
    ],
)
def test_queries_are_checked(play: Play, query: dict[str, str]) -> None:
    answer = play()[1].log(**query)
    assert answer.status_code == 400
    assert answer.json()["explain"]


@pytest.mark.parametrize("status", [200, 400])
def test_both_documented_errors(play: Play, status: int) -> None:
    _, client = play(explain_status=status, too_big=30)
    for ask in (client.log, lambda **query: client.report(query)):
        answer = ask(**{"from": "2025-04-18T08:59:59.999Z"})
        assert (answer.status_code, answer.json()["explain"]) == (
            status,
            "The date range exceeds the allowed limit: 92",
        )
        answer = ask()
        explain = "The size of the report is too big. Please contact support"
        assert (answer.status_code, answer.json()["explain"]) == (status, explain)
    assert client.log(**{"from": "2025-07-12T00:00:00.000Z"}).json()["data"]


def test_pages_hold_exactly_what_truth_counts(play: Play) -> None:
    box, client = play(size=130, page_cap=50)
    pages = [client.log(page=str(page), size="1000").json()["data"] for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [50, 50, 30, 0]
    rows = [row for page in pages for row in page]
    assert rows == box.vendor("messangi").rows()[::-1]
    truth = box.truth()
    assert (len(rows), {row["channel"] for row in rows}) == (truth["streams"]["messangi_message_logs"], {"E"})
    counted = Counter(row["status"] for row in rows)
    assert truth["email_events"]["bounced"] == counted["BOUNCED"] + counted["BOUNCED_PERMANENT"]
    assert truth["email_events"]["opened"] == counted["OPEN"]
    everything = client.log(channel=None, size="50").json()["data"]
    assert {row["channel"] for row in everything} > {"E"}


def test_filters(play: Play) -> None:
    box, client = play(size=300)
    row = box.vendor("messangi").rows()[7]
    for name in ("recipient", "campaign", "sender", "status"):
        found = client.log(size="1000", **{name: row[name]}).json()["data"]
        assert {one[name] for one in found} == {row[name]}
    both = client.log(size="1000", status="SENT,OPEN").json()["data"]
    assert {one["status"] for one in both} == {"SENT", "OPEN"}


@pytest.mark.parametrize(("bounds", "expected"), [("[)", 1), ("(]", 1), ("[]", 2), ("()", 0)])
def test_bounds(play: Play, bounds: str, expected: int) -> None:
    box, client = play(bounds=bounds)
    rows = [row["date"] for row in box.vendor("messangi").rows()]
    first = next(n for n in range(1, 50) if len({*rows[n - 1 : n + 3]}) == 4)
    answer = client.log(**{"from": rows[first], "to": rows[first + 1]}).json()["data"]
    assert len(answer) == expected


def test_paging_that_is_ignored_or_named_otherwise(play: Play) -> None:
    _, client = play(ignore_page=True, page_param="pagina", size_param="cantidad", envelope="data.mlog")
    assert client.log(page="1").status_code == 400
    first, second = (client.log(pagina=page, cantidad="10").json()["data"]["mlog"] for page in "12")
    assert first == second
    assert len(first) == 10


@pytest.mark.parametrize(
    ("envelope", "path"),
    [("data.rows", "data/rows"), ("records", "records"), ("list", ""), ("result.entries", "result/entries")],
)
def test_envelopes(play: Play, envelope: str, path: str) -> None:
    found = play(envelope=envelope)[1].log().json()
    for name in path.split("/") if path else []:
        found = found[name]
    assert len(found) == 60


def test_twins_new_statuses_late_and_changed_rows(play: Play) -> None:
    box, client = play(size=300, hide_fields=("id",), new_status="SNOOZED")
    rows = client.log(size="1000").json()["data"]
    assert "id" not in rows[0]
    assert len({str(row) for row in rows}) < len(rows)
    before = box.truth()["email_events"]
    assert before["unknown"] == sum(row["status"] == "SNOOZED" for row in rows)
    assert (box.late("messangi", count=2), box.change("messangi", count=3, minutes_ago=20)) == (2, 3)
    after = box.truth()
    assert after["streams"]["messangi_message_logs"] == 302
    assert after["email_events"]["opened"] == before["opened"] + 3
    assert client.log(size="1000", to="2025-07-19T09:01:00.000Z").json()["data"] == box.vendor("messangi").rows()[::-1]


@pytest.mark.parametrize(
    "changes",
    [
        {"emails": []},
        {"emails": "reports@example.com"},
        {"from": None},
        {"from": "nobody@example.com"},
        {"timezone": None},
        {"timezone": "Europe/Berlin"},
        {"id": "with-dash"},
        {"surprise": "x"},
    ],
)
def test_report_bodies_are_checked(play: Play, changes: dict[str, Any]) -> None:
    box, client = play(valid_senders=["billing@shop.example"])
    assert client.report(**changes).status_code == 400
    assert client.report({"page": "1"}).status_code == 400
    assert box.vendor("messangi").post().requests == []


@pytest.mark.parametrize(
    ("attachment", "place"), [("csv", "subject"), ("csv.gz", "body"), ("zip", "filename"), ("csv", "nowhere")]
)
def test_reports_come_by_mail(play: Play, attachment: str, place: str) -> None:
    with Mailbox(password="geheim") as mailbox:
        box, client = play(smtp=mailbox.smtp(), attachment=attachment, id_in=place)
        assert client.report(timezone="GMT+2").ok
        with MailBoxUnencrypted(mailbox.host, mailbox.port).login(mailbox.username, "geheim") as imap:
            (mail,) = imap.fetch(AND(date_gte=datetime.now(UTC).date() - timedelta(days=1)), mark_seen=False)
        name, (head, *rows) = attached(message_from_bytes(mail.obj.as_bytes(), policy=policy.default))
        assert name.endswith(attachment)
        assert [place == "subject", place == "body", place == "filename"] == [
            "abc123" in text for text in (mail.subject, mail.text, name)
        ]
        truth = box.vendor("messangi").rows()
        assert [row[head.index("Message ID")] for row in rows] == [row["id"] for row in truth]
        sent = datetime.fromisoformat(truth[0]["date"]) + timedelta(hours=2)
        assert rows[0][head.index("Date")] == sent.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        assert mailbox.flags() == [frozenset()]


def test_reports_wait_get_lost_or_go_to_a_directory(play: Play, tmp_path: Path) -> None:
    box, client = play(lost_reports=1, report_delay=None, directory=str(tmp_path))
    assert [client.report(id=name).ok for name in ("lost", "held")] == [True, True]
    post = box.vendor("messangi").post()
    assert (len(post.requests), len(post.held), list(tmp_path.iterdir())) == (2, 1, [])
    assert post.release() == 1
    (saved,) = tmp_path.iterdir()
    assert saved.suffix == ".eml"
    assert message_from_bytes(saved.read_bytes())["Subject"] == "Messangi report held"


def test_a_mailbox_shows_what_a_client_did() -> None:
    with Mailbox(tls=True, folder="Reports") as mailbox:
        mailbox.deliver_noise(1000, when=NOW - timedelta(days=1))
        wanted = EmailMessage()
        wanted["From"], wanted["To"], wanted["Subject"] = "a@example.com", "b@example.com", "Report 4711"
        wanted.set_content("here")
        with smtplib.SMTP(**mailbox.smtp()) as smtp:
            smtp.send_message(wanted)
        assert (mailbox.count(), set(mailbox.flags())) == (1001, {frozenset()})
        context = ssl.create_default_context(cafile=mailbox.ca_file)
        with MailBox(mailbox.host, mailbox.port, ssl_context=context) as imap:
            imap.login(mailbox.username, mailbox.password, "Reports")
            assert len(list(imap.fetch(AND(date_gte=NOW.date() + timedelta(days=1)), mark_seen=False))) == 1
            assert mailbox.flags()[-1] == frozenset()
            (uid,) = imap.uids('SUBJECT "4711"')
            list(imap.fetch(AND(uid=uid)))
            assert mailbox.flags()[-1] == {"\\Seen"}
            imap.delete([uid])
            assert mailbox.count() == 1000


def test_a_wrong_password_is_refused() -> None:
    with Mailbox(password="pässword") as mailbox, MailBoxUnencrypted(mailbox.host, mailbox.port) as imap:
        with pytest.raises(Exception, match="AUTHENTICATIONFAILED"):
            imap.login_utf8(mailbox.username, "other")
        imap.login_utf8(mailbox.username, "pässword")

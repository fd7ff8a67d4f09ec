"""What identifies a row of ZeptoMail's files, and which of its dates is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_emaillogs.streams.undocumented import UndocumentedStream

LOGS, ACTIVITY, SUPPRESSED = "zeptomail_mail_logs", "zeptomail_activity_logs", "zeptomail_suppression_list"
AT = "19 Jul 2025 09:00 AM"


def stream(name: str, **settings: Any) -> UndocumentedStream:
    tap = TapEmailLogs(config={"zeptomail": {"access_token": "1000.token-of-a-test", **settings}})
    found = tap.streams[name]
    return found.for_account(next(iter(tap.accounts_of(found))))  # type: ignore[attr-defined,no-any-return]


def keys(name: str, rows: Iterable[Mapping[str, str]], **settings: Any) -> list[str]:
    given = [{column: cell for column, cell in row.items() if cell} for row in rows]
    return [record["row_id"] for record in stream(name, **settings).each_record(lambda: given)]


def mails(status: str, count: int = 300, **columns: str) -> list[dict[str, str]]:
    return [
        {"email_reference": f"r{number}", "to": "a@b.example", "processed_time": AT, "status": status, **columns}
        for number in range(count)
    ]


def test_a_changed_status_leaves_no_ghost() -> None:
    early = keys(LOGS, mails("Processed"))
    late = keys(LOGS, mails("Delivered", sent_time="19 Jul 2025 09:05 AM", reason="x", status_time=AT))
    assert len(set(early)) == 300
    assert early == late


@pytest.mark.parametrize("column", ["email_reference", "message_id", "request_id"])
@pytest.mark.parametrize("recipient", ["recipient", "to", "destination"])
@pytest.mark.parametrize("date", ["processed_time", "sent_time", "created_time", "date", "time"])
def test_reference_recipient_and_own_date(column: str, recipient: str, date: str) -> None:
    row = {column: "r", recipient: "a@b.example", date: AT}
    (plain,) = keys(LOGS, [row])
    changing = {"status": "Sent", "status_time": AT, "status_date": AT, "modified_time": AT, "subject": "x"}
    assert keys(LOGS, [row | changing]) == [plain]
    for name in row:
        assert keys(LOGS, [row | {name: "19 Jul 2025 10:00 AM"}]) != [plain]


def test_rows_of_one_mail_are_numbered_by_their_statuses_time() -> None:
    row = {"email_reference": "r", "to": "a@b.example", "processed_time": AT}
    times = ("19 Jul 2025 09:10 AM", "19 Jul 2025 11:00 AM", "02 Aug 2025 08:00 AM")
    rows = [row | {"status": status, "status_time": at} for status, at in zip("zyx", times, strict=True)]
    early, late = keys(LOGS, rows[:2]), keys(LOGS, rows[::-1])
    assert len(set(late)) == 3
    assert late[::-1][:2] == early, "in whatever order the file has them"


def test_without_a_reference_it_is_the_whole_row() -> None:
    rows = [{"to": "a@b.example", "processed_time": AT, "status": status} for status in ("Sent", "Sent", "Delivered")]
    assert len(set(keys(LOGS, rows))) == 3
    assert keys(LOGS, rows) == keys(LOGS, rows, columns={LOGS: ["anything"]})
    named = keys(LOGS, [{**row, "order_no": "7"} for row in rows], reference={LOGS: ["Order No"]})
    assert keys(LOGS, [{**rows[0], "order_no": "7", "status": "Bounced"}], reference={LOGS: ["Order No"]}) == named[:1]


def test_an_activity_is_its_whole_row() -> None:
    row = {"email_reference": "r", "to": "a@b.example", "action": "Added", "modified_time": AT}
    rows = [row, row, row | {"action": "Updated"}]
    assert len(set(keys(ACTIVITY, rows))) == 3


@pytest.mark.parametrize("value", ["value", "suppressed_value", "email_address", "email", "domain", "blocked_address"])
@pytest.mark.parametrize("agent", ["mail_agent", "mailagent", "mailagent_name", "agent"])
@pytest.mark.parametrize("kind", ["type", "suppression_type", "dnd_type"])
def test_a_suppression_is_its_value_type_and_agent(value: str, agent: str, kind: str) -> None:
    row = {kind: "email", value: "a@b.example", agent: "one", "added_by": "c@d.example", "action": "Reject"}
    (plain,) = keys(SUPPRESSED, [row])
    for changed in ({"added_by": "x@y.example"}, {"action": "x"}, {"modified_time": AT}, {"mailagent_keys": "1,2"}):
        assert keys(SUPPRESSED, [row | changed]) == [plain]
    for other in ({value: "b@b.example"}, {kind: "domain"}, {agent: "two"}):
        assert keys(SUPPRESSED, [row | other]) != [plain]


def test_a_suppression_whose_value_no_column_names_is_its_whole_row() -> None:
    row = {"added_by": "c@d.example", "entry_type": "email", "reason": "x", "what": "a@b.example"}
    assert keys(SUPPRESSED, [row]) != keys(SUPPRESSED, [row | {"reason": "y"}])
    given = {"reference": {SUPPRESSED: ["What"]}}
    assert keys(SUPPRESSED, [row], **given) == keys(SUPPRESSED, [row | {"reason": "y"}], **given)


@pytest.mark.parametrize(
    ("row", "moment"),
    [
        ({"status_time": "20 Jul 2025 01:00 PM", "processed_time": AT}, "2025-07-19T07:00:00Z"),
        ({"modified_time": "20 Jul 2025 01:00 PM", "sent_time": AT}, "2025-07-19T07:00:00Z"),
        ({"date": "19 Jul 2025", "time": "09:00 AM", "event_time": "20 Jul 2025"}, "2025-07-19T07:00:00Z"),
        ({"processed_time": "n/a", "created_time": AT}, "2025-07-19T07:00:00Z"),
        ({"status_time": "20 Jul 2025 01:00 PM", "queue_time": AT}, "2025-07-19T07:00:00Z"),
        ({"status_time": AT}, "2025-07-19T07:00:00Z"),
        ({"processed_time": "soon"}, None),
    ],
)
def test_the_date_of_a_mail_is_its_own(row: dict[str, str], moment: str | None) -> None:
    (record,) = stream(LOGS, timezone="Europe/Berlin").each_record(lambda: [row])
    assert record["event_at"] == moment

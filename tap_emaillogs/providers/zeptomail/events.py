"""What ZeptoMail's rows mean in `email_events`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_emaillogs import dates
from tap_emaillogs.events import EventRow, MappingTable, Meaning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_emaillogs.records import Record

_MAIL_LOGS, _EMAILS = "zeptomail_mail_logs", "zeptomail_emails"
_DELIVERED = Meaning("delivered", "The receiving server took it.")
_SOFT = Meaning("bounced", "The receiving server refuses for now.", bounce_class="soft")
_HARD = Meaning("bounced", "The receiving server refuses for good.", bounce_class="hard")
_FAILED = Meaning("failed", "ZeptoMail could not process or send it.", reject_reason="other")
STATUSES = MappingTable(
    "status",
    {
        "Queued": Meaning("queued", "Accepted from the sender, and not yet processed."),
        "Processed": Meaning("queued", "Processed, its outcome is not known yet."),
        "Sent": Meaning("sent", "Handed over to the receiving side; no outcome is known."),
        "Delivered": _DELIVERED,
        "Process failed": _FAILED,
        "Soft bounce": _SOFT,
        "Hard bounce": _HARD,
    },
    streams=(_MAIL_LOGS, _EMAILS),
    at="the status's own date (`status_time`, `event_time`, `time`), else the e-mail's `processed_time`",
)
OUTCOMES = MappingTable(
    "email_delivery_details, email_tracking_details (with the setting details)",
    {
        "delivered": _DELIVERED,
        "softbounce": _SOFT,
        "hardbounce": _HARD,
        "mailfailure": _FAILED,
        "email_open": Meaning("opened", "As named."),
        "email_link_click": Meaning("clicked", "As named."),
    },
    streams=(_EMAILS,),
    at="the entry's own `time`",
)
MAPPINGS = (STATUSES, OUTCOMES)
_RESULTS = ("delivered", "softbounce", "hardbounce", "mailfailure")
_VISITS = ("email_open", "email_link_click")


def events(stream: str, record: Record) -> Iterator[Record]:
    """Derive the events of a record of either stream; activity logs and the suppression list have none."""
    if stream == _MAIL_LOGS:
        yield from _of_mail_log(record)
    elif stream == _EMAILS:
        yield from _of_email(record)


def _of_mail_log(record: Record) -> Iterator[Record]:
    """One event: the row's status.

    The vendor's reference of the e-mail is the key where the file has one, so that a column which is filled in later
    makes no second event.
    """
    recipient = record["recipient"] or record["to"]
    reference = record["email_reference"]
    row = EventRow(
        "zeptomail",
        _MAIL_LOGS,
        record,
        key=(reference, recipient) if reference else record["row_id"],
        message_id=record["message_id"],
        recipient=recipient,
        sender=record["from"],
        subject=record["subject"],
    )
    status = record["status"]
    own = {"status": status, "at": record["event_at"], "recipient": recipient} if reference else {}
    reason = record["reason"] or record["bounce_category"] or record["category"]
    yield row.event(STATUSES, status, own=own, at=record["event_at"], reason=reason)


def _of_email(record: Record) -> Iterator[Record]:
    """Each recipient's outcome, or else the e-mail's status; opens and clicks, where they are known."""
    receivers = record["to"] or []
    only = receivers[0] if len(receivers) == 1 else None
    row = EventRow(
        "zeptomail",
        _EMAILS,
        record,
        key=record["email_reference"],
        message_id=record["message_id"],
        recipient=only,
        sender=record["from"],
        subject=record["subject"],
    )
    results = list(_entries(record["email_delivery_details"], _RESULTS))
    for name, entry in results:
        reason = entry.get("reason") or entry.get("category")
        at = entry.get("time") or record["processed_time"]
        yield row.event(
            OUTCOMES,
            name,
            own={name: entry},
            at=at,
            recipient=entry.get("recipient"),
            reason=reason,
            smtp_response=entry.get("reason"),
        )
    if not results:
        at = record["processed_time"] or record["sent_time"]
        yield row.event(STATUSES, record["status"], own={"status": record["status"]}, at=at)
    details = record["details"] or {}
    full = details.get("email_tracking_details") if isinstance(details.get("email_tracking_details"), dict) else None
    for name, entry in _entries(full or record["email_tracking_details"], _VISITS):
        client = entry.get("email_client")
        client = client if isinstance(client, dict) else {}
        yield row.event(
            OUTCOMES,
            name,
            own={name: entry},
            at=_moment(entry.get("time")),
            url=_text(entry.get("clicked_link")),
            user_agent=_text(entry.get("user_agent") or client.get("user_agent") or client.get("name")),
            ip=_text(entry.get("ip_address")),
        )


def _entries(details: Any, names: tuple[str, ...]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in names:
        found = details.get(name) if isinstance(details, dict) else None
        if isinstance(found, dict):
            found = found.get("details") or found.get("event_data")
        yield from ((name, entry) for entry in found or () if isinstance(entry, dict))


def _moment(value: Any) -> str | None:
    return dates.utc_text(value) if isinstance(value, str) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None

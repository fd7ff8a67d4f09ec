"""What Messangi's statuses become in `email_events`; https://docs.messangi.com/docs/email-status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tap_emaillogs import smtp, timestamps
from tap_emaillogs.events import EventRow, MappingTable, Meaning
from tap_emaillogs.providers.messangi.moments import Moment, dates_of, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_emaillogs.records import Record

STREAMS = ("messangi_message_logs", "messangi_message_reports")
STATUSES = MappingTable(
    "`status`",
    {
        "DEQUEUED": Meaning("queued", "Taken from the queue, about to be sent."),
        "SENT": Meaning("sent", "Handed on; not yet proof of delivery."),
        "NOT_SENT": Meaning("failed", "Could not be handed on.", reject_reason="other"),
        "INCOMPLETE": Meaning("failed", "A placeholder of the mail had no value.", reject_reason="other"),
        "BAD_TO": Meaning("rejected", "The recipient's address is invalid.", reject_reason="invalid"),
        "BAD_FROM": Meaning("rejected", "The sender's address is invalid.", reject_reason="invalid"),
        "BLACKLISTED": Meaning("rejected", "The recipient is on the blacklist.", reject_reason="blocked"),
        "BLOCKED_DUE_BAD_BEHAVIOUR": Meaning(
            "rejected", "The recipient is blocked for a time.", reject_reason="blocked"
        ),
        "EXHAUSTED": Meaning("failed", "No tries are left.", reject_reason="timed_out"),
        "BOUNCED": Meaning("bounced", "Rejected; whether for good is not said.", bounce_class="undetermined"),
        "BOUNCED_PERMANENT": Meaning("bounced", "Rejected, and blocked for good.", bounce_class="hard"),
        "COMPLAINED": Meaning("complained", "The recipient marked it as spam."),
        "OPEN": Meaning("opened", "Opened by the recipient."),
        "CLICK": Meaning("clicked", "A link in it was clicked."),
    },
    streams=STREAMS,
    at="the status's own date when the row has one, else the message's",
)

_MESSAGE = ("messageid", "id")
_TRANSACTION = ("id", "messageid", "transactionid")
_RECIPIENT = ("recipient", "to", "destination", "email")
_SENDER = ("sender", "from")
_STATUS = ("status", "statusname", "messagestatus", "state", "estado")
_REASON = ("description", "statusdescription", "reason", "details", "detail", "error")
_URL = ("url", "link", "clickedurl")
_RESPONSE = ("smtpresponse", "response", "diagnosticcode")


def events_of(provider: str, stream: str, record: Record) -> Iterator[Record]:
    """Yield the one event of a row: the status it shows."""
    row = {plain(name): value for name, value in _whole(record).items() if value not in (None, "")}

    def first(names: tuple[str, ...]) -> str | None:
        found = next((row[name] for name in names if name in row), None)
        return found if isinstance(found, str) or found is None else str(found)

    key = record["record_id"] if stream == STREAMS[0] else record["row_id"]
    events = EventRow(
        provider,
        stream,
        record,
        key=(first(_TRANSACTION), key),
        message_id=first(_MESSAGE),
        recipient=first(_RECIPIENT),
        sender=first(_SENDER),
        subject=first(("subject", "asunto")),
    )
    reason, response = first(_REASON), first(_RESPONSE)
    yield events.event(
        STATUSES,
        first(_STATUS),
        own={},
        at=_event_at(record),
        reason=reason,
        smtp_response=response,
        # A reason may hold a server's answer; only an undoubted code is taken from it.
        reply=None if response else smtp.parse(reason, certain=True),
        url=first(_URL),
    )


def _whole(record: Record) -> Mapping[str, Any]:
    extra = record["extra_fields"]
    return {**record, **json.loads(extra)} if extra else record


def _event_at(record: Record) -> str | None:
    """Return the status's date in UTC; a zone that the file left out is the one its own date was read in."""
    own: str | None = record["event_at"]
    whole = {name: value for name, value in _whole(record).items() if name != "event_at"}
    found = dates_of(whole)
    if found.status is None or found.message is None or own is None:
        return own
    if found.status.zoned:
        return str(found.status)
    shift = found.message.at - timestamps.parse(own) if not found.message.zoned else timestamps.EPOCH - timestamps.EPOCH
    return str(Moment(found.status.at - shift, found.status.digits))

"""What Messangi's statuses become in `email_events`; https://docs.messangi.com/docs/email-status."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats import smtp
from tap_emaillogs.providers.messangi.moments import Dates, dates_of, plain
from tap_emaillogs.providers.messangi.rows import REFERENCES, mail_key, row_of, zone_of_times
from tap_emaillogs.streams.events import EventRow
from tap_emaillogs.streams.meanings import MappingTable, Meaning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_emaillogs.streams.records import Record

LOGS, _ = STREAMS = ("messangi_message_logs", "messangi_message_reports")
TAKEN = Meaning("queued", "The vendor took the mail: one event per mail and recipient, whatever the status.")
STATUSES = MappingTable(
    "`status`",
    {
        "DEQUEUED": Meaning("queued", "About to be sent: nothing more than the event that every mail has."),
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
    at="the status's own date when the row has one, else the message's; of `queued` the message's",
    cases={"every e-mail and recipient": TAKEN},
)

_MESSAGE = ("messageid", "id")
_RECIPIENT = ("recipient", "to", "destination", "email")
_SENDER = ("sender", "from")
_STATUS = ("status", "statusname", "messagestatus", "state", "estado")
_REASON = ("description", "statusdescription", "reason", "details", "detail", "error")
_URL = ("url", "link", "clickedurl")
_RESPONSE = ("smtpresponse", "response", "diagnosticcode")
_SUBJECT = ("subject", "asunto")
_CAMPAIGN = ("campaign", "campaignid")
_CHANNEL = ("channel", "canal")
COLUMNS = frozenset(
    (*_MESSAGE, *_RECIPIENT, *_SENDER, *_STATUS, *_REASON, *_URL, *_RESPONSE, *_SUBJECT, *_CAMPAIGN, *_CHANNEL)
)
"""Columns that mean something here, as `moments.plain` writes them."""
WHOSE = frozenset((*_MESSAGE, *_RECIPIENT, *map(plain, REFERENCES)))
"""Those that tell which mail a row is about, or whom it went to."""

EMAIL = "E"
"""The letter of the channel whose messages are e-mails."""
_PHONE = re.compile(r"\+?[\d\s().-]{5,}")
_OTHER_CHANNEL = "rows of other channels than e-mail make no events"
_NO_STATUS = "rows show no status; their only event is that the vendor took the mail"


def events_of(
    provider: str, stream: str, record: Record, *, channel: str = EMAIL, references: Sequence[str] = REFERENCES
) -> Iterator[Record]:
    """Yield that the vendor took the mail, and what its status tells; nothing of a row of another channel.

    The events of a row with a reference belong to its mail: all rows of that mail tell of the same `queued`.
    `channel` is the one asked for (empty: none), `references` are the columns that may hold the mail's reference.
    """
    row = row_of(record)
    if not _is_email(row, channel):
        return
    zone = zone_of_times(record, row)
    dates = dates_of(row, zone)
    key = record["record_id"] if stream == LOGS else record["row_id"]
    columns = _columns(row)
    events = EventRow(
        provider,
        stream,
        record,
        key=mail_key(row, references, zone) or _lasting(columns, dates) or key,
        message_id=_first(columns, _MESSAGE),
        recipient=_first(columns, _RECIPIENT),
        sender=_first(columns, _SENDER),
        subject=_first(columns, _SUBJECT),
        campaign=_first(columns, _CAMPAIGN),
    )
    yield events.queued(TAKEN, at=None if dates.message is None else str(dates.message))
    status = _first(columns, _STATUS)
    if status is None or STATUSES[status].event_type == "queued":
        return
    reached = None if dates.status is None else str(dates.status)
    reason, response = _first(columns, _REASON), _first(columns, _RESPONSE)
    yield events.event(
        STATUSES,
        status,
        own={"status": status.strip().upper(), "at": reached},
        at=reached or (None if dates.message is None else str(dates.message)),
        reason=reason,
        smtp_response=response,
        # A reason may hold a server's answer; only an undoubted code is taken from it.
        reply=None if response else smtp.parse(reason, certain=True),
        url=_first(columns, _URL),
    )


def remark_on(record: Record, *, channel: str = EMAIL) -> str | None:
    """Say why a row makes fewer events than it has things to tell."""
    row = row_of(record)
    if not _is_email(row, channel):
        return _OTHER_CHANNEL
    return _NO_STATUS if _first(_columns(row), _STATUS) is None else None


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    return {plain(name): value for name, value in row.items() if str("" if value is None else value).strip()}


def _first(columns: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    found = next((columns[name] for name in names if name in columns), None)
    return found if isinstance(found, str) or found is None else str(found)


def _lasting(columns: Mapping[str, Any], dates: Dates) -> tuple[str | None, ...] | None:
    """Return what never changes in a row without a reference; None: that is not enough to tell mails apart."""
    recipient = _first(columns, _RECIPIENT)
    if recipient is None or dates.message is None:
        return None
    return None, recipient, str(dates.message), _first(columns, _SENDER), _first(columns, _SUBJECT)


def _is_email(row: Mapping[str, Any], asked: str) -> bool:
    """Whether a row tells of an e-mail: by its channel, or else by the channel that was asked for.

    Where neither says anything, a telephone number as recipient does.
    """
    if asked not in ("", EMAIL):
        return False
    columns = _columns(row)
    shown = _first(columns, _CHANNEL)
    if shown is not None:
        word = shown.strip().casefold()
        return word == EMAIL.casefold() or "mail" in word or "correo" in word
    return bool(asked) or not _PHONE.fullmatch((_first(columns, _RECIPIENT) or "").strip())

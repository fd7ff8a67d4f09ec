"""What ZeptoMail's rows mean in `email_events`.

Both streams give one `queued` event per mail and recipient, whatever the status is, and further ones for what a status
or the details tell. `docs/providers/zeptomail.md` says how ids are made, so that a row that was read early and one that
was read late give the same.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC
from typing import TYPE_CHECKING, Any

import msgspec

from tap_emaillogs.formats import addresses, dates, smtp
from tap_emaillogs.formats.values import NO_KEY
from tap_emaillogs.streams.events import EventRow
from tap_emaillogs.streams.meanings import MappingTable, Meaning
from tap_emaillogs.streams.undocumented import RECIPIENTS, first

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo

    from tap_emaillogs.streams.records import Record

MAIL_LOGS, EMAILS = "zeptomail_mail_logs", "zeptomail_emails"
REFERENCES = ("email_reference", "message_id", "request_id")
OWN_DATES = ("processed_time", "sent_time", "created_time", "date", "time")
_STATUS_DATES = ("status_time", "status_date", "event_time", "modified_time")
_STATUSES = ("status", "email_status", "mail_status", "delivery_status")
_REASONS = ("reason", "bounce_reason", "failure_reason", "error", "error_message")
_CATEGORIES = ("bounce_category", "category")
_SENDERS = ("from", "sender", "from_address")

QUEUED = Meaning("queued", "ZeptoMail took it.")
_WAITING = "On its way, which the `queued` event of every mail says; nothing more."
_DELIVERED = Meaning("delivered", "The receiving server took it.")
_SOFT = Meaning("bounced", "The receiving server refuses for now.", bounce_class="soft")
_HARD = Meaning("bounced", "The receiving server refuses for good.", bounce_class="hard")
_FAILED = Meaning("failed", "ZeptoMail could not process or send it.", reject_reason="other")
_SENT = Meaning("sent", "Handed over to the receiving side; no outcome is known.")
_SEVERAL = "Multiple status"
STATUSES = MappingTable(
    "status",
    {
        "Queued": Meaning("queued", _WAITING),
        "Processed": Meaning("queued", _WAITING),
        "Sent": _SENT,
        "Delivered": _DELIVERED,
        "Process failed": _FAILED,
        "Soft bounce": _SOFT,
        "Hard bounce": _HARD,
        _SEVERAL: Meaning("queued", "Its recipients' statuses differ and are not told: no outcome; nothing more."),
    },
    streams=(MAIL_LOGS, EMAILS),
    at="the status's own date (`status_time`, `status_date`, `event_time`, `modified_time`; `time` where the mail has "
    "another date), else the mail's",
    cases={"every mail and recipient": QUEUED},
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
    streams=(EMAILS,),
    at="the entry's own `first_event_time`, else its `time`",
)
MAPPINGS = (STATUSES, OUTCOMES)
_RESULTS = ("delivered", "softbounce", "hardbounce", "mailfailure")
_VISITS = ("email_open", "email_link_click")


def events(stream: str, record: Record) -> Iterator[Record]:
    """Derive the events of a record of either stream; activity logs and the suppression list have none."""
    if stream == MAIL_LOGS:
        yield from of_mail_log(record, REFERENCES, UTC)
    elif stream == EMAILS:
        yield from of_email(record)


def remark(stream: str, record: Record) -> str | None:
    """Say which rows tell no outcome though their mail may have one."""
    if stream == MAIL_LOGS:
        status = status_of(_cells(record))
        if status is None:
            return "rows without a status, which tell nothing but that their mail was queued"
        if _is_several(status):
            return f'rows with "{_SEVERAL}", which do not tell what became of which recipient'
    if stream == EMAILS and _is_several(record["status"]) and not record["email_delivery_details"]:
        return f'e-mails with "{_SEVERAL}", of which only details: true tells what became of which recipient'
    return None


def status_of(cells: Mapping[str, Any]) -> str | None:
    """Return a row's status; None: it shows none."""
    found = first({name: cells[name] for name in _STATUSES if cells.get(name)}, _STATUSES)
    return found if isinstance(found, str) else None


def _is_several(status: str | None) -> bool:
    return STATUSES[status] is STATUSES.meanings[_SEVERAL]


# Mail logs.


def of_mail_log(record: Record, references: tuple[str, ...], zone: tzinfo) -> Iterator[Record]:
    """For each recipient: that the mail was queued, and what the row's status tells.

    Args:
        record: The record of a row.
        references: Columns that may hold the vendor's reference of the mail.
        zone: Where a date without an offset was written.
    """
    cells = _cells(record)
    reference, own_date = _text(first(cells, references)), _text(first(cells, OWN_DATES))
    status, written = status_of(cells), status_date(cells)
    at = record["event_at"]
    status_at = (dates.utc_text(written, zone) if written else None) or at
    reason = _text(first(cells, _REASONS))
    receivers = _addresses(_text(first(cells, RECIPIENTS)))
    for receiver in receivers or (None,):
        name = addresses.canonical(receiver) if receiver else None
        sender = _text(first(cells, _SENDERS))
        # Without a reference, what never changes: its status must not be in the key of an event that stays.
        lasting = (None, name, own_date, sender, record["subject"]) if name and own_date else None
        row = EventRow(
            "zeptomail",
            MAIL_LOGS,
            record,
            key=(reference, name, own_date) if reference else lasting or (record["row_id"], name),
            message_id=record["message_id"],
            recipient=receiver,
            sender=sender,
            subject=record["subject"],
            campaign=record["client_reference"],
        )
        yield row.queued(QUEUED, at=at)
        if status is not None and STATUSES[status].event_type != "queued":
            own = {"status": status, "at": written}
            why = reason or _text(first(cells, _CATEGORIES))
            yield row.event(STATUSES, status, own=own, at=status_at, reason=why, **_answer(reason))


def _cells(record: Record) -> dict[str, Any]:
    """Return the columns of a row that have a value, those that the schema does not declare among them."""
    extra = record["extra_fields"]
    whole = {**record, **msgspec.json.decode(extra)} if extra else record
    return {name: value for name, value in whole.items() if value not in (None, "", [], {})}


def status_date(cells: Mapping[str, Any]) -> str | None:
    """Return the date of the row's status as it is written; None: no column is known to hold one."""
    found = first(cells, _STATUS_DATES)
    if found is None and any(name in cells for name in OWN_DATES[:-2]):
        found = cells.get("time")  # beside a date of the mail's own it is the status's, as in the delivery details
    return _text(found)


def _addresses(text: str | None) -> list[str]:
    """Return the different addresses in a cell; a text without any as it is."""
    if not text:
        return []
    found = addresses.ADDRESS.findall(text) if text.lstrip()[:1] in ("[", "{") else addresses.split(text)
    different: dict[str, str] = {}
    for one in found:
        different.setdefault(addresses.canonical(one), one)
    return list(different.values()) or [text]


def _answer(reason: str | None) -> dict[str, Any]:
    """Return the server's answer and its codes where a reason undoubtedly holds one."""
    reply = smtp.parse(reason, certain=True)
    return {"smtp_response": None if reply == smtp.NO_REPLY else reason, "reply": reply}


# GET /email.


def of_email(record: Record) -> Iterator[Record]:
    """For each recipient: that the mail was queued, and each outcome; opens and clicks, where they are known.

    An outcome is known from the status, or from the details with its time and reason. Either way it has the same id:
    the mail's, the recipient's, the kind of outcome and, of several of a kind, its place in time.
    """
    at = record["processed_time"] or record["sent_time"]
    outcomes, receivers = _outcomes(record)
    row = EventRow(
        "zeptomail",
        EMAILS,
        record,
        key=_key(record),
        message_id=record["message_id"],
        recipient=next(iter(receivers.values())) if len(receivers) == 1 else None,
        sender=record["from"],
        subject=record["subject"],
        campaign=record["client_reference"],
    )
    for name, receiver in receivers.items():
        yield row.queued(QUEUED, at=at, recipient=receiver, own={"recipient": name})
    for (name, outcome), entries in outcomes.items():
        for entry in sorted(entries, key=lambda one: str(one.get("time") or "")):
            reason = entry.get("reason") or entry.get("category")
            yield row.event(
                _meaning(outcome),
                entry.get("said") or outcome,
                own={"outcome": outcome, "recipient": name},
                at=entry.get("time") or at,
                recipient=receivers.get(name),
                reason=reason,
                **_answer(entry.get("reason")),
            )
    details = record["details"] or {}
    full = details.get("email_tracking_details") if isinstance(details.get("email_tracking_details"), dict) else None
    for name, entry in _entries(full or record["email_tracking_details"], _VISITS):
        yield _visit(row, name, entry)


def _key(record: Record) -> tuple[str | None, ...]:
    if record["email_reference"] != NO_KEY:
        return (record["email_reference"],)
    return NO_KEY, record["request_id"], record["message_id"], record["processed_time"]


_Outcomes = dict[tuple[str | None, str], list["Mapping[str, Any]"]]


def _outcomes(record: Record) -> tuple[_Outcomes, dict[str | None, str | None]]:
    """Return what is known of each recipient, by recipient and kind of outcome; and the recipients.

    The status is that of every recipient in `to`, unless the details tell the same of one. What the details tell of
    nobody by name is the only recipient's, or else nobody's: that does not change when the status does.
    """
    receivers: dict[str | None, str | None] = {}
    for text in record["to"] or ():
        receivers.update({addresses.canonical(one): one for one in _addresses(text)})
    receivers = receivers or {None: None}
    named = list(receivers)
    outcomes: _Outcomes = defaultdict(list)
    for kind, entry in _entries(record["email_delivery_details"], _RESULTS):
        one = addresses.bare(entry.get("recipient"))
        name = addresses.canonical(one) if one else (named[0] if len(named) == 1 else None)
        outcomes[name, kind].append(entry)
        if one:
            receivers.setdefault(name, one)
    status = record["status"]
    if status is not None and STATUSES[status].event_type != "queued":
        for name in named:
            if (name, _kind(status)) not in outcomes:
                outcomes[name, _kind(status)].append({"said": status})
    return outcomes, receivers


def _kind(status: str) -> str:
    """Return the kind of outcome of a status, as the details name it; one of its own where they have none."""
    meaning = STATUSES[status]
    return next((kind for kind in _RESULTS if OUTCOMES[kind] == meaning), status.strip().lower())


def _meaning(outcome: str) -> Meaning:
    return OUTCOMES[outcome] if outcome in OUTCOMES else STATUSES[outcome]


def _visit(row: EventRow, name: str, entry: Mapping[str, Any]) -> Record:
    """Return an open or click. An entry with a first time gathers several: only its latest time goes on."""
    began = _moment(entry.get("first_event_time"))
    client = entry.get("email_client")
    client = client if isinstance(client, dict) else {}
    moving = {"time", "count", "event_count"} if began else {"event_count"}
    return row.event(
        OUTCOMES,
        name,
        own={name: {key: value for key, value in entry.items() if key not in moving}},
        at=began or _moment(entry.get("time")),
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

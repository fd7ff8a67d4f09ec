"""What JetEmail's mails become in `email_events`.

A mail's row grows: attempts, opens and clicks are added and none goes. So do its events. Everything here must stay
so: what a row gave once, each later version of it gives too, under the same id.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats import addresses
from tap_emaillogs.formats.values import NO_KEY
from tap_emaillogs.streams.events import EventRow
from tap_emaillogs.streams.meanings import MappingTable, Meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_emaillogs.streams.records import Record

_STREAM = "jetemail_outbound_logs"
_TAKEN = Meaning(
    "queued",
    "JetEmail took the mail, whatever came of it. Recipients are the row's `receiver` and those of its attempts, or "
    "its `to_address` where neither names one.",
)
ATTEMPTS = MappingTable(
    "`action` of each of `delivery_attempts`",
    {
        "QUEUED": Meaning("queued", "Waits for its turn: no event beside the recipient's one `queued` (below)."),
        "ACCEPTED": Meaning("delivered", "The receiving server took it."),
        "DEFERRED": Meaning("deferred", "Refused for now; the vendor tries again."),
        "BOUNCED_HARD": Meaning("bounced", "Refused for good.", bounce_class="hard"),
        "BOUNCED_SOFT": Meaning("bounced", "Refused for now, and given up.", bounce_class="soft"),
        "REJECTED": Meaning("rejected", "Not accepted; the vendor names no kind of reason.", reject_reason="other"),
        "SPAM": Meaning("rejected", "Stopped as spam.", reject_reason="spam"),
        "VIRUS": Meaning("rejected", "Stopped because of a virus.", reject_reason="virus"),
    },
    streams=(_STREAM,),
    at="the attempt's own `date`; of `queued`, the row's `first_seen`",
    cases={"every row, once for each recipient": _TAKEN},
)
READING = MappingTable(
    "`opens` and `clicks`",
    {
        "opens": Meaning("opened", "One event per entry of `opens`."),
        "clicks": Meaning("clicked", "One event per entry of `clicks`."),
    },
    streams=(_STREAM,),
    at="the open's or click's own `date`",
)
_WAITING = re.compile(r"queue|pending|wait|defer|retry", re.IGNORECASE)
"""Values of `delivery_status`, which is not documented, that are no outcome; the vendor's client knows
`queued_pending`."""


def events(provider: str, stream: str, record: Record) -> Iterator[Record]:
    """Yield a `queued` for each recipient, and an event per attempt, open and click; their order means nothing."""
    row = EventRow(
        provider,
        stream,
        record,
        key=record["uid"],
        message_id=record["message_id"] or (None if record["uid"] == NO_KEY else record["uid"]),
        recipient=record["receiver"] or record["to_address"],
        sender=record["sender"] or record["from_address"],
        subject=record["subject"],
    )
    attempts = _attempts(record)
    # No id has a recipient in it: they are numbered, so that one which is told later changes none.
    for recipient in _recipients(record, attempts):
        yield row.queued(_TAKEN, at=record["first_seen"], recipient=recipient)
    # The row has one reason for all bounces: the latest one's.
    bounced = max((_moment(attempt) for attempt in attempts if _is(attempt, "bounced")), default="")
    for attempt in attempts:
        if _is(attempt, "queued"):
            continue
        latest = _is(attempt, "bounced") and _moment(attempt) == bounced
        yield row.event(
            ATTEMPTS,
            attempt.get("action"),
            own={"attempt": attempt},
            at=_moment(attempt) or None,
            recipient=attempt.get("receiver"),
            reason=record["bounce_reason"] if latest else None,
            smtp_response=attempt.get("response"),
        )
    for kind in READING.meanings:
        for entry in record[kind] or ():
            if entry:
                yield row.event(
                    READING,
                    kind,
                    own={kind: entry},
                    at=entry.get("date"),
                    url=entry.get("original_url"),
                    user_agent=entry.get("email_client"),
                    country=entry.get("country"),
                )


def remark(record: Record) -> str | None:
    """Say so when a row tells an outcome that none of its attempts shows.

    An event made of it would have to go once the attempt comes.
    """
    if record["uid"] == NO_KEY:
        return (
            "a row comes without a uid, which stands as `-` in the primary key: of such rows a target that upserts "
            "keeps one"
        )
    attempts, status = _attempts(record), record["delivery_status"]
    if any(not _is(attempt, "queued", "deferred") for attempt in attempts):
        return None
    told = status or (not attempts and (record["final_response"] or record["bounce_reason"]))
    if not told or (status and _WAITING.search(status)):
        return None
    return (
        "an outcome (delivery_status, final_response or bounce_reason) that no entry of delivery_attempts shows makes "
        "no event in email_events; the columns of the raw stream have it"
    )


def _attempts(record: Record) -> list[Mapping[str, Any]]:
    return [attempt for attempt in record["delivery_attempts"] or () if attempt]


def _recipients(record: Record, attempts: Iterable[Mapping[str, Any]]) -> list[str | None]:
    """Return the mail's recipients, each once: the row's own, then those of its attempts in the order of time.

    There is always one, unnamed where nothing names it; later versions of a row have as many or more.
    """
    tried = sorted((_moment(attempt), attempt.get("receiver") or "") for attempt in attempts)
    found: dict[str, str] = {}
    for name in (record["receiver"], *(receiver for _, receiver in tried)):
        if name:
            found.setdefault((addresses.bare(name) or name).casefold(), name)
    return [*found.values()] or [None]


def _moment(attempt: Mapping[str, Any]) -> str:
    return str(attempt.get("date") or attempt.get("timestamp") or "")


def _is(attempt: Mapping[str, Any], *kinds: str) -> bool:
    return ATTEMPTS[attempt.get("action")].event_type in kinds

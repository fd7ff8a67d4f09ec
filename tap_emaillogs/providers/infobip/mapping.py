"""What Infobip's states become in `email_events`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tap_emaillogs import smtp
from tap_emaillogs.events import EventRow, MappingTable, Meaning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_emaillogs.records import Record

GROUPS = MappingTable(
    "`status.groupName`",
    {
        "ACCEPTED": Meaning("queued", "Taken in by the vendor; more statuses follow."),
        "PENDING": Meaning("queued", "On its way."),
        "UNDELIVERABLE": Meaning(
            "bounced",
            "The receiving server refused it; `error.permanent`, where the vendor gives it, tells hard from soft.",
            bounce_class="undetermined",
        ),
        "DELIVERED": Meaning("delivered", "The receiving server took it."),
        "EXPIRED": Meaning("failed", "Its time to live ended before it could be delivered.", reject_reason="timed_out"),
        "REJECTED": Meaning(
            "rejected", "The vendor did not send it: credits, settings, a blocklist.", reject_reason="other"
        ),
    },
    streams=("infobip_email_logs",),
    at="`doneAt` when the status is final (UNDELIVERABLE, DELIVERED, EXPIRED, REJECTED), else `sentAt`",
)
PERMANENT = MappingTable(
    "`error.permanent`, of UNDELIVERABLE",
    {
        "true": Meaning("bounced", "Another try is of no use.", bounce_class="hard"),
        "false": Meaning("bounced", "Another try may help.", bounce_class="soft"),
    },
    streams=("infobip_email_logs",),
    at="as above",
)
_FINAL = frozenset({"UNDELIVERABLE", "DELIVERED", "EXPIRED", "REJECTED"})
_WITH_REASON = frozenset({"bounced", "failed", "rejected"})
_CODE_IN_NAME = re.compile(r"(?:^|_)(?:SMTP|EMAIL|EC)_([45][0-5]\d)(?:_([45])_([0-7])_(\d{1,3}))?(?:_|$)")
"""Error names are not a documented list; one counts as telling a code only where the code can be nothing else."""


def events(provider: str, stream: str, record: Record) -> Iterator[Record]:
    """One event for the state that the row reports; a later state is another event."""
    status, error = record["status"] or {}, record["error"] or {}
    group = status.get("groupName")
    meaning, permanent = GROUPS[group], error.get("permanent")
    if meaning.event_type == "bounced" and permanent is not None:
        meaning = PERMANENT["true" if permanent else "false"]
    row = EventRow(
        provider,
        stream,
        record,
        key=(record["messageId"], record["to"]),
        message_id=record["messageId"],
        recipient=record["to"],
        sender=record["from"],
    )
    final = group is not None and group.upper() in _FINAL
    explained: dict[str, Any] = _explanation(status, error) if meaning.event_type in _WITH_REASON else {}
    yield row.event(
        meaning,
        group,
        own={"status": {"groupName": group, "name": status.get("name")}},
        at=(record["doneAt"] if final else None) or record["sentAt"],
        **explained,
    )


def _explanation(status: Mapping[str, Any], error: Mapping[str, Any]) -> dict[str, Any]:
    """Return why it failed, and the codes where the error's text or name has them."""
    if error.get("groupName") == "OK":
        return {"reason": status.get("description")}
    name, text = error.get("name"), error.get("description")
    reply = smtp.parse(text, certain=True)
    match = _CODE_IN_NAME.search(name or "") if reply == smtp.NO_REPLY else None
    if match is not None:
        code, *parts = match.groups()
        reply = smtp.Reply(int(code), ".".join(parts) if None not in parts and parts[0] == code[0] else None)
    answer = text if match is None and reply.code is not None else None
    return {"reason": text or name or status.get("description"), "smtp_response": answer, "reply": reply}

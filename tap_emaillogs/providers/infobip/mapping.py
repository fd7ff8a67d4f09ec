"""What Infobip's states become in `email_events`.

A row shows the latest state of one mail to one recipient. Every version of it tells that the mail was taken, at
`sentAt`; a final one tells one thing more, under an id that depends on the status group alone, since all else about
a status may be filled in later: its name, its description, `doneAt`, the error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats import smtp
from tap_emaillogs.formats.values import NO_KEY
from tap_emaillogs.streams.events import EventRow
from tap_emaillogs.streams.meanings import MappingTable, Meaning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_emaillogs.streams.records import Record

TAKEN = Meaning("queued", "The vendor took the mail, at `sentAt`: one event per row, whatever its status is.")
GROUPS = MappingTable(
    "`status.groupName`",
    {
        "ACCEPTED": Meaning("queued", "Taken in by the vendor: nothing more than the event above."),
        "PENDING": Meaning("queued", "On its way: nothing more than the event above."),
        "UNDELIVERABLE": Meaning(
            "bounced",
            "The receiving server refused it, and the row has no error, or one without `permanent`.",
            bounce_class="undetermined",
        ),
        "DELIVERED": Meaning("delivered", "The receiving server took it."),
        "EXPIRED": Meaning("failed", "Its time to live ended before it could be delivered.", reject_reason="timed_out"),
        "REJECTED": Meaning(
            "rejected", "The vendor did not send it: credits, settings, a blocklist.", reject_reason="other"
        ),
    },
    streams=("infobip_email_logs",),
    at="`doneAt`, else `sentAt`; that of `queued` is always `sentAt`",
    cases={"*every row*": TAKEN},
)
PERMANENT = MappingTable(
    "`error.permanent`, of UNDELIVERABLE with an error",
    {
        "true": Meaning("bounced", "Another try is of no use.", bounce_class="hard"),
        "false": Meaning("bounced", "Another try may help.", bounce_class="soft"),
    },
    streams=("infobip_email_logs",),
    at="as above",
)
_NUMBERS: dict[Any, str] = {1: "PENDING", 2: "UNDELIVERABLE", 3: "DELIVERED", 4: "EXPIRED", 5: "REJECTED"}
_WITH_REASON = frozenset({"bounced", "failed", "rejected"})
_CODE_IN_NAME = re.compile(r"(?:^|_)(?:SMTP|EMAIL|EC)_([45][0-5]\d)(?:_([45])_([0-7])_(\d{1,3}))?(?:_|$)")
"""Error names are not a documented list; one counts as telling a code only where the code can be nothing else."""


def events(provider: str, stream: str, record: Record) -> Iterator[Record]:
    """That the mail was taken, and what became of it where the row tells."""
    status, error = record["status"] or {}, record["error"] or {}
    message, recipient = _given(record["messageId"]), _given(record["to"])
    row = EventRow(
        provider,
        stream,
        record,
        key=(message, recipient),
        message_id=message,
        recipient=recipient,
        sender=record["from"],
        campaign=record["campaignReferenceId"] or record["bulkId"],
    )
    yield row.queued(TAKEN, at=record["sentAt"])
    group = _group(status)
    if group is None:  # nothing is shown, and what is shown later must leave nothing behind
        return
    meaning = GROUPS[group]
    if meaning.event_type == "queued":
        return
    if meaning.event_type == "bounced" and not _is_none(error) and error.get("permanent") is not None:
        meaning = PERMANENT["true" if error["permanent"] else "false"]
    explained: dict[str, Any] = _explanation(status, error) if meaning.event_type in _WITH_REASON else {}
    yield row.event(
        meaning,
        group,
        own={"status": group and group.strip().upper()},
        at=record["doneAt"] or record["sentAt"],
        **explained,
    )


def _group(status: Mapping[str, Any]) -> str | None:
    """Return the name of a status's group, by its documented number where the name is left out; None: it shows none."""
    name, number = status.get("groupName"), status.get("groupId")
    return name if isinstance(name, str) and name.strip() else _NUMBERS.get(number)


def remark(record: Record) -> str | None:
    """Say what is missing in a row: a part of its key, or its status; None: nothing."""
    if missing := missing_key(record):
        return missing
    return None if _group(record["status"] or {}) else "a row shows no status, which makes no event beside `queued`"


def missing_key(record: Record) -> str | None:
    """Say which part of a row's key the vendor left out; None: none."""
    parts = [name for name in ("messageId", "to") if record[name] == NO_KEY]
    if not parts:
        return None
    return (
        f"a row comes without {' and '.join(parts)}, which stands as `-` in the primary key: of rows with the same key "
        "a target that upserts keeps one"
    )


def _given(part: str) -> str | None:
    return None if part == NO_KEY else part


def _is_none(error: Mapping[str, Any]) -> bool:
    """Whether an error says that there is none: NO_ERROR, number 0, or the group OK, which is also spelled Ok.

    A number or name of its own tells of an error in whatever group (the vendor's own samples have some in OK).
    """
    if (error.get("name") or "").strip().upper() == "NO_ERROR" or not error:
        return True
    number = error.get("id")
    return (error.get("groupName") or "").strip().upper() == "OK" if number is None else number == 0


def _explanation(status: Mapping[str, Any], error: Mapping[str, Any]) -> dict[str, Any]:
    """Return why it failed, and the codes where the error's text or name has them."""
    of_status = status.get("description") or status.get("name")
    if _is_none(error):
        return {"reason": of_status}
    name, text = error.get("name"), error.get("description")
    reply = smtp.parse(text, certain=True)
    match = _CODE_IN_NAME.search(name or "") if reply == smtp.NO_REPLY else None
    if match is not None:
        code, *parts = match.groups()
        reply = smtp.Reply(int(code), ".".join(parts) if None not in parts and parts[0] == code[0] else None)
    answer = text if match is None and reply.code is not None else None
    return {"reason": text or name or of_status, "smtp_response": answer, "reply": reply}

"""`email_events`: one vocabulary for all vendors, derived from records already read.

`Provider.events(stream, record)` yields one `EventRow.event(…)` for each thing that happened
(`providers/jetemail/mapping.py` is an example with all of it; the tables are explained in `meanings.py`):

    row = EventRow("zeptomail", stream, record, key=record["row_id"], message_id=record["message_id"],
                   recipient=record["recipient"] or record["to"], sender=record["from"], subject=record["subject"])
    yield row.event(STATUSES, record["status"], own={}, at=record["event_at"], reason=record["reason"])

`own` are the fields that tell the event from the row's others, under a name that tells its kind: `{"open": {…}}`;
`{}` where the row is the event. They must be declared fields that stay the same when the row is read again. With
provider, account and `key` they make `event_id`; exact twins within a row are numbered by the `EventRow`, so make one
per record. A key of several parts is a tuple, `key=(record["messageId"], record["to"])`; its first part becomes
`provider_event_id`.

`recipient` and `sender` may be `"Name" <a@b>`; the domain and the SMTP codes are found here. What the vendor does not
say is left out, which makes it null.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream, StreamSchema

from tap_emaillogs.formats import addresses, smtp
from tap_emaillogs.streams.meanings import MappingTable
from tap_emaillogs.streams.records import canonical, digest, encode, twin_key
from tap_emaillogs.streams.remarks import Remarks
from tap_emaillogs.streams.schemas import SCHEMAS
from tap_emaillogs.streams.twins import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.meanings import Meaning
    from tap_emaillogs.streams.provider import Provider
    from tap_emaillogs.streams.records import Record

    Derive = Callable[[Record], Iterable[Record]]
    """Makes records of a record."""
    Deriving = Callable[[], AbstractContextManager[Derive]]
    """Opens a window, inside of which records are derived."""


_MOST_WARNINGS = 50
"""A vendor with more unknown statuses writes something else there."""


class EventRow:
    """Makes the events of one raw record: what they share, and a key for each."""

    __slots__ = (
        "_account",
        "_campaign",
        "_from",
        "_identity",
        "_key",
        "_message_id",
        "_provider",
        "_seen",
        "_stream",
        "_subject",
        "_to",
    )

    def __init__(  # noqa: PLR0913 - columns, all by name
        self,
        provider: str,
        stream: str,
        record: Record,
        *,
        key: str | tuple[str | None, ...],
        message_id: str | None = None,
        recipient: str | None = None,
        sender: str | None = None,
        subject: str | None = None,
        campaign: str | None = None,
    ) -> None:
        parts = key if isinstance(key, tuple) else (key,)
        self._provider, self._account, self._stream = provider, record["account"], stream
        self._key, self._message_id, self._campaign, self._subject = parts[0], message_id, campaign or None, subject
        self._to, self._from = addresses.mailbox(recipient), addresses.mailbox(sender)
        self._identity = _identity_start(provider, self._account) + encode(parts)[1:] + b"}"
        self._seen: dict[bytes, int] = {}

    def queued(
        self, why: Meaning, *, at: str | None, recipient: str | None = None, own: Mapping[str, Any] | None = None
    ) -> Record:
        """Return the event that every mail and recipient has: that the vendor took it.

        It depends on nothing that changes later: no status, no attempt. `own` tells recipients of one row apart.
        """
        return self.event(why, None, own={"queued": own or {}}, at=at, recipient=recipient)

    def event(  # noqa: PLR0913 - columns, all by name
        self,
        table: MappingTable | Meaning,
        provider_event: str | None,
        *,
        own: Mapping[str, Any],
        at: str | None,
        recipient: str | None = None,
        reason: str | None = None,
        smtp_response: str | None = None,
        reply: smtp.Reply | None = None,
        url: str | None = None,
        user_agent: str | None = None,
        ip: str | None = None,
        country: str | None = None,
    ) -> Record:
        """Return one event.

        Args:
            table: Where `provider_event` is looked up, or a meaning already found.
            provider_event: The vendor's own word, verbatim.
            own: The fields that tell this event from the row's others (see above).
            at: When it happened, RFC 3339 UTC.
            recipient: Whom it is about, where that is not the row's recipient.
            reason: The vendor's explanation.
            smtp_response: The server's answer, verbatim; its codes are taken from it.
            reply: The codes, where they come from elsewhere.
            url: The link that was clicked.
            user_agent: The recipient's client.
            ip: The recipient's address, never a mail server's.
            country: The recipient's, as the vendor names it.
        """
        meaning = table[provider_event] if isinstance(table, MappingTable) else table
        codes = smtp.parse(smtp_response) if reply is None else reply
        content = self._identity + canonical(own, tuple(own)) if own else self._identity
        place = self._seen.get(content, 0)
        self._seen[content] = place + 1
        to = addresses.mailbox(recipient) if recipient else self._to
        return {
            "event_id": twin_key(content, place),
            "provider": self._provider,
            "account": self._account,
            "stream": self._stream,
            "provider_event_id": self._key,
            "message_id": self._message_id,
            "recipient": to.address,
            "recipient_domain": to.domain,
            "sender": self._from.address,
            "sender_domain": self._from.domain,
            "campaign": self._campaign,
            "subject": self._subject,
            "event_type": meaning.event_type,
            "bounce_class": meaning.bounce_class,
            "reject_reason": meaning.reject_reason,
            "provider_event": provider_event,
            "reason": reason or None,
            "smtp_response": smtp_response or None,
            "smtp_code": codes.code,
            "smtp_enhanced_code": codes.enhanced,
            "url": url or None,
            "user_agent": user_agent or None,
            "ip": ip or None,
            "country": country or None,
            "event_at": at,
        }


@lru_cache(maxsize=1 << 10)
def _identity_start(provider: str, account: str) -> bytes:
    """Return how the canonical form of every identity of an account begins, before the parts of the key."""
    return canonical({"": [provider, account]}, ("",)).removesuffix(b"]}") + b","


def _told_apart(event: Record, counts: Counts) -> bool:
    """Number an event among its twins in other rows of the window; False: it was there already.

    Where a vendor has a row per event, each row of a mail tells of the one time that the mail was queued. Rows without
    a reference of their mail do not show whether they are of one mail: each counts.
    """
    place = counts.place(bytes.fromhex(event["event_id"]))
    if place and event["event_type"] == "queued" and event["provider_event_id"] is not None:
        return False
    if place:
        event["event_id"] = digest(event["event_id"].encode(), str(place).encode())
    return True


class EmailEvents(Stream):
    """The unified stream; every provider derives its events from its own records."""

    name = "email_events"
    schema: ClassVar[StreamSchema[str]] = StreamSchema(SCHEMAS)
    primary_keys = ("event_id",)
    replication_key = "event_at"

    def __init__(self, tap: Tap) -> None:
        super().__init__(tap)
        self._warned: set[tuple[str, str | None]] = set()
        self._remarks = Remarks()

    @property
    def partitions(self) -> list[dict[str, Any]]:
        """One partition per endpoint that feeds the stream."""
        return self._tap.event_contexts()  # type: ignore[attr-defined,no-any-return]

    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Read what is due for this stream alone, as `--test` does."""
        return self._tap.records_of(self, context)  # type: ignore[attr-defined,no-any-return]

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """No signpost: bookmarks are window ends."""

    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        """Do nothing: bookmarks are window ends."""

    def deriving(self, provider: Provider, stream: LogStream) -> Deriving:
        """Return what makes events of the records of one window of `stream`.

        It warns once of each value that has no mapping.
        """

        @contextmanager
        def window() -> Iterator[Callable[[Record], list[Record]]]:
            with Counts() as counts:

                def derive(record: Record) -> list[Record]:
                    found = list(stream.events(record))
                    events = [one for one in found if _told_apart(one, counts)] if stream.row_per_event else found
                    for event in events:
                        if event["event_type"] == "unknown":
                            self._warn(provider, stream.name, event["provider_event"])
                    return events

                yield derive

        return window

    def note_remarks(self, stream: str, remarks: Mapping[str, int]) -> None:
        """Count what was remarked of the records of a window that is out."""
        for remark, count in remarks.items():
            self._remarks.add(stream, remark, count)

    def tell_remarks(self) -> None:
        """Warn of what was remarked in this run, once each, with how many records it concerns."""
        self._remarks.tell(self.logger)

    def _warn(self, provider: Provider, stream: str, value: str | None) -> None:
        if (
            (provider.name, value) in self._warned
            or len(self._warned) >= _MOST_WARNINGS
            or any(value in table for table in provider.mappings)
        ):
            return
        self._warned.add((provider.name, value))
        said = "no status" if value is None else f"the status {addresses.ADDRESS.sub('…', value[:400])[:80]!r}"
        self.logger.warning(
            "%s: a record has %s, which this tap has no mapping for; it is `unknown` in email_events and verbatim in "
            "provider_event",
            stream,
            said,
        )

"""A mail, or a saved file, as a place where a report may be: what tells whose it is, and the tables inside.

Links in a mail are never followed, and nothing outside of its own bytes is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import getaddresses
from typing import TYPE_CHECKING

from imap_tools import MailMessage

from tap_emaillogs.streams.records import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ENDINGS = (".csv", ".csv.gz", ".zip")
_TYPES = {
    *("text/csv", "application/csv", "application/zip", "application/x-zip-compressed"),
    *("application/gzip", "application/x-gzip"),
}
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)
"""What parsing a malformed mail raises; a mailbox holds anything."""
_MOST_TEXT = 1 << 18
_SHORT_SUBJECT = 40


@dataclass(frozen=True)
class Mail:
    """One mail or saved file."""

    key: str
    """Tells it from all others, from run to run."""
    texts: str = field(repr=False)
    """Subject, body and file names, in lower case: where a request's id may stand."""
    files: Callable[[], Sequence[bytes]] = field(repr=False)
    """Return the contents of its tables: attachments named `.csv`, `.csv.gz` or `.zip`."""
    date: datetime | None = None
    sender: str = ""
    """Address of its only sender, in lower case; empty: it has none, or several."""
    subject: str = ""
    name: str = ""
    """Name of the file, where it is a bare table."""
    is_reply: bool = False
    """Whether its headers say that it answers another mail."""

    def holds(self, ident: str) -> bool:
        """Whether a request's id stands in its subject, its body or a file's name."""
        return ident.lower() in self.texts

    def after(self, moment: datetime) -> bool:
        """Whether it is dated later than `moment`."""
        return self.date is not None and self.date >= moment

    def is_from(self, trusted: str) -> bool:
        """Whether it came from an address, or from a domain or one below it."""
        trusted = trusted.strip().lower()
        if "@" in trusted.lstrip("@"):
            return self.sender == trusted
        domain = self.sender.rpartition("@")[2]
        trusted = trusted.lstrip("@")
        return bool(domain) and (domain == trusted or domain.endswith(f".{trusted}"))

    def shown(self, redact: Callable[[str], str]) -> str:
        """Name it in a message: its date and the beginning of its subject, without addresses."""
        words = redact(" ".join((self.subject or self.name).split()))
        short = words if len(words) <= _SHORT_SUBJECT else words[:_SHORT_SUBJECT] + "…"
        dated = f" of {self.date:%Y-%m-%d %H:%M}" if self.date else ""
        return f"the {'file' if self.name else 'mail'}{dated} {short!r}"


def parse(raw: bytes) -> Mail | None:
    """Read a saved mail; None: it is too malformed to be understood."""
    try:
        return understand(MailMessage.from_bytes(raw))
    except _UNREADABLE:
        return None


def understand(message: MailMessage) -> Mail | None:
    """Take what matters here from a mail; None: it is too malformed to be understood."""
    try:
        names = [attachment.filename for attachment in message.attachments]
        texts = "\n".join([message.subject, *names, message.text[:_MOST_TEXT], message.html[:_MOST_TEXT]])
        date = message.date if message.date_str else None
        headers = [message.date_str, str(message.obj["Message-ID"]), str(message.obj["From"]), message.subject]
        senders = {address for _, address in getaddresses(map(str, message.obj.get_all("From", []))) if address}
    except _UNREADABLE:
        return None
    return Mail(
        key=digest(*(header.encode("utf-8", "replace") for header in headers)),
        texts=texts.lower(),
        files=lambda: _tables(message),
        date=None if date is None else date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC),
        sender=senders.pop().strip().lower() if len(senders) == 1 else "",
        subject=message.subject,
        is_reply=bool(message.obj.get("In-Reply-To")),
    )


def saved(name: str, content: bytes) -> Mail:
    """Take a bare table that was saved to a directory; only its name tells whose it is."""
    return Mail(digest(name.encode(), content), name.lower(), lambda: [content], name=name)


def is_table(name: str) -> bool:
    """Whether a file's name is that of a table."""
    return name.lower().endswith(_ENDINGS)


def _tables(message: MailMessage) -> list[bytes]:
    try:
        return [
            attachment.payload
            for attachment in message.attachments
            if is_table(attachment.filename) or attachment.content_type in _TYPES
        ]
    except _UNREADABLE:
        return []

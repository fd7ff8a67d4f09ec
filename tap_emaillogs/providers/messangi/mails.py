"""A mail, or a saved file, as a place where a report may be: what tells whose it is, and the tables inside.

Links in a mail are never followed, and nothing outside of its own bytes is looked at. Whatever a mail holds was written
by a stranger: it is read in one pass, within limits, and nothing of it is a path or a pattern.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import getaddresses
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from imap_tools.utils import parse_email_date

from tap_emaillogs.files import mail_headers as headers
from tap_emaillogs.files import mime
from tap_emaillogs.files.archives import BrokenFile
from tap_emaillogs.providers.messangi.pending import idents_in
from tap_emaillogs.streams.records import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from email.message import Message

LARGEST = 64 << 20
"""Bytes of a mail that is looked into; mail servers take less."""
_ENDINGS = (".csv", ".csv.gz", ".zip")
_TYPES = {
    *("text/csv", "application/csv", "application/zip", "application/x-zip-compressed"),
    *("application/gzip", "application/x-gzip"),
}
_TEXTS = {"text/plain", "text/html"}
_MOST_TEXT = 1 << 19
"""Bytes of all its texts in which an id is looked for."""
_MOST_IDENTS = 1_000
_MOST_TABLES = 20
_MOST_TRACES = 40
_TRACES = ("authentication-results", "received")
_ADDRESS = re.compile(r"[^\s<>()\",;:@\\]+@[a-z0-9.-]+")
_SHORT_SUBJECT = 40
_LONG_SUBJECT = 400
_HELD = 1 << 20
"""Bytes of a file that are kept in memory; a longer one goes to disk."""


@dataclass(frozen=True)
class Mail:
    """What is known of a mail or a saved file without its content."""

    key: str
    """Tells it from all others, from run to run."""
    place: str = field(repr=False)
    """Where it lies, as the place that holds it counts: a UID, or a path."""
    idents: frozenset[str] = field(default=frozenset(), repr=False)
    """Ids of requests that stand in its subject, its texts or the names of its files."""
    has_tables: bool = False
    date: datetime | None = None
    sender: str = field(default="", repr=False)
    """Address of its only sender, in lower case; empty: it has none, or several."""
    subject: str = field(default="", repr=False)
    name: str = field(default="", repr=False)
    """Name of the file, where it is a bare table."""
    is_reply: bool = False
    """Whether its headers say that it answers another mail."""
    traces: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """What mail servers wrote on top of it, the last one first: (`received` or `authentication-results`, value)."""
    unreadable: str = ""
    """Why it is left alone, whatever it holds."""

    def holds(self, ident: str) -> bool:
        """Whether a request's id stands in its subject, its texts or a file's name."""
        return ident.lower() in self.idents

    def after(self, moment: datetime) -> bool:
        """Whether it is dated later than `moment`."""
        return self.date is not None and self.date >= moment

    def is_from(self, trusted: str) -> bool:
        """Whether its `From` names an address, or a domain or one below it; anybody can write that."""
        trusted = trusted.strip().lower()
        if "@" in trusted.lstrip("@"):
            return self.sender == trusted
        domain = self.sender.rpartition("@")[2]
        trusted = trusted.lstrip("@")
        return bool(domain) and (domain == trusted or domain.endswith(f".{trusted}"))

    def shown(self, redact: Callable[[str], str]) -> str:
        """Name it in a message: its date and the beginning of its subject, without addresses and control characters."""
        text = self.subject or self.name
        if len(text) > _LONG_SUBJECT:
            text = text[:_LONG_SUBJECT].rpartition(" ")[0]  # half an address would not be known for one
        printable = "".join(letter if letter.isprintable() else " " for letter in text)
        words = redact(" ".join(printable.split()))
        short = words if len(words) <= _SHORT_SUBJECT else words[:_SHORT_SUBJECT] + "…"
        dated = f" of {self.date:%Y-%m-%d %H:%M}" if self.date else ""
        return f"the {'file' if self.name else 'mail'}{dated} {short!r}"


def read(file: BinaryIO, place: str) -> Mail:
    """Look at a mail, or at the beginning of one; never fails, however malformed it is."""
    try:
        header = mime.top_header(file)
    except mime.UnreadableMail as error:
        return refused(place, str(error))
    date, message_id, sender = (headers.value(header, name) for name in ("Date", "Message-ID", "From"))
    subject = headers.words(headers.value(header, "Subject"))
    found = Mail(
        key=digest(*(text.encode("utf-8", "replace") for text in (date, message_id, sender, subject))),
        place=place,
        date=_moment(date),
        sender=_only_sender(header),
        subject=subject,
        is_reply=bool(headers.value(header, "In-Reply-To")),
        traces=_traces(header),
    )
    try:
        parts = mime.parts(file)
    except mime.UnreadableMail as error:
        return replace(found, unreadable=str(error))
    texts = [subject.encode("utf-8", "replace"), *_texts(parts, file)]
    idents = frozenset(itertools.islice(idents_in(texts), _MOST_IDENTS))
    return replace(found, idents=idents, has_tables=any(map(_is_table_part, parts)))


def refused(place: str, why: str) -> Mail:
    """Take a mail that cannot be looked at."""
    return Mail(digest(place.encode("utf-8", "surrogateescape")), place, unreadable=why)


def saved(name: str, place: str) -> Mail:
    """Take a bare table that was saved to a directory; only its name tells whose it is."""
    octets = name.encode("utf-8", "surrogateescape")
    return Mail(digest(octets), place, frozenset(idents_in([octets])), has_tables=True, name=name)


class Attachment(NamedTuple):
    """A file out of a mail, in a temporary file of its own, to be closed."""

    file: BinaryIO
    size: int
    closed: bool
    """Whether the mail shows that it is whole."""

    def close(self) -> None:
        """Free it."""
        self.file.close()


def attached(file: BinaryIO) -> list[Attachment]:
    """Return the tables in a mail: attachments named `.csv`, `.csv.gz` or `.zip`, or of such a type.

    Raises:
        BrokenFile: One is damaged, or they are too many.
    """
    try:
        tables = [part for part in mime.parts(file) if _is_table_part(part)]
    except mime.UnreadableMail as error:
        raise BrokenFile(f"the mail cannot be understood: {error}") from error
    if len(tables) > _MOST_TABLES:
        raise BrokenFile(f"the mail has more than {_MOST_TABLES} files")
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(contextlib.closing(_kept(part.body(file), closed=part.closed))) for part in tables]
        stack.pop_all()
    return kept


def copied(file: BinaryIO, most: int) -> Attachment:
    """Return a bare table as it is now: others may write to it.

    Raises:
        BrokenFile: It has more than `most` bytes.
    """
    pieces = (file.read(1 << 16) for _ in itertools.count())
    kept = _kept(itertools.takewhile(bool, itertools.islice(pieces, 2 + (most >> 16))), closed=True)
    if kept.size > most:
        kept.close()
        raise BrokenFile(f"the file has more than {most:,} bytes")
    return kept


def is_table(name: str) -> bool:
    """Whether a file's name is that of a table."""
    return name.strip().lower().endswith(_ENDINGS)


def spooled() -> BinaryIO:
    """Return a temporary file that stays in memory while it is short."""
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=_HELD))


def _kept(pieces: Iterable[bytes], *, closed: bool) -> Attachment:
    content = spooled()
    try:
        for piece in pieces:
            content.write(piece)
    except BaseException as error:
        content.close()
        if isinstance(error, mime.DamagedPart):
            raise BrokenFile("a file in the mail is damaged (it is no base64)") from error
        raise
    return Attachment(content, content.tell(), closed)


def _is_table_part(part: mime.Part) -> bool:
    if part.content_type == "message/rfc822":
        return False
    return part.content_type in _TYPES or is_table(part.file_name)


def _texts(parts: Sequence[mime.Part], file: BinaryIO) -> Iterator[bytes]:
    """Yield where an id may stand, as bytes: it is ASCII, and no charset need be trusted to find it."""
    left = _MOST_TEXT
    for part in parts:
        yield part.file_name.encode("utf-8", "replace")
        for name in ("Content-Disposition", "Content-Type"):  # where the name in them cannot be read
            yield headers.value(part.header, name).encode("utf-8", "replace")
        if left > 0 and part.content_type in _TEXTS and not part.file_name:
            text = bytearray()
            with contextlib.suppress(mime.DamagedPart):
                for piece in part.body(file):
                    text += piece
                    if len(text) >= left:
                        break
            left -= len(text)
            yield bytes(text)


def _moment(date: str) -> datetime | None:
    try:
        moment = parse_email_date(date[:100]) if date else None
        return None if moment is None else moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except headers.HEADER_FAULTS:
        return None


def _only_sender(header: Message) -> str:
    try:
        lines = header.get_all("From", [])
        text = headers.value(header, "From")
        found = {address.strip().lower() for _, address in getaddresses([text]) if address}
    except headers.HEADER_FAULTS:
        return ""
    sender = found.pop() if len(lines) == len(found) == 1 else ""
    return sender if _ADDRESS.fullmatch(sender) else ""


def _traces(header: Message) -> tuple[tuple[str, str], ...]:
    lines = ((name.lower(), str(text)[: headers.LONGEST_VALUE]) for name, text in header.raw_items())
    return tuple(itertools.islice((line for line in lines if line[0] in _TRACES), _MOST_TRACES))

"""A folder of a mailbox that is open for one look: which mails there are, and what is in them.

A mail is looked into once in a run, at its beginning where that shows an id, and again only when it is opened for its
tables. The server is asked which mails hold an id; as servers do not find it where a file's name is cut in pieces or
encoded (RFC 2231), or a text is base64, the mails themselves are looked at where that finds nothing.
"""

from __future__ import annotations

import contextlib
import imaplib
import io
import re
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO

from imap_tools import AND
from imap_tools.errors import ImapToolsError

from tap_emaillogs.files import mail_headers as headers
from tap_emaillogs.files import mime
from tap_emaillogs.providers.messangi import mails

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_emaillogs.providers.messangi.mails import Attachment, Mail
    from tap_emaillogs.providers.messangi.wire import Box

_MAY_HOLD_A_TABLE = ("multipart/", "text/csv", "application/")
_UID = re.compile(rb"\bUID (\d{1,10})\b")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,15})\b")
_MOST_MAILS = 20_000
"""So many are considered, the newest."""
_FACTS_AT_ONCE, _MAILS_AT_ONCE = 200, 16
_BEGINNING = 1 << 16
_PIECE = 1 << 20
_TOLERANCE = timedelta(hours=1)
"""So far the server's clock may differ, before it takes the last look to find the mail."""
_BOUNDS = {False: (64 << 20, 60.0), True: (512 << 20, 300.0)}
"""Bytes and seconds that looking into mails may take: in the looks of a wait, and in the last one."""
_ONE_MAIL_FAULTS = (imaplib.IMAP4.error, ImapToolsError)


@dataclass(frozen=True)
class _Facts:
    """What the server says of a mail."""

    size: int
    arrived: datetime | None
    is_likely: bool
    """Whether a mail of its type may hold a table."""


class Known:
    """What was seen of a mailbox in this run, look after look."""

    def __init__(self) -> None:
        self._validity = ""
        self.facts: dict[int, _Facts] = {}
        self.mails: dict[int, Mail] = {}
        self.partly: set[int] = set()
        """Long mails of which only the beginning was seen, and does not tell."""

    def begin(self, validity: str) -> None:
        """Forget all where the server has given its mails other numbers."""
        if validity != self._validity:
            self.facts.clear()
            self.mails.clear()
            self.partly.clear()
        self._validity = validity


class Inbox:
    """One look."""

    def __init__(self, box: Box, known: Known) -> None:
        self._box, self._known = box, known
        self._left, self._end = _BOUNDS[True][0], time.monotonic() + _BOUNDS[True][1]
        self.unseen = 0
        """How many mails the look had no time for."""

    def holding(self, ident: str, since: datetime) -> Iterator[Mail]:
        """Yield mails in which the server finds `ident`, headers and attachments included; the newest first."""
        try:
            uids = self._search(AND(date_gte=_day(since), text=ident))
        except _ONE_MAIL_FAULTS as error:
            if isinstance(error, imaplib.IMAP4.abort):
                raise
            return  # a server that cannot search in texts, or not in these
        for place in range(0, len(uids), _MAILS_AT_ONCE):
            batch = uids[place : place + _MAILS_AT_ONCE]
            self._look_into(batch)
            self._read_whole(batch)
            yield from self._seen(batch)

    def all(self, since: datetime, *, thorough: bool) -> Iterator[Mail]:
        """Yield mails that may hold a table, the newest first: those that arrived since; when `thorough`, earlier too.

        Servers search by days, in a zone of their own. First the beginnings of all mails are looked at, and only then
        those that are long and do not show at their beginning what they are: so that none stands before the report.
        """
        most, seconds = _BOUNDS[thorough]
        self._left, self._end = most, time.monotonic() + seconds

        def is_wanted(facts: _Facts) -> bool:
            is_new = facts.arrived is None or facts.arrived >= since - _TOLERANCE
            return facts.is_likely and facts.size <= mails.LARGEST and (thorough or is_new)

        uids = self._search(AND(date_gte=_day(since)))
        self._learn_facts(uids)
        wanted = [uid for uid in uids if is_wanted(self._known.facts[uid])]
        for place in range(0, len(wanted), _MAILS_AT_ONCE):
            self._look_into(wanted[place : place + _MAILS_AT_ONCE])
        self._read_whole(wanted)
        self.unseen = sum(uid not in self._known.mails for uid in wanted)
        yield from self._seen(wanted)

    def tables(self, mail: Mail) -> list[Attachment]:
        """Return the tables of a mail.

        Raises:
            BrokenFile: One is damaged.
        """
        with self._content(int(mail.place)) as content:
            return mails.attached(content)

    def _search(self, criteria: Any) -> list[int]:
        """Return UIDs, the largest, which are the newest, first."""
        found = {int(uid) for uid in self._box.uids(criteria) if uid.isascii() and uid.isdigit() and len(uid) <= 10}
        return sorted(found, reverse=True)[:_MOST_MAILS]

    def _learn_facts(self, uids: Iterable[int]) -> None:
        new = [uid for uid in uids if uid not in self._known.facts]
        asked = "(UID INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (CONTENT-TYPE)])"
        for place in range(0, len(new), _FACTS_AT_ONCE):
            batch = new[place : place + _FACTS_AT_ONCE]
            for uid, said, header in self._fetched(batch, asked):
                size = _SIZE.search(said)
                kind = headers.content_type(mime.top_header(io.BytesIO(header[:_BEGINNING])))
                is_likely = not header.strip() or kind.startswith(_MAY_HOLD_A_TABLE)
                self._known.facts[uid] = _Facts(int(size[1]) if size else 0, _arrival(said), is_likely)
            for uid in batch:
                self._known.facts.setdefault(uid, _Facts(0, None, is_likely=True))

    def _seen(self, uids: Iterable[int]) -> Iterator[Mail]:
        return (self._known.mails[uid] for uid in uids if uid in self._known.mails)

    def _is_over(self) -> bool:
        return self._left <= 0 or time.monotonic() > self._end

    def _look_into(self, uids: list[int]) -> None:
        """Look at the beginnings of mails that are not known yet, as far as the bounds allow."""
        known = self._known
        new = [uid for uid in uids if uid not in known.mails and uid not in known.partly]
        if not new or self._is_over():
            return
        self._learn_facts(new)
        for uid, _, beginning in self._fetched(new, f"(UID BODY.PEEK[]<0.{_BEGINNING}>)"):
            self._left -= len(beginning)
            mail = mails.read(io.BytesIO(beginning), str(uid))
            if known.facts[uid].size > mails.LARGEST:
                mail = replace(mail, unreadable=f"it has more than {mails.LARGEST:,} bytes")
            if len(beginning) < _BEGINNING or mail.idents or mail.unreadable:
                known.mails[uid] = mail
            else:
                known.partly.add(uid)
        for uid in new:
            if uid not in known.partly:
                known.mails.setdefault(uid, mails.refused(str(uid), "the mail server does not hand it out"))

    def _read_whole(self, uids: Iterable[int]) -> None:
        """Look at all of the long mails among these, as far as the bounds allow."""
        for uid in uids:
            if uid in self._known.partly and not self._is_over():
                with self._content(uid) as content:
                    self._left -= content.seek(0, io.SEEK_END)
                    self._known.mails[uid] = mails.read(content, str(uid))
                self._known.partly.discard(uid)

    def _content(self, uid: int) -> BinaryIO:
        """Return a whole mail, in a temporary file."""
        with contextlib.ExitStack() as stack:
            content = stack.enter_context(mails.spooled())
            for offset in range(0, mails.LARGEST, _PIECE):
                asked = f"(UID BODY.PEEK[]<{offset}.{_PIECE}>)"
                piece = next((data for _, _, data in self._fetched([uid], asked)), b"")[:_PIECE]
                content.write(piece)
                if len(piece) < _PIECE:
                    break
            stack.pop_all()
        return content

    def _fetched(self, uids: list[int], what: str) -> Iterator[tuple[int, bytes, bytes]]:
        """Ask for some mails; yield of each its UID, what the server says in its line, and the text that it sends.

        Where the server cannot hand out one of them, the others are asked for one by one.
        """
        if not uids:
            return
        try:
            kind, answers = self._box.client.uid("FETCH", ",".join(map(str, uids)), what)
        except _ONE_MAIL_FAULTS as error:
            if isinstance(error, imaplib.IMAP4.abort):
                raise
            kind, answers = "BAD", []
        if kind != "OK":
            if len(uids) > 1:
                for uid in uids:
                    yield from self._fetched([uid], what)
            return
        left = set(uids)
        for said, text in _responses(answers):
            found = _UID.search(said)
            uid = int(found[1]) if found else 0
            if uid in left:  # servers send news of other mails in between
                left.remove(uid)
                yield uid, said, text


def _responses(answers: Iterable[Any]) -> Iterator[tuple[bytes, bytes]]:
    """Put together what belongs to one mail: the pieces of its line, and the text between them."""
    said, text = b"", b""
    for item in answers:
        if isinstance(item, tuple):
            said, text = said + item[0], item[1]
        elif isinstance(item, bytes):
            yield said + item, text
            said, text = b"", b""


def _arrival(said: bytes) -> datetime | None:
    """Read when a mail came in; None: the server does not tell."""
    try:
        local = imaplib.Internaldate2tuple(said)
        return None if local is None else datetime.fromtimestamp(time.mktime(local), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _day(since: datetime) -> Any:
    """Return the day to search from: servers compare days, in a zone of their own."""
    return (since - timedelta(days=1)).date()

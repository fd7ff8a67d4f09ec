"""The mailbox that reports arrive in, over IMAP; read only: it is opened so, and mails are peeked at."""

from __future__ import annotations

import contextlib
import imaplib
import ssl
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from imap_tools import AND, BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, MailboxFolderSelectError

from tap_emaillogs.http.errors import NotAuthorized, ReadError, Unreachable
from tap_emaillogs.providers.messangi import mails

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_emaillogs.http.clock import Clock
    from tap_emaillogs.providers.messangi.mails import Mail
    from tap_emaillogs.providers.messangi.settings import MailboxSettings

_TIMEOUT = 60.0
_TRIES = 3
_HEADERS_AT_ONCE = 200
_LARGEST_MAIL = 256 << 20
_MAY_HOLD_A_TABLE = ("multipart/", "text/csv", "application/")
_FAULTS = (OSError, EOFError, imaplib.IMAP4.error, ImapToolsError)
_UNREACHABLE = "check report.mailbox.host, port and tls, and whether the mail server is up"
_REFUSED = (
    "check report.mailbox.username and password; many services want an app-specific password, and IMAP switched on"
)


class ImapView:
    """A folder that is open for one look."""

    def __init__(self, box: BaseMailBox) -> None:
        self._box = box

    def holding(self, ident: str, since: datetime) -> Iterator[Mail]:
        """Yield mails in which the server finds `ident`, headers and attachments included."""
        yield from self._found(AND(date_gte=_day(since), text=ident))

    def from_sender(self, sender: str, since: datetime) -> Iterator[Mail]:
        """Yield mails whose sender holds the text `sender`."""
        yield from self._found(AND(date_gte=_day(since), from_=sender.strip()))

    def latest(self, since: datetime, most: int) -> Iterator[Mail]:
        """Yield the latest mails that may hold a table, at most so many."""
        with _plainly():
            headers = self._box.fetch(
                AND(date_gte=_day(since)), mark_seen=False, headers_only=True, bulk=_HEADERS_AT_ONCE
            )
            likely = [
                header.uid
                for header in headers
                if header.uid
                and header.size_rfc822 <= _LARGEST_MAIL
                and header.obj.get_content_type().startswith(_MAY_HOLD_A_TABLE)
            ]
            yield from self._read(likely[-most:])

    def _found(self, criteria: Any) -> Iterator[Mail]:
        with _plainly():
            yield from self._read(self._box.uids(criteria))

    def _read(self, uids: list[str]) -> Iterator[Mail]:
        # The newest first: where the vendor sent a report twice, the later one knows more.
        for message in self._box.fetch(uid_list=uids[::-1], mark_seen=False) if uids else ():
            mail = mails.understand(message)
            if mail is not None:
                yield mail


class ImapMailbox:
    """One folder of a mailbox; each look is a connection of its own, so that none goes stale."""

    def __init__(self, settings: MailboxSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._port = settings.port or (993 if settings.tls else 143)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What two accounts have in common that look into the same folder."""
        given = self._settings
        return given.host.lower(), self._port, given.username, given.folder

    @contextlib.contextmanager
    def opened(self) -> Iterator[ImapView]:
        """Open the folder for a look, so that nothing in it can be changed.

        Raises:
            ReadError: It cannot be opened.
        """
        box = self._connect()
        try:
            self._login(box)
            yield ImapView(box)
        finally:
            with contextlib.suppress(*_FAULTS):
                box.logout()

    def _connect(self) -> BaseMailBox:
        host = self._settings.host
        for attempt in range(1, _TRIES + 1):
            try:
                if not self._settings.tls:
                    return MailBoxUnencrypted(host, self._port, timeout=_TIMEOUT)
                kind = MailBoxStartTls if self._port == 143 else MailBox
                return kind(host, self._port, timeout=_TIMEOUT, ssl_context=ssl.create_default_context())
            except ssl.SSLCertVerificationError as error:
                raise Unreachable(f"the mail server's certificate is not trusted ({error.verify_message})") from error
            except _FAULTS as error:
                if attempt == _TRIES:
                    said = f"the mailbox cannot be reached ({_cause(error)}, {attempt} tries)"
                    raise Unreachable(said, _UNREACHABLE) from error
            self._clock.wait(2.0**attempt)
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _login(self, box: BaseMailBox) -> None:
        username, password = self._settings.username, self._settings.password
        try:
            # LOGIN takes ASCII only.
            login = box.login if (username + password).isascii() else box.login_utf8
            login(username, password, initial_folder=None)
        except (imaplib.IMAP4.abort, OSError) as error:
            raise Unreachable(f"the mail server broke the connection off ({_cause(error)})", _UNREACHABLE) from error
        except _FAULTS as error:
            raise NotAuthorized("the mailbox refuses the login", _REFUSED) from error
        with _plainly():
            try:
                box.folder.set(self._settings.folder or "INBOX", readonly=True)
            except MailboxFolderSelectError as error:
                raise ReadError("the mailbox has no such folder", "check report.mailbox.folder") from error


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """Turn whatever the mail server does into one sentence."""
    try:
        yield
    except _FAULTS as error:
        raise Unreachable(f"the mailbox cannot be read ({_cause(error)})", _UNREACHABLE) from error


def _cause(error: BaseException) -> str:
    """Name a failure without the server's words: these may hold the address of the mailbox."""
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _day(since: datetime) -> Any:
    """Return the day to search from: servers compare days, in a zone of their own."""
    return (since - timedelta(days=1)).date()

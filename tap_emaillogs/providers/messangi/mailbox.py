"""The mailbox that reports arrive in, over IMAP; read only: it is opened so, and mails are peeked at.

Nothing that the server says is believed: what it sends is bounded (`wire`), and of its answers only the mails that were
asked for are looked at.
"""

from __future__ import annotations

import contextlib
import imaplib
import ssl
from typing import TYPE_CHECKING, Any

from imap_tools.errors import ImapToolsError, MailboxFolderSelectError

from tap_emaillogs.http.errors import NotAuthorized, ReadError, Unreachable
from tap_emaillogs.providers.messangi.inbox import Inbox, Known
from tap_emaillogs.providers.messangi.wire import Box, Client, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_emaillogs.http.clock import Clock
    from tap_emaillogs.providers.messangi.settings import MailboxSettings

_FAULTS = (OSError, EOFError, imaplib.IMAP4.error, ImapToolsError, ValueError, LookupError, TypeError, AttributeError)
"""What the libraries raise whatever a server does."""
_UNREACHABLE = "check report.mailbox.host, port and tls, and whether the mail server is up"
_REFUSED = (
    "check report.mailbox.username and password; many services want an app-specific password, and IMAP switched on"
)


class MailboxDown(Unreachable):
    """The mail server cannot be reached, or broke off: another try may do."""

    def __init__(self, what: str, error: BaseException, tries: int = 1) -> None:
        # Without the server's words: these may hold the address of the mailbox.
        cause = getattr(error, "strerror", None) or type(error).__name__
        super().__init__(f"{what} ({cause}{f', {tries} tries' if tries > 1 else ''})", _UNREACHABLE)
        self._what, self._error = what, error

    def after(self, tries: int) -> MailboxDown:
        """Return it as the end of so many tries."""
        return MailboxDown(self._what, self._error, tries)


class ImapMailbox:
    """One folder of a mailbox; each look is a connection of its own, so that none goes stale.

    Args:
        settings: Where it is.
        clock: Tells when the run is ending.
        silence: Seconds that the server may take to answer.
    """

    def __init__(self, settings: MailboxSettings, clock: Clock, silence: float) -> None:
        self._settings, self._clock, self._silence = settings, clock, silence
        self._port = settings.port or (993 if settings.tls else 143)
        self._known = Known()

    @property
    def identity(self) -> tuple[Any, ...]:
        """What two accounts have in common that look into the same folder."""
        given = self._settings
        return given.host.lower(), self._port, given.username, given.folder

    @contextlib.contextmanager
    def opened(self) -> Iterator[Inbox]:
        """Open the folder for a look, so that nothing in it can be changed.

        Raises:
            MailboxDown: It cannot be reached, then or during the look.
            ReadError: It cannot be opened.
        """
        with _named("the mailbox cannot be reached"):
            wire = Wire(self._settings.host, self._port, silence=self._silence, clock=self._clock)
        try:
            box = self._connected(wire)
            self._login(box)
            with _named("the mailbox cannot be read"):
                self._known.begin(self._select(box))
                yield Inbox(box, self._known)
                with contextlib.suppress(*_FAULTS):
                    box.logout()
        finally:
            wire.close()

    def _connected(self, wire: Wire) -> Box:
        context = ssl.create_default_context()
        try:
            with _named("the mailbox cannot be reached"):
                if self._settings.tls and self._port != 143:
                    wire.secure(context)
                client = Client(wire)
                if self._settings.tls and self._port == 143:
                    client.secure(context)
                return Box(client)
        except MailboxDown as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                said = f"the mail server's certificate is not trusted ({error.__cause__.verify_message})"
                raise ReadError(said, _UNREACHABLE) from error
            raise

    def _login(self, box: Box) -> None:
        username, password = self._settings.username, self._settings.password
        with _named("the mail server broke the connection off"):
            try:
                # LOGIN takes ASCII only.
                login = box.login if (username + password).isascii() else box.login_utf8
                login(username, password, initial_folder=None)
            except imaplib.IMAP4.abort:
                raise
            except (imaplib.IMAP4.error, ImapToolsError) as error:
                raise NotAuthorized("the mailbox refuses the login", _REFUSED) from error

    def _select(self, box: Box) -> str:
        """Open the folder; return what tells whether its UIDs are still those of the look before."""
        try:
            box.folder.set(self._settings.folder or "INBOX", readonly=True)
        except MailboxFolderSelectError as error:
            raise ReadError("the mailbox has no such folder", "check report.mailbox.folder") from error
        return str(box.client.response("UIDVALIDITY")[1])


@contextlib.contextmanager
def _named(what: str) -> Iterator[None]:
    """Turn whatever the mail server does into one sentence."""
    try:
        yield
    except ReadError:
        raise
    except _FAULTS as error:
        raise MailboxDown(what, error) from error

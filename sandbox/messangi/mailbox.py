"""A real mailbox on loopback: SMTP takes mail in, IMAP hands it out, and a test can see what was done to it.

IMAP is pymap with its in-memory backend (no files, no root, nothing to install beside Python), SMTP is aiosmtpd; both
listen on ports of their own choice in one thread. The helpers read the store itself, not the IMAP connection, so that
`flags()` proves what a client did rather than what it says it did.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import tempfile
import threading
from argparse import Namespace
from contextlib import ExitStack
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from aiosmtpd.smtp import SMTP
from proxyprotocol.reader import ProxyProtocolReader
from proxyprotocol.version import ProxyProtocolVersion
from pymap.backend.dict import DictBackend
from pymap.concurrent import Subsystem
from pymap.config import BuiltinHash  # type: ignore[attr-defined] # pymap passes it on from a library of its own
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials.flag import Flag

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from pymap.backend.dict.mailbox import MailboxData, Message

T = TypeVar("T")
_HOST = "127.0.0.1"


class Mailbox:
    """One account with its IMAP and SMTP servers, alive inside a `with` block.

    Args:
        username: Login of the only account.
        password: Its password; letters beyond ASCII are fine.
        folder: Where mail that comes by SMTP or `deliver` goes; created when it is not INBOX.
        tls: Speak TLS from the first byte, with a certificate of our own that `ca_file` holds.
        clock: What time it is when mail comes in by SMTP; by default the real time.
    """

    def __init__(
        self,
        username: str = "reports@example.com",
        password: str = "mailbox-secret",  # noqa: S107 - a sandbox
        *,
        folder: str = "INBOX",
        tls: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.username = username
        self.password = password
        self.folder = folder
        self.tls = tls
        self.clock = clock
        self.host = _HOST
        self.port = 0
        self.smtp_port = 0
        self.ca_file: Path | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sandbox-mail", daemon=True)
        self._stack = ExitStack()
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._store: MailboxData

    def __enter__(self) -> Self:
        context = None
        if self.tls:
            directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-mail-")))
            self.ca_file, context = _certificate(directory)
        self._context = context
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self.__exit__()
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._stack.close()

    def config(self) -> dict[str, Any]:
        """Return the tap's `messangi.report.mailbox`."""
        return {
            "host": self.host,
            "port": self.port,
            "tls": self.tls,
            "username": self.username,
            "password": self.password,
            "folder": self.folder,
        }

    def smtp(self) -> dict[str, Any]:
        """Return the Messangi sandbox's option `smtp`."""
        return {"host": self.host, "port": self.smtp_port}

    def deliver(self, message: EmailMessage | bytes, *, when: datetime | None = None, seen: bool = False) -> None:
        """Put one mail into the mailbox without SMTP; `when` is the day it came in."""
        self.deliver_all([message], when=when, seen=seen)

    def deliver_all(
        self, messages: Iterable[EmailMessage | bytes], *, when: datetime | None = None, seen: bool = False
    ) -> None:
        """Put many mails into the mailbox at once."""
        flags = frozenset({Flag(b"\\Seen")} if seen else ())
        self._call(self._append([_octets(message) for message in messages], when or self.clock(), flags))

    def deliver_noise(self, count: int, *, when: datetime) -> None:
        """Fill the mailbox with unrelated mails, every tenth of them with a CSV attached that is no report of ours."""
        self.deliver_all((_noise(number, when) for number in range(count)), when=when)

    def count(self) -> int:
        """Return how many mails the mailbox holds."""
        return len(self._call(self._messages()))

    def flags(self) -> list[frozenset[str]]:
        """Return each mail's flags, oldest first: "Seen" or "Deleted" among them is a client's doing."""
        return [
            frozenset(bytes(flag).decode() for flag in mail.permanent_flags) for mail in self._call(self._messages())
        ]

    def contents(self) -> list[bytes]:
        """Return the mails as they came, oldest first."""
        return [bytes(mail._content or b"") for mail in self._call(self._messages())]  # noqa: SLF001 - not via IMAP

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _append(self, mails: list[bytes], when: datetime, flags: frozenset[Flag]) -> None:
        for mail in mails:
            await self._store.append(AppendMessage(mail, when, flags), recent=True)

    async def _messages(self) -> list[Message]:
        return [message async for message in self._store.messages()]

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take in one mail: aiosmtpd calls this."""
        await self._append([envelope.content], self.clock(), frozenset())
        return "250 OK"

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - the thread that waits raises it
            self._failure = error
        self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        arguments = Namespace(
            host=None, port=0, debug=False, cert=None, key=None, tls=False, passlib_cfg=None, proxy_protocol=None,
            demo_data=False, demo_user=self.username, demo_password=self.password,
        )  # fmt: skip
        # A weak hash and no threads of its own: the account lives for one test.
        backend, config = await DictBackend.init(
            arguments, hash_context=BuiltinHash(rounds=1), cpu_subsystem=Subsystem.for_asyncio(), invalid_user_sleep=0.0
        )
        config.apply_context()
        async with backend.login.demo_user_identity.new_session() as session:
            if self.folder.upper() != "INBOX":
                await session.mailbox_set.add_mailbox(self.folder)
            self._store = await session.mailbox_set.get_mailbox(self.folder)
        reader = ProxyProtocolReader(ProxyProtocolVersion.get(None))
        callback = reader.get_callback(IMAPServer(backend.login, config))
        imap = await asyncio.start_server(callback, self.host, 0, ssl=self._context)
        smtp = await self._loop.create_server(
            lambda: SMTP(self, loop=self._loop, hostname="sandbox.invalid", ident="sandbox", enable_SMTPUTF8=True),
            self.host,
            0,
        )
        self.port = imap.sockets[0].getsockname()[1]
        self.smtp_port = smtp.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        # Who came a moment ago is still served: a connection that is accepted by a closed server would stay open.
        limit = self._loop.time() + 2
        while self._loop.time() < limit and (others := asyncio.all_tasks() - {asyncio.current_task()}):
            await asyncio.wait(others, timeout=0.1)
        imap.close()
        smtp.close()
        await asyncio.sleep(0)


def _octets(message: EmailMessage | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.as_bytes()


def _noise(number: int, when: datetime) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"colleague{number % 17}@example.org"
    message["To"] = "reports@example.com"
    message["Date"] = format_datetime(when)
    message["Subject"] = ("Re: Report", "Lunch?", "Messangi report", "Invoice")[number % 4] + f" {number}"
    message["Message-ID"] = f"<noise-{number}@example.org>"
    message.set_content(f"Nothing to see in mail {number}.\n")
    if number % 10 == 0:
        message.add_attachment(
            f"name,amount\nitem {number},1\n".encode(), maintype="text", subtype="csv", filename=f"invoice{number}.csv"
        )
    return message


def _certificate(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for localhost that signs itself."""
    certificate, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(  # noqa: S603 - fixed arguments
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return certificate, context

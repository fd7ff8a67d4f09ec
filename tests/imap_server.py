"""A small IMAP server that keeps what a real one would refuse, and misbehaves where it is told to."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Answer = bytes | None
"""What is sent instead of the server's own answer; None: its own."""


class ImapServer:
    """Serves raw mails by UID, the first has 1; alive inside a `with` block.

    Args:
        mails: What lies in the folder; more may be put into the list at any time.
        greeting: The first line; None: there is none.
        on: Called with every command (`UID FETCH 1 …`) and its tag; may answer in the server's place, or raise
            ConnectionError to break off.
    """

    def __init__(
        self,
        mails: Iterable[bytes] = (),
        *,
        greeting: bytes | None = b"* OK ready\r\n",
        on: Callable[[str, bytes], Answer] = lambda _command, _tag: None,
    ) -> None:
        self.mails = list(mails)
        self.commands: list[str] = []
        self.connections = 0
        self._greeting, self._on = greeting, on
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._thread.join()

    def config(self) -> dict[str, Any]:
        """Return the tap's `messangi.report.mailbox`."""
        port = self._listener.getsockname()[1]
        return {"host": "127.0.0.1", "port": port, "tls": False, "username": "u@example.com", "password": "mail-secret"}

    def _serve(self) -> None:
        while True:
            try:
                one, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(one)
            threading.Thread(target=self._talk, args=(one,), daemon=True).start()

    def _talk(self, one: socket.socket) -> None:
        with suppress(OSError), one, one.makefile("rb") as lines:
            if self._greeting is not None:
                one.sendall(self._greeting)
            for line in lines:
                tag, _, command = line.rstrip(b"\r\n").partition(b" ")
                text = command.decode()
                self.commands.append(text)
                answer = self._on(text, tag)
                one.sendall(self._answer(text, tag) if answer is None else answer)
                if text == "LOGOUT":
                    return

    def _answer(self, command: str, tag: bytes) -> bytes:
        done = tag + b" OK done\r\n"
        if command == "CAPABILITY":
            return b"* CAPABILITY IMAP4rev1\r\n" + done
        if command == "LOGOUT":
            return b"* BYE\r\n" + done
        if command.startswith("EXAMINE"):
            return b"* OK [UIDVALIDITY 7] yes\r\n" + tag + b" OK [READ-ONLY] done\r\n"
        if command.startswith("UID SEARCH"):
            wanted = re.search(r'TEXT "([^"]+)"', command)
            uids = [uid for uid, raw in enumerate(self.mails, 1) if not wanted or wanted[1].encode() in raw]
            return b"* SEARCH " + " ".join(map(str, uids)).encode() + b"\r\n" + done
        if command.startswith("UID FETCH"):
            _, _, uids, what = command.split(" ", 3)
            return b"".join(self._fetched(int(uid), what) for uid in uids.split(",")) + done
        return done

    def _fetched(self, uid: int, what: str) -> bytes:
        if not 0 < uid <= len(self.mails):
            return b""
        raw = self.mails[uid - 1]
        piece = re.search(r"BODY\.PEEK\[\]<(\d+)\.(\d+)>", what)
        if piece:
            raw = raw[int(piece[1]) : int(piece[1]) + int(piece[2])]
            facts = b"BODY[]<%d>" % int(piece[1])
        else:
            arrived = time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime(_NOON))
            facts = b'INTERNALDATE "%s" RFC822.SIZE %d BODY[HEADER.FIELDS (CONTENT-TYPE)]' % (
                arrived.encode(),
                len(raw),
            )
            kinds = re.findall(
                rb"(?im)^content-type:.*\r?\n(?:[ \t].*\r?\n)*", raw[:5_000].partition(b"\r\n\r\n")[0] + b"\r\n"
            )
            raw = b"".join(kinds) + b"\r\n"
        return b"* %d FETCH (UID %d %s {%d}\r\n%s)\r\n" % (uid, uid, facts, len(raw), raw)


_NOON = 1_772_366_460
"""2026-03-01 12:01 UTC, a minute after the tests' NOW."""

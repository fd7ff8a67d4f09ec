"""A directory that reports are saved to, as mails (`.eml`) or bare (`.csv`, `.csv.gz`, `.zip`); never written to."""

from __future__ import annotations

import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tap_emaillogs.files.archives import BrokenFile
from tap_emaillogs.http.errors import ReadError
from tap_emaillogs.providers.messangi import mails

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tap_emaillogs.providers.messangi.mails import Attachment, Mail

_LARGEST_TABLE = 256 << 20
_BOUNDS = {False: 60.0, True: 300.0}
"""Seconds that looking into files may take: in the looks of a wait, and in the last one."""
_HINT = "check report.directory: it must be a directory that this user may read"


class _Version(NamedTuple):
    """A file as it is now; one that is written to becomes another."""

    changed: int
    path: Path
    size: int


class Folder:
    """Looks at the files of one directory, the latest first; what lies below it is left alone."""

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser()
        self._known: dict[_Version, Mail] = {}
        self.unseen = 0
        """How many files the last look had no time for."""

    @property
    def identity(self) -> tuple[str]:
        """What two accounts have in common that look into the same directory."""
        return (str(self._path.absolute()),)

    @contextmanager
    def opened(self) -> Iterator[Folder]:
        """Look into the directory.

        Raises:
            ReadError: It cannot be read.
        """
        self._files()
        yield self

    def holding(self, ident: str, since: datetime) -> Iterator[Mail]:  # noqa: ARG002 - a copy's time says nothing
        """Yield the bare tables whose names hold `ident`; into mails one must look."""
        yield from (
            mails.saved(file.path.name, str(file.path))
            for file in self._files()
            if mails.is_table(file.path.name) and ident in file.path.name.lower()
        )

    def all(self, since: datetime, *, thorough: bool) -> Iterator[Mail]:  # noqa: ARG002 - likewise
        """Yield all mails and tables."""
        end = time.monotonic() + _BOUNDS[thorough]
        files = self._files()
        for place, file in enumerate(files):
            if file not in self._known and time.monotonic() > end:
                self.unseen = len(files) - place
                return
            if mail := self._mail(file):
                yield mail

    def tables(self, mail: Mail) -> list[Attachment]:
        """Return the tables of a mail, or a bare table as the only one.

        Raises:
            BrokenFile: One is damaged, or the file is gone.
        """
        try:
            with Path(mail.place).open("rb") as file:
                return [mails.copied(file, _LARGEST_TABLE)] if mail.name else mails.attached(file)
        except OSError as error:
            raise BrokenFile(f"the file cannot be read ({error.strerror})") from error

    def _mail(self, file: _Version) -> Mail | None:
        if file not in self._known:
            path = file.path
            try:
                if mails.is_table(path.name):
                    self._known[file] = mails.saved(path.name, str(path))
                elif file.size > mails.LARGEST:
                    self._known[file] = mails.refused(str(path), f"it has more than {mails.LARGEST:,} bytes")
                else:
                    with path.open("rb") as content:
                        self._known[file] = mails.read(content, str(path))
            except OSError:  # gone again, or not ours to read
                return None
        return self._known[file]

    def _files(self) -> list[_Version]:
        try:
            paths = [
                path for path in self._path.iterdir() if path.suffix.lower() == ".eml" or mails.is_table(path.name)
            ]
        except OSError as error:
            raise ReadError(f"the directory of the reports cannot be read ({error.strerror})", _HINT) from error
        found = []
        for path in paths:
            with suppress(OSError):  # gone meanwhile
                about = path.stat()
                if stat.S_ISREG(about.st_mode):
                    found.append(_Version(about.st_mtime_ns, path, about.st_size))
        return sorted(found, reverse=True)

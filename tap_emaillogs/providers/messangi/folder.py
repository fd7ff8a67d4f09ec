"""A directory that reports are saved to, as mails (`.eml`) or bare (`.csv`, `.csv.gz`, `.zip`); never written to."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tap_emaillogs.http.errors import ReadError
from tap_emaillogs.providers.messangi import mails

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tap_emaillogs.providers.messangi.mails import Mail

_LARGEST = 256 << 20
_HINT = "check report.directory: it must be a directory that this user may read"


class Folder:
    """Looks at the files of one directory, the latest first; what lies below it is left alone."""

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser()

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
        """Yield the files that hold `ident`."""
        yield from (mail for mail in self._mails() if mail.holds(ident))

    def from_sender(self, sender: str, since: datetime) -> Iterator[Mail]:  # noqa: ARG002 - likewise
        """Yield the mails that came from `sender`."""
        yield from (mail for mail in self._mails() if mail.is_from(sender))

    def latest(self, since: datetime, most: int) -> Iterator[Mail]:  # noqa: ARG002 - likewise
        """Yield the latest files, at most so many."""
        for number, mail in enumerate(self._mails()):
            if number == most:
                return
            yield mail

    def _mails(self) -> Iterator[Mail]:
        for path in self._files():
            try:
                content = path.read_bytes()
            except OSError:  # gone again, or not ours to read
                continue
            mail = mails.saved(path.name, content) if mails.is_table(path.name) else mails.parse(content)
            if mail is not None:
                yield mail

    def _files(self) -> list[Path]:
        try:
            found = [
                (path.stat().st_mtime, path)
                for path in self._path.iterdir()
                if (path.suffix.lower() == ".eml" or mails.is_table(path.name)) and path.is_file()
            ]
        except OSError as error:
            raise ReadError(f"the directory of the reports cannot be read ({error.strerror})", _HINT) from error
        return [path for _, path in sorted(found, reverse=True) if path.stat().st_size <= _LARGEST]

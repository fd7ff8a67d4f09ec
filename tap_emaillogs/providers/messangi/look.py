"""What a look into the place where reports arrive needs of that place, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    from tap_emaillogs.files.archives import BrokenFile
    from tap_emaillogs.providers.messangi.candidates import Candidate
    from tap_emaillogs.providers.messangi.mails import Attachment, Mail

MOST_NAMED = 3
"""So many mails are named in one message."""


class View(Protocol):
    """A place where reports arrive, open for one look; mails come the newest first."""

    @property
    def unseen(self) -> int:
        """How many mails the look had no time for."""

    def holding(self, ident: str, since: datetime) -> Iterator[Mail]:
        """Yield mails in which `ident` stands, as far as the place can tell."""

    def all(self, since: datetime, *, thorough: bool) -> Iterator[Mail]:
        """Yield mails that may hold a table; when `thorough`, those that seem older than `since`, too."""

    def tables(self, mail: Mail) -> list[Attachment]:
        """Return the tables of a mail; raises BrokenFile where they are damaged."""


class Source(Protocol):
    """Where reports arrive."""

    @property
    def identity(self) -> tuple[Any, ...]:
        """What two accounts have in common that look into the same place."""

    def opened(self) -> AbstractContextManager[View]:
        """Open it for one look; raises ReadError where it cannot be read."""


@dataclass(frozen=True)
class Report:
    """A report that was found; it is to be closed."""

    candidate: Candidate

    @property
    def mail(self) -> str:
        """The key of the mail that brought it."""
        return self.candidate.mail.key

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield its rows."""
        for table in self.candidate.tables:
            yield from table.rows()

    def close(self) -> None:
        """Free what the rows are kept in."""
        self.candidate.close()


@dataclass
class Look:
    """What one look into the mailbox found for a request."""

    thorough: bool
    """Whether it was the last one, which also looks at mails that do not show at first sight what they are."""
    report: Report | None = None
    clues: list[str] = field(default_factory=list)
    """Mails that might be the one, and why they are not taken."""
    broken: BrokenFile | None = None
    """What is wrong with a report that came."""
    opened: list[Candidate] = field(default_factory=list)
    """Mails whose files are open."""

    def close_others(self) -> None:
        """Free all but the report."""
        for candidate in self.opened:
            if self.report is None or candidate is not self.report.candidate:
                candidate.close()

    def told(self) -> str:
        """Return the clues as the end of a sentence."""
        clues = list(dict.fromkeys(self.clues))
        more = len(clues) - MOST_NAMED
        return "".join(f"; {clue}" for clue in clues[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")

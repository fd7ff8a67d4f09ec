"""A mail of ZeptoMail's and what becomes of it: the statuses it has had, and who opened it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.base import data, to_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.base import Life

OUTCOMES = ("delivered", "soft bounce", "hard bounce", "process failed", "sent", "processed")
FLAGS = {
    "is_delivered": "delivered",
    "is_sb": "soft bounce",
    "is_hb": "hard bounce",
    "is_mailfailure": "process failed",
}
"""The filters of a request, and the status that each lets through."""
BOUNCES = {
    "soft bounce": ("Mailbox full", data.SOFT),
    "hard bounce": ("Invalid recipient", data.HARD),
    "process failed": ("Invalid DNS", "The domain's records do not verify"),
}
EVENTS = {
    "delivered": "delivered",
    "soft bounce": "bounced",
    "hard bounce": "bounced",
    "process failed": "failed",
    "sent": "sent",
}
"""What a status becomes in `email_events`, beside the `queued` event that every mail has."""
SEVERAL = "multiple status"
VISITS = ("opened", "clicked")
TRANSITIONS: dict[str, tuple[str, ...]] = {
    "": ("processed", "process failed"),
    "processed": ("sent", "delivered", "soft bounce", "hard bounce", "process failed"),
    "sent": ("delivered", "soft bounce", "hard bounce"),
    "soft bounce": ("soft bounce", "delivered", "hard bounce", "process failed"),
    "delivered": VISITS,
    "opened": VISITS,
    "clicked": VISITS,
    "hard bounce": (),
    "process failed": (),
}


@dataclass(slots=True)
class Mail:
    """One mail; `steps` are (time, status), in order of time. Before the first its status is `first`."""

    number: int
    at_ms: int
    steps: list[tuple[int, str]]
    to: tuple[data.Person, ...]
    sender: str
    subject: str
    agent: str
    copies: str
    client_reference: str
    differs: bool = False
    """Whether the second recipient's mail ends otherwise than the first one's."""
    first: str = "processed"
    visits: list[tuple[int, str]] | None = field(default=None)
    """(time, opened or clicked); None: they go by the mail's number."""

    def history(self, now_ms: int, recipient: int = 0) -> list[tuple[int, str]]:
        """Return the statuses that a recipient's mail has had by now, and since when."""
        reached = [(self.at_ms, self.first), *(step for step in self.steps if step[0] <= now_ms)]
        if self.differs and recipient == 1:
            other = {"delivered": "hard bounce", "hard bounce": "delivered", "process failed": "delivered"}
            reached = [(at, other.get(status, status)) for at, status in reached]
        return reached

    def reached(self, now_ms: int, recipient: int = 0) -> tuple[int, str]:
        """Return the status of now, and since when it is that."""
        return self.history(now_ms, recipient)[-1]

    def status(self, now_ms: int) -> str:
        """Return the mail's one status, whatever the number of its recipients."""
        statuses = {self.reached(now_ms, place)[1] for place in range(len(self.to))}
        return statuses.pop() if len(statuses) == 1 else SEVERAL

    def change(self, at_ms: int, status: str) -> None:
        """Let it reach a status then, in place of whatever was to come."""
        self.steps = [*(step for step in self.steps if step[0] <= at_ms), (at_ms, status)]


def lived(mail: Mail, life: Life) -> Mail:
    """Give a mail the life that was planned for it."""
    mail.at_ms, mail.first, mail.steps, mail.visits = to_ms(life.at), "queued", [], []
    for at, what in life.moments():
        (mail.visits if what in VISITS else mail.steps).append((at, what))
    return mail


def told(mail: Mail, now_ms: int, rows_per: str) -> Iterator[tuple[int | None, int, str]]:
    """Yield what the rows of a mail are about: (recipient or None for all of them, since when, status)."""
    if rows_per == "mail":
        yield None, max(mail.reached(now_ms, place)[0] for place in range(len(mail.to))), mail.status(now_ms)
        return
    for place in range(len(mail.to)):
        history = mail.history(now_ms, place)
        yield from ((place, at, status) for at, status in (history if rows_per == "event" else history[-1:]))

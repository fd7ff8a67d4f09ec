"""What a ZeptoMail account knows: mails, activities and suppressions, as cells of CSV and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sandbox import data
from sandbox.base import DAY, MINUTE, SECOND, from_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.base import Account, World

MAIL_LOGS, ACTIVITY_LOGS, SUPPRESSION_LIST = KINDS = ("mail-logs", "activity-logs", "suppression-list")
COLUMNS = {
    MAIL_LOGS: (
        *("Request Id", "Email Reference", "Message Id", "From", "To", "Cc", "Bcc", "Subject", "Status"),
        *("Bounce Category", "Bounce Reason", "Processed Time", "Sent Time", "Mail Agent", "Client Reference"),
    ),
    ACTIVITY_LOGS: ("Entity", "Action", "Details", "Modified By", "IP Address", "Modified Time"),
    SUPPRESSION_LIST: ("Suppression Type", "Suppressed Value", "Action", "Reason", "Added By", "Added Time"),
}
AGENTS = {"1bc8a7c7c719f435": "agent-1", "2cd9b8d8d82a0546": "Newsletter ä"}
OUTCOMES = ("delivered", "soft bounce", "hard bounce", "process failed", "sent", "processed")
FLAGS = {
    "is_delivered": "delivered",
    "is_sb": "soft bounce",
    "is_hb": "hard bounce",
    "is_mailfailure": "process failed",
}
_WEIGHTS = (78, 5, 5, 3, 6, 3)
BOUNCES = {
    "soft bounce": ("Mailbox full", data.SOFT),
    "hard bounce": ("Invalid recipient", data.HARD),
    "process failed": ("Invalid DNS", "The domain's records do not verify"),
}


@dataclass(slots=True)
class Mail:
    """One mail to one recipient; it is `processed` until `done_ms`."""

    number: int
    at_ms: int
    done_ms: int
    outcome: str
    to: data.Person
    sender: str
    subject: str
    agent: str
    copies: str
    client_reference: str

    def status(self, now_ms: int) -> str:
        return self.outcome if self.done_ms <= now_ms else "processed"


class Book:
    """One account's data; `seen_ms` tells up to when it has happened."""

    def __init__(self, account: Account, world: World) -> None:
        self.account = account
        self.zone = ZoneInfo(account.options["timezone"])
        self.seen_ms: Callable[[], int] = world.data_ms
        self._ident = f"{account.rng('ids').getrandbits(48):012x}"
        born = round(world.born.timestamp() * 1000)
        self.start_ms = born - round(account.options["span_days"] * DAY)
        youngest = max(round(world.quiet.total_seconds() * 1000), round(account.options["quiet_minutes"] * MINUTE))
        self.end_ms = born - youngest
        self.big = int(account.options["big_export_rows"])
        ahead = world.future.total_seconds() * 1000 + youngest if world.live else 0
        more = ahead / (self.end_ms - self.start_ms)
        size = account.size

        def times(name: str, count: int) -> list[int]:
            past = data.moments(account.rng(name), count, self.start_ms, self.end_ms)
            later = self.end_ms, self.end_ms + int(ahead)
            return past + data.moments(account.rng(f"{name} ahead"), round(count * more), *later)

        self._rng = account.rng("mails")
        self._twin: tuple[int, list[str]] = (0, [])
        self._people = data.people(account.rng("people"))
        self.mails = [self._mail(number, at) for number, at in enumerate(times("mail times", size))]
        self._activities = [self._activity(n, at) for n, at in enumerate(times("activity", size // 10 + (size > 0)))]
        self._suppressions = [self._suppressed(n, at) for n, at in enumerate(times("dnd", size // 20 + (size > 0)))]

    def add(self, count: int, at_ms: int) -> None:
        """Let mails appear whose outcome is known, with a time in the past."""
        for _ in range(count):
            mail = self._mail(len(self.mails), at_ms)
            mail.done_ms = at_ms
            self.mails.append(mail)

    def change(self, count: int, before_ms: int) -> int:
        """Let the youngest mails up to `before_ms` that are not at their end reach it: they are delivered."""
        now, changed = self.seen_ms(), 0
        for mail in sorted(self.visible(), key=lambda mail: -mail.at_ms):
            if changed < count and mail.at_ms <= before_ms and mail.status(now) in ("processed", "sent"):
                mail.outcome, mail.done_ms = "delivered", before_ms
                changed += 1
        return changed

    def visible(self) -> list[Mail]:
        """Return the mails that exist by now, oldest first."""
        old, now = self._kept()
        return sorted(
            (mail for mail in self.mails if old <= mail.at_ms <= now), key=lambda mail: (mail.at_ms, mail.number)
        )

    def table(self, kind: str, start_ms: int = 0, end_ms: int = 1 << 62) -> Iterator[list[str]]:
        """Yield the CSV cells of the rows with start <= time < end, oldest first."""
        if kind == MAIL_LOGS and self.big:
            yield from self._big(start_ms, end_ms)
        elif kind == MAIL_LOGS:
            yield from (self.cells(mail) for mail in self.visible() if start_ms <= mail.at_ms < end_ms)
        else:
            old, now = self._kept()
            rows = self._activities if kind == ACTIVITY_LOGS else self._suppressions
            yield from (cells for at, cells in rows if start_ms <= at < end_ms and old <= at <= now)

    def _kept(self) -> tuple[int, int]:
        """Return the time of which the vendor has logs."""
        now = self.seen_ms()
        return now - round(self.account.options["history_days"] * DAY), now

    def stamp(self, ms: int) -> str:
        """Write a time as ZeptoMail does: `19 Jul 2025 09:00 AM`, in the account's zone and without saying so."""
        return datetime.fromtimestamp(ms / 1000, self.zone).strftime("%d %b %Y %I:%M %p")

    def reference(self, number: int) -> str:
        return f"13ef.{self._ident}.k1.{number:08x}.zm"

    def cells(self, mail: Mail) -> list[str]:
        """Return a mail as a line of mail-logs."""
        status = mail.status(self.seen_ms())
        category, reason = BOUNCES.get(status, ("", ""))
        return [
            *(self.request_id(mail.number), self.reference(mail.number), self.message_id(mail.number)),
            *(mail.sender, mail.to.address, mail.copies, "", mail.subject, status, category, reason),
            *(self.stamp(mail.at_ms), self.stamp(mail.done_ms) if status != "processed" else ""),
            *(AGENTS[mail.agent], mail.client_reference),
        ]

    def _mail(self, number: int, at_ms: int) -> Mail:
        rng, choice = self._rng, self._rng.choice
        outcome = rng.choices(OUTCOMES, _WEIGHTS)[0]
        return Mail(
            number=number,
            at_ms=at_ms,
            done_ms=at_ms + SECOND + data.skewed(rng, 3 * MINUTE) * (40 if number % 50 == 0 else 1),
            outcome=outcome,
            to=choice(self._people),
            sender=choice(data.SENDERS),
            subject=choice(data.SUBJECTS),
            agent=choice(list(AGENTS)),
            copies=choice(self._people).full if number % 10 == 0 else "",
            client_reference=f"order-{number}" if number % 4 == 0 else "",
        )

    def _activity(self, number: int, at_ms: int) -> tuple[int, list[str]]:
        choice = self._rng.choice
        if number % 7 == 6:  # exact twins, which only their number tells apart
            return self._twin
        entity = choice(("Agent", "Email template", "IP restriction", "Domain", "Webhook"))
        who = choice(("Rebecca", "paul@zylker.example", "Zoë Ünal"))
        action = choice(("Added", "Updated", "Deleted"))
        cells = [entity, action, f'{action} "{entity} {number % 9}"', who, f"198.51.100.{number % 250}"]
        self._twin = (at_ms, [*cells, self.stamp(at_ms)])
        return self._twin

    def _suppressed(self, number: int, at_ms: int) -> tuple[int, list[str]]:
        choice = self._rng.choice
        kind = "domain" if number % 5 == 4 else "email"
        value = choice(data.DOMAINS) if kind == "domain" else choice(self._people).address
        reason = choice(("Hard bounce", "Spam complaint", "Added manually", ""))
        return at_ms, [kind, value, choice(("Reject", "Suppress tracking")), reason, "Rebecca", self.stamp(at_ms)]

    def _big(self, start_ms: int, end_ms: int) -> Iterator[list[str]]:
        """Yield rows made on the spot, evenly spread, none of which is ever held."""
        step = (self.end_ms - self.start_ms) / self.big
        minute, stamp, address = -1, "", [person.address for person in self._people]
        for number in range(max(0, int((start_ms - self.start_ms) / step) - 1), self.big):
            at = self.start_ms + int(number * step)
            if at < start_ms:
                continue
            if at >= end_ms:
                return
            if at // MINUTE != minute:
                minute, stamp = at // MINUTE, self.stamp(at)
            status = OUTCOMES[number % len(OUTCOMES)]
            category, reason = BOUNCES.get(status, ("", ""))
            yield [
                *(self.request_id(number), self.reference(number), self.message_id(number), data.SENDERS[0]),
                *(address[number % len(address)], "", "", data.SUBJECTS[number % 11], status, category, reason),
                *(stamp, stamp if status != "processed" else "", "agent-1", ""),
            ]

    def request_id(self, number: int) -> str:
        """Return the id of the request that sent a mail, and the one after it too."""
        return f"{self._ident}.{number // 2:x}"

    def message_id(self, number: int) -> str:
        return f"<{self._ident}.{number}@shop.example>"

    def iso(self, ms: int) -> str:
        return from_ms(ms - ms % SECOND).astimezone(self.zone).isoformat()

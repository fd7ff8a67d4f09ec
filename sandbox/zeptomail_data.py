"""What a ZeptoMail account knows: mails, activities and suppressions, as cells of CSV and as JSON."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sandbox import data
from sandbox.base import DAY, MINUTE, SECOND, from_ms
from sandbox.zeptomail_mail import BOUNCES, EVENTS, OUTCOMES, Mail, lived, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sandbox.base import Account, Life, World

MAIL_LOGS, ACTIVITY_LOGS, SUPPRESSION_LIST = KINDS = ("mail-logs", "activity-logs", "suppression-list")
COLUMNS = {
    MAIL_LOGS: (
        *("Request Id", "Email Reference", "Message Id", "From", "To", "Cc", "Bcc", "Subject", "Status"),
        *("Bounce Category", "Bounce Reason", "Processed Time", "Sent Time", "Mail Agent", "Client Reference"),
        "Status Time",
    ),
    ACTIVITY_LOGS: ("Entity", "Action", "Details", "Modified By", "IP Address", "Modified Time"),
    SUPPRESSION_LIST: ("Suppression Type", "Suppressed Value", "Action", "Reason", "Added By", "Added Time"),
}
AGENTS = {"1bc8a7c7c719f435": "agent-1", "2cd9b8d8d82a0546": "Newsletter ä"}
_WEIGHTS = (78, 5, 5, 3, 6, 3)
_FORMS = {"page": "%d %b %Y %I:%M %p", "iso": "%Y-%m-%dT%H:%M:%S%z", "numeric": "%d/%m/%Y %I:%M %p"}
"""How the files write times, by the option `file_dates`; the first is that of the page's sample."""


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
            mail.steps = [(at_ms, status) for _, status in mail.steps]
            self.mails.append(mail)

    def live(self, lives: Iterable[Life]) -> None:
        """Plan further mails and all that becomes of them."""
        for life in lives:
            self.mails.append(lived(self._mail(len(self.mails), 0), life))

    def change(self, count: int, before_ms: int) -> int:
        """Let the youngest mails up to `before_ms` that are not at their end reach it: they are delivered."""
        now, changed = self.seen_ms(), 0
        for mail in sorted(self.visible(), key=lambda mail: -mail.at_ms):
            if changed < count and mail.at_ms <= before_ms and mail.status(now) in ("queued", "processed", "sent"):
                mail.change(before_ms, "delivered")
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
            mails = (mail for mail in self.visible() if start_ms <= mail.at_ms < end_ms)
            yield from (cells for mail in mails for cells in self.cells(mail))
        else:
            old, now = self._kept()
            rows = self._activities if kind == ACTIVITY_LOGS else self._suppressions
            yield from (cells for at, cells in rows if start_ms <= at < end_ms and old <= at <= now)

    def events(self) -> Counter[str]:
        """Count the events of the mail logs as they are now."""
        found: Counter[str] = Counter()
        if self.big:
            place = COLUMNS[MAIL_LOGS].index("Status")
            statuses = Counter(cells[place] for cells in self.table(MAIL_LOGS))
            found.update({EVENTS[status]: count for status, count in statuses.items() if status in EVENTS})
            return found + Counter(queued=statuses.total())
        options = self.account.options
        referred = not {"Email Reference", "Message Id", "Request Id"} <= set(options["hide_columns"])
        for mail in self.visible():
            rows = list(told(mail, self.seen_ms(), options["rows_per"]))
            for recipient, _, status in rows:
                found[EVENTS.get(status, "")] += len(mail.to) if recipient is None else 1
            found["queued"] += len(mail.to) if referred or options["rows_per"] == "mail" else len(rows)
        del found[""]
        return found

    def _kept(self) -> tuple[int, int]:
        """Return the time of which the vendor has logs."""
        now = self.seen_ms()
        return now - round(self.account.options["history_days"] * DAY), now

    def shown(self, kind: str) -> list[int]:
        """Return which of the `COLUMNS` a file has, by their places."""
        hidden = set(self.account.options["hide_columns"])
        return [place for place, name in enumerate(COLUMNS[kind]) if name not in hidden]

    def stamp(self, ms: int) -> str:
        """Write a time as ZeptoMail does: `19 Jul 2025 09:00 AM`, in the account's zone and without saying so."""
        return datetime.fromtimestamp(ms / 1000, self.zone).strftime(_FORMS["page"])

    def file_stamp(self, ms: int) -> str:
        """Write a time as the files have it."""
        options = self.account.options
        zone = ZoneInfo(options["file_timezone"]) if options["file_timezone"] else self.zone
        form = options["file_dates"]
        return datetime.fromtimestamp(ms / 1000, zone).strftime(_FORMS[form]) if form != "none" else ""

    def reference(self, number: int) -> str:
        return f"13ef.{self._ident}.k1.{number:08x}.zm"

    def cells(self, mail: Mail) -> Iterator[list[str]]:
        """Yield the lines of mail-logs that a mail has now."""
        for recipient, since, status in told(mail, self.seen_ms(), self.account.options["rows_per"]):
            category, reason = BOUNCES.get(status, ("", ""))
            to = mail.to if recipient is None else mail.to[recipient : recipient + 1]
            yield [
                *(self.request_id(mail.number), self.reference(mail.number), self.message_id(mail.number)),
                *(mail.sender, ", ".join(person.address for person in to), mail.copies, "", mail.subject, status),
                *(category, reason, self.file_stamp(mail.at_ms)),
                self.file_stamp(since) if status not in ("queued", "processed") else "",
                *(AGENTS[mail.agent], mail.client_reference, self.file_stamp(since)),
            ]

    def _mail(self, number: int, at_ms: int) -> Mail:
        rng, choice = self._rng, self._rng.choice
        outcome = rng.choices(OUTCOMES, _WEIGHTS)[0]
        done = at_ms + SECOND + data.skewed(rng, 3 * MINUTE) * (40 if number % 50 == 0 else 1)
        several = self.account.options["several_recipients"]
        to = [choice(self._people)]
        if several and not number % several:
            to += [choice([person for person in self._people if person not in to])]
        return Mail(
            number=number,
            at_ms=at_ms,
            steps=[(done, outcome)] if outcome != "processed" else [],
            to=tuple(to),
            sender=choice(data.SENDERS),
            subject=choice(data.SUBJECTS),
            agent=choice(list(AGENTS)),
            copies=choice(self._people).full if number % 10 == 0 else "",
            client_reference=f"order-{number}" if number % 4 == 0 else "",
            differs=len(to) > 1 and not number % (2 * several),
        )

    def _activity(self, number: int, at_ms: int) -> tuple[int, list[str]]:
        choice = self._rng.choice
        if number % 7 == 6:  # exact twins, which only their number tells apart
            return self._twin
        entity = choice(("Agent", "Email template", "IP restriction", "Domain", "Webhook"))
        who = choice(("Rebecca", "paul@zylker.example", "Zoë Ünal"))
        action = choice(("Added", "Updated", "Deleted"))
        cells = [entity, action, f'{action} "{entity} {number % 9}"', who, f"198.51.100.{number % 250}"]
        self._twin = (at_ms, [*cells, self.file_stamp(at_ms)])
        return self._twin

    def _suppressed(self, number: int, at_ms: int) -> tuple[int, list[str]]:
        choice = self._rng.choice
        kind = "domain" if number % 5 == 4 else "email"
        # An address or domain is in the list once.
        value = f"d{number}.{choice(data.DOMAINS)}" if kind == "domain" else f"dnd{number}@{choice(data.DOMAINS)}"
        reason = choice(("Hard bounce", "Spam complaint", "Added manually", ""))
        return at_ms, [kind, value, choice(("Reject", "Suppress tracking")), reason, "Rebecca", self.file_stamp(at_ms)]

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
                minute, stamp = at // MINUTE, self.file_stamp(at)
            status = OUTCOMES[number % len(OUTCOMES)]
            category, reason = BOUNCES.get(status, ("", ""))
            yield [
                *(self.request_id(number), self.reference(number), self.message_id(number), data.SENDERS[0]),
                *(address[number % len(address)], "", "", data.SUBJECTS[number % 11], status, category, reason),
                *(stamp, stamp if status != "processed" else "", "agent-1", "", stamp),
            ]

    def request_id(self, number: int) -> str:
        """Return the id of the request that sent a mail, and the one after it too."""
        return f"{self._ident}.{number // 2:x}"

    def message_id(self, number: int) -> str:
        return f"<{self._ident}.{number}@shop.example>"

    def iso(self, ms: int) -> str:
        return from_ms(ms - ms % SECOND).astimezone(self.zone).isoformat()

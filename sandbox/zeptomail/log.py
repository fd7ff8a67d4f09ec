"""What a ZeptoMail account knows: mails, activities and suppressions, as cells of CSV and as JSON."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from sandbox.base import DAY, MINUTE, SECOND, Account, World, data, from_ms, to_ms
from sandbox.base.log import Seen
from sandbox.zeptomail.mail import BOUNCES, EVENTS, OUTCOMES, Mail, lived, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.base import Life

MAIL_LOGS, ACTIVITY_LOGS, SUPPRESSION_LIST = KINDS = ("mail-logs", "activity-logs", "suppression-list")
STREAMS = dict(
    zip(KINDS, ("zeptomail_mail_logs", "zeptomail_activity_logs", "zeptomail_suppression_list"), strict=True)
)
"""The tap's stream of each file."""
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


class Line(NamedTuple):
    """A line of a file, with all of its `COLUMNS`, shown or not."""

    kind: str
    cells: list[str]


class Book(Seen[Line]):
    """One account's data; a row is a line of one of the files."""

    def __init__(self, account: Account, world: World) -> None:
        super().__init__(account, world)
        self.zone = ZoneInfo(self.options["timezone"])
        self._ident = f"{account.rng('ids').getrandbits(48):012x}"
        born = to_ms(world.born)
        self.start = born - round(self.options["span_days"] * DAY)
        self.end = min(self.end, born - round(self.options["quiet_minutes"] * MINUTE))
        self.big = int(self.options["big_export_rows"])
        size, some = account.size, int(account.size > 0)

        def times(name: str, count: int) -> Iterator[tuple[int, int]]:
            return enumerate(self.times_of(name, count, (self.start, self.end)))

        self._rng = account.rng("mails")
        self._twin: tuple[int, list[str]] = (0, [])
        self.mails = [self._mail(number, at) for number, at in times("mail times", size)]
        self._activities = [self._activity(number, at) for number, at in times("activity", size // 10 + some)]
        self._suppressions = [self._suppressed(number, at) for number, at in times("dnd", size // 20 + some)]

    @property
    def rows(self) -> list[Line]:
        """The lines of the mail logs."""
        return self.lines(MAIL_LOGS)

    def lines(self, kind: str) -> list[Line]:
        """Return all lines of a file."""
        return [Line(kind, cells) for cells in self.table(kind)]

    def row(self, one: Line) -> dict[str, str]:
        """Return a line by the columns that its file has."""
        return {COLUMNS[one.kind][place]: one.cells[place] for place in self.shown(one.kind)}

    def counts(self) -> dict[str, int]:
        found = {name: sum(1 for _ in self.table(kind)) for kind, name in STREAMS.items()}
        return {**found, "zeptomail_emails": len(self.visible())}

    def appear(self, count: int, at_ms: int) -> list[Any]:
        """Let mails appear whose outcome is known, with a time in the past."""
        for _ in range(count):
            mail = self._mail(len(self.mails), at_ms)
            mail.steps = [(at_ms, status) for _, status in mail.steps]
            self.mails.append(mail)
        return self.mails[len(self.mails) - count :]

    def live(self, life: Life, number: int) -> None:  # noqa: ARG002 - its number goes on from the mails there are
        """Plan a further mail and all that becomes of it."""
        self.mails.append(lived(self._mail(len(self.mails), 0), life))

    def mutate(self, count: int, at_ms: int, kind: str | None = None) -> list[Any]:
        """Let the youngest mails up to then that are not at their end reach it: they are delivered, or a `kind`."""
        waiting = [
            mail
            for mail in sorted(self.visible(), key=lambda mail: -mail.at_ms)
            if mail.at_ms <= at_ms and mail.status(self.seen_ms()) in ("queued", "processed", "sent")
        ][:count]
        for mail in waiting:
            mail.change(at_ms, kind or "delivered")
        return waiting

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
        options = self.options
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
        return now - round(self.options["history_days"] * DAY), now

    def shown(self, kind: str) -> list[int]:
        """Return which of the `COLUMNS` a file has, by their places."""
        hidden = set(self.options["hide_columns"])
        return [place for place, name in enumerate(COLUMNS[kind]) if name not in hidden]

    def stamp(self, ms: int) -> str:
        """Write a time as ZeptoMail does: `19 Jul 2025 09:00 AM`, in the account's zone and without saying so."""
        return datetime.fromtimestamp(ms / 1000, self.zone).strftime(_FORMS["page"])

    def file_stamp(self, ms: int) -> str:
        """Write a time as the files have it."""
        options = self.options
        zone = ZoneInfo(options["file_timezone"]) if options["file_timezone"] else self.zone
        form = options["file_dates"]
        return datetime.fromtimestamp(ms / 1000, zone).strftime(_FORMS[form]) if form != "none" else ""

    def reference(self, number: int) -> str:
        return f"13ef.{self._ident}.k1.{number:08x}.zm"

    def cells(self, mail: Mail) -> Iterator[list[str]]:
        """Yield the lines of mail-logs that a mail has now."""
        for recipient, since, status in told(mail, self.seen_ms(), self.options["rows_per"]):
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
        several = self.options["several_recipients"]
        to = [choice(self.people)]
        if several and not number % several:
            to += [choice([person for person in self.people if person not in to])]
        return Mail(
            number=number,
            at_ms=at_ms,
            steps=[(done, outcome)] if outcome != "processed" else [],
            to=tuple(to),
            sender=choice(data.SENDERS),
            subject=choice(data.SUBJECTS),
            agent=choice(list(AGENTS)),
            copies=choice(self.people).full if number % 10 == 0 else "",
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
        step = (self.end - self.start) / self.big
        minute, stamp, address = -1, "", [person.address for person in self.people]
        for number in range(max(0, int((start_ms - self.start) / step) - 1), self.big):
            at = self.start + int(number * step)
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

"""What a Messangi account knows: messages of all channels, each with the statuses it has reached."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox import data
from sandbox.base import DAY, HOUR, MINUTE, from_ms, to_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sandbox.base import Account, Life, World

EVENTS = {
    "DEQUEUED": "queued",
    "SENT": "sent",
    "NOT_SENT": "failed",
    "INCOMPLETE": "failed",
    "EXHAUSTED": "failed",
    "BAD_TO": "rejected",
    "BAD_FROM": "rejected",
    "BLACKLISTED": "rejected",
    "BLOCKED_DUE_BAD_BEHAVIOUR": "rejected",
    "BOUNCED": "bounced",
    "BOUNCED_PERMANENT": "bounced",
    "COMPLAINED": "complained",
    "OPEN": "opened",
    "CLICK": "clicked",
}
"""E-mail statuses and the `event_type` that the contract makes of them; any other is `unknown`.

`queued` is the one event that every mail has, so DEQUEUED adds none.
"""
TRANSITIONS = {
    "": (
        *("SENT", "NOT_SENT", "INCOMPLETE", "BAD_TO", "BAD_FROM", "BLACKLISTED", "BLOCKED_DUE_BAD_BEHAVIOUR"),
        *("BOUNCED", "BOUNCED_PERMANENT", "EXHAUSTED"),
    ),
    "SENT": ("OPEN", "CLICK", "COMPLAINED", "BOUNCED", "BOUNCED_PERMANENT"),
    "NOT_SENT": ("SENT", "EXHAUSTED"),
    "BOUNCED": ("SENT", "BOUNCED_PERMANENT", "EXHAUSTED"),
    "OPEN": ("OPEN", "CLICK", "COMPLAINED"),
    "CLICK": ("OPEN", "CLICK", "COMPLAINED"),
}
"""What may follow a status; "" is a mail that was just taken, which shows DEQUEUED. No page says so."""
_WEIGHTS = (4, 50, 2, 1, 2, 2, 1, 2, 1, 4, 4, 1, 18, 8)
_OTHER = {"S": ("SENT", "EXPIRED", "DELIVRD"), "W": ("SENT", "READ"), "P": ("SENT", "OPENED")}
COLUMNS = {
    "id": "Message ID",
    "date": "Date",
    "statusDate": "Status Date",
    "status": "Status",
    "channel": "Channel",
    "sender": "Sender",
    "recipient": "Recipient",
    "subject": "Subject",
    "campaign": "Campaign",
    "campaignName": "Campaign Name",
    "details": "Details",
}
"""Fields of a row, and their columns in the CSV report."""


@dataclass(slots=True)
class Message:
    """One message; `steps` are (time, status), the first at its own time."""

    ident: str
    channel: str
    sender: str
    recipient: str
    subject: str
    campaign: int
    steps: list[tuple[int, str]]

    @property
    def at_ms(self) -> int:
        return self.steps[0][0]

    def reached(self, now_ms: int) -> tuple[int, str]:
        """Return the last step by now."""
        return next(step for step in reversed(self.steps) if step[0] <= now_ms)


class Entry(NamedTuple):
    """What becomes a row: a message and one of its steps."""

    message: Message
    when: int
    status: str


class Log:
    """One account's messages.

    The option `rows` tells what a row is: a `mail`, with the status reached last, or an `event`, one for each status
    that was reached, all with the message's date.
    """

    def __init__(self, account: Account, world: World) -> None:
        self.options = account.options
        self.seen_ms: Callable[[], int] = world.data_ms
        self._rng = account.rng("messages")
        self._people = data.people(account.rng("people"))
        self._ident = f"{account.rng('ids').getrandbits(32):08x}"
        self._statuses, self._weights = list(EVENTS), list(_WEIGHTS)
        if account.options["new_status"]:
            self._statuses.append(account.options["new_status"])
            self._weights.append(3)
        born = round(world.born.timestamp() * 1000)
        start, end = born - round(account.options["span_days"] * DAY), born - world.quiet // timedelta(milliseconds=1)
        ahead = (world.future + world.quiet) // timedelta(milliseconds=1) if world.live else 0
        more = round(account.size * ahead / (end - start))
        times = data.moments(account.rng("times"), account.size, start, end, step=1)
        times += data.moments(account.rng("times ahead"), more, end, end + ahead, step=1)
        self._messages: list[Message] = []
        self._lives = 0
        for at in times:
            self._add("E", at)
            if len(self._messages) % 10 == 0:
                self._add(self._rng.choice(list(_OTHER)), at)

    def visible(self) -> list[Message]:
        """Return the messages that exist by now, oldest first."""
        now = self.seen_ms()
        return sorted((one for one in self._messages if one.at_ms <= now), key=lambda one: one.at_ms)

    def late(self, count: int, at_ms: int) -> None:
        """Let e-mails appear that were sent in the past."""
        for _ in range(count):
            self._add("E", at_ms)
            self._messages[-1].steps = [(at_ms, "SENT")]

    def change(self, count: int, at_ms: int) -> int:
        """Let the youngest e-mails that are sent by then be opened then."""
        changed = 0
        for message in reversed(self.visible()):
            if changed < count and message.channel == "E" and message.at_ms <= at_ms:
                when, status = message.reached(self.seen_ms())
                if status in ("SENT", "DEQUEUED") and when <= at_ms:
                    message.steps = [*(step for step in message.steps if step[0] <= at_ms), (at_ms, "OPEN")]
                    changed += 1
        return changed

    def live(self, lives: Iterable[Life]) -> None:
        """Plan further e-mails; nothing of them depends on chance, or on when this is called."""
        for life in lives:
            at, before = to_ms(life.at), ""
            steps = [(at, "DEQUEUED")]
            for wait, status in life.steps:
                if status not in TRANSITIONS.get(before, ()):
                    raise ValueError(f"{status} cannot follow {before or 'nothing'}")
                at, before = at + wait // timedelta(milliseconds=1), status
                steps.append((at, status))
            number = self._lives
            self._lives += 1
            self._messages.append(
                Message(
                    ident=f"{self._ident}-{number}",
                    channel="E",
                    sender=data.SENDERS[number % len(data.SENDERS)],
                    recipient=self._people[number % len(self._people)].address,
                    subject=data.SUBJECTS[number % len(data.SUBJECTS)],
                    campaign=1000 + number % 3,
                    steps=steps,
                )
            )

    def entries(self) -> list[Entry]:
        """Return what rows there are now, oldest message first."""
        now = self.seen_ms()
        if self.options["rows"] == "event":
            return [Entry(one, when, status) for one in self.visible() for when, status in one.steps if when <= now]
        return [Entry(one, *one.reached(now)) for one in self.visible()]

    def shown(self) -> list[Entry]:
        """Return the entries that one gets who asks for e-mails."""
        return [one for one in self.entries() if one.message.channel == "E" or self.options["ignore_channel"]]

    def events(self) -> Counter[str]:
        """Count the events of the entries: each mail is queued once, or each row where no id tells mails apart."""
        hidden = self.options["hide_fields"]
        emails = [one for one in self.shown() if one.message.channel == "E"]
        mails = len(emails) if "id" in hidden else len({one.message.ident for one in emails})
        words = Counter() if "status" in hidden else Counter(EVENTS.get(one.status, "unknown") for one in emails)
        del words["queued"]
        return words + Counter(queued=mails)

    def row(self, entry: Entry) -> dict[str, Any]:
        """Return an entry as GET /v3/mlog does."""
        message, when, status = entry
        row = {
            "id": message.ident,
            "date": _zulu(message.at_ms),
            "statusDate": _zulu(when),
            "status": status,
            "channel": message.channel,
            "sender": message.sender,
            "recipient": message.recipient,
            "subject": message.subject,
            "campaign": str(message.campaign),
            "campaignName": f"Campaña {message.campaign}",
            "details": data.HARD if status == "BOUNCED_PERMANENT" else None,
        }
        for name in self.options["hide_fields"]:
            del row[name]
        return row

    def cells(self, entry: Entry, minutes: int) -> list[str]:
        """Return an entry as a line of the CSV report, in a zone that is `minutes` east of GMT."""
        zone = timezone(timedelta(minutes=minutes))
        row = self.row(entry)
        for name, ms in (("date", entry.message.at_ms), ("statusDate", entry.when)):
            if name in row:
                row[name] = from_ms(ms).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S.") + f"{ms % 1000:03d}"
        return ["" if value is None else str(value) for value in row.values()]

    def find(self, span: tuple[int, int], filters: Mapping[str, str]) -> list[Entry]:
        """Return the entries of a span that fit; options tell which date counts and what of the ends belongs to it."""
        low, high = self.options["bounds"]
        start, end = span[0] + (low == "("), span[1] + (high == "]")
        statuses = filters["status"].split(",") if "status" in filters else []
        by_status = self.options["filter_by"] == "statusDate"

        def fits(entry: Entry) -> bool:
            message = entry.message
            return (
                start <= (entry.when if by_status else message.at_ms) < end
                and (self.options["ignore_channel"] or filters.get("channel", message.channel) == message.channel)
                and filters.get("recipient", message.recipient) == message.recipient
                and filters.get("campaign", str(message.campaign)) == str(message.campaign)
                and filters.get("sender", message.sender) == message.sender
                and (not statuses or entry.status in statuses)
            )

        found = [entry for entry in self.entries() if fits(entry)]
        return sorted(found, key=lambda entry: entry.when) if by_status else found

    def known(self, status: str) -> bool:
        """Tell whether a status exists."""
        return status in self._statuses or any(status in statuses for statuses in _OTHER.values())

    def _add(self, channel: str, at_ms: int) -> None:
        rng, number = self._rng, len(self._messages)
        ident = f"{self._ident}{number:08x}"
        if number % 25 == 24 and channel == "E" and self._messages[-1].channel == "E":
            twin = self._messages[-1]  # only the id tells these two apart
            self._messages.append(
                Message(ident, "E", twin.sender, twin.recipient, twin.subject, twin.campaign, [*twin.steps])
            )
            return
        person = rng.choice(self._people)
        steps = [(at_ms, "DEQUEUED")]
        later = at_ms + 1 + data.skewed(rng, 2 * MINUTE)
        if channel != "E":
            steps.append((later, rng.choice(_OTHER[channel])))
        else:
            outcome = rng.choices(self._statuses, self._weights)[0]
            if outcome in ("OPEN", "CLICK", "COMPLAINED"):
                steps.append((later, "SENT"))
                later += 1 + data.skewed(rng, 3 * HOUR)
            if outcome != "DEQUEUED":
                steps.append((later, outcome))
        self._messages.append(
            Message(
                ident=ident,
                channel=channel,
                sender=rng.choice(data.SENDERS) if channel == "E" else "55123",
                recipient=person.address if channel == "E" else f"+1555{number:07d}",
                subject=rng.choice(data.SUBJECTS) if channel == "E" else "",
                campaign=1000 + number % 3,
                steps=steps,
            )
        )


def _zulu(ms: int) -> str:
    return from_ms(ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"

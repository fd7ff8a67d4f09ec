"""What a Messangi account knows: messages of all channels, each with the statuses it has reached."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.base import DAY, HOUR, MINUTE, Account, World, data, from_ms, to_ms
from sandbox.base.log import Seen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.base import Life

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


class Messages(Seen[Entry]):
    """One account's messages.

    The option `rows` tells what a row is: a `mail`, with the status reached last, or an `event`, one for each status
    that was reached, all with the message's date.
    """

    def __init__(self, account: Account, world: World) -> None:
        super().__init__(account, world)
        self._rng = account.rng("messages")
        self._ident = f"{account.rng('ids').getrandbits(32):08x}"
        new = self.options["new_status"]
        self._statuses, self._weights = [*EVENTS, *([new] if new else [])], [*_WEIGHTS, *([3] if new else [])]
        start = to_ms(world.born) - round(self.options["span_days"] * DAY)
        self._messages: list[Message] = []
        for at in self.times_of("times", account.size, (start, self.end), step=1):
            self._add("E", at)
            if len(self._messages) % 10 == 0:
                self._add(self._rng.choice(list(_OTHER)), at)

    def visible(self) -> list[Message]:
        """Return the messages that exist by now, oldest first."""
        now = self.seen_ms()
        return sorted((one for one in self._messages if one.at_ms <= now), key=lambda one: one.at_ms)

    def appear(self, count: int, at_ms: int) -> list[Entry]:
        """Let e-mails appear that were sent in the past."""
        for _ in range(count):
            self._add("E", at_ms)
            self._messages[-1].steps = [(at_ms, "SENT")]
        return [Entry(message, at_ms, "SENT") for message in self._messages[len(self._messages) - count :]]

    def mutate(self, count: int, at_ms: int, kind: str | None = None) -> list[Entry]:
        """Let the youngest e-mails that are sent by then be opened then, or reach the status `kind`."""
        changed: list[Entry] = []
        for message in reversed(self.visible()):
            if len(changed) < count and message.channel == "E" and message.at_ms <= at_ms:
                when, status = message.reached(self.seen_ms())
                if status in ("SENT", "DEQUEUED") and when <= at_ms:
                    status = kind or "OPEN"
                    message.steps = [*(step for step in message.steps if step[0] <= at_ms), (at_ms, status)]
                    changed.append(Entry(message, at_ms, status))
        return changed

    def live(self, life: Life, number: int) -> None:
        """Plan a further e-mail; nothing of it depends on chance, or on when this is called."""
        before = ""
        for _, status in life.steps:
            if status not in TRANSITIONS.get(before, ()):
                raise ValueError(f"{status} cannot follow {before or 'nothing'}")
            before = status
        self._messages.append(
            Message(
                ident=f"{self._ident}-{number}",
                channel="E",
                sender=data.SENDERS[number % len(data.SENDERS)],
                recipient=self.people[number % len(self.people)].address,
                subject=data.SUBJECTS[number % len(data.SUBJECTS)],
                campaign=1000 + number % 3,
                steps=[(to_ms(life.at), "DEQUEUED"), *life.moments()],
            )
        )

    def entries(self) -> list[Entry]:
        """Return what rows there are now, oldest message first."""
        now = self.seen_ms()
        if self.options["rows"] == "event":
            return [Entry(one, when, status) for one in self.visible() for when, status in one.steps if when <= now]
        return [Entry(one, *one.reached(now)) for one in self.visible()]

    @property
    def rows(self) -> list[Entry]:
        """The entries that one gets who asks for e-mails."""
        return [one for one in self.entries() if one.message.channel == "E" or self.options["ignore_channel"]]

    def events(self) -> Counter[str]:
        """Count the events of the entries: each mail is queued once, or each row where no id tells mails apart."""
        hidden = self.options["hide_fields"]
        emails = [one for one in self.rows if one.message.channel == "E"]
        mails = len(emails) if "id" in hidden else len({one.message.ident for one in emails})
        words = Counter() if "status" in hidden else Counter(EVENTS.get(one.status, "unknown") for one in emails)
        del words["queued"]
        return words + Counter(queued=mails)

    def counts(self) -> dict[str, int]:
        return dict.fromkeys(("messangi_message_logs", "messangi_message_reports"), len(self.rows))

    def row(self, one: Entry) -> dict[str, Any]:
        """Return an entry as GET /v3/mlog does."""
        message, when, status = one
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
        person = rng.choice(self.people)
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

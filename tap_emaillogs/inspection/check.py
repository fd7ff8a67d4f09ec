"""The check: one cheap question per account and stream, and what it tells.

Accounts are asked side by side, the streams of one account one after the other, at the pace of its budget. Each
question is asked once and has an end; what goes wrong with one is told, and stops no other.
"""

from __future__ import annotations

import contextlib
import queue
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from tap_emaillogs.engine.failure import Failure
from tap_emaillogs.engine.pool import Pool
from tap_emaillogs.engine.readers import reader_of
from tap_emaillogs.engine.reading import EndpointContext, Reading, Sample
from tap_emaillogs.formats.timestamps import floor
from tap_emaillogs.http.errors import NotAuthorized, NotPermitted, TooMuch, Unreachable, VendorError
from tap_emaillogs.http.vendor_clock import consequence, date_of
from tap_emaillogs.inspection.cost import SHOWN, Cost, cost, schedule
from tap_emaillogs.streams.window import Policy, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_emaillogs.engine.reader import Reader
    from tap_emaillogs.http.client import ApiClient
    from tap_emaillogs.http.clock import Clock
    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.provider import Account

ASKED = timedelta(days=1)
"""How much of the log a question is about: its number of rows tells what runs will cost."""
_AT_ONCE = 16
_PATIENCE = 60.0
"""Seconds for one question, beside what the budget makes it wait."""
_CLOCK_OFF = 60
"""Seconds; a difference below it is what answers take, and what `settle_minutes` covers many times over."""
_NOTHING = Sample()
_LATER = "look at the vendor's status page, and check again later"


@dataclass(frozen=True)
class Checked:
    """What the question to one endpoint told."""

    account: Account
    stream: str
    policy: Policy
    reachable: bool | None
    """Whether anything answered; None: nothing was asked for over the network."""
    authorised: bool | None
    """Whether the key may read this; None: that could not be told."""
    sample: Sample = _NOTHING
    clock_ahead: float | None = None
    """Seconds that this machine's clock is ahead of the vendor's; None: no answer told the vendor's."""
    requests: int = 0
    said: str | None = None
    """What is wrong, in the vendor's words where there are any, redacted; None: nothing."""
    hint: str | None = None
    """What to do about it."""
    costs: Sequence[Cost] = ()
    schedule: timedelta | None = None

    @property
    def history_days(self) -> float | None:
        """For how long the vendor keeps its log; None: it states no limit."""
        return None if self.policy.history is None else self.policy.history / timedelta(days=1)

    @property
    def history_source(self) -> str:
        """Who says so: one cheap question cannot."""
        if self.account.given.get("history_days") is not None:
            return "configured"
        return "not stated" if self.policy.history is None else self.account.provider.history_source


def check(streams: Iterable[LogStream], clock: Clock) -> list[Checked]:
    """Ask about streams that are bound to accounts; the answers are in their order."""
    asked = list(streams)
    by_account: dict[int, list[int]] = {}
    for place, stream in enumerate(asked):
        by_account.setdefault(id(stream.account), []).append(place)
    arrivals: queue.SimpleQueue[tuple[int, Checked]] = queue.SimpleQueue()
    pool = Pool(min(_AT_ONCE, max(1, len(by_account))))

    def ask_all(places: Sequence[int]) -> None:
        for place in places:
            arrivals.put((place, _ask(asked[place], clock)))

    for places in by_account.values():
        pool.submit(lambda places=places: ask_all(places))  # type: ignore[misc]
    paces = (stream.settings.requests_per_minute for stream in asked)
    slowest = min((pace for pace in paces if pace), default=60)
    patience = _PATIENCE + 3 * 60 / slowest
    found: dict[int, Checked] = {}
    with contextlib.suppress(queue.Empty):
        while len(found) < len(asked):
            place, checked = arrivals.get(timeout=patience)
            found[place] = checked
    pool.close()
    return [found.get(place) or _silent(stream, patience) for place, stream in enumerate(asked)]


def _silent(stream: LogStream, patience: float) -> Checked:
    return Checked(
        account=stream.account,
        stream=stream.name,
        policy=stream.account.policy(stream.unit, stream.defaults),
        reachable=False,
        authorised=None,
        said=f"no answer within {patience:.0f} s",
        hint="check base_url, the network and the vendor's status page",
    )


class _Heard:
    """Listens to the answers of an account: whether there are any, and what their clock says."""

    def __init__(self, client: ApiClient, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self.anything = False
        self.ahead: float | None = None

    def __enter__(self) -> Self:
        self._client.on_answer = self._note
        self._client.vendor_clock.be_quiet()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.on_answer = None

    def _note(self, headers: Mapping[str, str]) -> None:
        self.anything = True
        theirs = date_of(headers)
        if theirs is not None:
            # The header leaves out the part of a second.
            self.ahead = (self._clock.now() - theirs).total_seconds() - 0.5


def _ask(stream: LogStream, clock: Clock) -> Checked:
    client, policy = stream.account.client, stream.account.policy(stream.unit, stream.defaults)
    client.max_tries = 1
    checked = Checked(stream.account, stream.name, policy, reachable=None, authorised=None)
    with _Heard(client, clock) as heard:
        reader, sample, error = None, _NOTHING, None
        reading = Reading(_stretch(policy, stream, clock.now()), EndpointContext({}))
        try:
            reader = reader_of(stream)
            sample = reader.sample(reading)
        except TooMuch:  # so the vendor looked
            sample = Sample(note="a day's rows are too many for one answer; runs split them")
        except Exception as caught:  # noqa: BLE001 - isolation: one account's failure stops no other
            error = caught
    asked = reading.meter.requests
    checked = replace(checked, sample=sample, requests=asked, clock_ahead=heard.ahead)
    checked = replace(checked, reachable=heard.anything or _is_reached(error, asked))
    if error is not None:
        return _wrong(checked, error)
    return _judged(replace(checked, authorised=sample.authorised), reader)


def _stretch(policy: Policy, stream: LogStream, now: datetime) -> Window:
    """Return the time that is asked about: the last day, or less where the vendor shows no more at once."""
    end = floor(now, policy.unit)
    longest = min(filter(None, (ASKED, policy.history, stream.longest)))
    return Window(floor(end - longest, policy.unit), end)


def _is_reached(error: Exception | None, asked: int) -> bool | None:
    """Whether somebody answered, although not over HTTP; None: that could not be told."""
    if error is None or isinstance(error, VendorError):
        return True
    return False if asked or isinstance(error, Unreachable) else None


def _wrong(checked: Checked, error: Exception) -> Checked:
    label = checked.account.client.label
    refused = isinstance(error, (NotAuthorized, NotPermitted))
    failure = Failure.of(f"{label}, stream {checked.stream}", error, checked.account, [checked.stream])
    return replace(
        checked,
        authorised=False if refused else None,
        said=failure.said.rstrip("."),
        hint=_LATER if "this window" in failure.error.hint else failure.error.hint,
    )


def _judged(checked: Checked, reader: Reader | None) -> Checked:
    """Add what follows from an answer: the cost of runs, a schedule, and a clock that is off."""
    assert reader is not None
    rows = float(checked.sample.rows or 0)
    checked = replace(checked, costs=[cost(reader, every, rows) for every in SHOWN], schedule=schedule(reader, rows))
    ahead = checked.clock_ahead
    if ahead is None or abs(ahead) < _CLOCK_OFF:
        return checked
    return replace(
        checked,
        said=f"this machine's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the vendor's: "
        + consequence(timedelta(seconds=ahead)),
        hint="set it by the network's time (timedatectl set-ntp true)",
    )

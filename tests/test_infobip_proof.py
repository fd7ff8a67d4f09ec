"""That a full answer is cut at its end must be proven, and a few times that are in order by chance prove nothing."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from general import NOW
from harness import Ticking
from tap_emaillogs.engine.readers import reader_of
from tap_emaillogs.engine.reading import EndpointContext, Outcome, Reading, Split
from tap_emaillogs.formats.timestamps import millis, parse
from tap_emaillogs.http.client import Reply
from tap_emaillogs.streams.window import Window
from tap_emaillogs.tap import TapEmailLogs

LIMIT = 10


class Tap(TapEmailLogs):
    clock_class = Ticking


def mails(seed: int) -> list[dict[str, Any]]:
    """Return mails as a vendor may have put them in: the first ten in order of time by chance, the others in none."""
    rng = random.Random(seed)
    start = NOW - timedelta(hours=5)
    first = [0, 0, 47_000, 56_000, 56_000, 56_000, 56_000, 82_583, 82_583, 82_583]
    others = [rng.randrange(1, 82_500) for _ in range(14)]
    return [
        {"messageId": f"m{number}", "to": "a@b.example", "sentAt": millis(start + timedelta(milliseconds=at))}
        for number, at in enumerate([*first, *others])
    ]


@pytest.mark.parametrize("seed", range(5))
def test_few_times_in_order_by_chance_prove_nothing(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    rows = mails(seed)
    tap = Tap(config={"infobip": {"api_key": "none", "base_url": "http://127.0.0.1:9", "page_size": LIMIT}})
    account = tap.accounts["infobip"][0]
    stream: Any = tap.streams["infobip_email_logs"]
    stream = stream.for_account(account)

    def send(request: Any, *_: object, **__: object) -> Reply:
        since, until = parse(request.params["sentSince"]), parse(request.params["sentUntil"])
        found = [row for row in rows if since < parse(row["sentAt"]) < until]
        return Reply(200, {}, b"", {"results": found[:LIMIT]})

    monkeypatch.setattr(account.client, "send", send)
    context = EndpointContext({}, lambda: None)
    reader: Any = reader_of(stream)
    reader.cut_is_proven = True  # as it was by chance, elsewhere in the run
    waiting = [Reading(Window(NOW - timedelta(hours=6), NOW), context)]
    seen: set[str] = set()
    while waiting:
        reading = waiting.pop()
        result = reader.read(reading)
        outcomes = [result]
        if isinstance(result, Split):
            outcomes = list(result.outcomes.values())
            waiting += [part for part in reading.parts(result.windows) if part.window not in result.outcomes]
        for outcome in outcomes:
            if isinstance(outcome, Outcome):
                assert outcome.status == "complete"
                seen |= {record["messageId"] for record in outcome.records}
    assert seen == {row["messageId"] for row in rows}

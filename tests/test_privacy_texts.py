"""Shortcuts of privacy change nothing: with them, and through every rule for every text, the same comes out."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_emaillogs.engine.ledger import SyncWindows
from tap_emaillogs.formats import caching
from tap_emaillogs.privacy.annotations import HOLDS, Columns, items_of, kind_of, words_of
from tap_emaillogs.privacy.hiding import Hider
from tap_emaillogs.privacy.personal import PersonalValues
from tap_emaillogs.privacy.plan import Privacy
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.providers.smtp2go.activity import Activity
from tap_emaillogs.streams.events import EmailEvents
from tap_emaillogs.streams.schemas import columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_emaillogs.privacy.plan import Plan

pytestmark = pytest.mark.thorough

RAW = [columns(kind) for provider in PROVIDERS for kind in provider.streams]
EVENTS = columns(EmailEvents)
VICTIM, NAME, SUBJECT, IP = "victim.w@hidden.example", "Victim Weber", "Secret offer No. 4711", "203.0.113.77"
HIDDEN = [VICTIM, NAME, SUBJECT, IP]
ADDRESSES = [VICTIM, "Ann.B@bücher.example", "tag+x@x.example", "+4915112345678", "x.example", "a%b@c.example"]
SUBJECTS = [SUBJECT, f"For {NAME}: 50% off", "delivered", "Re", "mail", "", "  "]
PEOPLE = [*ADDRESSES, f"{NAME} <{VICTIM}>", f'"{NAME}" <{VICTIM}>, tag+x@x.example', ""]
DOMAINS = ["hidden.example", "x.example"]
KEYS = ["to", "Subject", "html", "ip", "x", "name", "value", "delivery_attempts.0.ip", VICTIM]
PIECES = [
    *HIDDEN,
    *ADDRESSES,
    *SUBJECTS,
    *(quote(hidden, safe="") for hidden in (*HIDDEN, "tag+x@x.example")),
    *(
        VICTIM.upper(),
        f"bounce+{VICTIM.replace('@', '=')}@shop.example",
        VICTIM.replace("@", "%2540"),
        f'"{NAME}" <{VICTIM}>',
    ),
    *("To: ", "\nSubject: ", "\r\nX-Original-To: ", "550 5.1.1 ", "https://s.example/?u=", "Chrome/120.0.0.0"),
    *("::ffff:203.0.113.77", "2001:db8::7", "1.2.3.4.5", "\0", "\0{", "{", "[", "@", "%40", "=", "<", ">", ", ", "x"),
]


class Writer:
    """Writes records in which anything hidden may stand anywhere; `between` stands between the pieces of a text."""

    def __init__(self, seed: int, between: str = "") -> None:
        self.random, self.between = random.Random(seed), between

    def text(self) -> str:
        return self.between.join(self.random.choices(PIECES, k=self.random.choice((0, 1, 1, 2, 3, 5))))

    def free(self, depth: int = 0) -> Any:
        kind = self.random.randrange(4 if depth < 3 else 2)
        if kind == 0:
            return self.random.choice((None, 1, True, ""))
        if kind == 1:
            return self.text()
        some = [self.free(depth + 1) for _ in range(self.random.randrange(3))]
        return some if kind == 2 else {self.random.choice(KEYS): one for one in some}

    def value(self, spec: Mapping[str, Any]) -> Any:
        kind, word, draw = kind_of(spec), spec.get(HOLDS), self.random.choice
        if kind == "array":
            return [self.value(items_of(spec)) for _ in range(self.random.randrange(3))]
        if kind == "object" and spec.get("properties"):
            return {name: self.value(inner) for name, inner in spec["properties"].items()}
        if kind == "object":
            return {draw(KEYS): self.free() for _ in range(self.random.randrange(3))}
        if kind != "string" or self.random.random() < 0.3:
            return None
        if word == "undeclared":
            return json.dumps({draw(KEYS): self.free() for _ in range(self.random.randrange(3))})
        own = {"recipient": PEOPLE, "subject": SUBJECTS, "none": ("opened", "delivered"), "recipient_domain": DOMAINS}
        return draw(own[word]) if word in own else self.text()

    def record(self, of: Columns) -> dict[str, Any]:
        return {name: self.value(spec) for name, spec in of.schema["properties"].items()}


privacies = st.fixed_dictionaries(
    {
        "recipient": st.sampled_from(["keep", "hash", "domain", "drop"]),
        "subject": st.sampled_from(["keep", "hash", "drop"]),
        "body": st.sampled_from(["keep", "drop"]),
        "ip": st.sampled_from(["keep", "hash", "drop"]),
        "salt": st.just("0123456789abcdef"),
    }
)


@pytest.mark.parametrize("raw", [*RAW, columns(SyncWindows)], ids=lambda raw: str(raw.stream))
@given(seed=st.integers(), privacy=privacies)
def test_shortcuts_change_nothing(raw: Columns, seed: int, privacy: dict[str, str]) -> None:
    writer = Writer(seed)
    row, event = writer.record(raw), writer.record(EVENTS)
    before = json.dumps([row, event])
    fast = Privacy.of({"privacy": privacy}).plan(raw, raw, EVENTS).hide(row, [[row], [event, event]])
    with pytest.MonkeyPatch.context() as patch:
        for kind, name in (
            *((PersonalValues, name) for name in ("may_be_in", "may_be_in_ids")),
            (Hider, "may_change"),
        ):
            patch.setattr(kind, name, lambda *_, **__: True)
        patch.setattr(caching, "CACHED_LENGTH", -1)
        slow = Privacy.of({"privacy": privacy}).plan(raw, raw, EVENTS).hide(row, [[row], [event, event]])
    assert fast == slow
    assert json.dumps([row, event]) == before, "what is given stays as it is"


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: str(raw.stream))
@pytest.mark.parametrize("mode", ["hash", "drop"])
@given(seed=st.integers())
def test_nothing_hidden_is_left(raw: Columns, mode: str, seed: int) -> None:
    writer = Writer(seed, " ")
    row, event = writer.record(raw), writer.record(EVENTS)
    event |= {"recipient": f"{NAME} <{VICTIM}>", "subject": SUBJECT, "ip": IP}
    privacy = {"recipient": mode, "subject": mode, "body": "drop", "ip": mode, "salt": "0123456789abcdef"}
    plan = Privacy.of({"privacy": privacy}).plan(raw, EVENTS)
    ((found,),) = plan.hide(row, [[event]])
    for column, word in words_of(EVENTS):
        left = (found[column] or "").lower()
        hidden = {"word": [VICTIM], "id": [VICTIM], "sender": [VICTIM, NAME, SUBJECT]}.get(word, HIDDEN)
        forms = [form for one in hidden for form in (one, one.replace("@", "%40"), one.replace("@", "="))]
        assert not [form for form in forms if form.lower() in left], column


def test_threads_may_share_a_plan() -> None:
    raw, writer = columns(Activity), Writer(7)
    rows = [(writer.record(raw), writer.record(EVENTS)) for _ in range(200)]
    privacy = {"recipient": "hash", "subject": "hash", "body": "drop", "ip": "hash", "salt": "0123456789abcdef"}

    def hidden(plan: Plan) -> list[Any]:
        return [plan.hide(row, [[row], [event]]) for row, event in rows]

    shared = Privacy.of({"privacy": privacy}).plan(raw, raw, EVENTS)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(hidden, [shared] * 4))
    assert found == [hidden(Privacy.of({"privacy": privacy}).plan(raw, raw, EVENTS))] * 4

"""Shortcuts of privacy change nothing: with them, and through every rule for every text, the same comes out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_emaillogs.engine.ledger import SyncWindows
from tap_emaillogs.privacy import replacing
from tap_emaillogs.privacy.annotations import HOLDS, Columns, items_of, kind_of
from tap_emaillogs.privacy.hiding import Hider
from tap_emaillogs.privacy.personal import PersonalValues
from tap_emaillogs.privacy.plan import Privacy
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.events import EmailEvents
from tap_emaillogs.streams.schemas import columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import SearchStrategy

pytestmark = pytest.mark.thorough

RAW = [columns(kind) for provider in PROVIDERS for kind in provider.streams]
EVENTS = columns(EmailEvents)
VICTIM, NAME, SUBJECT, IP = "victim.w@hidden.example", "Victim Weber", "Secret offer No. 4711", "203.0.113.77"
HIDDEN = [VICTIM, NAME, SUBJECT, IP]
ADDRESSES = [VICTIM, "Ann.B@bücher.example", "tag+x@x.example", "+4915112345678", "x.example", "a%b@c.example"]
SUBJECTS = [SUBJECT, f"For {NAME}: 50% off", "delivered", "Re", "mail", "", "  "]
PIECES = [
    *HIDDEN,
    *ADDRESSES,
    *SUBJECTS,
    *(quote(hidden, safe="") for hidden in (*HIDDEN, "tag+x@x.example")),
    *(VICTIM.upper(), VICTIM.replace("@", "="), VICTIM.replace("@", "%2540"), f'"{NAME}" <{VICTIM}>'),
    *("To: ", "\nSubject: ", "\r\nX-Original-To: ", "550 5.1.1 ", "https://s.example/?u=", "Chrome/120.0.0.0"),
    *("::ffff:203.0.113.77", "2001:db8::7", "1.2.3.4.5", "\0", "\0{", "{", "[", "@", "%40", "=", "<", ">", ", ", "x"),
]


def texts(between: str = "") -> SearchStrategy[str]:
    return st.lists(st.sampled_from(PIECES), max_size=5).map(between.join)


def free(between: str) -> SearchStrategy[Any]:
    keys = st.sampled_from(["to", "Subject", "html", "ip", "x", "name", "value", "delivery_attempts.0.ip", VICTIM])
    return st.recursive(
        texts(between) | st.sampled_from([None, 1, True]),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=5,
    )


def values(spec: Mapping[str, Any], between: str) -> SearchStrategy[Any]:
    kind, word = kind_of(spec), spec.get(HOLDS)
    if kind == "array":
        return st.lists(values(items_of(spec), between), max_size=2)
    if kind == "object" and spec.get("properties"):
        return st.fixed_dictionaries({name: values(inner, between) for name, inner in spec["properties"].items()})
    if kind == "object":
        return st.dictionaries(st.sampled_from(["a", "ip", "to", "Subject"]), free(between), max_size=2)
    if kind != "string" or word == "none":
        return st.sampled_from(["opened", "delivered"]) if kind == "string" else st.none()
    own: dict[str, SearchStrategy[str]] = {
        "recipient": st.sampled_from([*ADDRESSES, f"{NAME} <{VICTIM}>", f'"{NAME}" <{VICTIM}>, tag+x@x.example']),
        "subject": st.sampled_from(SUBJECTS),
        "undeclared": st.dictionaries(st.sampled_from(["to", "a.ip", "x"]), free(between), max_size=2).map(json.dumps),
    }
    return st.none() | own.get(str(word), texts(between))


def records(of: Columns, between: str = "") -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({name: values(spec, between) for name, spec in of.schema["properties"].items()})


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
@given(data=st.data(), privacy=privacies)
def test_shortcuts_change_nothing(raw: Columns, data: st.DataObject, privacy: dict[str, str]) -> None:
    row, event = data.draw(records(raw)), data.draw(records(EVENTS))
    before = json.dumps([row, event])
    fast = Privacy.of({"privacy": privacy}).plan(raw, raw, EVENTS).hide(row, [[row], [event, event]])
    with pytest.MonkeyPatch.context() as patch:
        for kind, name in (
            *((PersonalValues, name) for name in ("may_be_in", "other_may_be_in", "may_be_in_ids")),
            (Hider, "may_change"),
        ):
            patch.setattr(kind, name, lambda *_: True)
        patch.setattr(replacing, "CACHED_LENGTH", -1)
        slow = Privacy.of({"privacy": privacy}).plan(raw, raw, EVENTS).hide(row, [[row], [event, event]])
    assert fast == slow
    assert json.dumps([row, event]) == before, "what is given stays as it is"


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: str(raw.stream))
@pytest.mark.parametrize("mode", ["hash", "drop"])
@given(data=st.data())
def test_nothing_hidden_is_left(raw: Columns, mode: str, data: st.DataObject) -> None:
    row, event = data.draw(records(raw, " ")), data.draw(records(EVENTS, " "))
    event |= {"recipient": f"{NAME} <{VICTIM}>", "subject": SUBJECT, "ip": IP}
    privacy = {"recipient": mode, "subject": mode, "body": "drop", "ip": mode, "salt": "0123456789abcdef"}
    plan = Privacy.of({"privacy": privacy}).plan(raw, EVENTS)
    left = json.dumps(plan.hide(row, [[event]]), ensure_ascii=False).lower()
    for hidden in (VICTIM, VICTIM.replace("@", "%40"), VICTIM.replace("@", "="), NAME.lower(), SUBJECT.lower(), IP):
        assert hidden not in left

"""Addresses of a row that stand elsewhere in it encoded, and privacy that stays linear whatever stands there."""

from __future__ import annotations

import base64
import hmac
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_emaillogs.privacy.annotations import HOLDS, kind_of, words_of
from tap_emaillogs.privacy.plan import Privacy
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.events import EmailEvents
from tap_emaillogs.streams.schemas import columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_emaillogs.privacy.annotations import Columns

ADDRESS = "Ann.Weber+7@hidden-1.example"
LOWER = ADDRESS.lower()
RAW = {str(vars(kind)["name"]): columns(kind) for provider in PROVIDERS for kind in provider.streams}
EVENTS = columns(EmailEvents)
SALT = "pepper-and-salt-0"


def token(text: str) -> str:
    return hmac.digest(SALT.encode(), text.encode(), "sha256").hex()[:32]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def in_lines(text: str, size: int, end: str) -> str:
    return end.join(text[place : place + size] for place in range(0, len(text), size))


def each(text: str, form: Callable[[str], str]) -> str:
    return "".join(map(form, text))


FORMS: dict[str, str] = {
    "plain": ADDRESS,
    "upper": ADDRESS.upper(),
    "base64": b64(ADDRESS),
    "base64, lower case": b64(LOWER),
    "base64, unpadded": b64(ADDRESS).rstrip("="),
    "base64, for links": base64.urlsafe_b64encode(f"{LOWER}?>>".encode()).decode(),
    "base64, second place": b64(f"\x01{ADDRESS}"),
    "base64, third place": b64(f"\x01\x02{ADDRESS}|"),
    "base64, in JSON": b64(json.dumps({"e": LOWER, "n": 1})),
    "base64, in a longer run": f"abc/de{b64(json.dumps([LOWER]))}fgh",
    "base64, in lines": base64.encodebytes(f"{'x ' * 40}{LOWER}{' y' * 40}".encode()).decode(),
    **{
        f"base64, lines of {size}, {name}": in_lines(b64(f"{before}{LOWER}"), size, end)
        for size, before in ((76, "x" * 48 + " "), (60, "y" * 30 + " "), (24, ""), (20, ""), (20, " "))
        for name, end in (("LF", "\n"), ("CRLF", "\r\n"), ("CRLF, blank", "\r\n "))
    },
    "base64, lines in JSON": in_lines(b64(LOWER), 20, "\\n"),
    "base64, lines in JSON in JSON": in_lines(b64(LOWER), 20, "\\\\r\\\\n"),
    "base64, lines in a link": quote(in_lines(b64(LOWER), 20, "\r\n"), safe=""),
    "base64, lines below a word": f"\nhere\n{in_lines(b64(LOWER), 20, chr(10))}".rstrip("="),
    "base64, in a link": quote(b64(LOWER), safe=""),
    "hex": LOWER.encode().hex(),
    "HEX": ADDRESS.lower().encode().hex().upper(),
    "hex, in a longer run": f"a{LOWER.encode().hex()}b",
    "percent": quote(ADDRESS, safe=""),
    "percent, twice": quote(quote(ADDRESS, safe=""), safe=""),
    "percent, all": each(ADDRESS, lambda one: f"%{ord(one):02X}"),
    "percent, lower case": each(ADDRESS, lambda one: f"%{ord(one):02x}"),
    "percent, but the @": each(ADDRESS, lambda one: one if one in "@+" else f"%{ord(one):02X}"),
    "entity": ADDRESS.replace("@", "&#64;"),
    "entity, hex": ADDRESS.replace("@", "&#x40;"),
    "entity, zeros": ADDRESS.replace("@", "&#0064;"),
    "entity, named": ADDRESS.replace("@", "&commat;"),
    "entity, twice": ADDRESS.replace("@", "&amp;#64;"),
    "entity, all": each(ADDRESS, lambda one: f"&#{ord(one)};"),
    "backslash": ADDRESS.replace("@", "\\u0040"),
    "backslash, all": each(ADDRESS, lambda one: f"\\u{ord(one):04x}"),
    "backslash, twice": ADDRESS.replace("@", "\\\\u0040"),
    "backslash, x": ADDRESS.replace("@", "\\x40"),
    "backslash, braces": ADDRESS.replace("@", "\\u{0040}"),
    "quoted-printable": ADDRESS.replace("@", "=40"),
    "quoted-printable, all": each(ADDRESS, lambda one: f"={ord(one):02X}"),
    "quoted-printable, broken": f"{ADDRESS[:5]}=\r\n{ADDRESS[5:]}",
    "encoded word, B": f"=?utf-8?B?{b64(ADDRESS)}?=",
    "encoded word, b": f"=?ISO-8859-1?b?{b64(f'Ann <{LOWER}>')}?=",
    "encoded word, Q": f"=?utf-8?Q?{ADDRESS.replace('@', '=40').replace('+', '=2B')}?=",
    "encoded words": f"=?utf-8?B?{b64(ADDRESS[:9])}?=\r\n =?utf-8?B?{b64(ADDRESS[9:])}?=",
    "folded": f"{ADDRESS[:5]}\r\n {ADDRESS[5:]}",
    "folded behind the @": ADDRESS.replace("@", "@\r\n\t"),
    "zero-width": ADDRESS.replace("@", "\u200b@\u2060"),
    "soft hyphens": "\u00ad".join(ADDRESS),
}
"""Ways in which a text may show the address."""
AROUND = ("{}", "550 <{}>: no", "https://s.example/u/{}?a=1", "x {} y", "id={}&n=1", "[{}]", "a:{}")


def plan_of(raw: Columns, *consumers: Columns, mode: str = "hash", **more: str) -> Any:
    return Privacy.of({"privacy": {"recipient": mode, "salt": SALT, **more}}).plan(raw, *consumers)


def recipient_of(of: Columns) -> dict[str, Any]:
    """Return the recipient of a record; where no column is one, nothing else is hidden by its forms."""
    for name, spec in of.schema["properties"].items():
        if kind_of(spec) == "string" and spec.get(HOLDS) == "recipient":
            return {name: f"Ann Weber <{ADDRESS}>"}
    return {}


def shown(of: Columns, text: str) -> dict[str, Any]:
    """Return a record with a text in every column that may hold one."""
    record: dict[str, Any] = {}
    for name, spec in of.schema["properties"].items():
        word = spec.get(HOLDS)
        if kind_of(spec) == "object" and not spec.get("properties"):
            record[name] = {"a": text, "b": [{"c": text}], text: 1}
        elif kind_of(spec) != "string" or word in {"none", "recipient", "recipient_domain"}:
            record[name] = None
        else:
            record[name] = json.dumps({"a": [text], text: 1}) if word == "undeclared" else text
    return record | recipient_of(of)


@pytest.mark.thorough
@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_rows_own_address_is_left(form: str) -> None:
    text = FORMS[form]
    for name, raw in RAW.items():
        for around in AROUND:
            whole = around.format(text)
            row = shown(raw, whole)
            if not recipient_of(raw):
                continue
            event = shown(EVENTS, whole) | {"event_type": "clicked", "stream": name}
            ((cleared,), (derived,)) = plan_of(raw, raw, EVENTS).hide(row, [[row], [event]])
            for found in (cleared, derived):
                left = json.dumps(found, ensure_ascii=False)
                assert text not in left, (name, around)
                assert json.dumps(text)[1:-1] not in left, (name, around)
                assert LOWER not in left.lower(), (name, around)


@pytest.mark.parametrize("mode", ["hash", "domain", "drop"])
@pytest.mark.parametrize("form", FORMS)
def test_what_stands_for_it_stands_in_its_place(form: str, mode: str) -> None:
    plan = plan_of(RAW["smtp2go_activity"], EVENTS, mode=mode)
    event = {"recipient": ADDRESS, "url": f"https://s.example/u/?x= {FORMS[form]} &a=1", "event_type": "clicked"}
    ((found,),) = plan.hide({"recipient": ADDRESS}, [[event]])
    instead = {"hash": token(LOWER), "domain": "@hidden-1.example", "drop": ""}[mode]
    assert found["url"].startswith("https://s.example/u/?x=")
    assert found["url"].endswith("&a=1")
    assert instead in found["url"]


@pytest.mark.parametrize(
    "text",
    [
        "1tAbcD-0004Kd-BB",
        "QGFCRA==",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0",
        "https://s.example/a?b=40&c=%C3%BC&d=&#64;&amp;e",
        b64("another@else.example"),
        "xann.weber+7=hidden-1.example",
        "=?utf-8?Q?Gr=C3=BC=C3=9Fe?= 5 =40 3",
        "6162634064656667",
    ],
)
def test_what_shows_nothing_of_the_row_stays(text: str) -> None:
    plan = plan_of(RAW["smtp2go_activity"], EVENTS)
    event = {"recipient": ADDRESS, "url": text, "user_agent": text, "message_id": text, "event_type": "clicked"}
    ((found,),) = plan.hide({"recipient": ADDRESS}, [[event]])
    assert {name: found[name] for name in ("url", "user_agent", "message_id")} == dict.fromkeys(
        ("url", "user_agent", "message_id"), text
    )


def test_names_and_subjects_are_found_in_links_and_encoded_words_too() -> None:
    row = {"to": "Jürgen Weber <j@x.example>", "subject": "Your order + more"}
    texts = [
        "https://s.example/?n=J%C3%BCrgen%20Weber&s=Your+order+%2B+more",
        "From: =?utf-8?Q?J=C3=BCrgen_Weber?=: =?utf-8?B?" + b64("Your order + more") + "?=",
        "J&#252;rgen Weber / Your&#32;order&#32;+&#32;more",
    ]
    for text in texts:
        ((found,),) = plan_of(RAW["smtp2go_activity"], EVENTS, subject="drop").hide(row, [[{"reason": text}]])
        for part in ("rgen", "Weber", "order", "more", b64("Your order + more")):
            assert part not in found["reason"], found["reason"]


def test_a_telephone_number_is_found_in_ids_and_links() -> None:
    row = {"recipient": "+4915112345678"}
    link = "https://s.example/?to=%2B4915112345678"
    event = {"message_id": "m-+4915112345678-1", "url": link, "sender": "a@b.example"}
    ((found,),) = plan_of(RAW["smtp2go_activity"], EVENTS).hide(row, [[event]])
    assert "15112345678" not in json.dumps(found)
    assert found["sender"] == "a@b.example"


def test_many_recipients_are_found_like_one() -> None:
    many = [f"user.{number}@host-{number % 50}.example" for number in range(500)]
    texts = {
        "smtp_response": f"550 {many[3]}, {many[499]}: no",
        "url": f"https://s.example/{b64(many[77])}?to={quote(many[78], safe='')}",
        "email_id": f"m-{many[4].replace('@', '=')}-x",
        "from": "shop@s.example",
        "client": "ordinary",
    }
    row = {"recipients": many, **texts}
    ((found,),) = plan_of(RAW["smtp2go_activity"], RAW["smtp2go_activity"]).hide(row, [[row]])
    alone = {}
    for name, text in texts.items():
        shown_here = [many[number] for number in (3, 499, 77, 78, 4)]
        one = {"recipients": shown_here, name: text}
        ((cleared,),) = plan_of(RAW["smtp2go_activity"], RAW["smtp2go_activity"]).hide(one, [[one]])
        alone[name] = cleared[name]
    assert {name: found[name] for name in texts} == alone
    assert not any(one in json.dumps(found) for one in many)


_names = st.text("abcABC123._+-'ü", min_size=1, max_size=12)


@given(
    name=_names,
    host=st.text("abcdXY019-", min_size=1, max_size=10),
    before=st.binary(max_size=9),
    after=st.binary(max_size=9),
    form=st.sampled_from(["base64", "urlsafe", "hex"]),
)
def test_packed_forms_are_found_wherever_they_stand(
    name: str, host: str, before: bytes, after: bytes, form: str
) -> None:
    address = f"x{name}x@a{host.lower()}a.example"
    data = before + b" " + address.encode() + b" " + after
    text = {
        "base64": base64.b64encode(data).decode(),
        "urlsafe": base64.urlsafe_b64encode(data).decode().rstrip("="),
        "hex": data.hex(),
    }[form]
    row = {"recipient": address, "reason": f"see {text} there"}
    ((found,),) = plan_of(RAW["smtp2go_activity"], RAW["smtp2go_activity"]).hide(row, [[row]])
    assert text not in found["reason"]
    assert found["reason"].startswith("see ")
    assert found["reason"].endswith(" there")


@pytest.mark.parametrize("of", [*RAW.values(), EVENTS], ids=lambda of: str(of.stream))
def test_every_stream_with_a_recipient_is_tried(of: Columns) -> None:
    words = {word for _, word in words_of(of)}
    assert recipient_of(of) or "recipient" not in words or of.stream == "zeptomail_emails"

"""Nothing secret and nobody's address in what the tap says."""

from __future__ import annotations

import base64
import html
import io
import json
import logging
import time
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_emaillogs.http.redaction import RedactingFilter, Redactor
from tap_emaillogs.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

redact = Redactor(
    ["api-ABCDEF0123456789", "s3cret/with+signs= ", "abc"],
    schemes=[scheme for provider in PROVIDERS for scheme in provider.auth_schemes],
)


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com",
        "To: Ann <ann.o'neil+tag@mail.example.co.uk>, bob",
        "refused: ann@example.com",
        '{"to":"ann@example.com"}',
        "/email/ann%40example.com?x=1",
        "ann@example.com,bob@example.org;zoe@[192.0.2.1]",
        "jürgen@bücher.example",
        "<ann@localhost>",
        'to "ann@home or neil"@example.com',
    ],
)
def test_addresses_are_hidden_wherever_they_stand(text: str) -> None:
    found = redact(text)
    assert "[address]" in found
    assert "@" not in found
    assert "ann@" not in found
    assert "%40" not in found


@pytest.mark.parametrize(
    "text",
    [
        "key api-ABCDEF0123456789 refused",
        "s3cret/with+signs= ",
        "?password=s3cret%2Fwith%2Bsigns%3D%20&x",
        "password=s3cret%2Fwith%2Bsigns%3D+",
    ],
)
def test_known_secrets_are_hidden_also_as_part_of_an_address(text: str) -> None:
    assert "[hidden]" in redact(text)
    assert "ABCDEF" not in redact(text)
    assert "s3cret" not in redact(text)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "App", "Basic", "IBSSO", "Zoho-oauthtoken"])
def test_authorization_values_are_hidden_even_where_they_are_unknown(scheme: str) -> None:
    assert redact(f"Authorization: {scheme} 1000.abcdef.0123") == f"Authorization: {scheme} [hidden]"


def test_what_is_too_short_for_a_secret_hides_nothing() -> None:
    assert redact("abc is no secret, nor is nothing") == "abc is no secret, nor is nothing"
    assert Redactor([""])("plain") == "plain"


def test_a_secret_within_another_does_not_uncover_it() -> None:
    assert Redactor(["abcd", "abcdefgh"])("abcdefgh abcd") == "[hidden] [hidden]"


def test_secrets_learnt_later_are_hidden_too() -> None:
    later = Redactor(["first-secret"])
    later.add("token-just-received")
    assert later("first-secret token-just-received") == "[hidden] [hidden]"


@given(st.text(alphabet="abc%/+= é\"'\\", min_size=4, max_size=12), st.text(max_size=20), st.text(max_size=20))
def test_a_secret_never_comes_through(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret])(before + secret + after).replace("[hidden]", "").replace("[address]", "")


@pytest.fixture
def logged() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.addFilter(RedactingFilter(redact))
    logger = logging.getLogger("test-redaction")
    logger.addHandler(handler)
    logger.propagate = False
    yield logger, text
    logger.removeHandler(handler)


def test_whatever_is_logged_goes_through_the_redactor(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, text = logged
    logger.error("%s of %s", "api-ABCDEF0123456789", {"to": "ann@example.com"})
    logger.error("100% of ann@example.com", 5)
    assert "ABCDEF" not in text.getvalue()
    assert "@" not in text.getvalue()
    assert text.getvalue().count("[address]") == 2


def test_a_logged_traceback_is_redacted_too(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, text = logged
    try:
        try:
            {}["ann@example.com"]
        except KeyError as error:
            raise ValueError("api-ABCDEF0123456789") from error
    except ValueError:
        logger.exception("it broke")
    assert "Traceback" in text.getvalue()
    assert "ValueError: [hidden]" in text.getvalue()
    assert "KeyError: '[address]'" in text.getvalue()


# Secrets in other forms.

SECRET = 'Se/cr+et "ü\\ key=1'


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ESCAPED: dict[str, Callable[[str], str]] = {
    "URL": lambda text: "".join(f"%{one:02X}" for one in text.encode()),
    "URL, lower case": lambda text: "".join(f"%{one:02x}" for one in text.encode()),
    "URL twice": lambda text: "".join(f"%25{one:02x}" for one in text.encode()),
    "JSON": lambda text: "".join(f"\\u{ord(one):04x}" for one in text),
    "JSON in JSON": lambda text: "".join(f"\\\\u{ord(one):04X}" for one in text),
    "HTML": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "HTML, hex": lambda text: "".join(f"&#x{ord(one):x};" for one in text),
}
FORMS: dict[str, str] = {
    "as it is": SECRET,
    "upper case": SECRET.upper(),
    "lower case": SECRET.lower(),
    "URL": quote(SECRET, safe=""),
    "URL, lower case": quote(SECRET, safe="").lower(),
    "path": quote(SECRET),
    "form": quote_plus(SECRET),
    "URL twice": quote(quote(SECRET, safe=""), safe=""),
    "JSON": json.dumps(SECRET)[1:-1],
    "JSON, not ASCII": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "JSON in JSON": json.dumps(json.dumps(SECRET)[1:-1])[1:-1],
    "JSON with slashes": json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    "HTML": html.escape(SECRET),
    "Python": repr(SECRET)[1:-1],
    "hex": SECRET.encode().hex(),
    "hex, upper case": SECRET.encode().hex().upper(),
    "hex with colons": SECRET.encode().hex(":"),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64, unpadded": base64.b64encode(SECRET.encode()).decode().rstrip("="),
    "base64 in a URL": quote(base64.b64encode(SECRET.encode()).decode(), safe=""),
    "base64url": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    **{f"{name}, every character": form(SECRET) for name, form in ESCAPED.items()},
    "broken by the end of a line": f"{SECRET[:9]}\n{SECRET[9:]}",
    "broken by the end of a line, CRLF": f"{SECRET[:9]}\r\n  {SECRET[9:]}",
    "broken by the end of a line, JSON": f"{SECRET[:9]}\\n{SECRET[9:]}",
    "base64 in lines": b64(SECRET)[:9] + "\n" + b64(SECRET)[9:],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_hidden_in_the_form_in_which_it_comes_back(form: str) -> None:
    assert Redactor([SECRET])(f"the vendor says <{FORMS[form]}> is wrong") == "the vendor says <[hidden]> is wrong"


@given(st.text(min_size=6, max_size=20), st.binary(max_size=5), st.binary(max_size=5), st.booleans())
def test_a_secret_within_something_in_base64_is_hidden_but_for_its_edges(
    secret: str, before: bytes, after: bytes, urlsafe: bool
) -> None:
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    text = encode(before + secret.encode("utf-8", "surrogatepass") + after).decode()
    found = Redactor([secret])(text)
    assert "[hidden]" in found
    left = found.replace("[hidden]", "")
    assert len(left) <= 4 * (len(before) + 2) / 3 + 4 * (len(after) + 2) / 3 + 4


def test_what_overlaps_is_hidden_as_one() -> None:
    assert Redactor(["xabcd", "abcdefgh"])("-xabcdefgh-") == "-[hidden]-"
    assert Redactor(["abcd"])("ABCDabcd AbCd") == "[hidden][hidden] [hidden]"


def test_no_letter_that_grows_in_lower_case_shifts_what_is_hidden() -> None:
    assert Redactor(["s3cret"])("İİİ s3cret İ") == "İİİ [hidden] İ"


@pytest.mark.parametrize("secret", ["a/bcd", "1234", "p@ss", "tëst"])
def test_short_secrets_hide_nothing_but_themselves(secret: str) -> None:
    text = "HTTP 400: the range from 2026-03-01T00:00:00Z is too long, see request 5f8c-aa01"
    assert Redactor([secret])(text) == text


def test_thousands_of_secrets_cost_no_more_than_a_few() -> None:
    many = Redactor([f"secret-number-{number:06d}" for number in range(3_000)])
    text = "the answer of the vendor names number 000017 of what is secret " * 20
    began = time.perf_counter()
    for _ in range(20):
        many(text)
    assert time.perf_counter() - began < 1
    assert many("secret-number-000017") == "[hidden]"


# What a terminal would obey.


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\rb\x08\x7f\x00", "a\\x0db\\x08\\x7f\\x00"),
        ("\x9b2J \x85", "\\x9b2J \\x85"),
        ("abc\u202egpj.exe\u202c \u2066x\u2069\u200f\u061c", "abc\\u202egpj.exe\\u202c \\u2066x\\u2069\\u200f\\u061c"),
        ("one\u2028two\u2029three\ufeff", "one\\u2028two\\u2029three\\ufeff"),
        ("half \ud83d", "half \\ud83d"),
        ("lines\n\tof a traceback, jürgen 漢字 \U0001f600", "lines\n\tof a traceback, jürgen 漢字 \U0001f600"),
    ],
)
def test_no_control_character_reaches_a_terminal(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_what_is_logged_controls_no_terminal(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, text = logged
    logger.error("the vendor says %s", "\x1b[2J\u202e")
    assert text.getvalue() == "the vendor says \\x1b[2J\\u202e\n"


@given(st.text())
def test_whatever_is_redacted_can_be_shown(text: str) -> None:
    found = redact(text)
    found.encode()
    assert not [one for one in found if unicodedata.category(one) in {"Cc", "Cs"} and one not in "\n\t"]


def test_an_address_with_an_invisible_character_is_hidden_whole() -> None:
    assert redact("to an\u200bn@exam\u2060ple.com.") == "to [address]"


# Addresses in other forms.

ADDRESS = "anna.leak@victim-mail.example"
ADDRESSES: dict[str, str] = {
    **{name: form(ADDRESS) for name, form in ESCAPED.items()},
    **{f"{name}, but the @": "@".join(map(form, ADDRESS.split("@"))) for name, form in ESCAPED.items()},
    "entity": ADDRESS.replace("@", "&#64;"),
    "entity, named": ADDRESS.replace("@", "&commat;"),
    "backslash": ADDRESS.replace("@", "\\u0040"),
    "base64": b64(ADDRESS),
    "base64, unpadded": b64(ADDRESS).rstrip("="),
    "base64, beyond ASCII": b64("jürgen@bücher.example"),
    "base64 in a URL": quote(b64(ADDRESS), safe=""),
    "base64, in lines": f"{b64(ADDRESS)[:20]}\r\n{b64(ADDRESS)[20:]}",
    "hex": ADDRESS.encode().hex(),
    "hex, upper case": ADDRESS.encode().hex().upper(),
    "hex with blanks": ADDRESS.encode().hex(" "),
    "hex with colons": ADDRESS.encode().hex(":"),
}


@pytest.mark.parametrize("form", ADDRESSES)
def test_an_address_is_hidden_in_whatever_form_it_comes(form: str) -> None:
    assert redact(f"bad key for <{ADDRESSES[form]}> !") == "bad key for <[address]> !"


@given(st.binary(max_size=6), st.binary(max_size=6), st.booleans())
def test_an_address_within_something_in_base64_is_hidden(before: bytes, after: bytes, urlsafe: bool) -> None:
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    found = redact(encode(before + b" " + ADDRESS.encode() + b" " + after).decode())
    assert "[address]" in found
    assert len(found.replace("[address]", "")) <= 4 * (len(before + after) + 4) / 3 + 8


@pytest.mark.parametrize(
    "text",
    [
        "request 6ba7b810-9dad-11d1-80b4-00c04fd430c8 of 2026-03-01T00:40:00Z, trace 4bf92f3577b34da6a3ce929d0e0e4736",
        f"{b64('a text of some length without one')} {b64('a @ b')} {b64('nobody@home')}",
        "size=40x&name=J%C3%BCrgen&amp;x=\\u00fc\\n%0A",
        'Traceback (most recent call last):\n  File "/usr/lib/python3/abcdefgh.py", line 40\n    raise',
        "sha256 " + "".join(f"{number:02x}" for number in range(64)),
    ],
)
def test_what_is_neither_secret_nor_an_address_stays(text: str) -> None:
    assert redact(text) == text

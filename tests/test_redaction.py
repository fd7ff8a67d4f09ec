"""Nothing secret and nobody's address in what the tap says."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_emaillogs.http.redaction import RedactingFilter, Redactor
from tap_emaillogs.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

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

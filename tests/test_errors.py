"""What goes wrong with a vendor, and what follows, is a table."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tap_emaillogs.http import errors
from tap_emaillogs.http.errors import Action, ErrorRule, ReadError, rule_for_error, rule_for_exception, rule_for_status
from tap_emaillogs.providers import PROVIDERS

if TYPE_CHECKING:
    from tap_emaillogs.streams.provider import Provider


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 599])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert rule_for_status(status).action is Action.RETRY


@pytest.mark.parametrize("status", [300, 301, 302, 304, 307, 308, 400, 402, 403, 404, 405, 410, 422, 451])
def test_what_will_not_pass_fails_at_once_with_a_hint(status: int) -> None:
    rule = rule_for_status(status)
    assert rule.action is Action.FAIL
    assert rule.hint


def test_a_refused_key_or_token_is_given_up_for_another_with_a_hint_if_there_is_none() -> None:
    rule = rule_for_status(401)
    assert rule.action is Action.RENEW
    assert rule.hint


@given(st.integers(100, 999))
def test_every_status_has_a_rule(status: int) -> None:
    rule = rule_for_status(status)
    assert (rule.action is Action.ACCEPT) == (status < 300)


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.ConnectionError(),
        requests.exceptions.ReadTimeout(),
        requests.exceptions.ConnectTimeout(),
        requests.exceptions.ChunkedEncodingError(),
        requests.exceptions.ContentDecodingError(),
        requests.exceptions.SSLError(),
        requests.exceptions.ProxyError(),
        ConnectionResetError(),
        TimeoutError(),
        socket.gaierror(),
    ],
)
def test_trouble_on_the_way_is_tried_again(error: Exception) -> None:
    rule = rule_for_exception(error)
    assert rule is not None
    assert rule.action is Action.RETRY
    assert rule.hint


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.InvalidURL(),
        requests.exceptions.InvalidSchema(),
        requests.exceptions.MissingSchema(),
        requests.exceptions.InvalidHeader(),
    ],
)
def test_a_request_that_cannot_be_sent_fails_at_once(error: Exception) -> None:
    rule = rule_for_exception(error)
    assert rule is not None
    assert rule.action is Action.FAIL


# A vendor's own table.

OWN = (
    ErrorRule(Action.SPLIT, "ask for less", pattern="range exceeds"),
    ErrorRule(Action.FAIL, pattern="scope", statuses={401, 403}),
    ErrorRule(Action.RETRY, statuses={409}, wait=7),
    ErrorRule(Action.RETRY, pattern="^busy"),
)


@pytest.mark.parametrize(
    ("status", "text", "action"),
    [
        (400, "The date Range EXCEEDS 92", Action.SPLIT),
        (200, "range exceeds", Action.SPLIT),
        (500, "range exceeds", Action.RETRY),
        (429, "range exceeds", Action.RETRY),
        (401, "missing scope", Action.FAIL),
        (401, "expired", Action.RENEW),
        (409, "", Action.RETRY),
        (200, "busy, try later", Action.RETRY),
        (200, "not busy", Action.FAIL),
        (404, "", Action.FAIL),
        (503, "", Action.RETRY),
    ],
)
def test_a_vendors_rows_go_before_the_common_ones(status: int, text: str, action: Action) -> None:
    assert rule_for_error(status, text, OWN).action is action


def test_a_row_without_a_hint_takes_the_common_one() -> None:
    assert rule_for_error(401, "scope", OWN).hint == rule_for_status(401).hint
    assert rule_for_error(400, "range exceeds", OWN).hint == "ask for less"
    assert rule_for_error(409, "", OWN).wait == 7


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_no_text_makes_a_pattern_slow(provider: Provider) -> None:
    for rule in provider.errors:
        for word in ("a", " ", "date range exceed", "too ", "scope"[:-1], "(["):
            began = time.perf_counter()
            rule.applies(400, word * 1_000_000)
            assert time.perf_counter() - began < 0.5


def test_other_exceptions_are_none_of_the_tables() -> None:
    assert rule_for_exception(KeyError("x")) is None


def test_every_error_says_what_happened_and_what_to_do() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ReadError)]
    assert len(kinds) >= 6
    for kind in kinds:
        assert kind("it broke").hint
        assert str(kind("it broke", "mend it")) == "it broke"
        assert kind("it broke", "mend it").hint == "mend it"
    refused = errors.PageRefused("no", status=400, text="token expired")
    assert (refused.status, refused.text) == (400, "token expired")
    assert isinstance(refused, errors.VendorError)

"""What goes wrong with a vendor, and what follows, is a table."""

from __future__ import annotations

import socket

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tap_emaillogs.http import errors
from tap_emaillogs.http.errors import Action, ReadError, rule_for_exception, rule_for_status


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

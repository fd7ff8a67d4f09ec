"""Messangi's key and login, mistakes in its settings, and the forms of dates and zones."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from general import config_of
from harness import run
from messangi_checks import assert_whole, started
from tap_emaillogs.providers.messangi.moments import dates_of, read
from tap_emaillogs.providers.messangi.settings import zone_of, zone_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

PATH = "/v3/mlog"


@pytest.fixture
def messangi(play: Callable[..., Sandbox]) -> Callable[..., Sandbox]:
    """Start a sandbox of this vendor alone, with the given options of its."""

    return partial(started, play)


# Proof of identity.


@pytest.mark.parametrize("form", ["{}", "Bearer {}", "  {} "])
def test_an_api_key_is_sent_as_it_is(messangi: Callable[..., Sandbox], form: str) -> None:
    box = messangi(20)
    key = form.format(box.vendor("messangi").default_key)
    found = run(config_of(box, api_key=key), box=box)
    assert_whole(box, found)
    assert {request.headers["Authorization"] for request in found.requests} == {key.strip()}


def test_one_login_serves_a_whole_run(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(200, login=True, page_cap=50)
    found = run(config_of(box, window_hours=48, max_concurrency=4), box=box)
    assert_whole(box, found)
    assert box.vendor("messangi").logins.total() == 1
    tokens = {request.headers.get("Authorization") for request in found.requests} - {None}
    assert len(tokens) == 1
    assert next(iter(tokens)).removeprefix("Bearer ") not in found.stderr + json.dumps(found.state)


def test_a_token_that_expires_in_the_middle_is_renewed_once(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(200, login=True, page_cap=50)
    box.fault(kind="expire_token", path=PATH, after=2, times=1)
    assert_whole(box, run(config_of(box, window_hours=48, max_concurrency=4), box=box))
    assert box.vendor("messangi").logins.total() == 2


def test_a_wrong_password_is_tried_once_and_named(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(20, login=True)
    found = run(config_of(box, password="wrong-pässword", window_hours=48, max_concurrency=4), box=box)
    assert found.status == 1
    assert [request.path for request in found.requests] == ["/kingslanding/login"]
    (line,) = found.lines("ERROR")
    assert "the login failed: HTTP 401: Invalid username or password" in line
    assert "messangi.password" in line


@pytest.mark.parametrize("body", [{"explain": "OK"}, "", "welcome"])
def test_a_login_without_a_token_is_an_error(messangi: Callable[..., Sandbox], body: Any) -> None:
    box = messangi(20, login=True)
    box.fault(kind="status", status=200, path="/kingslanding/login", body=body)
    found = run(config_of(box), box=box)
    assert found.status == 1
    assert "no header `authorization`" in found.lines("ERROR")[0]


def test_a_refused_key_is_named(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(20)
    found = run(config_of(box, api_key="another-key"), box=box)
    assert found.status == 1
    assert "HTTP 401: Unauthorized" in found.lines("ERROR")[0]


# Bad input.


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"api_key": ""}, "messangi.api_key is empty (or give username and password)"),
        ({"api_key": "", "username": "someone"}, "messangi.api_key is empty (or give username and password)"),
        ({"channel": "X"}, "messangi.channel must be one of S, E, P, W, R"),
        ({"window_hours": 2209}, "messangi.window_hours must be at most 2208 (92 days)"),
        ({"page_param": "size"}, "messangi.page_param is the same as size_param"),
        ({"extra_params": {"from": "x"}}, "messangi.extra_params.from is set by the tap itself"),
        ({"extra_params": {"status": ["SENT"]}}, "messangi.extra_params.status must be text or a number"),
        ({"report_path": " "}, "messangi.report_path is empty"),
    ],
)
def test_mistakes_are_named_before_any_request(
    messangi: Callable[..., Sandbox], settings: dict[str, Any], sentence: str
) -> None:
    box = messangi(0)
    with pytest.raises(ConfigValidationError) as caught:
        run(config_of(box, **settings), box=box)
    assert sentence in "\n".join(caught.value.errors)
    assert not box.requests


# Dates.


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-02-03T04:05:06.789Z", "2026-02-03T04:05:06.789Z"),
        ("2026-02-03T04:05:06+02:00", "2026-02-03T02:05:06Z"),
        ("2026-02-03 04:05:06", "2026-02-03T04:05:06Z"),
        ("2026-02-03 04:05", "2026-02-03T04:05:00Z"),
        ("2026-02-03", "2026-02-03T00:00:00Z"),
        ("2026/02/03 04:05:06", "2026-02-03T04:05:06Z"),
        ("03/02/2026 04:05:06", "2026-02-03T04:05:06Z"),
        (1770091506789, "2026-02-03T04:05:06.789Z"),
        ("1770091506", "2026-02-03T04:05:06Z"),
        ("5551234", None),
        ("2026-02-31", None),
        ("", None),
        (None, None),
        (True, None),
        ({"a": 1}, None),
    ],
)
def test_dates_are_understood_in_many_forms(value: Any, text: str | None) -> None:
    found = read(value)
    assert (None if found is None else str(found)) == text


def test_the_messages_own_date_comes_first() -> None:
    row = {"statusDate": "2026-02-03T05:00:00Z", "Sent Date": "2026-02-03T04:00:00Z", "birthdate": "1970-01-01"}
    assert str(dates_of(row).own) == "2026-02-03T04:00:00Z"
    assert str(dates_of(row).status) == "2026-02-03T05:00:00Z"
    assert dates_of({"whenTimed": "2026-02-03T04:00:00Z"}).own
    assert dates_of({"subject": "2026-02-03T04:00:00Z"}).own is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("GMT", "GMT"),
        ("utc", "GMT"),
        ("GMT-5", "GMT-5"),
        ("GMT+05:30", "GMT+5:30"),
        ("-0330", "GMT-3:30"),
        ("Z", "GMT"),
    ],
)
def test_zones_are_written_as_the_vendor_wants_them(text: str, written: str) -> None:
    zone = zone_of(text)
    assert zone is not None
    assert zone_text(zone) == written


@pytest.mark.parametrize("text", ["", "Mars", "GMT+15", "Europe/Berlin", "GMT+5:99"])
def test_what_is_no_zone(text: str) -> None:
    assert zone_of(text) is None

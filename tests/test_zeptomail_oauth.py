"""ZeptoMail's tokens: one per run, renewed in time, never asked for too often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from harness import Ticking, catalog, run
from zeptomail_runs import EXPORTS, NAME, asked, assert_all_rows, player, settings, tokens

if TYPE_CHECKING:
    from zeptomail_runs import Play

pytestmark = pytest.mark.thorough


@pytest.fixture
def zepto(play: Play) -> Play:
    return player(play)


def test_a_token_that_ends_in_the_middle_is_replaced_once(zepto: Play) -> None:
    box = zepto()
    box.fault(vendor=NAME, kind="expire_token", path="/download", after=3)
    found = run(settings(box), box=box)
    assert found.status == 0, found.stderr
    assert_all_rows(box, found)
    assert tokens(box) == 2


def test_a_token_is_renewed_a_minute_before_it_ends(zepto: Play) -> None:
    clock = Ticking()
    box = zepto(size=40, now=clock.now, expires_in=300, polls=9)
    given = settings(box, poll_seconds=50, start_date="2026-02-25")
    found = run(given, catalog=catalog(given, [EXPORTS[0]]), box=box, clock=clock)
    assert found.status == 0, found.stderr
    assert tokens(box) >= 2
    assert not [one for one in found.requests if one.status == 401]


def test_more_than_ten_tokens_are_never_asked_for(zepto: Play) -> None:
    box = zepto(size=40, token_seconds=0)
    found = run(settings(box), box=box)
    assert found.status == 1
    assert len(asked(found, "POST", "token")) <= 10


def test_a_ready_access_token_is_enough(zepto: Play) -> None:
    box = zepto(size=40)
    given = settings(box)[NAME]
    form = {name: given.pop(name) for name in ("client_id", "client_secret", "refresh_token")}
    url = f"{given['accounts_url']}/oauth/v2/token"
    token = requests.post(url, data={"grant_type": "refresh_token", **form}, timeout=10).json()["access_token"]
    found = run({NAME: {**given, "access_token": token}}, box=box)
    assert found.status == 0, found.stderr
    assert_all_rows(box, found)
    assert tokens(box) == 1
    wrong = run({NAME: {**given, "access_token": "1000.wrong"}}, box=box)
    assert wrong.status == 1
    assert not asked(wrong, "POST", "token")


def test_a_token_is_taken_as_it_comes_under_any_error(zepto: Play) -> None:
    box = zepto(size=20)
    for fault in ({"kind": "status"}, {"kind": "cut_json"}, {"kind": "reset"}, {"kind": "html"}):
        box.fault(vendor=NAME, path="/oauth", **fault)
    found = run(settings(box), box=box)
    assert found.status == 0, found.stderr
    assert_all_rows(box, found)


# Refused.


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"refresh_token": "1000.other"}, "invalid_code"),
        ({"client_secret": "another-secret"}, "invalid_client"),
    ],
)
def test_oauth_that_is_refused(play: Play, changes: dict[str, str], said: str) -> None:
    box = play(vendors=[NAME, "smtp2go"], size=40)
    given = box.config()
    given[NAME] |= changes
    found = run(given, box=box)
    assert found.status == 1
    errors = found.lines("ERROR")
    assert len(errors) == 3
    assert all(said in line and "What to do" in line for line in errors)
    assert len(asked(found, "POST", "/oauth")) == 1, "a refusal is not asked for again"
    assert len(found.records["smtp2go_activity"]) == 40


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("shape", ["error", "data"])
def test_a_scope_that_is_missing(zepto: Play, status: int, shape: str) -> None:
    box = zepto(size=20, scopes="Zeptomail.email.READ", scope_status=status, error_shape=shape)
    found = run(settings(box), box=box)
    assert found.status == 1
    errors = found.lines("ERROR")
    assert len(errors) == 3
    assert all("Invalid OAuth scope" in line and "Zeptomail.Exports.ALL" in line for line in errors)
    assert tokens(box) == 1

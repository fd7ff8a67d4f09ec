"""Tokens: one for all threads, renewed in time, never asked for without end."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from harness import Ticking
from tap_emaillogs.http.auth import Token, TokenAuth
from tap_emaillogs.http.client import Meter
from tap_emaillogs.http.errors import Misunderstood, NotAuthorized, ReadError, Unreachable, VendorError
from tap_emaillogs.http.redaction import Redactor


class Numbered(TokenAuth):
    refused = "the door stays shut"

    def __init__(self, *, seconds: float | None = None, error: Exception | None = None, **known: Any) -> None:
        super().__init__(**known)
        self.asked, self.seconds, self.error = 0, seconds, error

    def ask(self, client: Any, meter: Meter) -> Token:
        self.asked += 1
        time.sleep(0.01)
        if self.error is not None:
            raise self.error
        return Token(f"Bearer token-{self.asked:04d}", self.seconds)


@pytest.fixture
def client() -> Any:
    return SimpleNamespace(clock=Ticking(), redact=Redactor())


def shown(auth: TokenAuth, client: Any) -> str:
    return auth.headers(client, Meter())["Authorization"]


def test_all_threads_share_one_token_that_is_secret(client: Any) -> None:
    auth, found = Numbered(), []
    threads = [threading.Thread(target=lambda: found.append(shown(auth, client))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {"Bearer token-0001"}
    assert auth.asked == 1
    assert client.redact("it was token-0001") == "it was [hidden]"


def test_a_token_is_renewed_a_minute_before_its_end(client: Any) -> None:
    auth = Numbered(seconds=300)
    assert shown(auth, client) == "Bearer token-0001"
    client.clock.pass_time(seconds=239)
    assert shown(auth, client) == "Bearer token-0001"
    client.clock.pass_time(seconds=1)
    assert shown(auth, client) == "Bearer token-0002"


def test_a_token_without_an_end_is_good_until_it_is_rejected(client: Any) -> None:
    auth = Numbered()
    first = auth.headers(client, Meter())
    client.clock.pass_time(days=3)
    assert auth.headers(client, Meter()) == first
    assert auth.renew(first)
    second = auth.headers(client, Meter())
    assert second != first
    assert auth.renew(first), "another thread was faster"
    assert auth.headers(client, Meter()) == second


@pytest.mark.parametrize("error", [VendorError("HTTP 400: no", "mend it", status=400), Misunderstood("odd", "mend it")])
def test_a_refusal_is_final_for_this_run(client: Any, error: Exception) -> None:
    auth = Numbered(error=error)
    for _ in range(3):
        with pytest.raises(NotAuthorized, match=f"the door stays shut: {error}") as caught:
            shown(auth, client)
        assert (caught.value.hint, caught.value.status) == ("mend it", 401)
    assert auth.asked == 1


def test_trouble_on_the_way_is_no_refusal(client: Any) -> None:
    auth = Numbered(error=Unreachable("no answer"))
    with pytest.raises(Unreachable):
        shown(auth, client)
    auth.error = None
    assert shown(auth, client) == "Bearer token-0002"


def test_no_more_than_ten_tokens_in_ten_minutes(client: Any) -> None:
    auth = Numbered()
    for _ in range(10):
        auth.renew(auth.headers(client, Meter()))
    with pytest.raises(ReadError, match="10 access tokens in ten minutes"):
        shown(auth, client)
    assert auth.asked == 10
    client.clock.pass_time(minutes=10)
    assert shown(auth, client) == "Bearer token-0011"


def test_a_ready_token_is_used_and_may_have_no_successor(client: Any) -> None:
    auth = Numbered(ready="Bearer mine", renewable=False)
    found = auth.headers(client, Meter())
    assert found == {"Authorization": "Bearer mine"}
    assert not auth.renew(found)
    assert auth.asked == 0

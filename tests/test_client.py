"""HTTP: paced, retried by the table, never redirected, and quiet about secrets."""

from __future__ import annotations

import base64
import contextlib
import copy
import io
import json
import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.streams.rest import HTTPRequest

from general import NOW
from harness import Ticking
from tap_emaillogs.http.answers import decode, decode_any
from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.http.budget import Budget
from tap_emaillogs.http.client import ApiClient, Meter, Reply
from tap_emaillogs.http.clock import Stopped
from tap_emaillogs.http.errors import Action, ErrorRule, ReadError, TooMuch, Unreachable, VendorError
from tap_emaillogs.http.redaction import Redactor
from tap_emaillogs.http.retries import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

KEY = "key-0123456789abcdef"
GOOD: dict[str, Any] = {"rows": [1]}


class Vendor:
    """Gives the answers it was told, the last one for ever, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Callable[[BaseHTTPRequestHandler], None]] = []
        self.asked: list[BaseHTTPRequestHandler] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.asked.append(copy.copy(self))  # the same handler serves what follows on its connection
                server.answers[0 if len(server.answers) == 1 else len(server.asked) - 1](self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(
        self, status: int = 200, body: Any = GOOD, headers: Mapping[str, str] | None = None, length: int | None = None
    ) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()

        def send(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(content) if length is None else length))
            handler.end_headers()
            handler.wfile.write(content)
            handler.close_connection = length is not None

        self.answers.append(send)

    def hang_up(self) -> None:
        def close(handler: BaseHTTPRequestHandler) -> None:
            handler.connection.shutdown(2)
            handler.close_connection = True

        self.answers.append(close)


@pytest.fixture
def server() -> Iterator[Vendor]:
    found = Vendor()
    yield found
    found.server.shutdown()
    found.server.server_close()


class Said:
    """A client with all that a test wants to look at."""

    def __init__(
        self, server: Vendor | str, *, auth: Any = None, per_minute: float = 0, tries: int = 4, errors: Any = ()
    ) -> None:
        self.url = server if isinstance(server, str) else server.url
        self.clock, self.meter, self.log = Ticking(), Meter(), io.StringIO()
        logger = logging.getLogger("test-client")
        logger.handlers, logger.propagate = [logging.StreamHandler(self.log)], False
        logger.setLevel(logging.WARNING)
        self.client = ApiClient(
            auth=auth or KeyAuth("Authorization", f"App {KEY}"),
            budget=Budget(per_minute, self.clock),
            clock=self.clock,
            redact=Redactor([KEY]),
            logger=logger,
            vendor_message=lambda data: data.get("error") if isinstance(data, dict) else None,
            errors=errors,
            label="server, account default",
            timeout=5,
            max_tries=tries,
            user_agent="tap-emaillogs/test",
            connections=2,
        )

    def get(self, path: str = "/logs", **params: Any) -> Any:
        request = HTTPRequest(method="GET", url=self.url + path, params=params, headers={})
        return self.client.send(request, self.meter).data

    def once(self, happened: Callable[[], Any]) -> Any:
        return self.client.send_once(HTTPRequest(method="GET", url=f"{self.url}/job"), self.meter, happened)

    def download(self, limit: int = 1_000) -> tuple[int, bytes]:
        file = io.BytesIO()
        request = HTTPRequest(method="GET", url=f"{self.url}/file", params={}, headers={})
        reply = self.client.download(request, self.meter, file, limit)
        return reply.status, file.getvalue()


# What is sent.


def test_a_request_carries_key_agent_and_parameters(server: Vendor) -> None:
    server.answer()
    said = Said(server)
    assert said.get(limit=5, until="2026-03-01T00:00:00.000Z") == GOOD
    asked = server.asked[0]
    assert asked.headers["Authorization"] == f"App {KEY}"
    assert asked.headers["User-Agent"] == "tap-emaillogs/test"
    assert asked.headers["Accept"] == "application/json"
    assert asked.path.startswith("/logs?limit=5&until=2026-03-01T00")
    assert said.meter.requests == 1
    assert said.clock.waits == []


def test_a_netrc_file_does_not_replace_the_key(server: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.answer()
    Said(server).get()
    assert server.asked[0].headers["Authorization"] == f"App {KEY}"


def test_requests_are_paced_and_retries_count(server: Vendor) -> None:
    server.answer(503)
    server.answer()
    server.answer()
    said = Said(server, per_minute=6)
    said.get()
    said.get()
    assert said.clock.monotonic() >= 20
    assert said.meter.requests == 3


# What is tried again.


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again_with_growing_waits(server: Vendor, status: int) -> None:
    for _ in range(3):
        server.answer(status, {"error": "come back later"})
    server.answer()
    said = Said(server)
    assert said.get() == GOOD
    assert said.meter.requests == len(server.asked) == 4
    first = 5 if status == 429 else 1
    waited = said.clock.waits
    assert len(waited) == 3
    for wait, planned in zip(waited, (first, 2 * first, 4 * first), strict=True):
        assert planned / 2 <= wait + 1e-3
        assert wait <= planned + 1e-3
    assert f"HTTP {status}: come back later; try 2 follows in" in said.log.getvalue()


@pytest.mark.parametrize(
    ("body", "content_type", "length"),
    [
        (b'{"rows": [1', "application/json", None),
        (b'{"rows": [1]}', "application/json", 50),
        (b"", "application/json", None),
        (b"<html>Please log in</html>", "text/html; charset=utf-8", None),
        (b"[" * 100_000, "application/json", None),
    ],
    ids=["cut JSON", "cut body", "empty", "HTML", "too deep"],
)
def test_an_answer_that_is_no_whole_json_is_tried_again(
    server: Vendor, body: bytes, content_type: str, length: int | None
) -> None:
    server.answer(200, body, {"Content-Type": content_type}, length)
    server.answer()
    said = Said(server)
    assert said.get() == GOOD
    assert len(server.asked) == 2


def test_a_page_in_the_vendors_place_is_named_after_all_tries(server: Vendor) -> None:
    server.answer(200, b"<html>ann@example.com</html>", {"Content-Type": "text/html; charset=utf-8"})
    with pytest.raises(Unreachable, match=r"HTTP 200 without valid JSON \(text/html, 28 bytes\) \(4 tries\)") as caught:
        Said(server).get()
    assert "base_url" in caught.value.hint
    assert len(server.asked) == 4


def test_connections_that_break_are_tried_again(server: Vendor) -> None:
    server.hang_up()
    server.answer()
    said = Said(server)
    assert said.get() == GOOD
    assert "no answer (" in said.log.getvalue()


def test_nobody_there_is_said_plainly(server: Vendor) -> None:
    said = Said("http://127.0.0.1:9")
    with pytest.raises(Unreachable, match=r"no answer \(Connection refused\) \(4 tries\)") as caught:
        said.get("/?key=hidden")
    assert "base_url" in caught.value.hint
    assert len(said.clock.waits) == 3


def test_what_is_handled_meanwhile_is_no_reason() -> None:
    said = Said("http://127.0.0.1:9")
    try:
        {}["an export of other dates, to be deleted"]
    except LookupError:
        with pytest.raises(Unreachable, match=r"no answer \(Connection refused\)"):
            said.get()


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:port", "ftp://127.0.0.1", "127.0.0.1/x"])
def test_an_address_that_is_none_fails_at_once(url: str) -> None:
    said = Said(url)
    with pytest.raises(ReadError) as caught:
        said.get()
    assert "base_url" in caught.value.hint
    assert said.clock.waits == []


# Waiting when asked to.


def test_retry_after_is_kept_and_holds_the_account_back(server: Vendor) -> None:
    server.answer(429, {"error": "too many"}, {"Retry-After": "7"})
    server.answer(503, {}, {"Retry-After": (NOW + timedelta(seconds=40)).strftime("%a, %d %b %Y %H:%M:%S GMT")})
    server.answer()
    said = Said(server)
    said.get()
    assert said.clock.monotonic() == pytest.approx(40, abs=0.3)
    assert said.clock.waits[0] == pytest.approx(7, abs=0.2)


def test_a_retry_after_past_all_patience_ends_the_tries(server: Vendor) -> None:
    server.answer(429, {}, {"Retry-After": "86400"})
    said = Said(server)
    with pytest.raises(Unreachable, match="HTTP 429; it asks to wait 86400 s"):
        said.get()
    assert said.clock.waits == []
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("120", 120), (" 0 ", 0), ("1.5", 1.5), ("", None), ("soon", None), ("-5", None), ("²", None)),
        *(("1e9", None), ("Sun, 01 Mar 2026 12:00:30 GMT", 30), ("Sun, 01 Mar 2026 13:00:30 +0100", 30)),
        *(("Sun, 01 Mar 2026 11:00:00 GMT", 0), ("Sun, 01 Mar 2026 12:00:30 -0000", 30)),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}, NOW) == seconds


def test_no_retry_after_is_none() -> None:
    assert retry_after({}, NOW) is None


@given(st.text(max_size=40) | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [+-]?\d+", fullmatch=True))
def test_any_retry_after_is_a_wait_or_none(value: str) -> None:
    found = retry_after({"Retry-After": value}, datetime(2026, 1, 1, tzinfo=UTC))
    assert found is None or found >= 0


# What is not tried again.


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 422])
def test_a_refusal_fails_at_once_with_the_vendors_words_and_a_hint(server: Vendor, status: int) -> None:
    server.answer(status, {"error": f"no\n to {KEY}  of ann@example.com"})
    said = Said(server)
    with pytest.raises(VendorError) as caught:
        said.get()
    assert str(caught.value) == f"HTTP {status}: no to [hidden] of [address]"
    assert caught.value.status == status
    assert caught.value.hint
    assert (len(server.asked), said.clock.waits) == (1, [])


def test_a_refusal_without_words_shows_the_status_only(server: Vendor) -> None:
    server.answer(403, b"<html>ann@example.com</html>")
    with pytest.raises(VendorError, match=r"^HTTP 403$"):
        Said(server).get()


def test_long_words_are_cut(server: Vendor) -> None:
    server.answer(400, {"error": "word " * 1_000})
    with pytest.raises(VendorError) as caught:
        Said(server).get()
    assert len(str(caught.value)) < 330


def test_an_error_under_200_is_an_error(server: Vendor) -> None:
    server.answer(200, {"error": "not for you"})
    with pytest.raises(VendorError, match="the vendor answers with an error: not for you") as caught:
        Said(server).get()
    assert (caught.value.status, caught.value.text) == (200, "not for you")
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_refused_and_named_without_secrets(server: Vendor, status: int) -> None:
    server.answer(status, b"", {"Location": f"{server.url}/elsewhere?key={KEY}"})
    with pytest.raises(VendorError, match=rf"HTTP {status} to {server.url}/elsewhere\?key=\[hidden\]") as caught:
        Said(server).get()
    assert "redirects are not followed" in caught.value.hint
    assert len(server.asked) == 1


# Authorization that ends.


class Tokens:
    """Hands out numbered tokens."""

    def __init__(self, most: int) -> None:
        self.number, self.most = 1, most

    def headers(self, client: ApiClient, meter: Meter) -> dict[str, str]:
        return {"Authorization": f"Bearer token-{self.number}"}

    def renew(self, rejected: Mapping[str, str]) -> bool:
        assert rejected == {"Authorization": f"Bearer token-{self.number}"}
        self.number += 1
        return self.number <= self.most


def test_a_token_that_is_not_accepted_is_renewed_once(server: Vendor) -> None:
    server.answer(401, {"error": "expired"})
    server.answer()
    assert Said(server, auth=Tokens(5)).get() == GOOD
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer token-1", "Bearer token-2"]


def test_a_new_token_that_is_not_accepted_either_fails(server: Vendor) -> None:
    server.answer(401, {"error": "expired"})
    with pytest.raises(VendorError, match="HTTP 401: expired"):
        Said(server, auth=Tokens(5)).get()
    assert len(server.asked) == 2


def test_a_fixed_key_is_not_tried_twice(server: Vendor) -> None:
    server.answer(401, {"error": "wrong key"})
    with pytest.raises(VendorError, match="wrong key"):
        Said(server).get()
    assert len(server.asked) == 1


def test_the_vendors_table_may_say_that_no_other_token_helps(server: Vendor) -> None:
    server.answer(401, {"error": "missing scope"})
    said = Said(server, auth=Tokens(5), errors=[ErrorRule(Action.FAIL, "ask for the scope", pattern="scope")])
    with pytest.raises(VendorError, match="missing scope") as caught:
        said.get()
    assert caught.value.hint == "ask for the scope"
    assert len(server.asked) == 1


# What the vendor's table says of an error.


@pytest.mark.parametrize("status", [200, 400])
def test_too_much_is_an_error_of_its_own(server: Vendor, status: int) -> None:
    server.answer(status, {"error": "the range is too long"})
    with pytest.raises(TooMuch) as caught:
        Said(server, errors=[ErrorRule(Action.SPLIT, pattern="too long")]).get()
    assert (caught.value.status, caught.value.text) == (status, "the range is too long")
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [200, 400])
def test_an_error_may_be_worth_another_try(server: Vendor, status: int) -> None:
    server.answer(status, {"error": "busy"})
    server.answer()
    said = Said(server, errors=[ErrorRule(Action.RETRY, pattern="busy", wait=8)])
    assert said.get() == GOOD
    assert 4 <= said.clock.waits[0] <= 8


# What must not happen twice.


def test_a_request_that_is_answered_is_sent_once(server: Vendor) -> None:
    server.answer()
    said = Said(server)
    reply = said.once(lambda: pytest.fail("there is an answer"))
    assert isinstance(reply, Reply)
    assert reply.data == GOOD


@pytest.mark.parametrize("found", [None, "the job"])
def test_what_a_lost_answer_may_have_told_is_looked_up_first(server: Vendor, found: str | None) -> None:
    server.hang_up()
    server.answer()
    reply = Said(server).once(lambda: found)
    assert len(server.asked) == (1 if found else 2)
    assert (reply if found else getattr(reply, "data", None)) == (found or GOOD)


def test_what_is_refused_did_not_happen(server: Vendor) -> None:
    server.answer(400, {"error": "no"})
    with pytest.raises(VendorError, match="no"):
        Said(server).once(lambda: pytest.fail("it was refused"))


@pytest.mark.parametrize(("body", "data"), [(b"", None), (b"welcome", None), (b'{"a": 1}', {"a": 1})])
def test_an_answer_of_which_nothing_is_promised_may_hold_anything(server: Vendor, body: bytes, data: Any) -> None:
    server.answer(200, body, {"X-Token": "t"})
    said = Said(server)
    reply = said.client.send(HTTPRequest(method="GET", url=said.url), said.meter, decode=decode_any)
    assert (reply.data, reply.headers["X-Token"]) == (data, "t")


# What is told.


@pytest.mark.parametrize("word", ["a", "a@", '"', "a@[", "Bearer ", "x=", "%40"])
def test_no_text_of_a_vendors_is_slow_to_quote(server: Vendor, word: str) -> None:
    began = time.perf_counter()
    assert len(Said(server).client.quote(word * 500_000)) <= 301
    Said(server).client.redact(word * 20_000)
    assert time.perf_counter() - began < 2


@given(st.integers(2_900, 3_100), st.sampled_from([KEY, "ann.longname@example.com", f"{KEY} and bob@example.com"]))
def test_what_is_cut_off_leaves_no_half_of_a_secret(place: int, private: str) -> None:
    # The addresses before it are replaced by shorter words, so that what follows comes near the beginning.
    text = f"{'x' * (place - 14)}@example.com {private} more {'y' * 4_000}"
    quoted = Said("http://127.0.0.1:9").client.quote(text)
    for part in (KEY[:8], "ann.l", "bob"):
        assert part not in quoted


@given(st.integers(2_900, 3_100), st.integers(3, len(KEY) - 3))
def test_what_is_cut_off_leaves_no_half_of_what_is_disguised(place: int, broken: int) -> None:
    client = Said("http://127.0.0.1:9").client
    packed = base64.b64encode(b"ann.longname@example.com").decode()
    for private in (
        f"{KEY[:broken]}\r\n  {KEY[broken:]}",
        "".join(f"&#{ord(one)};" for one in KEY),
        f"{packed[:broken]}\n{packed[broken:]}",
    ):
        quoted = client.quote(f"{'x' * (place - 14)}@example.com {private} more {'y' * 4_000}")
        for part in (KEY[:8], KEY[-8:], "&#", packed[:6], packed[-8:]):
            assert part not in quoted


def test_a_secret_broken_by_the_end_of_a_line_is_hidden_in_a_quote() -> None:
    client = Said("http://127.0.0.1:9").client
    assert client.quote(f"  bad\n\n key {KEY[:9]}\r\n\t{KEY[9:]}\nof  yours ") == "bad key [hidden] of yours"


def test_each_answer_is_a_metric(server: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    server.answer(503)
    server.answer()
    with caplog.at_level(logging.INFO, "singer_sdk.metrics"):
        Said(server).get("/logs", key="hidden")
    points = [record.args[0].to_dict() for record in caplog.records if record.name == "singer_sdk.metrics"]
    assert [point["metric"] for point in points] == ["http_request_duration"] * 2
    assert [(p["tags"]["endpoint"], p["tags"]["http_status_code"], p["tags"]["status"]) for p in points] == [
        ("/logs", 503, "failed"),
        ("/logs", 200, "succeeded"),
    ]


# Files.


def test_a_download_is_written_whole_after_a_cut_one(server: Vendor) -> None:
    server.answer(200, b"half of", length=100)
    server.answer(200, b"all")
    assert Said(server).download() == (200, b"all")


def test_a_download_past_the_limit_is_refused(server: Vendor) -> None:
    server.answer(200, b"x" * 2_000)
    with pytest.raises(VendorError, match="larger than 1,000 bytes"):
        Said(server).download()


# The end of a run.


def test_the_end_of_the_run_ends_the_tries(server: Vendor) -> None:
    server.answer(503)
    said = Said(server)
    said.clock.stop()
    with pytest.raises(Stopped):
        said.get()


# JSON.


def test_odd_json_is_read_all_the_same() -> None:
    assert decode(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert decode(b'{"a": "\\ud800x"}') == {"a": "?x"} or decode(b'{"a": "\\ud800x"}') == {"a": "\ufffdx"}
    assert decode(b'{"a": "\xff"}') == {"a": "\ufffd"}
    assert decode(b'{"a": 12345678901234567890123}') == {"a": 12345678901234567890123}
    assert decode(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


@given(st.binary(max_size=30))
def test_any_bytes_are_json_or_a_value_error(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        decode(body)

"""HTTP for one account: pacing, retries, authorization, and answers that are either understood or an error."""

from __future__ import annotations

import contextlib
import email.utils
import itertools
import json
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import backoff
import msgspec
import requests
from requests.adapters import HTTPAdapter

from tap_emaillogs.http.errors import (
    Abandoned,
    Action,
    ReadError,
    Rule,
    Unreachable,
    VendorError,
    rule_for_exception,
    rule_for_status,
)

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping

    from singer_sdk.streams.rest import HTTPRequest

    from tap_emaillogs.http.budget import Budget
    from tap_emaillogs.http.clock import Clock
    from tap_emaillogs.http.redaction import Redactor

_LONGEST_RETRY_WAIT = 60.0
_LONGEST_RETRY_AFTER = 900.0
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]+)?")
_LONGEST_QUOTE = 300
"""So much of a vendor's own words goes into a message."""


class Meter:
    """Counts the requests sent on behalf of one window, whoever sends them."""

    def __init__(self, abandoned: Callable[[], bool] = lambda: False) -> None:
        self.requests = 0
        self._abandoned = abandoned

    def check(self) -> None:
        """Refuse to go on for a window that nobody waits for.

        Raises:
            Abandoned: Its endpoint has ended.
        """
        if self._abandoned():
            raise Abandoned("the endpoint ended before this window was read")


class Auth(Protocol):
    """How an account proves who it is."""

    def headers(self, client: ApiClient, meter: Meter) -> Mapping[str, str]:
        """Return the headers that authorize a request, fetching a token first where one is needed."""

    def renew(self, rejected: Mapping[str, str]) -> bool:
        """Give up headers that were answered with 401; tell whether others can be had."""


class KeyAuth:
    """A fixed key in a header."""

    def __init__(self, header: str, value: str) -> None:
        self._headers = {header: value}

    def headers(self, client: ApiClient, meter: Meter) -> Mapping[str, str]:  # noqa: ARG002 - the protocol's arguments
        """Return the header with the key."""
        return self._headers

    def renew(self, rejected: Mapping[str, str]) -> bool:  # noqa: ARG002 - likewise
        """A fixed key has no successor."""
        return False


@dataclass(frozen=True, slots=True)
class Reply:
    """An accepted answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    data: Any = field(default=None, repr=False)


class _Retry(Exception):
    """One try failed in a way that another may not."""

    def __init__(self, message: str, rule: Rule, retry_after: float | None = None, status: int = 0) -> None:
        super().__init__(message)
        self.rule, self.retry_after, self.status = rule, retry_after, status


def decode(body: bytes) -> Any:
    """Read JSON, also with lone surrogates, which become U+FFFD.

    Raises:
        ValueError: The bytes are no JSON.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # NaN and the infinities are no JSON, but some write them: as text they harm nobody.
        text = json.dumps(json.loads(body.decode("utf-8-sig", "replace"), parse_constant=str), ensure_ascii=False)
        return json.loads(text.encode("utf-8", "replace"))


class ApiClient:
    """Sends the requests of one account; safe to share between threads.

    `vendor_message(data)` finds the vendor's own error text in a decoded body; None: the body carries no error.
    `token_refused(message)` tells whether a 401 with this message is about the token, and not about what it permits.
    """

    def __init__(  # noqa: PLR0913 - an account's transport has this many parts, all named
        self,
        *,
        auth: Auth,
        budget: Budget,
        clock: Clock,
        redact: Redactor,
        logger: logging.Logger,
        vendor_message: Callable[[Any], str | None],
        token_refused: Callable[[str], bool] = lambda _: True,
        label: str,
        timeout: float,
        max_tries: int,
        user_agent: str,
        connections: int,
    ) -> None:
        self.auth, self.budget, self.clock, self.redact, self.label = auth, budget, clock, redact, label
        self._logger, self.vendor_message, self._token_refused = logger, vendor_message, token_refused
        self._timeout, self.max_tries = timeout, max_tries
        self._turns = threading.BoundedSemaphore(connections)
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": user_agent, "Accept": "application/json"})
        self._session.auth = _no_netrc  # requests would let a ~/.netrc replace the Authorization header
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=max(4, connections)))

    def send(  # noqa: PLR0913 - what a request may need, all named
        self,
        request: HTTPRequest,
        meter: Meter,
        *,
        as_json: bool = False,
        authorize: bool = True,
        unless: Callable[[], Any] | None = None,
        decode: Callable[[bytes], Any] = decode,
    ) -> Reply:
        """Send one request until it is answered in JSON, and return the answer, read by `decode`.

        `unless` is asked before each further try of a request that is not to take effect twice: what it returns, if
        not None, is taken as the data of the answer.

        Raises:
            VendorError: The vendor refused it, by status or by an error in a 200.
            Unreachable: No usable answer after `max_tries`.
        """
        read = partial(self._read_json, decode)
        return self._retrying(request, meter, read, as_json=as_json, authorize=authorize, unless=unless)

    def download(  # noqa: PLR0913 - as `send`, and where to and how much
        self,
        request: HTTPRequest,
        meter: Meter,
        file: BinaryIO,
        limit: int,
        *,
        as_json: bool = False,
        authorize: bool = True,
    ) -> Reply:
        """Write the body of an answer to `file`, from its start, at most `limit` bytes.

        Raises:
            VendorError: The vendor refused it, or the body is longer than `limit`.
            Unreachable: No whole body after `max_tries`.
        """

        def read(response: requests.Response) -> Reply:
            file.seek(0)
            file.truncate()
            for chunk in response.iter_content(1 << 16):
                if file.tell() + len(chunk) > limit:
                    raise VendorError(f"the file is larger than {limit:,} bytes", status=response.status_code)
                file.write(chunk)
            return Reply(response.status_code, response.headers)

        return self._retrying(request, meter, read, as_json=as_json, authorize=authorize)

    def _retrying(  # noqa: PLR0913 - what `send` and `download` differ in
        self,
        request: HTTPRequest,
        meter: Meter,
        read: Callable[[requests.Response], Reply],
        *,
        as_json: bool,
        authorize: bool,
        unless: Callable[[], Any] | None = None,
    ) -> Reply:
        renewed = False
        waits: Iterator[float] | None = None
        for attempt in itertools.count(1):
            sent: Mapping[str, str] = self.auth.headers(self, meter) if authorize else {}
            try:
                with self._turns:
                    return self._try(request, sent, meter, read, as_json=as_json)
            except VendorError as error:
                renewable = error.status == 401 and authorize and not renewed and self._token_refused(error.text)
                if not renewable or not self.auth.renew(sent):
                    raise
                renewed = True
            except _Retry as error:
                if attempt >= self.max_tries:
                    raise Unreachable(f"{error} ({attempt} tries)", error.rule.hint) from error
                if waits is None:
                    waits = backoff.expo(factor=error.rule.wait, max_value=_LONGEST_RETRY_WAIT)
                    next(waits)
                self._wait(error, next(waits), attempt)
                if unless is not None and (found := unless()) is not None:
                    return Reply(0, {}, data=found)
        raise AssertionError  # pragma: no cover - count() does not end

    def _wait(self, error: _Retry, planned: float, attempt: int) -> None:
        delay = planned / 2 + backoff.full_jitter(planned / 2)
        if error.retry_after is not None:
            if error.retry_after > _LONGEST_RETRY_AFTER:
                raise Unreachable(f"{error}; it asks to wait {error.retry_after:.0f} s", error.rule.hint) from error
            delay = error.retry_after + backoff.full_jitter(0.1)
        self._logger.warning("%s: %s; try %d follows in %.1f s", self.label, error, attempt + 1, delay)
        if error.status == 429 or error.retry_after is not None:
            self.budget.pause(delay)
        else:
            self.clock.wait(delay)

    def _try(
        self,
        request: HTTPRequest,
        authorization: Mapping[str, str],
        meter: Meter,
        read: Callable[[requests.Response], Reply],
        *,
        as_json: bool,
    ) -> Reply:
        meter.check()
        self.budget.acquire()
        meter.check()
        meter.requests += 1
        body: dict[str, Any] = {"json" if as_json else "data": request.data}
        try:
            with self._session.request(
                request.method,
                request.url,
                params=request.encode_params(),
                headers={**request.headers, **authorization},
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
                **body,
            ) as response:
                rule = rule_for_status(response.status_code)
                if rule.action is Action.ACCEPT:
                    return read(response)
                raise self._refusal(response, rule)
        except (requests.RequestException, OSError) as error:
            known = rule_for_exception(error)
            if known is None:
                raise
            said = f"no answer ({_cause(error)})"
            if known.action is Action.RETRY:
                raise _Retry(said, known) from error
            raise ReadError(said, known.hint) from error

    def _read_json(self, decode: Callable[[bytes], Any], response: requests.Response) -> Reply:
        body = response.content
        try:
            data = decode(body)
        except (ValueError, RecursionError) as error:
            kind = response.headers.get("Content-Type", "no content type").split(";")[0]
            rule = Rule(Action.RETRY, "something between here and the vendor may answer in its place: check base_url")
            raise _Retry(f"HTTP {response.status_code} without valid JSON ({kind}, {len(body)} bytes)", rule) from error
        message = self.vendor_message(data)
        if message is not None:
            quoted = self.quote(message)
            raise VendorError(f"the vendor answers with an error: {quoted}", status=response.status_code, text=message)
        return Reply(response.status_code, response.headers, body, data)

    def _refusal(self, response: requests.Response, rule: Rule) -> Exception:
        message = None
        # An error page that is no JSON, or cut: the status says enough.
        with contextlib.suppress(ValueError, RecursionError, requests.RequestException):
            message = self.vendor_message(decode(response.content))
        said = f"HTTP {response.status_code}" + (f": {self.quote(message)}" if message else "")
        if 300 <= response.status_code < 400 and (target := response.headers.get("Location")):
            said += f" to {self.quote(target)}"
        if rule.action is Action.RETRY:
            return _Retry(said, rule, retry_after(response.headers, self.clock.now()), response.status_code)
        return VendorError(said, rule.hint, status=response.status_code, text=message or "")

    def quote(self, text: str) -> str:
        """Return a vendor's words as they may stand in a message: on one line, redacted, not too long."""
        line = self.redact(" ".join(text.split()))
        return line if len(line) <= _LONGEST_QUOTE else line[:_LONGEST_QUOTE] + "…"


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _cause(error: BaseException) -> str:
    """Name the innermost reason, in a few words; a full urllib3 text repeats the URL."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    text = getattr(error, "strerror", None) or type(error).__name__
    return str(text)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read `Retry-After`, in seconds or as an HTTP date; None where it is absent or unreadable."""
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())

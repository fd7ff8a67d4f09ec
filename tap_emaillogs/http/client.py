"""HTTP for one account: pacing, authorization, retries, and answers that are either understood or an error."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol, TypeVar

import requests

from tap_emaillogs.http.answers import Reply, decode
from tap_emaillogs.http.errors import (
    Action,
    NotAuthorized,
    NotPermitted,
    Oversized,
    Rule,
    TooMuch,
    VendorError,
    rule_for_error,
    rule_for_status,
)
from tap_emaillogs.http.retries import Tries, TryAgain, retry_after
from tap_emaillogs.http.transport import Meter, Transport
from tap_emaillogs.http.vendor_clock import VendorClock

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from singer_sdk.streams.rest import HTTPRequest

    from tap_emaillogs.http.budget import Budget
    from tap_emaillogs.http.clock import Clock
    from tap_emaillogs.http.errors import ErrorRule
    from tap_emaillogs.http.redaction import Redactor

    _Read = Callable[[requests.Response], Reply]

__all__ = ["ApiClient", "Auth", "Meter", "Reply"]

_LONGEST_QUOTE = 300
"""So much of a vendor's own words goes into a message; somewhat more is searched for secrets and addresses."""
_ANSWER_BYTES = 256 << 20
"""The largest answer in JSON: a page of a thousand mails with their texts has some 100 MB at most."""
_ERROR_BYTES = 256 << 10
"""So much is read of an error's body, and of a file for an error in its place."""
_CHUNK = 64 << 10
_T = TypeVar("_T")


class Auth(Protocol):
    """How an account proves who it is."""

    def headers(self, client: ApiClient, meter: Meter) -> Mapping[str, str]:
        """Return the headers that authorize a request, asking for a token first where one is needed."""

    def renew(self, rejected: Mapping[str, str]) -> bool:
        """Give up headers that were rejected; tell whether others can be had."""


class ApiClient:
    """Sends the requests of one account; safe to share between threads.

    `vendor_message(data)` finds the vendor's own error text in a decoded body; None: the body carries no error.
    `errors` is the vendor's table of what its errors mean, looked up before the common one. `label` names the account
    in messages, `context` in metrics: `{"provider": "smtp2go", "account": "default"}`.
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
        errors: Sequence[ErrorRule] = (),
        label: str,
        context: Mapping[str, str] | None = None,
        timeout: float,
        max_tries: int,
        user_agent: str,
        connections: int,
    ) -> None:
        self.auth, self.budget, self.clock, self.redact, self.label = auth, budget, clock, redact, label
        self._logger, self.vendor_message, self._errors = logger, vendor_message, tuple(errors)
        self.max_tries, self.timeout = max_tries, timeout
        self.on_answer: Callable[[Mapping[str, str]], None] | None = None
        """Called with the headers of every answer, whatever it says."""
        self.vendor_clock = VendorClock(logger, label)
        self._transport = Transport(
            budget,
            clock=clock,
            vendor_clock=self.vendor_clock,
            timeout=timeout,
            user_agent=user_agent,
            connections=connections,
            context=context or {},
        )

    def send(  # noqa: PLR0913 - how a request is sent and its answer understood, all named
        self,
        request: HTTPRequest,
        meter: Meter,
        *,
        as_json: bool = False,
        authorize: bool = True,
        errors: Sequence[ErrorRule] = (),
        decode: Callable[[bytes], Any] = decode,
    ) -> Reply:
        """Send one request until it is answered in JSON, and return the answer.

        Args:
            request: What to ask.
            meter: Counts the tries.
            as_json: Whether the request's data are sent as JSON, and not as a form.
            authorize: Whether the key or token goes with it.
            errors: What errors mean in answer to just this request, looked up first.
            decode: Reads the answer's data from its body; a ValueError means that it is no answer.

        Raises:
            VendorError: The vendor refused it, by status or by an error in a 200.
            Unreachable: No usable answer after `max_tries`.
        """
        exchange = _Exchange(request, meter, as_json, authorize, (*errors, *self._errors))
        return self._until_read(exchange, lambda response: self._json(response, exchange, decode))

    def send_once(
        self, request: HTTPRequest, meter: Meter, happened: Callable[[], _T | None], *, as_json: bool = False
    ) -> Reply | _T:
        """Send a request that must not take effect twice.

        No answer does not tell whether the request was obeyed. So `happened` is asked before each further try, and what
        it finds is returned in place of an answer; None: nothing has happened.

        Raises:
            VendorError: The vendor refused it, by status or by an error in a 200.
            Unreachable: No usable answer after `max_tries`.
        """
        exchange = _Exchange(request, meter, as_json, True, self._errors)
        tries = self._tries(exchange.meter)
        while True:
            try:
                return self._try(exchange, lambda response: self._json(response, exchange, decode))
            except TryAgain as failure:
                tries.wait(failure)
                if (found := happened()) is not None:
                    return found

    def download(self, request: HTTPRequest, meter: Meter, file: BinaryIO, limit: int) -> Reply:
        """Write the body of an answer to `file`, from its start, at most `limit` bytes.

        Raises:
            VendorError: The vendor refused it, be it under HTTP 200.
            Oversized: The body is longer than `limit`.
            Unreachable: No whole body after `max_tries`.
        """
        exchange = _Exchange(request, meter, False, True, self._errors, limit)

        def read(response: requests.Response) -> Reply:
            file.seek(0)
            file.truncate()
            file.writelines(_content(response, limit))
            file.seek(0)
            if (start := file.read(_ERROR_BYTES)).lstrip().startswith(b"{"):
                with contextlib.suppress(ValueError, RecursionError):  # no JSON: then it is the file
                    self._check(decode(start), response, exchange)
            return Reply(response.status_code, response.headers)

        return self._until_read(exchange, read)

    def quote(self, text: str) -> str:
        """Return a vendor's words as they may stand in a message: on one line, redacted, not too long."""
        # Lines are joined last: what they break is known by their ends.
        lines = "\n".join(filter(None, (" ".join(line.split()) for line in text.splitlines())))
        line = " ".join(self.redact(self.redact.shortened(lines, 10 * _LONGEST_QUOTE)).split())
        return line if len(line) <= _LONGEST_QUOTE else line[:_LONGEST_QUOTE] + "…"

    # One try after the other.

    def _tries(self, meter: Meter) -> Tries:
        return Tries(
            self.max_tries,
            clock=self.clock,
            budget=self.budget,
            logger=self._logger,
            label=self.label,
            activity=meter.activity,
        )

    def _until_read(self, exchange: _Exchange, read: _Read) -> Reply:
        tries = self._tries(exchange.meter)
        while True:
            try:
                return self._try(exchange, read)
            except TryAgain as failure:
                tries.wait(failure)

    def _try(self, exchange: _Exchange, read: _Read) -> Reply:
        """Send a request, and once more where its token was rejected and there is another."""
        if not exchange.authorize:
            return self._ask(exchange, {}, read)
        sent = self.auth.headers(self, exchange.meter)
        try:
            return self._ask(exchange, sent, read)
        except NotAuthorized:
            if not self.auth.renew(sent):
                raise
        return self._ask(exchange, self.auth.headers(self, exchange.meter), read)

    def _ask(self, exchange: _Exchange, authorization: Mapping[str, str], read: _Read) -> Reply:
        request, meter, as_json = exchange.request, exchange.meter, exchange.as_json
        answer = self._transport.answer(request, authorization, meter, as_json=as_json, most=exchange.most)
        with answer as response:
            if self.on_answer is not None:
                self.on_answer(response.headers)
            if rule_for_status(response.status_code).action is Action.ACCEPT:
                return read(response)
            raise self._refusal(response, exchange)

    # What an answer says.

    def _json(self, response: requests.Response, exchange: _Exchange, decode: Callable[[bytes], Any]) -> Reply:
        body = b"".join(_content(response, exchange.most))
        try:
            data = decode(body)
        except (ValueError, RecursionError) as error:
            kind = response.headers.get("Content-Type", "no content type").split(";")[0]
            rule = Rule(Action.RETRY, "something between here and the vendor may answer in its place: check base_url")
            said = f"HTTP {response.status_code} without valid JSON ({kind}, {len(body)} bytes)"
            raise TryAgain(said, rule) from error
        self._check(data, response, exchange)
        return Reply(response.status_code, response.headers, body, data)

    def _check(self, data: Any, response: requests.Response, exchange: _Exchange) -> None:
        """Find an error in the body of an accepted answer."""
        message = self.vendor_message(data)
        if message is not None:
            said = f"the vendor answers with an error: {self.quote(message)}"
            raise self._error(said, message, response, exchange)

    def _refusal(self, response: requests.Response, exchange: _Exchange) -> Exception:
        message = None
        # An error page that is no JSON, or cut, or without end: the status says enough.
        with contextlib.suppress(ValueError, RecursionError, requests.RequestException, Oversized):
            message = self.vendor_message(decode(b"".join(_content(response, _ERROR_BYTES))))
        said = f"HTTP {response.status_code}" + (f": {self.quote(message)}" if message else "")
        if 300 <= response.status_code < 400 and (target := response.headers.get("Location")):
            said += f" to {self.quote(target)}"
        return self._error(said, message or "", response, exchange)

    def _error(self, said: str, text: str, response: requests.Response, exchange: _Exchange) -> Exception:
        """Return what the tables say of an error."""
        status = response.status_code
        rule = rule_for_error(status, text, exchange.errors)
        if rule.action is Action.RETRY:
            now = self.clock.now() - self.vendor_clock.ahead
            return TryAgain(said, rule, retry_after(response.headers, now), status)
        kind = _ERRORS.get(rule.action, NotPermitted if rule.denies else VendorError)
        return kind(said, rule.hint, status=status, text=text)


_ERRORS = {Action.RENEW: NotAuthorized, Action.SPLIT: TooMuch}


class _Exchange(NamedTuple):
    """One request, however often it is tried."""

    request: HTTPRequest
    meter: Meter
    as_json: bool
    authorize: bool
    errors: tuple[ErrorRule, ...]
    most: int = _ANSWER_BYTES
    """Bytes of the answer's body, unpacked."""


def _content(response: requests.Response, most: int) -> Iterator[bytes]:
    """Yield the body of an answer, unpacked.

    Raises:
        Oversized: It is longer than `most` bytes.
    """
    read = 0
    for chunk in response.iter_content(_CHUNK):
        read += len(chunk)
        if read > most:
            raise Oversized(
                f"the answer is larger than {most:,} bytes",
                "lower page_size or window_hours; if no answer of this vendor can be so large, ask the vendor",
                status=response.status_code,
            )
        yield chunk

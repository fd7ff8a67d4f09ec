"""One request on the wire: paced, counted and timed, its exceptions looked up in the table."""

from __future__ import annotations

import http.client
import itertools
import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import urllib3
from singer_sdk import metrics

from tap_emaillogs.http import bounds, handles, local
from tap_emaillogs.http.activity import Activity
from tap_emaillogs.http.errors import Abandoned, Action, ReadError, rule_for_exception
from tap_emaillogs.http.retries import TryAgain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from singer_sdk.streams.rest import HTTPRequest

    from tap_emaillogs.http.budget import Budget
    from tap_emaillogs.http.clock import Clock
    from tap_emaillogs.http.vendor_clock import VendorClock

_METRICS = metrics.get_metrics_logger()
_OF_A_REQUEST = (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException)
"""What requests, urllib3, http.client and the socket raise."""


class Meter:
    """Counts the requests sent on behalf of one window, whoever sends them.

    Args:
        abandoned: Tells whether nobody waits for the window any more.
        activity: What the endpoint is doing, which these requests are part of.
    """

    def __init__(self, abandoned: Callable[[], bool] = lambda: False, activity: Activity | None = None) -> None:
        self.requests = 0
        self.activity = activity or Activity()
        self._abandoned = abandoned

    def count(self) -> None:
        """Note a request that is being sent."""
        self.requests += 1
        self.activity.count_request()

    def check(self) -> None:
        """Refuse to go on for a window that nobody waits for.

        Raises:
            Abandoned: Its endpoint has ended.
        """
        if self._abandoned():
            raise Abandoned("the endpoint ended before this window was read")


class _Session(requests.Session):
    """A session that does not look where a redirect leads: for that it would read the whole of its body."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Name no target."""


class Transport:
    """The connections of one account, `connections` of them at the same time, at the pace of its budget."""

    def __init__(  # noqa: PLR0913 - all named
        self,
        budget: Budget,
        *,
        clock: Clock,
        vendor_clock: VendorClock,
        timeout: float,
        user_agent: str,
        connections: int,
        context: Mapping[str, str],
    ) -> None:
        self._budget, self._timeout, self._context = budget, timeout, context
        self._clock, self._vendor_clock = clock, vendor_clock
        self._connections = connections
        self._turns = threading.BoundedSemaphore(connections)
        self._session = _Session()
        own = {"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        self._session.headers.update(own)
        self._session.auth = _no_netrc  # requests would let a ~/.netrc replace the Authorization header
        adapter = bounds.BoundedAdapter(pool_connections=4, pool_maxsize=max(4, connections))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)

    @contextmanager
    def answer(
        self, request: HTTPRequest, authorization: Mapping[str, str], meter: Meter, *, as_json: bool, most: int
    ) -> Iterator[requests.Response]:
        """Send a request in its turn; the answer's body is to be read inside, of which `most` bytes are of use.

        Raises:
            TryAgain: No answer, or a body that breaks off.
            ReadError: The request cannot be sent at all.
        """
        with self._turns:
            meter.check()
            self._budget.acquire(meter.activity)
            meter.check()
            meter.count()
            body: dict[str, Any] = {"json" if as_json else "data": request.data}
            bounds.most.set(most)
            sent = self._clock.now()
            handles.KEPT.begin(self)
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
                    self._log_duration(request, response)
                    if 200 <= response.status_code < 300:  # what answers in the vendor's place has a clock of its own
                        self._vendor_clock.note(sent, self._clock.now(), response.headers)
                    yield response
            except (requests.RequestException, OSError) as error:
                known = rule_for_exception(error)
                if known is None:
                    raise
                fault = local.fault_of(error)
                said = fault.said if fault else f"no answer ({_cause(error)})"
                if known.action is Action.RETRY:
                    raise TryAgain(said, known) from error
                raise ReadError(said, known.hint) from error
            finally:
                handles.KEPT.end(self, self._connections, self._session.close)

    def _log_duration(self, request: HTTPRequest, response: requests.Response) -> None:
        """Log how long the vendor took to answer, as the metric that every SDK tap logs."""
        if not _METRICS.isEnabledFor(logging.INFO):
            return
        tags: dict[str, Any] = {
            metrics.Tag.CONTEXT: self._context,
            metrics.Tag.ENDPOINT: urlsplit(request.url).path,
            metrics.Tag.HTTP_STATUS_CODE: response.status_code,
            metrics.Tag.STATUS: metrics.Status.SUCCEEDED if response.status_code < 400 else metrics.Status.FAILED,
        }
        took = response.elapsed.total_seconds()
        metrics.log(_METRICS, metrics.Point("timer", metrics.Metric.HTTP_REQUEST_DURATION, took, tags))


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _cause(error: BaseException) -> str:
    """Name the innermost reason, in a few words; a full urllib3 text repeats the URL."""
    # A request may be made while something else is handled, which is no reason of its failure.
    *_, innermost = itertools.takewhile(lambda one: isinstance(one, _OF_A_REQUEST), local.causes(error))
    return str(getattr(innermost, "strerror", None) or type(innermost).__name__)

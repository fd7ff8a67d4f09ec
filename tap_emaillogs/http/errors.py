"""What can go wrong with a vendor, and what follows, as a table.

ReadError                 a window could not be read
├── VendorError           the vendor said no (status, its own words)
│   ├── NotAuthorized     … to this key or token
│   ├── NotPermitted      … since this key or token lacks a permission or scope
│   ├── TooMuch           … to so long a range, or so many rows: parts of the window may do
│   │   └── Oversized      an answer larger than the tap takes
│   └── PageRefused       … to a follow-up page: the window may be read anew
├── Unreachable           no usable answer after all tries
├── Abandoned             nobody waits for the window any more
├── Misunderstood         an answer the tap has no reading for
└── PagingLoop            the vendor leads in circles
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import requests

from tap_emaillogs.http import local

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

_LONGEST_TEXT = 2_000
"""So much of a vendor's text is compared with patterns."""


class ReadError(Exception):
    """A window could not be read; `str()` says what happened, `hint` what to do."""

    hint = "the next run starts at this window; look at the vendor's status page if it persists"

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint or self.hint


class VendorError(ReadError):
    """The vendor refused a request; carries its HTTP status and its words."""

    def __init__(self, message: str, hint: str | None = None, *, status: int = 0, text: str = "") -> None:
        super().__init__(message, hint)
        self.status = status
        self.text = text


class NotAuthorized(VendorError):
    """The vendor does not accept the key or token, or gives no token."""


class NotPermitted(VendorError):
    """The vendor knows the key or token, and does not let it do this: a permission or scope is missing."""


class TooMuch(VendorError):
    """The vendor refused a range as too long, or as holding too many rows: a smaller one may do."""


class Oversized(TooMuch):
    """The answer is larger than the tap takes: that for a part of the window may be smaller."""


class PageRefused(VendorError):
    """The vendor refused to go on with a paging it had begun, as it does when a token has expired."""


class Unreachable(ReadError):
    """No usable answer after all tries."""


class Abandoned(ReadError):
    """The endpoint has ended in this run: what would be read now could not be written."""


class Misunderstood(ReadError):
    """An answer of an unknown shape: an error, never zero rows."""

    hint = "the vendor may have changed its API: update tap-emaillogs, or report this message"


class PagingLoop(ReadError):
    """The vendor gave a token or a page that it had given before."""


class Action(Enum):
    """What to do with an answer."""

    ACCEPT = "accept"
    RETRY = "retry"
    """Ask again, some time later."""
    RENEW = "renew"
    """Ask once more with another token; without one it is a failure."""
    SPLIT = "split"
    """Read the window's parts instead."""
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Rule:
    """The action for a status or an exception, and what to tell the user."""

    action: Action
    hint: str | None = None
    wait: float = 1.0
    """Seconds before the first retry; each further one waits twice as long."""
    denies: bool = False
    """Whether a failure is for want of a permission or scope, which another token of the same kind would lack too."""


_OTHER_CLIENT_ERROR = Rule(Action.FAIL, "the request was refused as it stands: check this account's settings")
_OTHER_SERVER_ERROR = Rule(Action.RETRY, "the vendor has trouble: the next run starts at this window")

RULES: dict[int, Rule] = {
    400: Rule(Action.FAIL, "check this account's settings, and that its key may read this endpoint"),
    401: Rule(Action.RENEW, "check the key or token of this account: the vendor does not accept it"),
    402: Rule(Action.FAIL, "the vendor asks for payment or another plan"),
    403: Rule(Action.FAIL, "give this account's key the permission to read this endpoint", denies=True),
    404: Rule(Action.FAIL, "check base_url and, where it is set, the path"),
    408: Rule(Action.RETRY, "the vendor was too slow: a smaller window_hours or page_size may help"),
    425: Rule(Action.RETRY),
    429: Rule(Action.RETRY, "lower requests_per_minute, or see what else uses this account", wait=5.0),
}
_REDIRECT = Rule(Action.FAIL, "redirects are not followed: set base_url to the address the vendor names")
_NO_ANSWER = "check base_url, the network and the vendor's status page"
_TIMEOUT = Rule(Action.RETRY, "raise timeout_seconds, or lower window_hours or page_size")

EXCEPTIONS: tuple[tuple[type[Exception], Rule], ...] = (
    (requests.exceptions.SSLError, Rule(Action.RETRY, "the certificate of base_url is not trusted here")),
    (requests.exceptions.Timeout, _TIMEOUT),
    (requests.exceptions.ProxyError, Rule(Action.RETRY, "check the proxy that HTTPS_PROXY or HTTP_PROXY names")),
    (requests.exceptions.InvalidURL, Rule(Action.FAIL, "check base_url")),
    (requests.exceptions.InvalidSchema, Rule(Action.FAIL, "base_url must begin with http:// or https://")),
    (requests.exceptions.MissingSchema, Rule(Action.FAIL, "base_url must begin with http:// or https://")),
    (requests.exceptions.InvalidHeader, Rule(Action.FAIL, "the key holds characters that no header can carry")),
    (requests.exceptions.RequestException, Rule(Action.RETRY, _NO_ANSWER)),
    (OSError, Rule(Action.RETRY, _NO_ANSWER)),
)


def rule_for_status(status: int) -> Rule:
    """Look up what an HTTP status means."""
    if status in RULES:
        return RULES[status]
    if status < 300:
        return Rule(Action.ACCEPT)
    if status < 400:
        return _REDIRECT
    return _OTHER_CLIENT_ERROR if status < 500 else _OTHER_SERVER_ERROR


REFUSALS = frozenset(
    {200, *(status for status in range(400, 500) if rule_for_status(status).action is not Action.RETRY)}
)
"""Statuses of answers that say no for good; 200 is one where the body holds an error."""


@dataclass(frozen=True, slots=True)
class ErrorRule(Rule):
    """A row of a vendor's own table of errors, which goes before the common one: status x text -> action.

    `ErrorRule(Action.SPLIT, pattern="range is too long")`
    """

    pattern: str = ""
    """Regular expression searched for in the vendor's text, in any case; it must take linear time."""
    statuses: Container[int] = REFUSALS

    def applies(self, status: int, text: str) -> bool:
        """Whether the row is about an answer with this status and error text."""
        return status in self.statuses and re.search(self.pattern, text[:_LONGEST_TEXT], re.IGNORECASE) is not None


def rule_for_error(status: int, text: str, own: Iterable[ErrorRule]) -> Rule:
    """Look up what an error means: in the vendor's own table, then in the common one."""
    common = rule_for_status(status)
    found: Rule | None = next((rule for rule in own if rule.applies(status, text)), None)
    if found is not None:
        return Rule(found.action, found.hint or common.hint, found.wait, found.denies)
    return Rule(Action.FAIL) if common.action is Action.ACCEPT else common


def rule_for_exception(error: Exception) -> Rule | None:
    """Look up what an exception of the HTTP layer means; None: it is none of that layer's."""
    if fault := local.fault_of(error):
        return Rule(Action.RETRY if fault.passes else Action.FAIL, fault.hint)
    if any(isinstance(one, TimeoutError) for one in local.causes(error)):  # while the body was read
        return _TIMEOUT
    return next((rule for kind, rule in EXCEPTIONS if isinstance(error, kind)), None)

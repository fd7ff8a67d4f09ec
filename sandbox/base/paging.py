"""Tokens that a client cannot read or forge, and pages cut from a whole answer, with the faults that belong to them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sandbox.base.web import to_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.base.web import Request

T = TypeVar("T")
_SIGNATURE = 20


def digest(*parts: Any) -> str:
    """Return a name for a search: the same for the same parts only."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def seal(state: dict[str, Any]) -> str:
    """Return a token that holds `state`."""
    payload = to_json(state)
    return base64.urlsafe_b64encode(_sign(payload) + payload).decode()


def unseal(token: str) -> dict[str, Any] | None:
    """Return what a token holds, or None when `seal` did not make it."""
    try:
        raw = base64.urlsafe_b64decode(token)
    except ValueError:
        return None
    if _sign(raw[_SIGNATURE:]) != raw[:_SIGNATURE]:
        return None
    state: dict[str, Any] = json.loads(raw[_SIGNATURE:])
    return state


def _sign(payload: bytes) -> bytes:
    return hashlib.sha256(b"sandbox" + payload).digest()[:_SIGNATURE]


def cut(request: Request, found: list[T], at: int, limit: int) -> tuple[list[T], int | None]:
    """Return the page at `at` and where the next begins (None: nowhere), or what the request's fault makes of it."""
    page, following = found[at : at + limit], at + limit
    if request.has("empty_page"):
        return [], at
    if request.has("repeat_page"):
        page = found[max(0, at - limit) :][:limit]
    elif request.has("repeat_token"):
        return page, at
    elif request.has("loop_token"):
        return page, max(0, at - limit)
    return page, following if following < len(found) else None


class Answers(Generic[T]):
    """The whole answers of the last few searches, so that a page costs a slice."""

    def __init__(self, keep: int = 16) -> None:
        self._keep = keep
        self._held: OrderedDict[str, list[T]] = OrderedDict()

    def get(self, name: str, make: Callable[[], list[T]]) -> list[T]:
        """Return the answer called `name`, made now if it is not held."""
        if name not in self._held:
            self._held[name] = make()
            if len(self._held) > self._keep:
                self._held.popitem(last=False)
        return self._held[name]

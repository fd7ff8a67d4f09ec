"""Remembering what short texts become: rows repeat theirs."""

from __future__ import annotations

from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_R = TypeVar("_R")

CACHED_LENGTH = 400
"""Longer texts are cached nowhere: they seldom repeat, and a cache of them would take as much memory as they like."""
_SIZE = 1 << 12


class _Memory(dict[Any, Any]):
    """What texts became, by the texts: a hit costs no call."""

    def __init__(self, function: Callable[[Any], Any], size: int) -> None:
        super().__init__()
        self._function, self._size = function, size

    def __missing__(self, text: str | None) -> Any:
        result = self._function(text)
        if text is None or len(text) <= CACHED_LENGTH:
            if len(self) >= self._size:
                self.clear()
            self[text] = result
        return result


def cached(function: Callable[_P, _R], size: int = _SIZE) -> Callable[_P, _R]:
    """Remember what a function of one text (or None) makes of the last few thousand short ones."""
    return cast("Callable[_P, _R]", _Memory(cast("Callable[[Any], Any]", function), size).__getitem__)


def cached_calls(function: Callable[_P, _R], size: int = _SIZE) -> Callable[_P, _R]:
    """Remember likewise what a function makes of a text, its first argument, and others."""
    remembered: Callable[..., Any] = lru_cache(maxsize=size)(function)
    plain: Callable[..., Any] = function

    def call(text: str | None, *rest: Any, **named: Any) -> Any:
        if text is None or len(text) <= CACHED_LENGTH:
            return remembered(text, *rest, **named)
        return plain(text, *rest, **named)

    return cast("Callable[_P, _R]", wraps(function)(call))

"""Access tokens: each stands for the key of an account, until it ends."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sandbox.base.times import Stamp

if TYPE_CHECKING:
    from collections.abc import Callable


class Tokens:
    """Tokens handed out, and whose they are; `issued` counts them per key."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._live: dict[str, tuple[str, Stamp, float]] = {}
        self.issued: Counter[str] = Counter()

    def hold(self, key: str, token: str, seconds: float) -> None:
        """Let `token` stand for `key` for so long from now on."""
        self.issued[key] += 1
        self._live[token] = (key, Stamp.now(self._now_ms), seconds)

    def owner(self, token: str) -> str | None:
        """Return the key behind a token that has not ended."""
        key, born, seconds = self._live.get(token, (None, Stamp(0, 0), 0))
        return key if key is not None and born.age(self._now_ms) < seconds else None

    def expire_all(self) -> None:
        """End every token now."""
        self._live.clear()

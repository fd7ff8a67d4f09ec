"""How an account proves who it is: a fixed key, or a token that is asked for."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from tap_emaillogs.http.errors import Misunderstood, NotAuthorized, ReadError, VendorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_emaillogs.http.client import ApiClient, Meter

_MOST_TOKENS, _IN_SECONDS = 10, 600.0
_EARLY = 60.0
_SHORTEST_LIFE = 1.0


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


class Token(NamedTuple):
    """A token just received."""

    header: str
    """The value of the header, with its scheme: `Bearer abc`."""
    seconds: float | None = None
    """For how long it is good; None: until it is rejected."""


class TokenAuth(ABC):
    """A token that is asked for when it is first needed, a minute before its end, and after it was rejected.

    All threads of the account share it. A vendor that refuses to give one is not asked again in this run, since many
    tries lock an account; nor is it for an eleventh token within ten minutes (Zoho's limit, and enough for anybody).

    Args:
        ready: A token that the user has already, with its scheme.
        renewable: Whether there is something to ask for another one with.
    """

    refused: ClassVar[str] = "no access token"
    """What to say when no token is given, before the vendor's words."""

    def __init__(self, ready: str | None = None, *, renewable: bool = True) -> None:
        self._renewable = renewable
        self._lock = threading.Lock()
        self._headers = None if ready is None else {"Authorization": ready}
        self._renew_at: float | None = None
        self._asked: deque[float] = deque()
        self._refusal: NotAuthorized | None = None

    @abstractmethod
    def ask(self, client: ApiClient, meter: Meter) -> Token:
        """Ask for a token, in a request without authorization.

        Raises:
            VendorError: The vendor refuses.
            Misunderstood: Its answer holds no token.
        """

    def headers(self, client: ApiClient, meter: Meter) -> Mapping[str, str]:
        """Return the header with a token that is good for a minute.

        Raises:
            NotAuthorized: There is none, now or before in this run.
            ReadError: Ten tokens did not last ten minutes.
        """
        with self._lock:
            now = client.clock.monotonic()
            if self._headers is None or (self._renew_at is not None and now >= self._renew_at):
                self._headers = {"Authorization": self._token(client, meter, now)}
            return self._headers

    def renew(self, rejected: Mapping[str, str]) -> bool:
        """Forget a token that was rejected, unless another thread has a new one already."""
        if not self._renewable:
            return False
        with self._lock:
            if rejected == self._headers:
                self._headers = None
        return True

    def _token(self, client: ApiClient, meter: Meter, now: float) -> str:
        if self._refusal is not None:
            raise NotAuthorized(str(self._refusal), self._refusal.hint, status=401)
        while self._asked and now - self._asked[0] >= _IN_SECONDS:
            self._asked.popleft()
        if len(self._asked) >= _MOST_TOKENS:
            raise ReadError(
                f"{_MOST_TOKENS} access tokens in ten minutes were all rejected or too short-lived",
                "wait ten minutes; if it persists, create new credentials at the vendor",
            )
        self._asked.append(now)
        try:
            token = self.ask(client, meter)
        except (VendorError, Misunderstood) as error:
            self._refusal = NotAuthorized(f"{self.refused}: {error}", error.hint, status=401)
            raise self._refusal from error
        client.redact.add(token.header, token.header.split()[-1])
        self._renew_at = None if token.seconds is None else now + max(_SHORTEST_LIFE, token.seconds - _EARLY)
        return token.header

"""Zoho's OAuth: one access token per account and run, from a refresh token.

https://www.zoho.com/accounts/protocol/oauth/web-apps/access-token-expiry.html
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from singer_sdk.streams.rest import HTTPRequest

from tap_emaillogs.http.errors import Misunderstood, ReadError, VendorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_emaillogs.http.client import ApiClient, Meter

_PATH = "/oauth/v2/token"
_MOST_TOKENS, _IN_SECONDS = 10, 600.0
"""Zoho gives no more per refresh token, and locks it for a while when asked for more."""
_EARLY = 60.0
_SHORTEST_LIFE = 1.0
_HINTS = {
    "invalid_client": "check client_id and client_secret, and that data_center (or accounts_url) is the account's own",
    "invalid_code": "the refresh token is wrong, revoked, or of another client or data centre: create a new one",
    "invalid_client_secret": "check client_secret",
    "access denied": "too many tokens were asked for: wait ten minutes, and look for what else uses this refresh token",
}
_OTHER = "check client_id, client_secret, refresh_token and data_center"


def error_message(data: object) -> str | None:
    """Find the error in an answer of the accounts server, which may come under HTTP 200: `{error, …}`."""
    if not isinstance(data, dict) or not isinstance(data.get("error"), str) or not data["error"]:
        return None
    described = data.get("error_description")
    return f"{data['error']}: {described}" if isinstance(described, str) and described else str(data["error"])


class RefreshTokenAuth:
    """Fetches an access token when one is first needed, a minute before the last one ends, and after a 401.

    A ready `access_token` is used as long as it is accepted. All threads of the account share the token.

    Args:
        accounts_url: The accounts server of the data centre.
        form: `refresh_token`, `client_id` and `client_secret`; None: there is only the ready token.
        access_token: A ready token.
    """

    def __init__(self, accounts_url: str, form: Mapping[str, str] | None, access_token: str | None = None) -> None:
        self._url, self._form = accounts_url.rstrip("/") + _PATH, form
        self._lock = threading.Lock()
        self._token = access_token
        self._renew_at: float | None = None
        self._grants: deque[float] = deque()
        self._refusal: VendorError | None = None

    def headers(self, client: ApiClient, meter: Meter) -> Mapping[str, str]:
        """Return the header with a token that is good for a minute.

        Raises:
            VendorError: The accounts server refuses; it is not asked again in this run.
            ReadError: Ten tokens did not last ten minutes.
        """
        with self._lock:
            now = client.clock.monotonic()
            if self._token is None or (self._renew_at is not None and now >= self._renew_at):
                self._token = self._granted(client, meter, now)
            return {"Authorization": f"Zoho-oauthtoken {self._token}"}

    def renew(self, rejected: Mapping[str, str]) -> bool:
        """Forget a token that was rejected, unless another thread has a new one already."""
        if self._form is None:
            return False
        with self._lock:
            if rejected.get("Authorization") == f"Zoho-oauthtoken {self._token}":
                self._token = None
        return True

    def _granted(self, client: ApiClient, meter: Meter, now: float) -> str:
        if self._refusal is not None:
            raise VendorError(str(self._refusal), self._refusal.hint, status=self._refusal.status)
        while self._grants and now - self._grants[0] >= _IN_SECONDS:
            self._grants.popleft()
        if len(self._grants) >= _MOST_TOKENS:
            raise ReadError(
                f"{_MOST_TOKENS} access tokens in ten minutes were all rejected or too short-lived",
                "wait ten minutes; if it persists, create a new refresh token",
            )
        self._grants.append(now)
        request = HTTPRequest(self._url, "POST", data={"grant_type": "refresh_token", **(self._form or {})})
        try:
            data = client.send(request, meter, authorize=False).data
        except VendorError as error:
            self._refusal = _explained(error)
            raise self._refusal from error
        token = data.get("access_token") if isinstance(data, dict) else None
        if not isinstance(token, str) or not token:
            raise Misunderstood("the accounts server's answer holds no access_token", "check accounts_url")
        client.redact.add(token)
        self._renew_at = now + max(_SHORTEST_LIFE, _life(data) - _EARLY)
        return token


def _life(data: Mapping[str, object]) -> float:
    """Return for how many seconds a token lives: 3600 where the answer does not say."""
    given = data.get("expires_in_sec") or data.get("expires_in")
    return float(given) if isinstance(given, (int, float)) and not isinstance(given, bool) and given > 0 else 3600.0


def _explained(error: VendorError) -> VendorError:
    code = error.text.partition(":")[0].strip().lower()
    return VendorError(f"no access token: {error}", _HINTS.get(code, _OTHER), status=error.status, text=error.text)

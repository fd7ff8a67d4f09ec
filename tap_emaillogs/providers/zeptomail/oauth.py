"""Zoho's OAuth: one access token per account and run, from a refresh token.

https://www.zoho.com/accounts/protocol/oauth/web-apps/access-token-expiry.html. Zoho gives ten tokens in ten minutes per
refresh token, and locks that for a while when asked for more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_sdk.streams.rest import HTTPRequest

from tap_emaillogs.http.auth import Token, TokenAuth
from tap_emaillogs.http.errors import Action, ErrorRule, Misunderstood

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_emaillogs.http.client import ApiClient, Meter

SCHEME = "Zoho-oauthtoken"
_PATH = "/oauth/v2/token"
_ERRORS = (
    ErrorRule(
        Action.FAIL,
        "check client_id and client_secret, and that data_center (or accounts_url) is the account's own",
        pattern=r"^invalid_client(:|$)",
    ),
    ErrorRule(
        Action.FAIL,
        "the refresh token is wrong, revoked, or of another client or data centre: create a new one",
        pattern=r"^invalid_code(:|$)",
    ),
    ErrorRule(Action.FAIL, "check client_secret", pattern=r"^invalid_client_secret(:|$)"),
    ErrorRule(
        Action.FAIL,
        "too many tokens were asked for: wait ten minutes, and look for what else uses this refresh token",
        pattern=r"^access denied(:|$)",
    ),
    ErrorRule(Action.FAIL, "check client_id, client_secret, refresh_token and data_center"),
)


def error_message(data: object) -> str | None:
    """Find the error in an answer of the accounts server, which may come under HTTP 200: `{error, …}`."""
    if not isinstance(data, dict) or not isinstance(data.get("error"), str) or not data["error"]:
        return None
    described = data.get("error_description")
    return f"{data['error']}: {described}" if isinstance(described, str) and described else str(data["error"])


class RefreshTokenAuth(TokenAuth):
    """Access tokens of a refresh token.

    Args:
        accounts_url: The accounts server of the data centre.
        form: `refresh_token`, `client_id` and `client_secret`; None: there is only the ready token.
        access_token: A ready token, used as long as it is accepted.
    """

    def __init__(self, accounts_url: str, form: Mapping[str, str] | None, access_token: str | None = None) -> None:
        super().__init__(f"{SCHEME} {access_token}" if access_token else None, renewable=form is not None)
        self._url, self._form = accounts_url.rstrip("/") + _PATH, form

    def ask(self, client: ApiClient, meter: Meter) -> Token:
        """Ask the accounts server."""
        request = HTTPRequest(self._url, "POST", data={"grant_type": "refresh_token", **(self._form or {})})
        data = client.send(request, meter, authorize=False, errors=_ERRORS).data
        token = data.get("access_token") if isinstance(data, dict) else None
        if not isinstance(token, str) or not token:
            raise Misunderstood("the accounts server's answer holds no access_token", "check accounts_url")
        return Token(f"{SCHEME} {token}", _life(data))


def _life(data: Mapping[str, object]) -> float:
    """Return for how many seconds a token lives: 3600 where the answer does not say."""
    given = data.get("expires_in_sec") or data.get("expires_in")
    return float(given) if isinstance(given, (int, float)) and not isinstance(given, bool) and given > 0 else 3600.0

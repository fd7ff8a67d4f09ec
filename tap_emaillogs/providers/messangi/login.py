"""A token that a login gives for 24 hours: `POST /kingslanding/login {username, password}`.

The token is in the answer's header `authorization`; nothing is promised about the body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_sdk.streams.rest import HTTPRequest

from tap_emaillogs.http.answers import decode_any
from tap_emaillogs.http.auth import Token, TokenAuth
from tap_emaillogs.http.errors import Action, ErrorRule, Misunderstood

if TYPE_CHECKING:
    from tap_emaillogs.http.client import ApiClient, Meter

_PATH = "/kingslanding/login"
_HINT = "check messangi.username and messangi.password, or give an api_key instead"
_ERRORS = (ErrorRule(Action.FAIL, _HINT),)


class LoginAuth(TokenAuth):
    """The token of a login, until a 401 rejects it."""

    refused = "the login failed"

    def __init__(self, base_url: str, username: str, password: str) -> None:
        super().__init__()
        self._request = HTTPRequest(
            base_url.rstrip("/") + _PATH, "POST", data={"username": username, "password": password}
        )

    def ask(self, client: ApiClient, meter: Meter) -> Token:
        """Log in."""
        reply = client.send(self._request, meter, as_json=True, authorize=False, errors=_ERRORS, decode=decode_any)
        value = (reply.headers.get("authorization") or "").strip()
        if not value:
            raise Misunderstood("the answer has no header `authorization` with a token", _HINT)
        return Token(value if " " in value else f"Bearer {value}")

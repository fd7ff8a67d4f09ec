"""Zoho's accounts server, as far as a refresh token needs it: POST /oauth/v2/token.

It belongs to the ZeptoMail vendor, which serves it beside its own API, so that a token means the same to both.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from sandbox.base import Response
from sandbox.base.times import Stamp
from sandbox.base.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.base import Account, Request

_WINDOW = 600
_FORM = {"grant_type", "refresh_token", "client_id", "client_secret", "scope", "redirect_uri"}


class Grants(Tokens):
    """Access tokens handed out for refresh tokens, which are the keys of `accounts`."""

    def __init__(self, accounts: Mapping[str, Account], now_ms: Callable[[], int]) -> None:
        super().__init__(now_ms)
        self._accounts = accounts
        self._recent: defaultdict[str, list[Stamp]] = defaultdict(list)

    def grant(self, request: Request) -> Response:
        """Answer POST /oauth/v2/token; errors come under 200, as Zoho's do."""
        form = dict(parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip()
        if request.method != "POST" or request.query or kind != "application/x-www-form-urlencoded":
            return Response(400, {"error": "invalid_request"})
        account = self._accounts.get(form.get("refresh_token", ""))
        clients = {(one.options["client_id"], one.options["client_secret"]) for one in self._accounts.values()}
        client = form.get("client_id"), form.get("client_secret")
        for wrong, error in (
            (form.keys() - _FORM, "invalid_request"),
            (form.get("grant_type") != "refresh_token", "unsupported_grant_type"),
            (client not in clients, "invalid_client"),
            (account is None, "invalid_code"),
        ):
            if wrong:
                return Response(body={"error": error})
        assert account
        if client != (account.options["client_id"], account.options["client_secret"]):
            return Response(body={"error": "invalid_code"})
        return self._issue(account)

    def _issue(self, account: Account) -> Response:
        options, key = account.options, account.key
        self._recent[key] = [grant for grant in self._recent[key] if grant.age(self._now_ms) < _WINDOW]
        if len(self._recent[key]) >= options["token_limit"]:
            description = "You have made too many requests continuously. Please try again after some time."
            return Response(body={"error_description": description, "error": "Access Denied", "status": "failure"})
        self._recent[key].append(Stamp.now(self._now_ms))
        secret = account.rng(f"token {self.issued[key] + 1}")
        token = f"1000.{secret.getrandbits(128):032x}.{secret.getrandbits(128):032x}"
        self.hold(key, token, options["expires_in"] if options["token_seconds"] is None else options["token_seconds"])
        return Response(
            body={
                "access_token": token,
                "scope": options["scopes"].replace(",", " "),
                "api_domain": "https://www.zohoapis.example",
                "token_type": "Bearer",
                "expires_in": options["expires_in"],
            }
        )

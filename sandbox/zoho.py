"""Zoho's accounts server, as far as a refresh token needs it: POST /oauth/v2/token.

It belongs to the ZeptoMail vendor, which serves it beside its own API, so that a token means the same to both.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from sandbox.base import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.base import Account, Request

_WINDOW = 600
_FORM = {"grant_type", "refresh_token", "client_id", "client_secret", "scope", "redirect_uri"}


class Tokens:
    """Access tokens handed out for refresh tokens; the keys of `accounts` are the refresh tokens.

    Time passes by the world's clock or by the real one, whichever is ahead: a fixed clock still lets tokens end.
    """

    def __init__(self, accounts: Mapping[str, Account], now_ms: Callable[[], int]) -> None:
        self._accounts = accounts
        self._now_ms = now_ms
        self._live: dict[str, tuple[str, float, float]] = {}
        self._grants: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        self.issued: Counter[str] = Counter()
        """Tokens handed out, per refresh token."""

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

    def owner(self, token: str) -> str | None:
        """Return the refresh token behind a live access token."""
        key, *born = self._live.get(token, ("", 0.0, 0.0))
        if not key:
            return None
        options = self._accounts[key].options
        life = options["token_seconds"] if options["token_seconds"] is not None else options["expires_in"]
        return key if self._age(*born) < life else None

    def expire_all(self) -> None:
        """End every access token now."""
        self._live.clear()

    def _issue(self, account: Account) -> Response:
        options, now = account.options, (self._now_ms() / 1000, time.monotonic())
        recent = [grant for grant in self._grants[account.key] if self._age(*grant) < _WINDOW]
        self._grants[account.key] = recent
        if len(recent) >= options["token_limit"]:
            description = "You have made too many requests continuously. Please try again after some time."
            return Response(body={"error_description": description, "error": "Access Denied", "status": "failure"})
        recent.append(now)
        self.issued[account.key] += 1
        secret = account.rng(f"token {self.issued[account.key]}")
        token = f"1000.{secret.getrandbits(128):032x}.{secret.getrandbits(128):032x}"
        self._live[token] = (account.key, *now)
        return Response(
            body={
                "access_token": token,
                "scope": options["scopes"].replace(",", " "),
                "api_domain": "https://www.zohoapis.example",
                "token_type": "Bearer",
                "expires_in": options["expires_in"],
            }
        )

    def _age(self, world: float, real: float) -> float:
        return max(self._now_ms() / 1000 - world, time.monotonic() - real)

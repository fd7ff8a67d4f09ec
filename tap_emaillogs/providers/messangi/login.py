"""How a Messangi account proves who it is: an API key, or a token that a login gives for 24 hours."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, Any

from singer_sdk.streams.rest import HTTPRequest

from tap_emaillogs.http.client import decode
from tap_emaillogs.http.errors import Misunderstood, ReadError, VendorError
from tap_emaillogs.providers.messangi.answers import error_message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_emaillogs.http.client import ApiClient, Meter, Reply

PATH = "/kingslanding/login"
_HINT = "check messangi.username and messangi.password, or give an api_key instead"
_MOST_BYTES = 1 << 20


def ask(  # noqa: PLR0913 - the parts of a request, all named
    client: ApiClient,
    url: str,
    body: Mapping[str, Any],
    meter: Meter,
    *,
    authorize: bool,
    query: Any = None,
    method: str = "POST",
) -> Reply:
    """Send JSON where nothing is promised about the answer's body; return its headers and, if there is JSON, data.

    Raises:
        VendorError: The vendor refused it, by status or by `explain`.
        Unreachable: No whole answer after all tries.
    """
    request = HTTPRequest(url, method, params=query or {}, data=dict(body))
    file = io.BytesIO()
    reply = client.download(request, meter, file, _MOST_BYTES, as_json=True, authorize=authorize)
    try:
        data = decode(file.getvalue()) if file.getvalue().strip() else None
    except (ValueError, RecursionError):
        data = None  # a few words, or a page: the status says that it was taken
    message = error_message(data)
    if message is not None:
        quoted = client.redact(" ".join(message.split()))[:300]
        raise VendorError(f"the vendor answers with an error: {quoted}", status=reply.status, text=message)
    return reply


class LoginAuth:
    """Logs in once, and shares the token between all threads of the account until a 401 rejects it.

    `POST /kingslanding/login {username, password}`; the token is in the answer's header `authorization`.
    """

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self._url = base_url.rstrip("/") + PATH
        self._body = {"username": username, "password": password}
        self._lock = threading.Lock()
        self._headers: dict[str, str] | None = None
        self._refusal: ReadError | None = None

    def headers(self, client: ApiClient, meter: Meter) -> Mapping[str, str]:
        """Return the header with the token, after a login where there is none yet.

        Raises:
            ReadError: The login failed; it is not tried again in this run, since many wrong tries lock an account.
        """
        with self._lock:
            if self._refusal is not None:
                raise ReadError(str(self._refusal), self._refusal.hint)
            if self._headers is None:
                try:
                    self._headers = {"Authorization": self._login(client, meter)}
                except (VendorError, Misunderstood) as error:
                    self._refusal = error
                    raise
            return self._headers

    def renew(self, rejected: Mapping[str, str]) -> bool:
        """Forget a token that was rejected, unless another thread has a new one already."""
        with self._lock:
            if self._headers is rejected:
                self._headers = None
        return True

    def _login(self, client: ApiClient, meter: Meter) -> str:
        try:
            reply = ask(client, self._url, self._body, meter, authorize=False)
        except VendorError as error:
            raise VendorError(f"the login failed: {error}", _HINT, status=error.status) from error
        value = (reply.headers.get("authorization") or "").strip()
        token = value.split()[-1] if value else ""
        if not token:
            raise Misunderstood("the answer to the login has no header `authorization` with a token", _HINT)
        client.redact.add(value, token)
        return value if " " in value else f"Bearer {value}"

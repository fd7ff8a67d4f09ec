"""What can be wrong with a text in the configuration: control characters, placeholders, addresses."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_emaillogs.streams.settings import Settings

_PLACEHOLDER = re.compile(r"\$\w+|\$\{[^}]*\}|\{\{.*\}\}|<[^>]*>|%\w+%")


def mistakes(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield (key, what is wrong with it) for the texts among an account's settings."""
    for one, value in settings.items():
        if not isinstance(value, str) or not value:
            continue
        if any(ord(character) < 32 for character in value):
            yield one.name, "holds a line break or another control character"
        elif one.option.secret and _PLACEHOLDER.fullmatch(value.strip()):
            yield one.name, "is a placeholder that nothing was put into, such as $NAME or <key>"
        elif one.name.endswith("_url"):
            yield from ((one.name, what) for what in _url_mistakes(value, allow_http=settings.allow_http))
        elif one.option.in_header:
            yield from ((one.name, what) for what in header_mistakes(value))


def header_mistakes(value: str) -> Iterator[str]:
    """Yield what is wrong with a text that is sent in a header."""
    if any(ord(character) < 32 or ord(character) > 255 for character in value):
        yield "holds a character that no HTTP header can carry"


def _url_mistakes(value: str, *, allow_http: bool) -> Iterator[str]:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        yield "is not a valid address"
        return
    if parts.scheme not in {"http", "https"}:
        yield "has no scheme: it must begin with https://"
    elif not parts.hostname or port == 0:
        yield "names no host" if port != 0 else "is not a valid address"
    elif parts.username or parts.password:
        yield "must not hold a user name or password"
    elif parts.query or parts.fragment:
        yield "must end with the path: no ? and no #"
    elif parts.scheme == "http" and not allow_http and not _is_loopback(parts.hostname):
        yield "must begin with https://, or everybody on the way could read the key (allow_http: true permits http)"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")

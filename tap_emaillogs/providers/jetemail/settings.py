"""The settings of a JetEmail account."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - the settings' types are read at run time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.streams.settings import Settings, option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_emaillogs.http.client import Auth


@dataclass(frozen=True, kw_only=True)
class JetEmailSettings(Settings):
    """A JetEmail account."""

    api_key: str = option("", "API key of the account (`api_…`).", secret=True, in_header=True)
    paging: str = option("offset", "How to page.", allowed=("offset", "page"))
    base_url: str = "https://api.jetemail.com"
    revisit_minutes: Sequence[float] = (360, 1440, 4320)
    requests_per_minute: float = 240
    page_size: int = option(100, most=100)

    def auth(self) -> Auth:
        """Send the key as a bearer token."""
        return KeyAuth("Authorization", f"Bearer {self.api_key.strip()}")

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Check that the key stands alone."""
        if self.api_key.strip().lower().startswith("bearer "):
            yield "api_key", "must be the key alone: the tap adds `Bearer` itself"

"""The settings of an SMTP2GO account."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - the settings' types are read at run time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.providers.smtp2go.mapping import EVENT_TYPES
from tap_emaillogs.streams.settings import Settings, option

if TYPE_CHECKING:
    from tap_emaillogs.http.client import Auth

REGIONS = ("us", "eu", "au")


@dataclass(frozen=True, kw_only=True)
class Smtp2goSettings(Settings):
    """An SMTP2GO account."""

    api_key: str = option("", "API key with the permission /activity/search.", secret=True, in_header=True)
    region: str | None = option(None, "Use a regional API.", allowed=REGIONS)
    event_types: Sequence[str] = option((), "Only these event types; all by default.", allowed=tuple(EVENT_TYPES))
    include_headers: bool = option(False, "Also fetch the mails' full headers.")
    custom_headers: Sequence[str] = option((), "Header names to fetch parsed.")
    subaccounts: Sequence[str] = option((), "Only these subaccounts.")
    history_days: float | None = option(30, "Days of history; 5 on the free plan.")
    page_size: int = option(1000, most=1000)

    def api_root(self) -> str:
        """Return the given root, or that of the region."""
        return self.base_url or f"https://{self.region + '-' if self.region else ''}api.smtp2go.com/v3"

    def auth(self) -> Auth:
        """Send the key in its own header."""
        return KeyAuth("X-Smtp2go-Api-Key", self.api_key.strip())

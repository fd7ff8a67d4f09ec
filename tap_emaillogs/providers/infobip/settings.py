"""The settings of an Infobip account."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - the settings' types are read at run time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.providers.infobip.filters import mistakes
from tap_emaillogs.streams.settings import Settings, option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_emaillogs.http.client import Auth

_SCHEMES = ("app ", "basic ", "ibsso ", "bearer ")


@dataclass(frozen=True, kw_only=True)
class InfobipSettings(Settings):
    """An Infobip account."""

    base_url: str = option("", "The account's own root: https://xxxxx.api.infobip.com.")
    api_key: str = option("", "API key with the scope to read e-mail logs.", secret=True, in_header=True)
    api_version: int = option(1, "Version of the logs endpoint.", allowed=(1, 4))
    history_days: float | None = 2
    revisit_minutes: Sequence[float] = (360, 1440, 2760)
    settle_minutes: float = 2
    requests_per_minute: float = option(60, cases={("api_version", 4): 120})
    page_size: int = option(1000, most=1000)

    def auth(self) -> Auth:
        """Send the key as `App`, unless it names its scheme itself."""
        key = self.api_key.strip()
        return KeyAuth("Authorization", key if key.lower().startswith(_SCHEMES) else f"App {key}")

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Check that the version that is asked knows the filters."""
        yield from ((f"filters.{name}", what) for name, what in mistakes(self.filters, self.api_version))

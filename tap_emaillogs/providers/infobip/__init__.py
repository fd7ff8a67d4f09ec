"""Infobip: one record per mail and recipient, whose status changes until it is final.

https://www.infobip.com/docs/api/channels/email/get-email-logs; `docs/providers/infobip.md`.
"""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - the settings' types are read at run time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.providers.infobip.filters import FILTERS, mistakes
from tap_emaillogs.providers.infobip.logs import EmailLogs
from tap_emaillogs.providers.infobip.mapping import GROUPS, PERMANENT, events, remark
from tap_emaillogs.streams.provider import Provider
from tap_emaillogs.streams.settings import Settings, option

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_emaillogs.http.client import Auth
    from tap_emaillogs.streams.records import Record

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


class Infobip(Provider):
    """https://www.infobip.com."""

    name = "infobip"
    title = "Infobip"
    settings = InfobipSettings
    request_filters = FILTERS
    required: ClassVar[tuple[tuple[str, ...], ...]] = (("base_url", "api_key"),)
    streams = (EmailLogs,)
    event_sources = ("infobip_email_logs",)
    auth_schemes = ("App", "IBSSO")
    mappings = (GROUPS, PERMANENT)

    def error_message(self, data: Any) -> str | None:
        """Read `{requestError: {serviceException}}` (version 1) or `{errorCode, description}` (version 4)."""
        if not isinstance(data, dict):
            return None
        request_error = data.get("requestError")
        if isinstance(request_error, dict):
            inner = next((part for part in request_error.values() if isinstance(part, dict)), {})
            return " ".join(str(inner[key]) for key in ("messageId", "text") if inner.get(key)) or "requestError"
        if data.get("errorCode"):
            return " ".join(str(data[key]) for key in ("errorCode", "description", "action") if data.get(key))
        return None

    def events(self, stream: str, record: Record) -> Iterable[Record]:
        """One event for the mail that was taken, and one for what became of it, once the row tells."""
        return events(self.name, stream, record)

    def remark(self, stream: str, record: Record) -> str | None:  # noqa: ARG002 - the base's signature
        """Warn of rows that cannot be told apart for want of a key."""
        return remark(record)


PROVIDER = Infobip()

"""SMTP2GO: events of the activity log.

https://developers.smtp2go.com/docs/view-account-activity; `docs/providers/smtp2go.md`
"""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - the settings' types are read at run time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th

from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.providers.smtp2go.activity import Activity, error_message
from tap_emaillogs.providers.smtp2go.mapping import EVENT_TYPES, EVENTS, events
from tap_emaillogs.streams.provider import Provider
from tap_emaillogs.streams.settings import Settings, option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_emaillogs.http.client import Auth
    from tap_emaillogs.streams.records import Record

_REGIONS = ("us", "eu", "au")


@dataclass(frozen=True, kw_only=True)
class Smtp2goSettings(Settings):
    """An SMTP2GO account."""

    api_key: str = option("", "API key with the permission /activity/search.", secret=True, in_header=True)
    region: str | None = option(None, "Use a regional API.", allowed=_REGIONS)
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
        return KeyAuth("X-Smtp2go-Api-Key", self.api_key)


class Smtp2go(Provider):
    """https://www.smtp2go.com."""

    name = "smtp2go"
    title = "SMTP2GO"
    settings = Smtp2goSettings
    request_filters: ClassVar[tuple[th.Property[Any], ...]] = (
        th.Property(
            "search",
            th.StringType,
            description="Text in the e-mail's id, subject, To, recipient or BCC; alternatives separated by `|`.",
        ),
        th.Property("search_subject", th.StringType, description="Text in the subject."),
        th.Property("search_sender", th.StringType, description="Text in the sender."),
        th.Property("search_recipient", th.StringType, description="Text in the recipient."),
        th.Property("search_usernames", th.ArrayType(th.StringType), description="Only mails of these SMTP users."),
        th.Property("search_email_id", th.StringType, description="Only events of the e-mail with this id."),
        th.Property(
            "region",
            th.StringType,
            allowed_values=list(_REGIONS),
            description="Only events of this region: a parameter of the search, beside the API's host, which the "
            "provider's own `region` names.",
        ),
    )
    required: ClassVar[tuple[tuple[str, ...], ...]] = (("api_key",),)
    streams = (Activity,)
    event_sources = ("smtp2go_activity",)
    mappings = (EVENTS,)

    def error_message(self, data: Any) -> str | None:
        """Read the vendor's error, with the `request_id` that its support asks for."""
        return error_message(data)

    def events(self, stream: str, record: Record) -> Iterable[Record]:
        """A row is an event; that a mail was taken is one for each of its recipients."""
        return events(self.name, stream, record)


PROVIDER = Smtp2go()

"""SMTP2GO: events of the activity log.

https://developers.smtp2go.com/docs/view-account-activity; `docs/providers/smtp2go.md`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th

from tap_emaillogs.http.errors import Action, ErrorRule
from tap_emaillogs.providers.smtp2go.activity import Activity, error_message
from tap_emaillogs.providers.smtp2go.mapping import EVENTS, events
from tap_emaillogs.providers.smtp2go.settings import REGIONS, Smtp2goSettings
from tap_emaillogs.streams.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_emaillogs.streams.records import Record


_NO_PERMISSION = "give the API key the permission /activity/search in SMTP2GO's settings, or use a key that has it"


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
            allowed_values=list(REGIONS),
            description="Only events of this region: a parameter of the search, beside the API's host, which the "
            "provider's own `region` names.",
        ),
    )
    required: ClassVar[tuple[tuple[str, ...], ...]] = (("api_key",),)
    streams = (Activity,)
    event_sources = ("smtp2go_activity",)
    mappings = (EVENTS,)
    errors = (ErrorRule(Action.FAIL, _NO_PERMISSION, denies=True, pattern="PERMISSION_DENIED"),)

    def error_message(self, data: Any) -> str | None:
        """Read the vendor's error, with the `request_id` that its support asks for."""
        return error_message(data)

    def events(self, stream: str, record: Record) -> Iterable[Record]:
        """A row is an event; that a mail was taken is one for each of its recipients."""
        return events(self.name, stream, record)


PROVIDER = Smtp2go()

"""The vendor as the rest sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_emaillogs.http.errors import Action, ErrorRule
from tap_emaillogs.providers.zeptomail import events, oauth
from tap_emaillogs.providers.zeptomail import settings as options
from tap_emaillogs.providers.zeptomail.emails import Emails
from tap_emaillogs.providers.zeptomail.logs import ActivityLogs, MailLogs, SuppressionList
from tap_emaillogs.streams.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_emaillogs.streams.records import Record

_NO_SCOPE = (
    "create a refresh token with the scope Zeptomail.Exports.ALL (or CREATE, READ and DELETE), and for "
    "zeptomail_emails with Zeptomail.email.READ (or Zeptomail.email.ALL): this one does not permit it"
)


class ZeptoMail(Provider):
    """https://www.zoho.com/zeptomail."""

    name = "zeptomail"
    title = "ZeptoMail"
    settings = options.ZeptoMailSettings
    required = options.REQUIRED
    streams = (MailLogs, ActivityLogs, SuppressionList, Emails)
    event_sources = ("zeptomail_mail_logs", "zeptomail_emails")
    mappings = events.MAPPINGS
    history_source = "inferred"
    auth_schemes = (oauth.SCHEME,)
    errors = (
        # Another token of the same refresh token would miss the scope, too.
        ErrorRule(Action.FAIL, _NO_SCOPE, denies=True, pattern="scope"),
        ErrorRule(Action.FAIL, _NO_SCOPE, denies=True, statuses={403}),
    )

    def error_message(self, data: Any) -> str | None:
        """Read `{error: {code, message, details}}`, `{data: {error_code, message}}`, or the accounts server's."""
        if not isinstance(data, dict):
            return None
        error, inner = data.get("error"), data.get("data")
        if isinstance(error, dict):
            return _sentence(error.get("code"), error.get("message"), *_details(error.get("details")))
        if isinstance(inner, dict) and (inner.get("error_code") or inner.get("errorCode")):
            return _sentence(inner.get("error_code") or inner.get("errorCode"), inner.get("message"))
        return oauth.error_message(data)

    def events(self, stream: str, record: Record) -> Iterator[Record]:
        """Derive events from mail logs or e-mails; dates without an offset are taken as UTC."""
        return events.events(stream, record)

    def remark(self, stream: str, record: Record) -> str | None:
        """Remark rows that tell no outcome though their mail may have one."""
        return events.remark(stream, record)


def _details(details: Any) -> Iterator[Any]:
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            yield from (detail.get("message"), detail.get("target_value") and detail.get("target"))


def _sentence(*parts: Any) -> str:
    words = list(dict.fromkeys(str(part) for part in parts if part))
    return " ".join(words) or "an error without words"


PROVIDER = ZeptoMail()

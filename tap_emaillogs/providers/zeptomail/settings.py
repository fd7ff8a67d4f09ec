"""The settings of a ZeptoMail account, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the settings' types are read at run time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from singer_sdk import typing as th

from tap_emaillogs.files.settings import JobSettings
from tap_emaillogs.providers.zeptomail import dateform
from tap_emaillogs.providers.zeptomail.oauth import RefreshTokenAuth
from tap_emaillogs.streams.settings import option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_emaillogs.http.client import Auth

_CANADA = "ca"
REQUIRED = (("client_id", "client_secret", "refresh_token"), ("access_token",))
DATA_CENTERS = ("com", "eu", "in", "com.au", "jp", _CANADA, "sa", "com.cn")

MAIL_LOGS = th.ObjectType(
    th.Property("is_sb", th.BooleanType, description="Soft bounces."),
    th.Property("is_hb", th.BooleanType, description="Hard bounces."),
    th.Property("is_delivered", th.BooleanType, description="Delivered e-mails."),
    th.Property("is_mailfailure", th.BooleanType, description="Process failed."),
    th.Property("bounce_category", th.StringType, description="Kind of bounce, for example Invalid DNS."),
    th.Property("mailagent_key", th.StringType, description="Agent alias; overrides the account's own."),
    th.Property("from", th.StringType, description="Sender."),
    th.Property("to", th.StringType, description="Recipient."),
    th.Property("cc", th.StringType, description="Copied recipient."),
    th.Property("bcc", th.StringType, description="Blind-copied recipient."),
    th.Property("subject", th.StringType, description="Subject."),
    th.Property("client_reference", th.StringType, description="Your id of the e-mail."),
    additional_properties=False,
)
ACTIVITY_LOGS = th.ObjectType(
    th.Property("entity", th.StringType, description="Section of the account: Agent, Email template, …"),
    th.Property("modified_by", th.StringType, description="Who did it."),
    additional_properties=False,
)
SUPPRESSION_LIST = th.ObjectType(
    th.Property("dndType", th.StringType, allowed_values=["email", "domain"], description="Kind of suppression."),
    additional_properties=False,
)


@dataclass(frozen=True, kw_only=True)
class ZeptoMailSettings(JobSettings):
    """A ZeptoMail account. Lookback, revisits, settling and windows differ by stream, and are the streams' own."""

    base_url: str = option("", "The API root; by default that of the data centre.")
    client_id: str = option("", "Client id of the OAuth client.")
    client_secret: str = option("", "Its secret.", secret=True)
    refresh_token: str = option(
        "",
        "Refresh token with the scope Zeptomail.Exports.ALL (zeptomail_emails: Zeptomail.email.READ).",
        secret=True,
    )
    access_token: str = option("", "A ready access token, instead of the three above.", secret=True, in_header=True)
    accounts_url: str = option("", "Accounts server; by default that of the data centre.")
    data_center: str = option("com", "Data centre of the account.", allowed=DATA_CENTERS)
    mailagent_key: str = option("", "Only the e-mails of this agent (its alias).")
    export_password: str | None = option(
        None,
        "Password of the exported files; without it each gets one of its own, with an empty one none.",
        secret=True,
    )
    export_date_format: str = option(dateform.DEFAULT, "How requests write dates, also as a strftime pattern.")
    timezone: str = option("UTC", "Zone of the vendor's times, which name none, such as Europe/Berlin.")
    keep_exports: bool = option(False, "Leave the tap's own files at the vendor once read.")
    details: bool = option(False, "zeptomail_emails: fetch each e-mail's opens, clicks and bounces, a request each.")
    mail_logs: Mapping[str, Any] = option(
        {}, "Filters of zeptomail_mail_logs, as the request has them.", kind=MAIL_LOGS
    )
    activity_logs: Mapping[str, Any] = option({}, "Filters of zeptomail_activity_logs.", kind=ACTIVITY_LOGS)
    suppression_list: Mapping[str, Any] = option({}, "Filters of zeptomail_suppression_list.", kind=SUPPRESSION_LIST)
    history_days: float | None = 60

    def api_root(self) -> str:
        """Return the given root, or that of the data centre."""
        return self.base_url or f"https://api.zeptomail.{self.data_center}/v1.1"

    def accounts_root(self) -> str:
        """Return the given accounts server, or that of the data centre."""
        host = "accounts.zohocloud.ca" if self.data_center == _CANADA else f"accounts.zoho.{self.data_center}"
        return self.accounts_url or f"https://{host}"

    def auth(self) -> Auth:
        """Return the OAuth of the account: all its streams share one token."""
        form = {name: getattr(self, name) for name in REQUIRED[0]}
        return RefreshTokenAuth(self.accounts_root(), form if all(form.values()) else None, self.access_token)

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Check zone and date form."""
        try:
            zone(self.timezone)
        except ValueError:
            yield "timezone", "is no time zone of the IANA database, such as UTC, Europe/Berlin or America/New_York"
        if dateform.resolution(self.export_date_format) is None:
            yield (
                "export_date_format",
                f"must tell day, month, year and hour, such as {dateform.DEFAULT} or %d/%m/%Y, %I:%M %p",
            )


@cache
def zone(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises:
        ValueError: There is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, OSError) as error:  # a name that is a folder, or no name at all
        raise ValueError("no such time zone") from error

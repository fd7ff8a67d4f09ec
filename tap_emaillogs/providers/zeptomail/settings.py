"""The settings of a ZeptoMail account, and what can be wrong with them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from singer_sdk import typing as th

from tap_emaillogs.providers.zeptomail import dateform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CANADA = "ca"
DATA_CENTERS = ("com", "eu", "in", "com.au", "jp", _CANADA, "sa", "com.cn")
_POLL = "Seconds until the first look whether an export is ready; later ones are further apart (10)."

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
SETTINGS: tuple[th.Property[Any], ...] = (
    th.Property("base_url", th.StringType, description="The API root; by default that of the data centre."),
    th.Property("client_id", th.StringType, description="Client id of the OAuth client."),
    th.Property("client_secret", th.StringType, secret=True, description="Its secret."),
    th.Property(
        "refresh_token",
        th.StringType,
        secret=True,
        description="Refresh token with the scope Zeptomail.Exports.ALL (zeptomail_emails: Zeptomail.email.READ).",
    ),
    th.Property(
        "access_token", th.StringType, secret=True, description="A ready access token, instead of the three above."
    ),
    th.Property("accounts_url", th.StringType, description="Accounts server; by default that of the data centre."),
    th.Property(
        "data_center", th.StringType, allowed_values=list(DATA_CENTERS), description="Data centre of the account (com)."
    ),
    th.Property("mailagent_key", th.StringType, description="Only the e-mails of this agent (its alias)."),
    th.Property(
        "export_password",
        th.StringType,
        secret=True,
        description="Password of the exported files; without it each gets one of its own, with an empty one none.",
    ),
    th.Property(
        "export_date_format",
        th.StringType,
        description=f"How requests write dates, also as a strftime pattern ({dateform.DEFAULT}).",
    ),
    th.Property(
        "timezone", th.StringType, description="Zone of the vendor's times, which name none: Europe/Berlin (UTC)."
    ),
    th.Property("poll_seconds", th.NumberType, description=_POLL),
    th.Property(
        "export_timeout_minutes",
        th.NumberType,
        description="How long a run waits for an export (30); after that a later run takes it up.",
    ),
    th.Property(
        "export_interval_minutes",
        th.NumberType,
        description="A run that comes sooner after the last export leaves the exports for a later one (60).",
    ),
    th.Property(
        "keep_exports", th.BooleanType, description="Leave the tap's own files at the vendor once read (false)."
    ),
    th.Property(
        "details",
        th.BooleanType,
        description="zeptomail_emails: fetch each e-mail's opens, clicks and bounces, a request each (false).",
    ),
    th.Property("mail_logs", MAIL_LOGS, description="Filters of zeptomail_mail_logs, as the request has them."),
    th.Property("activity_logs", ACTIVITY_LOGS, description="Filters of zeptomail_activity_logs."),
    th.Property("suppression_list", SUPPRESSION_LIST, description="Filters of zeptomail_suppression_list."),
)
DEFAULTS: Mapping[str, Any] = {
    "data_center": "com",
    "export_date_format": dateform.DEFAULT,
    "timezone": "UTC",
    "poll_seconds": 10,
    "export_timeout_minutes": 30,
    "export_interval_minutes": 60,
    "keep_exports": False,
    "details": False,
    "history_days": 60,
    "requests_per_minute": 60,
    "page_size": 100,
}
REQUIRED = (("client_id", "client_secret", "refresh_token"), ("access_token",))


def base_url(settings: Mapping[str, Any]) -> str:
    """Return the given root, or that of the data centre."""
    return str(settings.get("base_url") or f"https://api.zeptomail.{settings['data_center']}/v1.1")


def accounts_url(settings: Mapping[str, Any]) -> str:
    """Return the given accounts server, or that of the data centre."""
    center = settings["data_center"]
    host = "accounts.zohocloud.ca" if center == _CANADA else f"accounts.zoho.{center}"
    return str(settings.get("accounts_url") or f"https://{host}")


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


def mistakes(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (key, what is wrong with it)."""
    try:
        zone(settings["timezone"])
    except ValueError:
        yield "timezone", "is no time zone of the IANA database, such as UTC, Europe/Berlin or America/New_York"
    if dateform.resolution(settings["export_date_format"]) is None:
        yield (
            "export_date_format",
            f"must tell day, month, year and hour, such as {dateform.DEFAULT} or %d/%m/%Y, %I:%M %p",
        )
    if settings["poll_seconds"] <= 0:
        yield "poll_seconds", "must be greater than 0"

"""The settings of a Messangi account, and what can be wrong with them."""

from __future__ import annotations

import re
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from tap_emaillogs.providers.messangi.windows import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo

_ZONE = re.compile(r"(?:GMT|UTC|Z)?(?:([+-])(\d{1,2})(?::?([0-5]\d))?)?", re.IGNORECASE)
_LARGEST_WINDOW = LONGEST / timedelta(hours=1)
WAIT_MINUTES = 10.0
CHANNELS = ("S", "E", "P", "W", "R")
METHODS = ("POST", "PUT", "GET")
BODY = ("emails", "from", "timezone", "id")
"""Keys of the report request's body, as the vendor's page has its parts; the names are not documented."""

MAILBOX = th.ObjectType(
    th.Property("host", th.StringType, description="IMAP server."),
    th.Property("port", th.IntegerType, description="Its port (993; 143 without TLS). TLS on 143 is STARTTLS."),
    th.Property("tls", th.BooleanType, description="Whether to use TLS (true)."),
    th.Property("username", th.StringType, description="Login of the mailbox."),
    th.Property("password", th.StringType, secret=True, description="Its password, or an app password."),
    th.Property("folder", th.StringType, description="Folder that the reports come into (INBOX)."),
    additional_properties=False,
)
REPORT = th.ObjectType(
    th.Property(
        "emails", th.ArrayType(th.StringType), description="Addresses that the vendor sends the report to; required."
    ),
    th.Property("from", th.StringType, description="A valid sender of the space, as the vendor requires; required."),
    th.Property("timezone", th.StringType, description="Zone of the report's times: GMT, GMT-5, GMT+05:30 (GMT)."),
    th.Property(
        "method", th.StringType, allowed_values=list(METHODS), description="HTTP method of the request (POST)."
    ),
    th.Property(
        "body_keys",
        th.ObjectType(
            *(th.Property(name, th.StringType, description=f"Key of `{name}`.") for name in BODY),
            additional_properties=False,
        ),
        description="What the keys of the request's body are called, where not `emails`, `from`, `timezone`, `id`; an "
        "empty one is left out.",
    ),
    th.Property("mailbox", MAILBOX, description="Where the report arrives; read only, nothing is marked or deleted."),
    th.Property("directory", th.StringType, description="Instead of a mailbox: a folder of .eml, .csv or .zip files."),
    th.Property(
        "wait_minutes",
        th.NumberType,
        description=f"How long a run waits for a report ({WAIT_MINUTES:g}); later it is for the next run to collect.",
    ),
    th.Property(
        "trusted_sender",
        th.StringType,
        description="Address or domain whose mails are taken for reports although they do not hold the request's id: "
        "only when the dates inside fit one pending request.",
    ),
    additional_properties=False,
)
SETTINGS: tuple[th.Property[Any], ...] = (
    th.Property("base_url", th.StringType, description="The API root (`https://elastic.messangi.me`)."),
    th.Property("api_key", th.StringType, secret=True, description="API key, sent as it is; may begin with `Bearer `."),
    th.Property("username", th.StringType, description="Instead of an API key: the user to log in as."),
    th.Property("password", th.StringType, secret=True, description="The user's password."),
    th.Property(
        "channel",
        th.StringType,
        description="Channel to read: S SMS, E e-mail, P push, W WhatsApp or R RCS (E); empty: none is sent. Only "
        "e-mails make events.",
    ),
    th.Property("report_path", th.StringType, description="Path of the JSON report (`/v3/mlog`)."),
    th.Property("export_path", th.StringType, description="Path of the CSV report (`/v3/mlog/export`)."),
    th.Property(
        "records_path",
        th.StringType,
        description="Where the JSON report has its records, such as `result.entries`, if the tap does not find them.",
    ),
    th.Property("page_param", th.StringType, description="Query parameter of the page's number (`page`)."),
    th.Property(
        "first_page",
        th.IntegerType,
        allowed_values=[0, 1],
        description="Number of the first page (1). 0 suits a vendor that counts from 1, too, at one more request.",
    ),
    th.Property("size_param", th.StringType, description="Query parameter of the page's size (`size`)."),
    th.Property(
        "extra_params",
        th.ObjectType(additional_properties=True),
        description="Further query parameters of both reports, such as the vendor's filters.",
    ),
    th.Property("window_hours", th.NumberType, description="The largest window asked for at once (2208: 92 days)."),
    th.Property("report", REPORT, description="The CSV report by e-mail: turns `messangi_message_reports` on."),
)
DEFAULTS: Mapping[str, Any] = {
    "base_url": "https://elastic.messangi.me",
    "channel": "E",
    "report_path": "/v3/mlog",
    "export_path": "/v3/mlog/export",
    "page_param": "page",
    "first_page": 1,
    "size_param": "size",
    "window_hours": _LARGEST_WINDOW,
    "lookback_minutes": 60,
    "revisit_minutes": [1440],
    "settle_minutes": 5,
    "requests_per_minute": 60,
    "page_size": 1000,
}


def zone_of(text: str) -> tzinfo | None:
    """Read `GMT`, `GMT-5`, `UTC+05:30` or `-05:00`; None: it is no such zone."""
    match = _ZONE.fullmatch(text.strip()) if text.strip() else None
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    shift = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    return timezone(shift) if abs(shift) <= timedelta(hours=14) else None


def zone_text(zone: tzinfo) -> str:
    """Write a zone as the vendor wants it, `GMT`, `GMT-5` or `GMT+5:30`."""
    minutes = (zone.utcoffset(None) or timedelta()) // timedelta(minutes=1)
    if not minutes:
        return "GMT"
    hours, rest = divmod(abs(minutes), 60)
    return f"GMT{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02d}" if rest else "")


def mistakes(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (key, what is wrong with it)."""
    if settings["window_hours"] > _LARGEST_WINDOW:
        yield "window_hours", f"must be at most {_LARGEST_WINDOW:g} (92 days)"
    if settings["channel"] not in ("", *CHANNELS):
        yield "channel", f"must be one of {', '.join(CHANNELS)} (or empty: none is sent)"
    path = settings.get("records_path")
    if path is not None and not all(name.strip() for name in path.split(".")):
        yield "records_path", "must be names with dots between them, such as result.entries"
    for name in ("page_param", "size_param", "report_path", "export_path"):
        if not settings[name].strip():
            yield name, "is empty"
    if settings["page_param"] == settings["size_param"]:
        yield "page_param", "is the same as size_param"
    yield from ((f"extra_params.{key}", what) for key, what in _extra_mistakes(settings))
    if settings.get("report") is not None:
        yield from ((f"report.{key}", what) for key, what in _report_mistakes(settings["report"]))


def _extra_mistakes(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    taken = {"from", "to", "channel", settings["page_param"], settings["size_param"]}
    for name, value in (settings.get("extra_params") or {}).items():
        if name in taken:
            yield name, "is set by the tap itself"
        elif isinstance(value, (dict, list)):
            yield name, "must be text or a number, not a list or an object"


def _report_mistakes(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    emails = report.get("emails")
    if not emails:
        yield "emails", "is missing: the vendor sends the report to these addresses"
    elif not all(_is_address(one) for one in emails):
        yield "emails", "must be a list of e-mail addresses"
    if not report.get("from"):
        yield "from", "is missing: the vendor asks for a valid sender of the space"
    elif not _is_address(report["from"]):
        yield "from", "must be an e-mail address"
    if zone_of(report.get("timezone", "GMT")) is None:
        yield "timezone", "is no time zone in GMT, such as GMT, GMT-5 or GMT+05:30"
    trusted = report.get("trusted_sender")
    if trusted is not None and not re.fullmatch(r"[^\s@]+(@[^\s@]+)?|@[^\s@]+", trusted.strip()):
        yield "trusted_sender", "must be one address or one domain"
    yield from _body_mistakes(report)
    yield from _place_mistakes(report)


def body_keys(report: Mapping[str, Any]) -> dict[str, str]:
    """Return what the parts of the request's body are called; those to be left out are missing."""
    keys = {**dict(zip(BODY, BODY, strict=True)), **(report.get("body_keys") or {})}
    return {part: name.strip() for part, name in keys.items() if name.strip()}


def _body_mistakes(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    keys = body_keys(report)
    if len(set(keys.values())) < len(keys):
        yield "body_keys", "gives two parts of the body the same key"
    if "id" not in keys and not report.get("trusted_sender"):
        yield (
            "body_keys.id",
            "is empty, so no mail will hold a request's id: set report.trusted_sender to who sends the reports",
        )


def _place_mistakes(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    mailbox, directory = report.get("mailbox"), report.get("directory")
    if not mailbox and not directory:
        yield "mailbox", "is missing (or give report.directory): the report comes by e-mail and must be collected there"
    elif mailbox and directory:
        yield "directory", "is given beside report.mailbox: give only one of them"
    if not mailbox:
        return
    for key in ("host", "username", "password"):
        if not mailbox.get(key):
            yield f"mailbox.{key}", "is missing"
    if not 0 < mailbox.get("port", 993) < 65536:
        yield "mailbox.port", "must be between 1 and 65535"


def _is_address(text: Any) -> bool:
    return isinstance(text, str) and bool(re.fullmatch(r"[^\s@]+@[^\s@]+", text.strip()))

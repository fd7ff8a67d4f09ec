"""The settings of a Messangi account, and what can be wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence  # noqa: TC003 - the settings' types are read at run time
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.providers.messangi.login import LoginAuth
from tap_emaillogs.streams.settings import Options, Settings, option

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from tap_emaillogs.http.client import Auth

_ZONE = re.compile(r"(?:GMT|UTC|Z)?(?:([+-])(\d{1,2})(?::?([0-5]\d))?)?", re.IGNORECASE)
LONGEST = timedelta(days=92)
"""What the vendor answers at most; beyond it: "The date range exceeds the allowed limit: 92"."""
_LARGEST_WINDOW = LONGEST / timedelta(hours=1)
CHANNELS = ("S", "E", "P", "W", "R")


@dataclass(frozen=True, kw_only=True)
class MailboxSettings(Options):
    """The mailbox that reports come into."""

    host: str = option("", "IMAP server.")
    port: int | None = option(None, "Its port; by default 993, or 143 without TLS. TLS on 143 is STARTTLS.")
    tls: bool = option(True, "Whether to use TLS.")
    username: str = option("", "Login of the mailbox.")
    password: str = option("", "Its password, or an app password.", secret=True)
    folder: str = option("INBOX", "Folder that the reports come into.")


@dataclass(frozen=True, kw_only=True)
class BodyKeys(Options):
    """What the parts of the report request's body are called; their names are not documented."""

    emails: str = option("emails", "Key of `emails`.")
    from_: str = option("from", "Key of `from`.")
    timezone: str = option("timezone", "Key of `timezone`.")
    id: str = option("id", "Key of `id`.")

    def used(self) -> dict[str, str]:
        """Return the key of each part; those to be left out are missing."""
        return {one.name: key.strip() for one, key in self.items() if key.strip()}


@dataclass(frozen=True, kw_only=True)
class ReportSettings(Options):
    """The CSV report by e-mail."""

    emails: Sequence[str] = option((), "Addresses that the vendor sends the report to. Required.")
    from_: str = option("", "A valid sender of the space, as the vendor requires. Required.")
    timezone: str = option("GMT", "Zone of the report's times, such as GMT-5 or GMT+05:30.")
    method: str = option("POST", "HTTP method of the request.", allowed=("POST", "PUT", "GET"))
    body_keys: BodyKeys = option(
        BodyKeys(),
        "What the keys of the request's body are called, where not `emails`, `from`, `timezone`, `id`; an empty one is "
        "left out.",
    )
    mailbox: MailboxSettings | None = option(None, "Where the report arrives; read only, nothing is marked or deleted.")
    directory: str = option("", "Instead of a mailbox: a folder of .eml, .csv or .zip files.")
    wait_minutes: float = option(10, "How long a run waits for a report; later it is for the next run to collect.")
    trusted_sender: str | None = option(
        None,
        "Address or domain whose mails are taken for reports although they do not hold the request's id: only when the "
        "dates inside fit one pending request.",
    )
    authserv_id: str | None = option(
        None,
        "Name under which your own mail server writes `Authentication-Results` (RFC 8601), such as mx.google.com: then "
        "`trusted_sender` counts only where DKIM, SPF or DMARC passed. Without it `From` is believed, which anybody "
        "can write.",
    )


@dataclass(frozen=True, kw_only=True)
class MessangiSettings(Settings):
    """A Messangi account."""

    base_url: str = option("https://elastic.messangi.me", "The API root.")
    api_key: str = option("", "API key, sent as it is; may begin with `Bearer `.", secret=True, in_header=True)
    username: str = option("", "Instead of an API key: the user to log in as.")
    password: str = option("", "The user's password.", secret=True)
    channel: str = option(
        "E",
        "Channel to read: S SMS, E e-mail, P push, W WhatsApp or R RCS; empty: none is sent. Only e-mails make events.",
    )
    report_path: str = option("/v3/mlog", "Path of the JSON report.")
    export_path: str = option("/v3/mlog/export", "Path of the CSV report.")
    records_path: str | None = option(
        None, "Where the JSON report has its records, such as `result.entries`, if the tap does not find them."
    )
    page_param: str = option("page", "Query parameter of the page's number.")
    first_page: int = option(
        1,
        "Number of the first page. 0 suits a vendor that counts from 1, too, at one more request.",
        allowed=(0, 1),
    )
    size_param: str = option("size", "Query parameter of the page's size.")
    extra_params: Mapping[str, Any] = option(
        {},
        "Further query parameters of both reports, such as the vendor's filters. One may be a token, so their values "
        "stand in no log and not in `sync_windows`.",
        kind=th.ObjectType(additional_properties=True),
        secret=True,
    )
    window_hours: float = option(_LARGEST_WINDOW, "The largest window asked for at once; 2208 are 92 days.")
    report: ReportSettings | None = option(None, "The CSV report by e-mail: turns `messangi_message_reports` on.")
    page_size: int = 1000

    def auth(self) -> Auth:
        """Send the API key as it is, or log in."""
        if self.api_key:
            return KeyAuth("Authorization", self.api_key.strip())
        return LoginAuth(self.api_root(), self.username, self.password)

    def streams_off(self) -> tuple[str, ...]:
        """The report by e-mail exists only where it is configured."""
        return () if self.report else ("messangi_message_reports",)

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Check the vendor's limits, names that collide, and the report."""
        if self.window_hours > _LARGEST_WINDOW:
            yield "window_hours", f"must be at most {_LARGEST_WINDOW:g} (92 days)"
        if self.channel not in ("", *CHANNELS):
            yield "channel", f"must be one of {', '.join(CHANNELS)} (or empty: none is sent)"
        if self.records_path is not None and not all(name.strip() for name in self.records_path.split(".")):
            yield "records_path", "must be names with dots between them, such as result.entries"
        for name in ("page_param", "size_param", "report_path", "export_path"):
            if not getattr(self, name).strip():
                yield name, "is empty"
        if self.page_param == self.size_param:
            yield "page_param", "is the same as size_param"
        yield from ((f"extra_params.{key}", what) for key, what in _extra_mistakes(self))
        if self.report is not None:
            yield from ((f"report.{key}", what) for key, what in _report_mistakes(self.report))


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


def _extra_mistakes(settings: MessangiSettings) -> Iterator[tuple[str, str]]:
    taken = {"from", "to", "channel", settings.page_param, settings.size_param}
    for name, value in settings.extra_params.items():
        if name in taken:
            yield name, "is set by the tap itself"
        elif isinstance(value, (dict, list)):
            yield name, "must be text or a number, not a list or an object"


def _report_mistakes(report: ReportSettings) -> Iterator[tuple[str, str]]:
    if not report.emails:
        yield "emails", "is missing: the vendor sends the report to these addresses"
    elif not all(map(_is_address, report.emails)):
        yield "emails", "must be a list of e-mail addresses"
    if not report.from_:
        yield "from", "is missing: the vendor asks for a valid sender of the space"
    elif not _is_address(report.from_):
        yield "from", "must be an e-mail address"
    if zone_of(report.timezone) is None:
        yield "timezone", "is no time zone in GMT, such as GMT, GMT-5 or GMT+05:30"
    yield from _trust_mistakes(report)
    keys = report.body_keys.used()
    if len(set(keys.values())) < len(keys):
        yield "body_keys", "gives two parts of the body the same key"
    if "id" not in keys and not report.trusted_sender:
        yield (
            "body_keys.id",
            "is empty, so no mail will hold a request's id: set report.trusted_sender to who sends the reports",
        )
    yield from _place_mistakes(report)


def _trust_mistakes(report: ReportSettings) -> Iterator[tuple[str, str]]:
    trusted = report.trusted_sender
    if trusted is not None and not re.fullmatch(r"[^\s@]+(@[^\s@]+)?|@[^\s@]+", trusted.strip()):
        yield "trusted_sender", "must be one address or one domain"
    authserv_id = report.authserv_id
    if authserv_id is not None and not re.fullmatch(r"[^\s;=()\"]+", authserv_id.strip()):
        yield "authserv_id", "must be one name without blanks, as it stands first in Authentication-Results"
    elif authserv_id is not None and trusted is None:
        yield "authserv_id", "has no effect without report.trusted_sender"


def _place_mistakes(report: ReportSettings) -> Iterator[tuple[str, str]]:
    mailbox = report.mailbox
    if not mailbox and not report.directory:
        yield "mailbox", "is missing (or give report.directory): the report comes by e-mail and must be collected there"
    elif mailbox and report.directory:
        yield "directory", "is given beside report.mailbox: give only one of them"
    if not mailbox:
        return
    for key in ("host", "username", "password"):
        if not getattr(mailbox, key):
            yield f"mailbox.{key}", "is missing"
    if mailbox.port is not None and not 0 < mailbox.port < 65536:
        yield "mailbox.port", "must be between 1 and 65535"


def _is_address(text: str) -> bool:
    return bool(re.fullmatch(r"[^\s@]+@[^\s@]+", text.strip()))

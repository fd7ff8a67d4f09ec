"""Messangi: messages of all channels, as JSON (`logs`) and as a CSV report that comes by e-mail (`reports`).

https://docs.messangi.com/docs/reporting; `docs/providers/messangi.md`. Much is not documented: what is read is
tolerant, and loud where it does not understand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.providers.messangi import answers
from tap_emaillogs.providers.messangi.login import LoginAuth
from tap_emaillogs.providers.messangi.logs import MessageLogs
from tap_emaillogs.providers.messangi.mapping import STATUSES, events_of, remark_on
from tap_emaillogs.providers.messangi.reports import MessageReports
from tap_emaillogs.providers.messangi.settings import DEFAULTS, SETTINGS, mistakes
from tap_emaillogs.streams.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from singer_sdk import typing as th

    from tap_emaillogs.http.client import Auth
    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.records import Record


class Messangi(Provider):
    """https://messangi.com."""

    name = "messangi"
    title = "Messangi"
    settings: ClassVar[tuple[th.Property[Any], ...]] = SETTINGS
    required: ClassVar[tuple[tuple[str, ...], ...]] = (("api_key",), ("username", "password"))
    defaults: ClassVar[Mapping[str, Any]] = DEFAULTS
    streams = (MessageLogs, MessageReports)
    event_sources = (MessageLogs.name, MessageReports.name)
    mappings = (STATUSES,)
    errors = answers.ERRORS

    def checks(self, settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        """Check the vendor's limits, and the settings of the report."""
        return mistakes(settings)

    def streams_for(self, settings: Mapping[str, Any]) -> tuple[type[LogStream], ...]:
        """The report by e-mail exists only where it is configured."""
        return self.streams if settings.get("report") else (MessageLogs,)

    def base_url(self, settings: Mapping[str, Any]) -> str:
        """Return the API root."""
        return str(settings["base_url"])

    def auth(self, settings: Mapping[str, Any]) -> Auth:
        """Send the API key as it is, or log in."""
        if settings.get("api_key"):
            return KeyAuth("Authorization", settings["api_key"].strip())
        return LoginAuth(self.base_url(settings), settings["username"], settings["password"])

    def error_message(self, data: Any) -> str | None:
        """Read `explain`."""
        return answers.error_message(data)

    def events(self, stream: str, record: Record) -> Iterable[Record]:
        """Derive the event that every e-mail has, and that of the status shown."""
        return events_of(self.name, stream, record)

    def remark(self, stream: str, record: Record) -> str | None:  # noqa: ARG002 - both streams alike
        """Say of what a row makes no event."""
        return remark_on(record)


PROVIDER = Messangi()

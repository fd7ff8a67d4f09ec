"""Messangi: messages of all channels, as JSON (`logs`) and as a CSV report that comes by e-mail (`reports`).

https://docs.messangi.com/docs/reporting; `docs/providers/messangi.md`. Much is not documented: what is read is
tolerant, and loud where it does not understand.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tap_emaillogs.providers.messangi import answers
from tap_emaillogs.providers.messangi.logs import MessageLogs
from tap_emaillogs.providers.messangi.mapping import STATUSES, events_of, remark_on
from tap_emaillogs.providers.messangi.reports import MessageReports
from tap_emaillogs.providers.messangi.settings import MessangiSettings
from tap_emaillogs.streams.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_emaillogs.streams.records import Record
    from tap_emaillogs.streams.settings import Settings


class Messangi(Provider):
    """https://messangi.com."""

    name = "messangi"
    title = "Messangi"
    settings = MessangiSettings
    required = (("api_key",), ("username", "password"))
    streams = (MessageLogs, MessageReports)
    event_sources = (MessageLogs.name, MessageReports.name)
    mappings = (STATUSES,)
    errors = answers.ERRORS

    def error_message(self, data: Any) -> str | None:
        """Read `explain`."""
        return answers.error_message(data)

    def error_finder(self, settings: Settings) -> Callable[[Any], str | None]:
        """Look for rows where the account has them: an answer with rows is no error."""
        assert isinstance(settings, MessangiSettings)
        return partial(answers.error_message, path=settings.records_path)

    def events(self, stream: str, record: Record) -> Iterable[Record]:
        """Derive the event that every e-mail has, and that of the status shown."""
        return events_of(self.name, stream, record)

    def remark(self, stream: str, record: Record) -> str | None:  # noqa: ARG002 - both streams alike
        """Say of what a row makes no event."""
        return remark_on(record)


PROVIDER = Messangi()

"""`messangi_message_reports`: the CSV report of a window, asked for by API and collected from where its mail arrives.

https://docs.messangi.com/reference/exportmlog-2
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats.names import snake_case
from tap_emaillogs.providers.messangi.moments import belongs, dates_of
from tap_emaillogs.providers.messangi.settings import zone_of
from tap_emaillogs.providers.messangi.streams import MessageRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tap_emaillogs.providers.messangi.pending import Requests
    from tap_emaillogs.providers.messangi.settings import ReportSettings
    from tap_emaillogs.streams.window import Window

    _Rows = Callable[[], Iterable[Mapping[str, Any]]]
    """Returns the same rows whenever it is called."""


class MessageReports(MessageRows):
    """One record per line of the report, whatever columns it has."""

    name = "messangi_message_reports"
    endpoint = "CSV report by e-mail"
    paging = "asynchronous"
    primary_keys = ("account", "row_id")
    twin_key = "row_id"
    reader = "tap_emaillogs.providers.messangi.report_reader:ReportReader"

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self.mailboxes: dict[tuple[Any, ...], list[Requests]] = {}
        """By mailbox, what is pending there, of all accounts whose reports come to it."""

    def bind(self) -> None:
        """Read times as the account's setting says."""
        self.zone = zone_of(self.report.timezone) or UTC

    @property
    def report(self) -> ReportSettings:
        """The settings of the report, without which there is no such stream."""
        assert self.settings.report is not None
        return self.settings.report

    def column_name(self, name: str) -> str:
        """Return a column's name in snake case, as those of the file are."""
        return snake_case(name)

    def own_rows(self, window: Window, rows: _Rows) -> _Rows:
        """Leave out what is a neighbour's; a row of the margin stays where its mail has another row inside.

        The rows of a mail are numbered together, so no window may show a part of them.
        """

        def is_inside(row: Mapping[str, Any]) -> bool:
            return belongs(dates_of(row, self.zone), window)

        beside = {self.mail_of(row) for row in rows() if not is_inside(row)}
        if not beside:
            return rows
        kept = {mail for row in rows() if is_inside(row) and (mail := self.mail_of(row)) in beside}
        return lambda: (row for row in rows() if is_inside(row) or self.mail_of(row) in kept)

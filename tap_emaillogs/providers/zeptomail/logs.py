"""The three logs that come as exports: what identifies a row of each, and what its dates are.

No page documents the columns of the files; see `docs/providers/zeptomail.md`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from tap_emaillogs.formats import dates
from tap_emaillogs.formats.names import snake_case
from tap_emaillogs.providers.zeptomail import answers, events
from tap_emaillogs.providers.zeptomail.crosscheck import FLAGS, crosscheck, flag_of
from tap_emaillogs.providers.zeptomail.exports import FILES, Export

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping

    from tap_emaillogs.engine.reading import Reading
    from tap_emaillogs.files.jobboard import RemoteJob
    from tap_emaillogs.files.jobnotes import JobNote
    from tap_emaillogs.files.jobstream import Rows
    from tap_emaillogs.streams.records import Record
    from tap_emaillogs.streams.settings import StreamDefaults
    from tap_emaillogs.streams.window import Window

_VALUES = ("value", "suppressed_value", "suppression_value", "email", "email_address", "address", "domain", "recipient")
_VALUE_WORDS = frozenset({"value", "email", "mail", "address", "domain", "recipient", "entry"})
_NO_VALUE = frozenset({"type", "by", "agent", "time", "date", "reason", "category", "action", "ip"})
_AGENTS = ("mail_agent", "mailagent", "mailagent_name", "mailagent_key", "agent", "agent_name", "agent_key")
_BOUNCES = {
    "is_hb": re.compile(r"hard[ _-]?bounce", re.IGNORECASE),
    "is_sb": re.compile(r"soft[ _-]?bounce", re.IGNORECASE),
}


class MailLogs(Export):
    """POST /mail-logs/exports: one record per e-mail and recipient, as it stood when the file was made."""

    name = "zeptomail_mail_logs"
    kind = "mail-logs"
    endpoint = "POST /mail-logs/exports"
    filter_setting = "mail_logs"
    references = events.REFERENCES
    own_dates = date_columns = events.OWN_DATES
    defaults: ClassVar[StreamDefaults] = {**FILES, "revisit_minutes": [1440, 4320]}

    def filters(self) -> dict[str, Any] | None:
        """Return the request's filters that are set, the agent among them."""
        agent = self.settings.mailagent_key
        return {**({"mailagent_key": agent} if agent else {}), **(super().filters() or {})} or None

    def answer(self, reading: Reading, note: JobNote, job: RemoteJob, rows: Rows) -> Rows:
        """Compare the kinds of mail with those asked for, as far as the vendor tells which it understood.

        Raises:
            WrongAnswer: The vendor exported something else.
        """
        asked, echo = self.filters() or {}, answers.search_query(job.query)
        told = {flag: str(echo[flag]).lower() for flag in FLAGS if isinstance(echo.get(flag), (bool, str))}
        other = [flag for flag, value in told.items() if flag in asked and value != str(asked[flag]).lower()]
        if other:
            raise answers.WrongAnswer(
                f"the vendor understood {other[0]} as {told[other[0]]}, not as {str(asked[other[0]]).lower()}",
                "look at mail_logs in the settings: without its filters the vendor may export all",
            )
        if told and not FLAGS.keys() & asked.keys() and crosscheck(self.account).once("unasked"):
            self.logger.warning(
                "the vendor names %s for mail logs that were asked for without: other kinds of mail may be missing. "
                "Set is_delivered, is_sb, is_hb and is_mailfailure in mail_logs to true",
                ", ".join(f"{flag}: {value}" for flag, value in told.items()),
            )
        return super().answer(reading, note, job, rows)

    def status_at(self, row: Mapping[str, Any]) -> str | None:
        """Return when the row's status was reached, UTC; as the file writes it where that is not understood."""
        text = events.status_date(row)
        return None if text is None else dates.utc_text(text, self.zone) or text

    def observe(self, row: Mapping[str, Any], kinds: Counter[str]) -> None:
        """Count mails by the filter that lets them through."""
        if flag := flag_of(events.status_of(row)):
            kinds[flag] += 1

    def observed(self, window: Window, kinds: Counter[str], rows: int) -> None:
        """Compare the file with the other streams, unless a filter explains what it lacks."""
        asked = self.filters() or {}
        if asked.keys() <= FLAGS.keys():
            excluded = {flag: 1 for flag, wanted in asked.items() if not wanted}
            crosscheck(self.account).file(self.logger, window, {**excluded, **kinds}, rows)

    def events(self, record: Record) -> Iterator[Record]:
        """Derive events by the account's zone and by the columns that the setting `reference` names."""
        return events.of_mail_log(record, self.reference_columns, self.zone)


class ActivityLogs(Export):
    """POST /activity-logs/exports: what was changed in the account, and by whom; a row never changes."""

    name = "zeptomail_activity_logs"
    kind = "activity-logs"
    endpoint = "POST /activity-logs/exports"
    filter_setting = "activity_logs"
    date_columns = ("modified_time", "performed_time", "activity_time", "created_time", "date")


class SuppressionList(Export):
    """POST /suppression-list/exports: addresses and domains that get no mail; an entry may change."""

    name = "zeptomail_suppression_list"
    kind = "suppression-list"
    endpoint = "POST /suppression-list/exports"
    filter_setting = "suppression_list"
    date_columns = ("modified_time", "added_time", "created_time", "date")

    def identity_of_row(self, row: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Return the address or domain, its type and the agent; None: no column is known to hold the former."""
        columns = {snake_case(name): str(value).strip() for name, value in row.items() if value}
        given = self.settings.reference.get(self.name)
        values = (columns.get(name) for name in (map(snake_case, given) if given else _value_columns(columns)))
        value = next(filter(None, values), None)
        if value is None:
            return None
        kinds = (text for name, text in columns.items() if name == "type" or name.endswith("_type"))
        agents = (columns[name] for name in _AGENTS if columns.get(name))
        return value, next(kinds, ""), next(agents, "")

    def observe(self, row: Mapping[str, Any], kinds: Counter[str]) -> None:  # noqa: ARG002 - the other streams' answer
        """Note on which days addresses were suppressed because mail to them bounced."""
        for flag, said in _BOUNCES.items():
            if any(isinstance(text, str) and said.search(text) for text in row.values()):
                crosscheck(self.account).shown(self.logger, flag, self.event_at(row), self.name)


def _value_columns(columns: Mapping[str, str]) -> Iterator[str]:
    """Yield the columns that may hold the suppressed address or domain, the likeliest first."""
    yield from _VALUES
    for name in columns:
        words = set(name.split("_"))
        if words & _VALUE_WORDS and not words & _NO_VALUE:
            yield name

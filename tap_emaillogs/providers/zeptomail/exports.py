"""What the three streams that come as export jobs have in common.

https://www.zoho.com/zeptomail/help/api/export-logs.html. Columns, file, states and zone are not documented: see
`docs/providers/zeptomail.md` for what is assumed and what can be set.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.streams.rest import HTTPRequest

from tap_emaillogs.files.jobboard import RemoteJob
from tap_emaillogs.files.jobstream import JobStream
from tap_emaillogs.formats import dates
from tap_emaillogs.formats.names import snake_case
from tap_emaillogs.http.errors import Misunderstood
from tap_emaillogs.providers.zeptomail import answers, dateform
from tap_emaillogs.providers.zeptomail.crosscheck import crosscheck
from tap_emaillogs.providers.zeptomail.settings import zone
from tap_emaillogs.streams.undocumented import STATUS_DATES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from tap_emaillogs.engine.reading import Reading
    from tap_emaillogs.files.jobnotes import JobNote
    from tap_emaillogs.files.jobstream import Rows
    from tap_emaillogs.http.errors import VendorError
    from tap_emaillogs.providers.zeptomail.settings import ZeptoMailSettings
    from tap_emaillogs.streams.settings import StreamDefaults
    from tap_emaillogs.streams.window import Window

FILES: StreamDefaults = {"revisit_minutes": [1440], "lookback_minutes": 0, "settle_minutes": 15, "window_hours": 168}
"""A week at most per file: the whole history is nine jobs, which wait side by side, and what a broken file or a kill
costs stays small. The vendor's own sample asks for five months at once."""
_ALL_AGENTS = "All Agents"
_MINUTE = timedelta(minutes=1)


class Export(JobStream):
    """One kind of export: POST, GET and DELETE /{kind}/exports, GET /{kind}/exports/{export_id}/download."""

    provider = "zeptomail"
    kind: ClassVar[str]
    """The vendor's name of it, in the path."""
    filter_setting: ClassVar[str]
    settings: ZeptoMailSettings
    date_columns: ClassVar[tuple[str, ...]]
    """Likely names of the row's own date, the best first."""
    unit = _MINUTE
    primary_keys = ("account", "row_id")
    twin_key = "row_id"
    time_columns = ("event_at",)
    defaults: ClassVar[StreamDefaults] = FILES
    _flags_as_text = False
    """Whether this vendor was seen to refuse JSON's booleans in this run."""

    def bind(self) -> None:
        """Make windows of whole hours where the form of dates has no minutes."""
        self.unit = dateform.resolution(self.settings.export_date_format) or _MINUTE

    @property
    def zone(self) -> ZoneInfo:
        """The zone of times that name none."""
        return zone(self.settings.timezone)

    def filters(self) -> dict[str, Any] | None:
        """Return the request's filters that are set."""
        return dict(getattr(self.settings, self.filter_setting)) or None

    # Requests.

    def _url(self, rest: str = "") -> str:
        return f"{self.url_base}/{self.kind}/exports{rest}"

    def question(self, window: Window) -> answers.Question:
        """Return what is asked for a window: no less than that, and more where the form of dates is too coarse."""
        return answers.Question.of(window, self.zone, self.settings.export_date_format)

    def edges_as_asked(self, window: Window) -> tuple[str, str]:
        """Return the dates of the request."""
        return self.question(window).written

    def create_request(self, window: Window, password: str) -> HTTPRequest:
        """Ask for a file of a window."""
        start, end = self.question(window).written
        filters = self.filters() or {}
        body = {**(_as_text(filters) if self._flags_as_text else filters), "date_from": start, "date_to": end}
        if password:
            body["password"] = password
        return HTTPRequest(self._url(), "POST", data=body)

    def other_request(self, request: HTTPRequest, error: VendorError) -> HTTPRequest | None:
        """Write `"true"` for `true` where the vendor refuses that: the page says Boolean, and its sample has texts."""
        body: Any = request.data
        if error.status != 400 or _as_text(body) == body:
            return None
        self._flags_as_text = True
        return HTTPRequest(request.url, "POST", data=_as_text(body))

    def list_request(self) -> HTTPRequest:
        """Ask for all exports of this kind; there is no paging."""
        return HTTPRequest(self._url())

    def download_request(self, job_id: str) -> HTTPRequest:
        """Ask for the file."""
        return HTTPRequest(self._url(f"/{job_id}/download"))

    def delete_request(self, job_id: str) -> HTTPRequest | None:
        """Ask to delete the file, unless `keep_exports`."""
        if self.settings.keep_exports:
            return None
        return HTTPRequest(self._url(), "DELETE", params={"export_ids": job_id})

    def password(self, nonce: str) -> str:
        """Return `export_password`, or a password of the job's own, which nobody has to know or to keep."""
        given = self.settings.export_password
        if given is not None:
            return str(given)
        secret = self.settings.client_secret or self.settings.access_token
        code = hmac.new(secret.encode(), nonce.encode(), hashlib.sha256).hexdigest()
        return f"Tap-{code[:32]}"  # a capital, a small letter, a digit and a sign, as many a policy wants

    # Answers.

    def created_job(self, data: Any) -> RemoteJob | None:
        """Read `data`: a list of one, or the object itself."""
        found = self.listed_jobs(data)
        return found[0] if found else None

    def listed_jobs(self, data: Any) -> list[RemoteJob]:
        """Read `data`: a list, an object that holds one, or a single job."""
        inner = data.get("data") if isinstance(data, dict) else None
        if isinstance(inner, dict) and "export_id" not in inner:
            inner = next((value for value in inner.values() if isinstance(value, list)), [] if not inner else None)
        entries = [inner] if isinstance(inner, dict) else inner
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise Misunderstood("the answer holds no list of exports in `data`")
        return [self._entry(entry) for entry in entries if entry.get("export_id")]

    def _entry(self, entry: Mapping[str, Any]) -> RemoteJob:
        size = entry.get("file_size")
        status = str(entry.get("file_status") or "")
        return RemoteJob(
            id=str(entry["export_id"]),
            state=_state(status),
            said=status,
            created=dates.parse(str(entry.get("created_time") or ""), self.zone),
            fetched=str(entry.get("is_downloaded")).lower() == "true",
            size=size if isinstance(size, int) and size > 0 else None,
            query=entry.get("search_query"),
        )

    def asks_for(self, job: RemoteJob, window: Window) -> bool:
        """Compare `search_query` with what this window's request would be.

        It shows an agent's name instead of its key: with a password of the job's own the file itself proves whose it
        is, for the password depends on the filters; without one an agent's export is never taken for the tap's.
        """
        query = answers.search_query(job.query)
        if not self.question(window).fits(query):
            return False
        wanted = {snake_case(name): str(value).lower() for name, value in (self.filters() or {}).items()}
        shown = {name: value for name, value in query.items() if name not in answers.EDGES}
        agent = shown.pop("mailagent_name", None) or _ALL_AGENTS
        key = shown.pop("mailagent_key", None)
        wanted_key = wanted.pop("mailagent_key", None)
        own_password = self.settings.export_password is None
        same_agent = (key is None and agent == _ALL_AGENTS) if wanted_key is None else str(key).lower() == wanted_key
        texts = {name: str(value).lower() for name, value in shown.items() if value not in (None, "", [])}
        return texts == wanted and (own_password or same_agent)

    def answer(self, reading: Reading, note: JobNote, job: RemoteJob, rows: Rows) -> Rows:
        """Compare the dates with those asked for; leave out rows that only a coarse form of dates let in.

        A row is left out where its own date lies between the window's edge and the date asked for: the window beside
        it asks for that time too.

        Raises:
            WrongAnswer: The vendor exported something else.
        """
        question, kinds = self.question(reading.window), Counter[str]()
        crosscheck(self.account).created(self.logger, note.asked, job.created, str(self.zone))

        def texts(row: Mapping[str, Any]) -> list[str]:
            self.observe(row, kinds)
            return self.dates_of(row)

        found = answers.checked(question, job.query, rows, texts, own=bool(self.own_dates))
        self.observed(reading.window, kinds, found.rows)
        if found.outside:
            self.logger.warning(
                "%s: %d of %d rows carry no date that was asked for; they are kept. Check timezone if they are many",
                reading,
                found.outside,
                found.dated,
            )
        if not question.wider or found.outside:  # the vendor may place rows by a date that the file does not show
            return rows
        window, zone = reading.window, question.zone
        return lambda: (row for row in rows() if answers.lies_in(window, self.own_date(row), zone))

    def observe(self, row: Mapping[str, Any], kinds: Counter[str]) -> None:
        """Count what a row tells of the kinds of mail."""

    def observed(self, window: Window, kinds: Counter[str], rows: int) -> None:
        """Take note of a file that answers its question: what was counted in it, and how many rows it has."""

    # Rows.

    def column_name(self, name: str) -> str:
        """Return the name that the file's column gets."""
        return snake_case(name)

    def event_at(self, row: Mapping[str, Any]) -> str | None:
        """Return the row's own date, or else any that is understood of a column whose name speaks of a time."""
        return next(filter(None, (dates.utc_text(text, self.zone) for text in self.dates_of(row))), None)

    def status_at(self, row: Mapping[str, Any]) -> str | None:
        """Return when the row's status was reached, UTC; as the file writes it where that is not understood."""
        text = super().status_at(row)
        return None if text is None else dates.utc_text(text, self.zone) or text

    def own_date(self, row: Mapping[str, Any]) -> str | None:
        """Return the row's own date as it is written; None: no column of its own holds one that is understood."""
        return next((text for text in self._own_dates(row) if dates.utc_text(text, self.zone)), None)

    def dates_of(self, row: Mapping[str, Any]) -> list[str]:
        """Return all dates of a row as they are written: its own first, those of its status last."""
        others = [name for name in row if name not in self.date_columns and ("time" in name or "date" in name)]
        others.sort(key=STATUS_DATES.__contains__)
        return [*self._own_dates(row), *(row[name] for name in others)]

    def _own_dates(self, row: Mapping[str, Any]) -> list[str]:
        columns = [name for name in self.date_columns if row.get(name)]
        both = f"{row['date']} {row['time']}" if row.get("date") and row.get("time") else ""
        if not both or not dates.utc_text(both, self.zone):
            return [row[name] for name in columns]
        return [both if name == "date" else row[name] for name in columns if name != "time"]


def _as_text(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in body.items()}


def _state(status: str) -> Any:
    word = status.strip().lower()
    if word == "completed":
        return "done"
    if "expired" in word:
        return "expired"
    return "failed" if "fail" in word or "error" in word else "waiting"

"""The three streams that come as export jobs.

https://www.zoho.com/zeptomail/help/api/export-logs.html. Columns, file, states and zone are not documented: see
`docs/providers/zeptomail.md` for what is assumed and what can be set.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.streams.rest import HTTPRequest

from tap_emaillogs import dates
from tap_emaillogs.errors import Misunderstood
from tap_emaillogs.jobboard import RemoteJob
from tap_emaillogs.jobs import JobStream
from tap_emaillogs.providers.zeptomail import dateform, settings
from tap_emaillogs.providers.zeptomail.access import explained
from tap_emaillogs.tabular import snake_case

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from tap_emaillogs.provider import Account
    from tap_emaillogs.reading import Outcome, Reading
    from tap_emaillogs.windows import Window

_SCOPE = "Zeptomail.Exports.ALL (or CREATE, READ and DELETE)"
_FILES = {"revisit_minutes": [], "lookback_minutes": 0, "settle_minutes": 15, "window_hours": 168}
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
    date_columns: ClassVar[tuple[str, ...]]
    """Likely names of the row's own time, the best first."""
    unit = _MINUTE
    primary_keys = ("account", "row_id")
    twin_key = "row_id"
    time_columns = ("event_at",)
    overrides: ClassVar[Mapping[str, Any]] = _FILES

    def for_account(self, account: Account) -> Export:
        """Bind the stream to an account; a date form without minutes makes windows of whole hours."""
        bound = super().for_account(account)
        assert isinstance(bound, Export)
        bound.unit = dateform.resolution(account.settings["export_date_format"]) or _MINUTE
        return bound

    @property
    def _zone(self) -> ZoneInfo:
        return settings.zone(self.account.settings["timezone"])

    def filters(self) -> dict[str, Any] | None:
        """Return the request's filters that are set."""
        return dict(self.account.settings.get(self.filter_setting) or {}) or None

    def read(self, reading: Reading) -> Outcome:
        """Read a window, and name the scope where it is missing."""
        with explained(_SCOPE):
            return super().read(reading)

    # Requests.

    def _url(self, rest: str = "") -> str:
        return f"{self.url_base}/{self.kind}/exports{rest}"

    def _edges(self, window: Window) -> tuple[datetime, datetime]:
        """Return the window in local time, widened where clocks are set back: neighbours then show rows twice."""
        zone, step = self._zone, self.unit
        return dates.named_once(window.start, zone, -step), dates.named_once(window.end, zone, step)

    def create_request(self, window: Window, password: str) -> HTTPRequest:
        """Ask for a file of a window."""
        form = self.account.settings["export_date_format"]
        start, end = (dateform.written(edge, form) for edge in self._edges(window))
        body: dict[str, Any] = {**(self.filters() or {}), "date_from": start, "date_to": end}
        if password:
            body["password"] = password
        return HTTPRequest(self._url(), "POST", data=body)

    def list_request(self) -> HTTPRequest:
        """Ask for all exports of this kind; there is no paging."""
        return HTTPRequest(self._url())

    def download_request(self, job_id: str) -> HTTPRequest:
        """Ask for the file."""
        return HTTPRequest(self._url(f"/{job_id}/download"))

    def delete_request(self, job_id: str) -> HTTPRequest | None:
        """Ask to delete the file, unless `keep_exports`."""
        if self.account.settings["keep_exports"]:
            return None
        return HTTPRequest(self._url(), "DELETE", params={"export_ids": job_id})

    def password(self, nonce: str) -> str:
        """Return `export_password`, or a password of the job's own, which nobody has to know or to keep."""
        given = self.account.settings.get("export_password")
        if given is not None:
            return str(given)
        secret = self.account.settings.get("client_secret") or self.account.settings["access_token"]
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
            created=dates.parse(str(entry.get("created_time") or ""), self._zone),
            fetched=str(entry.get("is_downloaded")).lower() == "true",
            size=size if isinstance(size, int) and size > 0 else None,
            query=entry.get("search_query"),
        )

    def asks_for(self, job: RemoteJob, window: Window) -> bool:
        """Compare `search_query` with what this window's request would be.

        It shows an agent's name instead of its key: with a password of the job's own the file itself proves whose it
        is, for the password depends on the filters; without one an agent's export is never taken for the tap's.
        """
        query = dict(job.query) if isinstance(job.query, dict) else {}
        edges = tuple(dates.parse(str(query.pop(name, "")), self._zone) for name in ("date_from", "date_to"))
        wanted = {name: str(value).lower() for name, value in (self.filters() or {}).items()}
        agent = query.pop("mailagent_name", None) or _ALL_AGENTS
        key = query.pop("mailagent_key", None)
        wanted_key = wanted.pop("mailagent_key", None)
        own_password = self.account.settings.get("export_password") is None
        same_agent = (key is None and agent == _ALL_AGENTS) if wanted_key is None else str(key).lower() == wanted_key
        shown = {name: str(value).lower() for name, value in query.items() if value not in (None, "", [])}
        return edges == self._edges(window) and shown == wanted and (own_password or same_agent)

    # Rows.

    def column_name(self, name: str) -> str:
        """Return the name that the file's column gets."""
        return snake_case(name)

    def event_at(self, row: Mapping[str, Any]) -> str | None:
        """Return the time of the likeliest column, or else of any whose name speaks of a time."""
        zone = self._zone
        if row.get("date") and row.get("time") and (both := dates.utc_text(f"{row['date']} {row['time']}", zone)):
            return both
        likely = [name for name in self.date_columns if name in row]
        others = (name for name in row if name not in likely and ("time" in name or "date" in name))
        found = (dates.utc_text(row[name], zone) for name in (*likely, *others))
        return next((moment for moment in found if moment), None)


def _state(status: str) -> Any:
    word = status.strip().lower()
    if word == "completed":
        return "done"
    if "expired" in word:
        return "expired"
    return "failed" if "fail" in word or "error" in word else "waiting"


class MailLogs(Export):
    """POST /mail-logs/exports: one record per e-mail and recipient, as it stood when the file was made."""

    name = "zeptomail_mail_logs"
    kind = "mail-logs"
    endpoint = "POST /mail-logs/exports"
    filter_setting = "mail_logs"
    date_columns = ("status_time", "event_time", "time", "processed_time", "sent_time", "date", "created_time")
    overrides: ClassVar[Mapping[str, Any]] = {**_FILES, "revisit_minutes": [1440, 4320]}

    def filters(self) -> dict[str, Any] | None:
        """Return the request's filters that are set, the agent among them."""
        agent = self.account.settings.get("mailagent_key")
        return {**({"mailagent_key": agent} if agent else {}), **(super().filters() or {})} or None


class ActivityLogs(Export):
    """POST /activity-logs/exports: what was changed in the account, and by whom."""

    name = "zeptomail_activity_logs"
    kind = "activity-logs"
    endpoint = "POST /activity-logs/exports"
    filter_setting = "activity_logs"
    date_columns = ("modified_time", "performed_time", "activity_time", "created_time", "date")


class SuppressionList(Export):
    """POST /suppression-list/exports: addresses and domains that get no mail."""

    name = "zeptomail_suppression_list"
    kind = "suppression-list"
    endpoint = "POST /suppression-list/exports"
    filter_setting = "suppression_list"
    date_columns = ("modified_time", "added_time", "created_time", "date")

"""Export jobs: a vendor that is asked for a file and makes it some time later.

A vendor's stream says how to ask, list, download and delete (`jobstream.py`); everything else is here: a job is
created once however often runs are killed, many wait at the same time, and a file is either whole or not read at all.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO

from tap_emaillogs.engine.reader import Reader
from tap_emaillogs.engine.reading import Outcome, Sample
from tap_emaillogs.files.archives import BrokenFile, WrongPassword
from tap_emaillogs.files.downloads import fetch_table
from tap_emaillogs.files.jobboard import Board, Gone, JobFailed, Origin, RemoteJob, Vanished
from tap_emaillogs.files.jobnotes import JobNote, JobNotes
from tap_emaillogs.formats import timestamps
from tap_emaillogs.formats.values import json_text
from tap_emaillogs.http.activity import Wait
from tap_emaillogs.http.client import Meter
from tap_emaillogs.http.errors import Misunderstood, ReadError, VendorError
from tap_emaillogs.streams.records import digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tap_emaillogs.engine.notes import Notes
    from tap_emaillogs.engine.reading import Reading
    from tap_emaillogs.files.jobstream import JobStream
    from tap_emaillogs.files.tables import Table
    from tap_emaillogs.streams.window import Window

_FACTOR, _LONGEST_POLL = 1.5, 60.0
"""Polls slow down: each waits longer than the one before, up to a minute."""
_UNLISTED = timedelta(minutes=10)
"""A new job may be missing from the vendor's list for so long; an older one that is missing is gone."""
_LOOKED_FOR = 60.0
"""Seconds for which one that STATE knows, and that no list has shown yet, is looked for: asking anew costs one job."""
_MOST_JOBS = 3
"""So many files of a window may vanish in one run: another process of the tap may read and delete them too."""


class JobReader(Reader):
    """Reads windows that are export jobs; the stream gives what `JobStream` asks for."""

    stream: JobStream

    def __init__(self, stream: JobStream) -> None:
        super().__init__(stream)
        self._board = Board(self._list, self.account.client.clock.monotonic)

    # What the engine asks.

    def windows_in_flight(self) -> int:
        """Return how many jobs may wait at the vendor."""
        return max(self.stream.jobs_in_flight, super().windows_in_flight())

    def postponed(self, since: datetime | None, now: datetime) -> str | None:
        """Leave the exports for a later run where `export_interval_minutes` have not passed."""
        interval = timedelta(minutes=self.stream.settings.export_interval_minutes)
        if since is None or now - self.policy.settle - since >= interval:
            return None
        minutes = interval / timedelta(minutes=1)
        return f"less than {minutes:g} minutes (export_interval_minutes) since the last export; left for a later run"

    def pinned(self, notes: Notes) -> list[Window]:
        """Return the windows of jobs that live at the vendor."""
        known, oldest = JobNotes(notes), self.now() - self.stream.file_life
        # What was asked in other words (another filter, zone or form of dates) is no answer to what is asked now.
        known.replace(lambda note: note.nonce != self.nonce(note.window) and note.asked < oldest)
        return [note.window for note in known.all() if note.nonce == self.nonce(note.window)]

    def nonce(self, window: Window) -> str:
        """Return what stands for everything that is asked for; the same question has the same nonce."""
        parts = (self.account.provider.name, self.account.label, self.stream.name, json_text(self.stream.filters()))
        edges = (timestamps.millis(window.start), timestamps.millis(window.end), *self.stream.edges_as_asked(window))
        return digest(*(part.encode() for part in (*parts, *edges)))

    def sample(self, reading: Reading) -> Sample:
        """Ask for the list of the jobs: making one is not tried, since it would be made."""
        jobs = self._list(reading.meter)
        return Sample(note=f"lists {len(jobs)} exports; making one is not tried, since that would make it")

    def least_requests(self, rows: int, windows: int) -> int:  # noqa: ARG002 - a file has any number of rows
        """Return how many requests jobs take that are asked for, listed once, and fetched."""
        return 2 * windows + 1 if windows else 0

    def least_pause(self) -> timedelta:
        """Return `export_interval_minutes`."""
        return timedelta(minutes=self.stream.settings.export_interval_minutes)

    # Reading a window.

    def read(self, reading: Reading) -> Outcome:
        """Take up the window's job or create one, wait for its file, and read that.

        Raises:
            ReadError: The job failed, or its file stayed broken.
        """
        notes = JobNotes(reading.context.notes)
        refused: set[str] = set()
        while True:
            job, origin = self._job(reading, notes, refused)
            try:
                return self._collect(reading, notes, job, origin)
            except (Gone, WrongPassword) as error:
                notes.drop(job)
                refused.add(job.id)
                vanished = isinstance(error, Vanished)
                if len(refused) >= _MOST_JOBS or (not vanished and (origin == "new" or job.pending)):
                    raise
                self.logger.info("%s: an earlier job is of no use (%s); asking anew", reading, error)
            except (JobFailed, BrokenFile):
                notes.drop(job)
                raise

    def _job(self, reading: Reading, notes: JobNotes, refused: set[str]) -> tuple[JobNote, Origin]:
        nonce = self.nonce(reading.window)
        noted = notes.find(nonce)
        if noted is not None:
            return noted, "noted"
        origin: Origin = "found"
        asked = self.now()
        job = self._orphan(reading, refused, newer_than=-1.0)
        if job is None:
            job, origin = self._create(reading, refused), "new"
        elif job.created is not None:
            asked = job.created
        note = JobNote(reading.window, job.id, nonce, asked, listed=origin == "found")
        notes.put(note)
        return note, origin

    def _orphan(self, reading: Reading, refused: set[str], newer_than: float) -> RemoteJob | None:
        """Find the job of a run that was killed before STATE could hold its id."""
        _, jobs = self._board.look(newer_than, reading.meter)
        now = self.now()
        window = reading.window
        ages = self.policy.revisits
        # A revisit is to see what changed since the reading before it, not that one's file again.
        earliest = max(
            window.end + max((age for age in ages if window.end + age <= now), default=timedelta()),
            now - self.stream.file_life,
        )
        fitting = [
            (job.created, job)
            for job in jobs
            if job.state in {"waiting", "done"} and not job.fetched and job.id not in refused
            if job.created is not None and job.created + timedelta(minutes=1) >= earliest
            if self.stream.asks_for(job, window)
        ]
        return max(fitting, key=lambda one: one[0])[1] if fitting else None

    def _create(self, reading: Reading, refused: set[str]) -> RemoteJob:
        password = self.stream.password(self.nonce(reading.window))
        self.account.client.redact.add(password)
        client = self.account.client

        def happened() -> RemoteJob | None:  # a request without an answer may have made its job all the same
            # Only a look begun from here on shows it: another window's may have begun before this request arrived.
            return self._orphan(reading, refused, newer_than=client.clock.monotonic())

        request = self.stream.create_request(reading.window, password)
        try:
            reply = client.send_once(request, reading.meter, happened, as_json=True)
        except VendorError as error:
            other = self.stream.other_request(request, error)
            if other is None:
                raise
            reply = client.send_once(other, reading.meter, happened, as_json=True)
        job = reply if isinstance(reply, RemoteJob) else self.stream.created_job(reply.data)
        if job is None:
            raise Misunderstood("the answer to the request for an export names no export")
        return job

    def _collect(self, reading: Reading, notes: JobNotes, job: JobNote, origin: Origin) -> Outcome:
        done = self._wait(reading, notes, job, origin)
        if done is None:
            notes.put(replace(job, pending=True))
            asked = timestamps.seconds(job.asked)
            return Outcome(status="pending", reason=f"the export asked for at {asked} is not ready yet")
        # Unlinked from the start, and readable by this user alone.
        file = tempfile.TemporaryFile(prefix="tap-emaillogs-")  # noqa: SIM115 - read while the window is written
        try:
            table = self._fetch(reading, job, done, file, origin)
            rows = self.stream.answer(reading, job, done, table.rows)
        except BaseException as error:
            file.close()
            if isinstance(error, JobFailed) and origin != "found":
                self._delete(job)
            raise
        if table.ignored:
            self.logger.warning("%s: the file holds %d more files that are no CSV", reading, table.ignored)
        return Outcome(
            self.stream.each_record(rows),
            as_of=job.asked,
            on_commit=lambda: notes.drop(job),
            on_written=lambda: self._delete(job),
            close=file.close,
        )

    def _wait(self, reading: Reading, notes: JobNotes, job: JobNote, origin: Origin) -> RemoteJob | None:
        """Poll until the job is done; None: it takes longer than `export_timeout_minutes`."""
        clock, settings = self.account.client.clock, self.stream.settings
        activity = reading.context.activity
        began = clock.monotonic()
        deadline = began + 60 * settings.export_timeout_minutes
        delay = settings.poll_seconds
        newer_than = -1.0
        listed = job.listed
        if origin == "new":
            newer_than = clock.monotonic()
            activity.wait(clock, min(delay, 60 * settings.export_timeout_minutes), Wait.EXPORT)
        told: set[bool] = set()
        while True:
            seen, jobs = self._board.look(newer_than, reading.meter)
            found = next((one for one in jobs if one.id == job.id), None)
            if found is not None and not listed:
                # Before its file is read and deleted: given a STATE from here on, a run knows that it is gone at once.
                listed = True
                notes.put(replace(job, listed=True))
            if found is not None and found.state == "done":
                return found
            self._check_alive(job, found, origin, listed=listed, waited=clock.monotonic() - began)
            left = deadline - clock.monotonic()
            if left <= 0:
                return None
            if (found is None) not in told:
                told.add(found is None)
                self._tell(reading, job, found, left)
            # Windows that wake at about the same time share one look at the list.
            newer_than = seen + delay / 2
            activity.wait(clock, min(delay, left), Wait.EXPORT)
            delay = max(delay, min(delay * _FACTOR, _LONGEST_POLL))

    def _tell(self, reading: Reading, job: JobNote, found: RemoteJob | None, left: float) -> None:
        """Say what is waited for: no wait without a line."""
        is_ = "is not in the vendor's list (yet)"
        if found is not None:
            is_ = f"is not ready yet (the vendor says {self.account.client.quote(found.said)!r})"
        asked = timestamps.seconds(job.asked)
        self.logger.info("%s: the export asked for at %s %s; waiting, %.0f s at most", reading, asked, is_, left)

    def _check_alive(
        self, job: JobNote, found: RemoteJob | None, origin: Origin, *, listed: bool, waited: float
    ) -> None:
        age = self.now() - job.asked
        asked = timestamps.seconds(job.asked)
        if found is not None and found.state == "failed":
            raise JobFailed(f"the vendor could not make the export asked for at {asked} (it says {found.said!r})")
        if job.pending and age >= self.stream.file_life:
            raise JobFailed(
                f"the export asked for at {asked} was not ready in the {self.stream.file_life.days} days it lives"
            )
        if (found is not None and found.state == "expired") or age >= self.stream.file_life:
            raise Gone(f"the export asked for at {asked} has expired")
        if found is not None:
            return
        unlisted = age > _UNLISTED or waited >= _LOOKED_FOR
        if listed or (origin == "noted" and unlisted):
            raise Vanished(f"the vendor does not list the export asked for at {asked} any more: it was read or deleted")

    def _fetch(self, reading: Reading, job: JobNote, done: RemoteJob, file: BinaryIO, origin: Origin) -> Table:
        password = self.stream.password(job.nonce)
        request = self.stream.download_request(job.id)
        try:
            table = fetch_table(
                self.account.client,
                request,
                reading,
                file,
                password=password,
                announced=done.size or None,
                largest=self.stream.settings.export_megabytes << 20,
            )
        except VendorError as error:
            if error.status in {404, 410}:
                raise Gone(f"the vendor has no file any more: {error}") from error
            raise
        if origin == "found" and password and not table.encrypted:
            raise Gone("somebody else's export of the same window")
        return table

    def _delete(self, job: JobNote) -> None:
        request = self.stream.delete_request(job.id)
        if request is None:
            return
        try:
            self.account.client.send(request, Meter())
        except ReadError as error:
            self.logger.warning(
                "%s: the file of an export stays at the vendor, which refuses to delete it (%s); it ends by itself "
                "after %d days. Permit the deletion, or set keep_exports",
                self.account.client.label,
                error,
                self.stream.file_life.days,
            )

    def _list(self, meter: Meter) -> Sequence[RemoteJob]:
        return self.stream.listed_jobs(self.account.client.send(self.stream.list_request(), meter).data)

"""What the stream of a vendor with export jobs gives: its requests, and how to read the answers."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from tap_emaillogs.formats import timestamps
from tap_emaillogs.streams.undocumented import UndocumentedStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from singer_sdk.streams.rest import HTTPRequest

    from tap_emaillogs.engine.reading import Reading
    from tap_emaillogs.files.jobboard import RemoteJob
    from tap_emaillogs.files.jobnotes import JobNote
    from tap_emaillogs.files.settings import JobSettings
    from tap_emaillogs.http.errors import VendorError
    from tap_emaillogs.streams.window import Window

    Rows = Callable[[], Iterable[Mapping[str, Any]]]
    """Returns the rows of a file, as often as it is called."""


class JobStream(UndocumentedStream):
    """One kind of a vendor's export jobs; `JobReader` does with them what is to be done."""

    paging = "export job"
    settings: JobSettings
    reader = "tap_emaillogs.files.jobs:JobReader"
    file_life: ClassVar[timedelta] = timedelta(days=3)
    """How long the vendor keeps a file."""
    jobs_in_flight: ClassVar[int] = 8
    """Jobs that wait at the vendor at the same time: waiting costs neither side anything."""

    @abstractmethod
    def create_request(self, window: Window, password: str) -> HTTPRequest:
        """Ask for a file of `window`, protected by `password` unless that is empty; sent as JSON."""

    @abstractmethod
    def created_job(self, data: Any) -> RemoteJob | None:
        """Understand the answer to that; None where it names no job."""

    @abstractmethod
    def list_request(self) -> HTTPRequest:
        """Ask for the list of this kind's jobs."""

    @abstractmethod
    def listed_jobs(self, data: Any) -> Sequence[RemoteJob]:
        """Understand the list.

        Raises:
            Misunderstood: It has no known shape.
        """

    @abstractmethod
    def download_request(self, job_id: str) -> HTTPRequest:
        """Ask for the file."""

    def delete_request(self, job_id: str) -> HTTPRequest | None:  # noqa: ARG002 - for the vendors
        """Ask to delete the file; None where that is not wanted or not possible."""
        return None

    @abstractmethod
    def asks_for(self, job: RemoteJob, window: Window) -> bool:
        """Whether a listed job asks for just this window, with the filters in force."""

    def password(self, nonce: str) -> str:  # noqa: ARG002 - for the vendors
        """Return the password of the job with this nonce; empty: none."""
        return ""

    def edges_as_asked(self, window: Window) -> tuple[str, str]:
        """Return the window's edges as a request writes them: in another form they are another question."""
        return timestamps.millis(window.start), timestamps.millis(window.end)

    def other_request(self, request: HTTPRequest, error: VendorError) -> HTTPRequest | None:  # noqa: ARG002 - likewise
        """Return another way to ask for a file, where the vendor refuses this one; None: there is none."""
        return None

    def answer(self, reading: Reading, note: JobNote, job: RemoteJob, rows: Rows) -> Rows:  # noqa: ARG002 - likewise
        """Compare a file with what was asked for, and return the rows of it that belong to the window.

        Raises:
            JobFailed: It answers another question.
        """
        return rows

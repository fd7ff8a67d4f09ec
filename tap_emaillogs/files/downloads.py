"""Fetching a file until it is whole."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, BinaryIO

from tap_emaillogs.files.archives import BrokenFile, WrongPassword
from tap_emaillogs.files.tables import Table, open_table
from tap_emaillogs.http.activity import Wait
from tap_emaillogs.http.errors import Oversized, VendorError
from tap_emaillogs.http.retries import tries, waits

if TYPE_CHECKING:
    from singer_sdk.streams.rest import HTTPRequest

    from tap_emaillogs.engine.reading import Reading
    from tap_emaillogs.http.client import ApiClient

_logger = logging.getLogger("tap-emaillogs.downloads")


def fetch_table(  # noqa: PLR0913 - where from, where to, and what is known of the file
    client: ApiClient,
    request: HTTPRequest,
    reading: Reading,
    file: BinaryIO,
    *,
    password: str,
    announced: int | None,
    largest: int,
) -> Table:
    """Download a file of rows, of at most `largest` bytes, into `file`, which must stay open while the table is read.

    Raises:
        BrokenFile: It was damaged or cut each of `max_tries` times.
        WrongPassword: The password does not open it.
        VendorError: The vendor refused it, be it under HTTP 200, or it is too large.
        Unreachable: No whole answer.
    """
    for attempt, wait in enumerate(waits(), 1):
        try:
            client.download(request, reading.meter, file, largest)
        except Oversized as error:
            hint = "raise export_megabytes, or lower window_hours so that an export holds less"
            raise VendorError(str(error), hint, status=error.status) from error
        try:
            return open_table(file, password=password, announced=announced)
        except WrongPassword:
            raise
        except BrokenFile as error:
            if attempt >= client.max_tries:
                raise BrokenFile(f"{error} ({tries(attempt)})", error.hint) from error
            _logger.warning("%s, %s: %s; it is fetched again", client.label, reading, error)
            reading.context.activity.wait(client.clock, wait, Wait.RETRY)
    raise AssertionError  # pragma: no cover - waits() does not end

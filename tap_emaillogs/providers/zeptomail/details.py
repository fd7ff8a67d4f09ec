"""Reads `zeptomail_emails`, and fetches the details of each e-mail where these are wanted.

https://www.zoho.com/zeptomail/help/api/get-email-logs.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from singer_sdk.streams.rest import HTTPRequest

from tap_emaillogs.engine.paged_reader import PagedReader
from tap_emaillogs.formats import dates
from tap_emaillogs.http.errors import Misunderstood, VendorError
from tap_emaillogs.providers.zeptomail.crosscheck import crosscheck, flag_of
from tap_emaillogs.providers.zeptomail.emails import flattened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_emaillogs.engine.reading import Reading
    from tap_emaillogs.http.client import Meter
    from tap_emaillogs.providers.zeptomail.emails import Emails
    from tap_emaillogs.streams.paginators import Page
    from tap_emaillogs.streams.prepared import PreparedRow
    from tap_emaillogs.streams.window import Window

_STATUS_OF = {"softbounce": "Soft bounce", "hardbounce": "Hard bounce", "mailfailure": "Process failed"}


class EmailsReader(PagedReader):
    """Fetches the details of each e-mail, where these are wanted, and notes what kinds of mail there are."""

    stream: Emails

    def take(self, reading: Reading, window: Window, page: Page) -> Sequence[PreparedRow]:
        """Pack the rows of a page, details included."""
        rows = page.rows
        if self.stream.settings.details:
            rows = [self._detailed(row, reading.meter) for row in rows]
        for row in rows:
            self._note(row)
        return super().take(reading, window, replace(page, rows=rows))

    def least_requests(self, rows: int, windows: int) -> int:
        """Return how many the pages take, and one for each e-mail where details are wanted."""
        return super().least_requests(rows, windows) + (rows if self.stream.settings.details else 0)

    def _note(self, row: Mapping[str, Any]) -> None:
        """Note which kinds of mail there are, for the mail logs to be compared with."""
        moment, details = row.get("processed_time"), row.get("email_delivery_details")
        moment = dates.utc_text(moment) if isinstance(moment, str) else None
        status = row.get("status")
        kinds = [status] if isinstance(status, str) else []
        kinds += [_STATUS_OF[kind] for kind in details if kind in _STATUS_OF] if isinstance(details, dict) else []
        for flag in filter(None, map(flag_of, kinds)):
            crosscheck(self.account).shown(self.logger, flag, moment, self.stream.name)

    def _detailed(self, row: Mapping[str, Any], meter: Meter) -> Mapping[str, Any]:
        reference = row.get("email_reference")
        if not isinstance(reference, str) or not reference:
            return row
        request = HTTPRequest(f"{self.stream.url_base}/email/email-reference/{quote(reference, safe='')}")
        try:
            data = self.account.client.send(request, meter).data
        except VendorError as error:
            if error.status == 404:  # listed, and gone a moment later
                return row
            raise
        found = data.get("data") if isinstance(data, dict) else None
        if isinstance(found, list):
            found = found[0] if found else None
        if not isinstance(found, dict):
            raise Misunderstood("the answer for one e-mail holds no object in `data`")
        told = flattened(found)
        shown = {name: told[name] for name in ("email_tracking_details", "email_delivery_details") if told.get(name)}
        return {**row, **shown, "details": found}

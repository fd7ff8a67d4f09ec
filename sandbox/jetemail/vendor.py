"""JetEmail: GET /outbound/logs, as on the vendor's page.

Strict where the page is: documented parameters within their documented ranges, each once, and `page` or `offset` but
not both. What the page leaves open (which column the dates and the order mean, the order of rows of one moment,
whether `date_to` counts, the unit of times, where counting stops and how that is told) is an option.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, ClassVar
from zlib import crc32

from sandbox.base import SECOND, Refused, Request, Response, Vendor, to_json
from sandbox.base.paging import cut
from sandbox.jetemail.data import TRANSITIONS
from sandbox.jetemail.facts import FACTS
from sandbox.jetemail.log import KEYS, Messages
from sandbox.jetemail.search import PARAMETERS, day, fits

if TYPE_CHECKING:
    from sandbox.jetemail.data import Row


class JetEmail(Vendor[Messages]):
    """The vendor; its one endpoint is the account's."""

    name = "jetemail"
    budget = 240
    penalty = 300
    overdrawn = "Too many requests, the account is blocked for 5 minutes"
    says_when = True
    default_key = "api_sandbox0jetemail0key"
    defaults: ClassVar[dict[str, Any]] = {
        "span_days": 28,  # how far back the data goes
        "filter_column": "last_updated",  # what date_from and date_to mean; or first_seen
        "sort_column": None,  # what sort_by=date means: last_updated or first_seen; None: the filter's column
        "ties": "stable",  # the order of rows of one second: the same in every answer, or shuffled
        "date_to_inclusive": True,
        "unit": "seconds",  # or milliseconds: first_seen, last_updated and every date; never the parameters
        "max_count_limit": 1_000_000,  # where counting stops: beyond it count_limited is true, and
        "past_limit": "empty",  # what an offset past it gets: empty or error
        "flag": "cut",  # when count_limited is true: when the count was cut, or always
        "max_shown": True,  # whether the answer tells max_count_limit
        "attempts": "shown",  # or missing: an outcome is told by delivery_status, final_ and bounce_ columns alone
        "receivers": 1,  # to how many receivers the attempts of every third message go
    }
    transitions: ClassVar[dict[str, tuple[str, ...]]] = TRANSITIONS
    facts = FACTS
    log_class = Messages

    def error(self, status: int, message: str, code: str | None = None) -> Response:
        del code
        return Response(status, {"success": False, "error": message})

    def handle(self, request: Request) -> Response:
        log = self.asked(request, "Invalid or missing API key")
        if request.path != "/outbound/logs":
            raise Refused(self.error(404, "Not found"))
        if request.method != "GET" or request.body:
            raise Refused(self.error(405, "Method not allowed"))
        given = self.single(request, PARAMETERS)
        if "page" in given and "offset" in given:
            raise Refused(self.error(400, "Parameters page and offset are alternatives"))
        return self._page(request, log, given)

    def _page(self, request: Request, log: Messages, given: dict[str, str]) -> Response:
        limit = int(given.get("limit", 50))
        offset = int(given["offset"]) if "offset" in given else (int(given.get("page", 1)) - 1) * limit
        found, cap = self._found(log, given), log.options["max_count_limit"]
        limited, found = len(found) > cap, found[:cap]
        if limited and offset >= cap and log.options["past_limit"] == "error":
            raise Refused(self.error(400, f"offset must be less than {cap}"))
        page, following = cut(request, found, offset, limit)
        before = max(0, offset - limit) if offset else None
        pagination = {
            "total_count": len(found),
            "total_pages": -(-len(found) // limit),
            "current_page": offset // limit + 1,
            "per_page": limit,
            "offset": offset,
            "has_next_page": following is not None,
            "has_previous_page": before is not None,
            "next_offset": following,
            "previous_offset": before,
            "showing_from": offset + 1 if page else 0,
            "showing_to": offset + len(page),
            "count_limited": limited or log.options["flag"] == "always",
            **({"max_count_limit": cap} if log.options["max_shown"] else {}),
        }
        rows = b",".join(log.blob(row, len(row.steps)) for row in page)
        return Response(body=b'{"success":true,"pagination":%b,"data":[%b]}' % (to_json(pagination), rows))

    def _found(self, log: Messages, given: dict[str, str]) -> list[Row]:
        """Return all rows that the parameters ask for, in the order of the answer."""
        options = log.options
        column = options["filter_column"]
        rows = log.by(column)
        # In whole seconds, as the parameters are, whatever the unit of the answer.
        low, high = 0, len(rows)
        start, end = given.get("date_from"), given.get("date_to")
        if start is not None or "from" in given:
            low = _place(rows, column, int(start) if start is not None else day(given["from"]))
        if end is not None or "to" in given:
            last = int(end) if end is not None else day(given["to"])
            high = _place(rows, column, last + 1 if options["date_to_inclusive"] else last)
        found = rows[low:high]
        for name, value in given.items():
            found = fits(name, value, found, log.scale)
        order = given.get("sort_by", "date")
        order = (options["sort_column"] or column) if order == "date" else order
        if options["ties"] == "shuffled":
            log.asked += 1
            found.sort(key=lambda row: (KEYS[order](row)[0] // SECOND, _shuffled(row.uid, log.asked)))
        elif order != column:
            found.sort(key=KEYS[order])
        if given.get("sort_order", "DESC") == "DESC":
            found.reverse()
        return found


def _shuffled(uid: str, number: int) -> int:
    """Return a place that differs from request to request."""
    return crc32(f"{uid} {number}".encode())


def _place(rows: list[Row], column: str, seconds: int) -> int:
    """Return where the rows of `seconds` and later begin."""
    return bisect_left(rows, (seconds * SECOND, ""), key=KEYS[column])

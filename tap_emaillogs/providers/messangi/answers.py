"""What Messangi's answers say: rows in any of the wrappers that are plausible, and `explain`.

No page documents the wrapper, so several are read and any other is an error: never zero rows. `explain` carries
errors, also under HTTP 200.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tap_emaillogs.http.errors import Action, ErrorRule, Misunderstood
from tap_emaillogs.streams.prepared import NoRow

if TYPE_CHECKING:
    from collections.abc import Mapping

_HINT = "set messangi.records_path to where the records are, such as result.entries"
_INNER = ("records", "rows", "items", "mlog")
_OUTER = ("records", "rows")
ERRORS = (ErrorRule(Action.SPLIT, pattern=r"date range exceeds|exceeds the allowed limit|\btoo (?:big|large)\b"),)
# The vendor is at home in Latin America, so a good answer may also say so in Spanish.
_SUCCESS = re.compile(
    r"\b(?:ok|okay|done|success\w*|succeeded|accepted|completed?|processed|queued|scheduled|generated|created|"
    r"requested|will be sent|found|[eé]xito|exitos[oa]|correct\w*)\b",
    re.IGNORECASE,
)
_FAILURE = re.compile(
    r"\b(?:no|not|nor|never|without|cannot|can't|unable|un(?:authori[sz]ed|known|successful\w*|expected)|in(?:valid|correct)\w*|"
    r"fail\w*|error\w*|exceed\w*|denied|refused|reject\w*|forbidden|missing|must|please|wrong|too|bad|sin|"
    r"expired)\b",
    re.IGNORECASE,
)


def find_rows(data: Any, path: str | None = None) -> list[Mapping[str, Any]] | None:
    """Return the rows of an answer; None: they are not where they should be.

    That is at `path` (`result.entries`), or without one at any likely place: a bare list, `data`,
    `data.records|rows|items|mlog`, `records` or `rows`.
    """
    found: Any
    if path:
        found = data
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        found = found if isinstance(found, list) else None
    elif isinstance(data, list):
        found = data
    elif isinstance(data, dict):
        inner = data.get("data")
        places = [inner]
        if isinstance(inner, dict):
            places += [inner.get(name) for name in _INNER]
        places += [data.get(name) for name in _OUTER]
        found = next((place for place in places if isinstance(place, list)), None)
    else:
        found = None
    if found is None or (found and not any(isinstance(row, dict) for row in found)):
        return None
    return [row if isinstance(row, dict) else NoRow() for row in found]


def rows_of(data: Any, path: str | None = None) -> list[Mapping[str, Any]]:
    """Return the rows of an answer, from where `find_rows` looks.

    Raises:
        Misunderstood: There is no list of objects.
    """
    rows = find_rows(data, path)
    if rows is None:
        names = ", ".join(sorted(map(str, data))[:8]) if isinstance(data, dict) else ""
        seen = f"its keys are {names}" if names else f"it is {type(data).__name__}"
        where = "where messangi.records_path points" if path else "in any wrapper this tap knows"
        raise Misunderstood(f"the answer holds no list of records {where} ({seen})", _HINT)
    return rows


def error_message(data: Any, path: str | None = None) -> str | None:
    """Return what `explain` complains of; None: nothing, or it says that all went well.

    Of an answer without `explain` and without rows (at `path`, as `find_rows` has it), `error` and `message` are taken
    for it.
    """
    if not isinstance(data, dict):
        return None
    inner = data.get("data")
    said = data.get("explain") or (inner.get("explain") if isinstance(inner, dict) else None)
    if not said and find_rows(data, path) is None:
        said = data.get("error") or data.get("message")
    if isinstance(said, dict):
        said = said.get("message") or said.get("explain")
    if not said or (_SUCCESS.search(str(said)) and not _FAILURE.search(str(said))):
        return None
    return str(said)

"""Rows as no document has them: values that break readers, put into an answer or a file just before it is sent.

A row in the middle of the answer gets the value in a column of text, and in JSON in a field `strange` that nobody
knows; or the row itself is one (`no object`). All other rows stay as they are.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sandbox.base.faults import Fault

_MARK = "@@strange@@"


class Strange(NamedTuple):
    """A value as it is written, letter by letter."""

    json: bytes
    cell: bytes
    """In a file of CSV."""


VALUES = {
    "surrogate": Strange(rb'"lone \ud83d half"', b"lone \xed\xa0\xbd half"),
    "NUL": Strange(rb'"a \u0000 amid"', b"a \0 amid"),
    "long": Strange(b'"%b"' % (b"x" * 1_000_000), b"x" * 1_000_000),
    "NaN": Strange(b"NaN", b"NaN"),
    "1e400": Strange(b"1e400", b"1e400"),
    "huge": Strange(b"7" * 5_000, b"7" * 5_000),
    "deep": Strange(b"[" * 900 + b"7" + b"]" * 900, b"[" * 900 + b"7" + b"]" * 900),
    "no object": Strange(b"7", b"7"),
}


def in_json(body: bytes, name: str, column: str) -> bytes:
    """Return an answer with the value in a row of its list of objects; without such a list, as it is."""
    data = json.loads(body)
    rows = _rows(data)
    if not rows:
        return body
    place = len(rows) // 2
    if name == "no object":
        rows[place] = _MARK
    else:
        rows[place]["strange"] = _MARK
        if VALUES[name].json.startswith(b'"'):
            _replace(rows[place], column)
    return json.dumps(data, ensure_ascii=False).encode().replace(b'"%b"' % _MARK.encode(), VALUES[name].json)


def in_file(content: bytes, name: str, column: str) -> bytes:
    """Return a file of CSV, or a zip of such, with the value in a row; `no object` is a row wider than its header."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return _in_csv(content, name, column)
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(member, _in_csv(old.read(member), name, column))
    return packed.getvalue()


def spoiled(content: bytes, fault: Fault | None) -> bytes:
    """Return a file as a fault of the request for it makes it."""
    return content if fault is None else in_file(content, fault.body, fault.column)


def _in_csv(content: bytes, name: str, column: str) -> bytes:
    head, *rows = csv.reader(io.StringIO(content.decode(), newline=""))
    if not rows:
        return content
    chosen = rows[len(rows) // 2]
    if name == "no object":
        chosen += [_MARK] * 3
    else:
        chosen[[cell.casefold() for cell in head].index(column.casefold())] = _MARK
    text = io.StringIO(newline="")
    csv.writer(text).writerows([head, *rows])
    return text.getvalue().encode().replace(_MARK.encode(), VALUES[name].cell)


def _rows(data: Any) -> list[Any]:
    """Return the longest list of objects at any depth outside of such a list."""
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return data
    parts = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return max(map(_rows, parts), key=len, default=[])


def _replace(row: dict[str, Any], column: str) -> None:
    """Put the mark into a column, which may stand in an object of the row's."""
    for name, value in row.items():
        if name.casefold() == column.casefold():
            row[name] = _MARK
        elif isinstance(value, dict):
            _replace(value, column)

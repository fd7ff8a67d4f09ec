"""From an answer's bytes to record lines, many rows at once.

An answer is decoded into one Struct for each row (`shapes.py`). What a Struct refuses (a value of another type, a NUL,
a column of the tap's own) comes as a dict, row by row, for the `Normaliser`, which stays the reference: both give the
same lines and keys, byte for byte. What no Struct declares is learned: the Struct is compiled again with the vendor's
new field in it.
"""

from __future__ import annotations

import contextlib
import re
import threading
from hashlib import blake2b
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from tap_emaillogs.formats.values import NO_KEY
from tap_emaillogs.http.answers import decode as decode_any
from tap_emaillogs.streams.converters import extra_texts
from tap_emaillogs.streams.prepared import PreparedRow
from tap_emaillogs.streams.records import EXTRA, pruned, twin_key
from tap_emaillogs.streams.shapes import Fields, Row, Shape, answer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from tap_emaillogs.streams.records import Normaliser, Record
    from tap_emaillogs.streams.shapes import Layout

_ODD_NAME = re.compile(r'[."\\\x00-\x1f]')
"""A path within another field, or what no field of a Struct can be called."""
_PROBES: tuple[Any, ...] = (0, "", None, [], {}, {"": 0})
"""Values of every kind, to see whether a vendor's `prepare` touches a field."""
_MOST_LEARNED = 64
"""A vendor with more undeclared fields than these has data for names."""
_MOST_SHAPES = 8
_NUL = b"\\u0000"
_EMPTY = blake2b(digest_size=16)
_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_encode_canonical = msgspec.json.Encoder(order="deterministic").encode_lines  # objects sorted, Structs as they are
_decode = msgspec.json.Decoder().decode


class Codec:
    """Decodes the answers of a stream, and makes record lines of their rows; shared by accounts and threads.

    `key` is the column that is computed from the columns in `identity`; without one, `row_key` are the vendor's own.

    Raises:
        TypeError: The schema is none that Structs can be made of.
    """

    def __init__(  # noqa: PLR0913 - what a stream says of its rows
        self,
        *,
        schema: Mapping[str, Any],
        normalise: Normaliser,
        prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        layout: Layout,
        key: str | None,
        row_key: Sequence[str],
        identity: Collection[str],
    ) -> None:
        self._rows_at, self._key, self._normalise, self._prepare = layout.rows_at, key, normalise, prepare
        self._columns, self._lock = schema["properties"], threading.Lock()
        of_key = identity if key else ()
        self._fields = Fields(self._columns, normalise.own, of_key, layout, self._normalised)
        self._row_key = [self._fields.names[column] for column in row_key]
        self._outside = {name for name in normalise.declared if key and name not in of_key}
        self._special_names = [*sorted(self._outside), *self._fields.free, EXTRA, EXTRA]  # two at least make a tuple
        self._special, self._nothing = attrgetter(*self._special_names), (None,) * len(self._special_names)
        self._decode_raw = msgspec.json.Decoder(answer_of(Raw, layout.rows_at)).decode
        self._shape = Shape(self._fields, key, ())
        self._shapes = {self._shape.row: self._shape}

    def _normalised(self, name: str, value: Any) -> tuple[Record, dict[str, Any]]:
        record: Record = {}
        extra: dict[str, Any] = {}
        for field, item in self._prepare({name: value}).items():
            self._normalise.convert(field, item, record, extra)
        return record, extra

    # Decoding.

    def decode(self, body: bytes) -> Any:
        """Read an answer: what `http.client.decode` gives, but for its rows, which are Structs where they can be.

        Raises:
            ValueError: The bytes are no JSON.
        """
        shape = self._shape
        data = None
        try:
            if not (b"\\" in body and _NUL in body):
                data = shape.decode(body)
        except msgspec.ValidationError:
            pass
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return decode_any(body)
        data = data or self._row_by_row(body, shape)
        return data if data and not _has_other_lists(data, self._rows_at) else decode_any(body)

    def _row_by_row(self, body: bytes, shape: Shape) -> Any:
        """Read an answer some of whose rows fit no Struct; None: its rows are not where they should be."""
        try:
            data = inside = self._decode_raw(body)
            *way, last = self._rows_at
            for name in way:
                inside = inside[name]
            if type(inside[last]) is not list:
                return None
            inside[last] = rows = [_row(shape, raw) for raw in inside[last]]
        except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError, RecursionError):
            return None
        names = {name for row in rows if type(row) is dict for name in row} - shape.known
        return self.decode(body) if self._learns(names) else data

    def _learns(self, names: Iterable[str]) -> bool:
        """Compile the Struct again with undeclared fields; tell whether there are any."""
        # Where `prepare` may do something with a field, or another field's path looks the same, it stays with dicts.
        new = {
            name
            for name in names
            if name not in self._columns and not _ODD_NAME.search(name)
            if all(self._prepare({name: value}) == {name: value} for value in _PROBES)
        }
        with self._lock:
            known = set(self._shape.learned.values())
            learned = known | new
            if learned == known:
                return bool(new)  # another thread was first
            if len(learned) > _MOST_LEARNED or len(self._shapes) >= _MOST_SHAPES:
                return False
            shape = Shape(self._fields, self._key, learned)
            self._shapes[shape.row] = shape
            self._shape = shape
            return True

    # Encoding.

    def take(self, rows: Sequence[Any], account: str, take_dict: Callable[[Any], PreparedRow]) -> list[PreparedRow]:
        """Make the lines of a page's rows; `take_dict` makes those of the rows that came as dicts."""
        kinds = set(map(type, rows))
        if len(kinds) == 1 and kinds <= self._shapes.keys():
            return self._take(rows, account)
        structs = [row for row in rows if isinstance(row, Row)]
        made = iter(self._take(structs, account) if structs else ())
        return [next(made) if isinstance(row, Row) else take_dict(row) for row in rows]

    def _take(self, rows: Sequence[Any], account: str) -> list[PreparedRow]:
        shape = self._shapes[type(rows[0])]
        line = shape.line
        rows = [row.__copy__() for row in rows]  # the next page may be compared with this one
        unfit: dict[int, dict[str, Any]] = {}
        for convert in self._fields.converters:
            convert(rows, unfit)
        extra = extra_texts(rows, unfit, shape.undeclared)
        identities: Iterable[Any]
        if self._key:
            identities = self._identities(rows)
            for row, identity in zip(rows, identities, strict=True):
                row.__class__ = line
                row.account = account
                setattr(row, self._key, twin_key(identity, 0))
        else:
            identities = keys = list(zip(*[_key_part(rows, name) for name in self._row_key], strict=True))
            for row in rows:
                row.__class__ = line
                row.account = account
        for number, text in extra.items():
            rows[number].extra_fields = text
        lines = _encode_lines(rows).split(b"\n")[:-1]
        if not self._key:
            identities = [line if NO_KEY in key else key for key, line in zip(keys, lines, strict=True)]
        taken = zip(identities, lines, repeat(b""), repeat(False))
        return list(map(tuple.__new__, repeat(PreparedRow), taken))  # as PreparedRow(...), in half the time

    def _identities(self, rows: Sequence[Any]) -> list[bytes]:
        special, shown = list(map(self._special, rows)), rows
        if special.count(self._nothing) < len(rows):
            shown = [self._for_key(row, parts) for row, parts in zip(rows, special, strict=True)]
        identities = []
        for line in _encode_canonical(shown).split(b"\n")[:-1]:
            state = _EMPTY.copy()
            state.update(line)
            identities.append(state.digest())
        return identities

    def _for_key(self, row: Any, parts: Sequence[Any]) -> Any:
        """Return a row with what its key is made of: without some columns, and null the same as absent."""
        bare = row
        for name, value in zip(self._special_names, parts, strict=True):
            if value is not None and (name in self._outside or b":null" in _encode(value)):
                bare = row.__copy__() if bare is row else bare
                setattr(bare, name, None if name in self._outside else pruned(value))
        return bare


def _has_other_lists(data: Any, rows_at: Sequence[str | None]) -> bool:
    """Whether a list that is not that of the rows may have been taken for one."""
    here, *below = rows_at
    for name, value in data.items():
        if type(value) is list and value and (below or name != here):
            return True
        if type(value) is dict and below and _has_other_lists(value, below if name == here else [None] * len(below)):
            return True
    return False


def _row(shape: Shape, raw: Raw) -> Any:
    if _NUL not in bytes(raw):
        with contextlib.suppress(msgspec.ValidationError):
            return shape.decode_row(raw)
    return _decode(raw)


def _key_part(rows: Sequence[Any], name: str) -> list[str]:
    """Return a column of the vendor's key, filled where it is empty."""
    values = list(map(attrgetter(name), rows))
    if not all(values):
        values = [value or NO_KEY for value in values]
        for row, value in zip(rows, values, strict=True):
            setattr(row, name, value)
    return values

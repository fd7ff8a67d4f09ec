"""From an answer's bytes to record lines, many rows at once.

An answer is decoded into one Struct for each row, compiled from the stream's schema. What a Struct refuses (a value of
another type, a NUL, a column of the tap's own) comes as a dict, row by row, for the `Normaliser`, which stays the
reference: both give the same lines and keys, byte for byte. What no Struct declares is learned: the Struct is compiled
again with the vendor's new field in it.
"""

from __future__ import annotations

import contextlib
import threading
from hashlib import blake2b
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Raw

from tap_emaillogs.http.client import decode as decode_any
from tap_emaillogs.http.errors import Misunderstood
from tap_emaillogs.streams.records import EXTRA, NO_KEY, json_text, pruned, twin_key
from tap_emaillogs.streams.taken import Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tap_emaillogs.streams.records import Normaliser

_MOST_LEARNED = 64
"""A vendor that sends more undeclared fields than these uses names as values."""
_MOST_SHAPES = 8
_MOST_CACHED = 1024
_LONGEST_CACHED = 512
_NUL = b"\\u0000"
_SCALARS: dict[str, Any] = {
    "string": str | None,
    "integer": Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | None,
    "number": float | None,
    "boolean": bool | None,
}
_FREE = dict[str, Any] | None
_EMPTY = blake2b(digest_size=16)
_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_encode_canonical = msgspec.json.Encoder(order="deterministic").encode_lines  # objects sorted, Structs as they are
_decode = msgspec.json.Decoder().decode


class Layout(NamedTuple):
    """How a vendor's answer holds its rows."""

    rows_at: tuple[str, ...]
    """The way to the list of rows: ("data", "events")."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Fields that come under another name than their column: ("sender", "from")."""
    spread: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Objects whose fields are columns: ("platform", ("applicationId", "entityId"))."""


class Row(msgspec.Struct):
    """A vendor's row; its attributes have the vendor's names, so that it can be read like a dict."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return a declared field; `default` where the vendor sent none."""
        return getattr(self, name, default)


class _Refused:
    """The type of what no vendor may send."""


def _refuse(_: Any, value: Any) -> Any:
    raise ValueError(f"{type(value).__name__} in a column of the tap")


class _Cache(dict[Any, Any]):
    """What a vendor's values become, by what they are; filled as they come, and bounded."""

    def __init__(self, convert: Callable[[Any], Any]) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, value: Any) -> Any:
        found = self._convert(value)
        if len(value) <= _LONGEST_CACHED:
            if len(self) >= _MOST_CACHED:
                self.clear()
            self[value] = found
        return found


class _Cell(NamedTuple):
    """A field that is converted, into one or more columns."""

    name: str
    columns: tuple[str, ...]
    raw: bool
    become: _Cache
    """Field → (values of the columns, what goes to the extra fields)."""


class _Shape:
    """The Structs for one set of fields.

    Both have the same slots, so that an instance of the one can become one of the other: `row` has its fields in the
    order of their names and leaves out nulls, as keys want it, `line` has those of the schema and all columns.
    """

    def __init__(self, codec: Codec, learned: Sequence[str]) -> None:
        self.learned = {f"learned_{number}": name for number, name in enumerate(sorted(learned))}
        fields = [*codec.fields, *((name, Raw, UNSET) for name in self.learned)]
        self.known = {*(name for name, *_ in fields), *learned}
        self.row: Any = msgspec.defstruct(
            "row",
            sorted(fields),
            bases=(Row,),
            rename=self.learned,
            omit_defaults=True,
            forbid_unknown_fields=True,
            gc=False,
        )
        types = {name: (name, Any, None) for name, *_ in fields}
        last = [types.pop(codec.key)] if codec.key else []
        first = [types.pop(name) for name in codec.order]
        self.line: Any = msgspec.defstruct(
            "line", [*first, *types.values(), *last], bases=(Row,), rename=codec.renamed, gc=False
        )
        self.decode = msgspec.json.Decoder(_answer(self.row, codec.layout.rows_at), dec_hook=_refuse).decode
        self.decode_row = msgspec.json.Decoder(self.row, dec_hook=_refuse).decode
        self.extra = [(attrgetter(one), one, _Cache(_extra_field(name))) for one, name in self.learned.items()]


def _answer(row: Any, rows_at: Sequence[str]) -> Any:
    """Return the type of an answer: objects down to the list of rows, and whatever else but lists beside them."""
    inside: Any = list[row] | dict[str, Any]
    for _ in rows_at:
        inside = dict[str, inside | str | int | float | bool | None]
    return inside


def _has_other_lists(data: Any, rows_at: Sequence[str]) -> bool:
    """Whether a list that is not that of the rows may have been taken for one."""
    for name, value in data.items():
        if type(value) is list:
            if value and rows_at != (name,):
                return True
        elif type(value) is dict and len(rows_at) > 1:
            beside = name != rows_at[0]
            if _has_other_lists(value, ("",) * (len(rows_at) - 1) if beside else rows_at[1:]):
                return True
    return False


def _kind(spec: Mapping[str, Any]) -> Any:
    """Return the type of a column's values as the vendor should send them; `Raw`: they are converted."""
    kinds = spec["type"] if isinstance(spec["type"], list) else [spec["type"]]
    kind = next(name for name in kinds if name != "null")
    if kind == "object" and not spec.get("properties"):
        return _FREE
    if kind == "array" and spec.get("items") == {"type": ["string", "null"]}:
        return list[str | None] | None
    return _SCALARS.get(kind, Raw)


def _row(shape: _Shape, raw: Raw) -> Any:
    if _NUL not in bytes(raw):
        with contextlib.suppress(msgspec.ValidationError):
            return shape.decode_row(raw)
    return _decode(raw)


def _convert_cell(cell: _Cell, rows: Sequence[Any], unfit: dict[int, dict[str, Any]]) -> None:
    """Convert a field of all rows in place."""
    become, (column, *others) = cell.become, cell.columns
    values = list(map(attrgetter(cell.name), rows))
    if not cell.raw and all(value is None or become[value] == ([value], {}) for value in set(values)):
        return
    for number, value in enumerate(values):
        if value is None or value is UNSET:
            continue
        found, extra = become[bytes(value) if cell.raw else value]
        row = rows[number]
        setattr(row, cell.name, UNSET)
        setattr(row, column, found[0])
        for other, one in zip(others, found[1:], strict=True):
            setattr(row, other, one)
        if extra:
            unfit.setdefault(number, {}).update(extra)


def _extra_field(name: str) -> Callable[[bytes], tuple[str, str]]:
    def text(raw: bytes) -> tuple[str, str]:
        return name, f"{json_text(name)}:{json_text(_value(raw))}"

    return text


def _value(raw: bytes) -> Any:
    try:
        return decode_any(raw)
    except ValueError as error:
        raise Misunderstood("a value of the answer cannot be read") from error


class Codec:
    """Decodes the answers of a stream, and makes record lines of their rows; shared by accounts and threads."""

    def __init__(  # noqa: PLR0913 - what a stream says of its rows
        self,
        *,
        schema: Mapping[str, Any],
        normalise: Normaliser,
        prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        layout: Layout,
        key: str | None,
        row_key: Sequence[str],
        identity: Iterable[str],
    ) -> None:
        self.layout, self.key, self._normalise, self._prepare = layout, key, normalise, prepare
        self.renamed, spread, self._lock = dict(layout.renamed), dict(layout.spread), threading.Lock()
        self._columns: Mapping[str, Any] = schema["properties"]
        names = {column: name for name, column in layout.renamed}
        refused = {*normalise.own, *(column for columns in spread.values() for column in columns)}
        self.order = [names.get(column, column) for column in self._columns if column != key]
        self.fields: list[tuple[str, Any, Any]] = [(name, Raw, UNSET) for name in spread]
        self._cells = [self._cell(name, columns, raw=True) for name, columns in spread.items()]
        self._bare: list[str] = []  # not in keys
        self._free: list[str] = []  # objects that may hold nulls
        for column, spec in self._columns.items():
            name = names.get(column, column)
            kind = _Refused if column in refused else _kind(spec)
            self.fields.append((name, kind, None))
            if kind is Raw or (kind is not _Refused and spec.get("format") == "date-time"):
                self._cells.append(self._cell(name, (name,), raw=kind is Raw))
            if key and kind is not _Refused:
                if column not in identity:
                    self._bare.append(name)
                elif kind == _FREE:
                    self._free.append(name)
        self._special = attrgetter(*self._bare, *self._free, EXTRA, EXTRA)
        self._nothing = (None,) * (len(self._bare) + len(self._free) + 2)
        self._row_key = [names.get(column, column) for column in row_key]
        self._decode_raw = msgspec.json.Decoder(_answer(Raw, layout.rows_at)).decode
        self._shape = _Shape(self, ())
        self._shapes = {self._shape.row: self._shape}

    def _cell(self, name: str, columns: tuple[str, ...], *, raw: bool) -> _Cell:
        def become(value: Any) -> tuple[list[Any], dict[str, Any]]:
            record: dict[str, Any] = {}
            extra: dict[str, Any] = {}
            for field, item in self._prepare({name: _value(value) if raw else value}).items():
                self._normalise.convert(field, item, record, extra)
            found = [record.get(self.renamed.get(column, column)) for column in columns]
            return [Raw(_encode(one)) if isinstance(one, (dict, list)) else one for one in found], extra

        return _Cell(name, columns, raw, _Cache(become))

    # Decoding.

    def decode(self, body: bytes) -> Any:
        """Read an answer: what `http.client.decode` gives, but for its rows, which are Structs where they can be.

        Raises:
            ValueError: The bytes are no JSON.
        """
        shape = self._shape
        try:
            data = None if b"\\" in body and _NUL in body else shape.decode(body)
        except msgspec.ValidationError:
            data = None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return decode_any(body)
        if data is None:
            data = self._row_by_row(body, shape)
        return decode_any(body) if data is None or _has_other_lists(data, self.layout.rows_at) else data

    def _row_by_row(self, body: bytes, shape: _Shape) -> Any:
        """Read an answer some of whose rows fit no Struct; None: its rows are not where they should be."""
        try:
            data = inside = self._decode_raw(body)
            *way, last = self.layout.rows_at
            for name in way:
                inside = inside[name]
            if type(inside[last]) is not list:
                return None
            inside[last] = rows = [_row(shape, raw) for raw in inside[last]]
        except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError):
            return None
        names = {name for row in rows if type(row) is dict for name in row} - shape.known
        return self.decode(body) if self._learns(names) else data

    def _learns(self, names: Iterable[str]) -> bool:
        """Compile the Struct again with undeclared fields; tell whether there are any."""
        # Where `prepare` may do something with a field, or another field's path looks the same, it stays with dicts.
        new = {
            name
            for name in names
            if name not in self._columns and "." not in name and "\x00" not in name
            if self._prepare({name: 0}) == {name: 0}
        }
        with self._lock:
            known = set(self._shape.learned.values())
            learned = known | new
            if learned == known:
                return bool(new)  # another thread was first
            if len(learned) > _MOST_LEARNED or len(self._shapes) >= _MOST_SHAPES:
                return False
            shape = _Shape(self, sorted(learned))
            self._shapes[shape.row] = shape
            self._shape = shape
            return True

    # Encoding.

    def take(self, rows: Sequence[Any], account: str, take_dict: Callable[[Any], Taken]) -> list[Taken]:
        """Make the lines of a page's rows; `take_dict` makes those of the rows that came as dicts."""
        structs = [row for row in rows if isinstance(row, Row)]
        taken = self._take(structs, account) if structs else []
        if len(structs) == len(rows):
            return taken
        made = iter(taken)
        return [next(made) if isinstance(row, Row) else take_dict(row) for row in rows]

    def _take(self, rows: Sequence[Any], account: str) -> list[Taken]:
        shape = self._shapes[type(rows[0])]
        rows = [row.__copy__() for row in rows]  # a page is looked at once more when the next one has come
        extra = self._convert(rows, shape)
        identities: Iterable[Any]
        if self.key:
            name = self.key
            identities = self._identities(rows)
            for row, identity in zip(rows, identities, strict=True):
                row.__class__ = shape.line
                row.account = account
                setattr(row, name, twin_key(identity, 0))
        else:
            keys = list(zip(*[self._key_column(rows, name) for name in self._row_key], strict=True))
            identities = keys
            for row in rows:
                row.__class__ = shape.line
                row.account = account
        for number, text in extra.items():
            rows[number].extra_fields = text
        lines = _encode_lines(rows).split(b"\n")
        if not self.key:
            identities = [line if NO_KEY in key else key for key, line in zip(keys, lines, strict=False)]
        taken = zip(identities, lines, repeat(b""), repeat(False))  # the last line is empty
        return list(map(tuple.__new__, repeat(Taken), taken))  # as Taken(...), in half the time

    def _convert(self, rows: Sequence[Any], shape: _Shape) -> dict[int, str]:
        """Bring fields to the form of their columns; return the extra fields of the rows that have any."""
        unfit: dict[int, dict[str, Any]] = {}
        for cell in self._cells:
            _convert_cell(cell, rows, unfit)
        texts: dict[int, list[tuple[str, str]]] = {
            number: [(path, f"{json_text(path)}:{json_text(value)}") for path, value in extra.items()]
            for number, extra in unfit.items()
        }
        for get, name, become in shape.extra:
            for number, raw in enumerate(map(get, rows)):
                if raw is not UNSET:
                    texts.setdefault(number, []).append(become[bytes(raw)])
                    setattr(rows[number], name, UNSET)
        for number in unfit:
            texts[number].sort()
        return {number: f"{{{','.join([text for _, text in parts])}}}" for number, parts in texts.items()}

    def _identities(self, rows: Sequence[Any]) -> list[bytes]:
        special, nothing = self._special, self._nothing
        shown = [row if special(row) == nothing else self._bared(row) for row in rows]
        lines = _encode_canonical(shown).split(b"\n")
        identities = []
        for line in lines[:-1]:
            state = _EMPTY.copy()
            state.update(line)
            identities.append(state.digest())
        return identities

    def _bared(self, row: Any) -> Any:
        """Return a row with what its key is made of: without some columns, and null the same as absent."""
        row = row.__copy__()
        for name in self._bare:
            setattr(row, name, None)
        for name in self._free:
            value = getattr(row, name)
            if value is not None and b":null" in _encode(value):
                setattr(row, name, pruned(value))
        return row

    def _key_column(self, rows: Sequence[Any], name: str) -> list[str]:
        values = list(map(attrgetter(name), rows))
        if not all(values):
            for row in rows:
                if not getattr(row, name):
                    setattr(row, name, NO_KEY)
            values = list(map(attrgetter(name), rows))
        return values

"""From a vendor's row to a record: one type per column, nothing lost, keys that never change."""

from __future__ import annotations

from collections import Counter, defaultdict
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from tap_emaillogs.formats import timestamps
from tap_emaillogs.formats.values import json_text
from tap_emaillogs.streams.readable import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_emaillogs.streams.prepared import PreparedRow

Record = dict[str, Any]
_Convert = Any  # Callable[[Any, str, dict[str, Any]], Any]

EXTRA = "extra_fields"
_UNFIT = object()
_INTEGERS = 1 << 63
"""Databases hold whole numbers of 64 bits; a larger one would stop a load."""
_IDENTITY_BYTES = 16
_OF_AN_IDENTITY = blake2b(_IDENTITY_BYTES.to_bytes(8, "big"), digest_size=16)
encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder().decode
_encode_sorted = msgspec.json.Encoder(order="sorted", enc_hook=str).encode


def without_nul(value: Any) -> Any:
    """Take NUL characters out of every string, keys included: a single one stops a load."""
    if isinstance(value, str):
        return value.replace("\x00", "") if "\x00" in value else value
    if isinstance(value, dict):
        return {without_nul(key): without_nul(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    return value


def digest(*parts: bytes) -> str:
    """Return 32 hex digits of the given bytes, each part delimited by its length."""
    state = blake2b(digest_size=16)
    for part in parts:
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.hexdigest()


class Normaliser:
    """Brings rows to a schema.

    Declared properties come in the declared type, or as null; everything else, and every value that does not fit its
    type, comes in `extra_fields` under its path (`status.colour`, `opens.0.city`).
    `own` names the columns that the tap fills itself; a vendor's field of such a name is an undeclared one.
    """

    def __init__(self, schema: Mapping[str, Any], own: Iterable[str]) -> None:
        self.own = frozenset({*own, EXTRA})
        properties = {name: spec for name, spec in schema["properties"].items() if name not in self.own}
        self._converters: dict[str, _Convert] = {name: _converter(spec) for name, spec in properties.items()}
        self._texts = frozenset(name for name, spec in properties.items() if _is_text(spec))
        self._blank = dict.fromkeys(schema["properties"])
        self.remark: Callable[[str], None] = lambda _: None
        """Is told of what cannot be read."""

    @property
    def declared(self) -> tuple[str, ...]:
        """The vendor's fields that the schema declares."""
        return tuple(self._converters)

    def __call__(self, row: Mapping[str, Any]) -> Record:
        """Return the record of a row; the tap's own columns are null until the stream fills them."""
        record = dict(self._blank)
        extra: dict[str, Any] = {}
        texts = self._texts
        for name, value in row.items():
            if type(value) is str and name in texts and "\x00" not in value:
                record[name] = value
            else:
                self.convert(name, value, record, extra)
        if extra:
            record[EXTRA] = json_text(extra)
        return record

    def convert(self, name: str, value: Any, record: Record, extra: dict[str, Any]) -> None:
        """Put a field of the vendor's into `record`, as the column wants it, and what fits no column into `extra`."""
        convert, value = self._converters.get(name), self.readable(value)
        if convert is None:
            extra[without_nul(name)] = without_nul(value)
        elif value is not None:
            record[name] = convert(value, name, extra)

    def readable(self, value: Any) -> Any:
        """Return a value of the vendor's as it can be handled, and remark on one that had to become text."""
        return readable(value, self.remark)


def _converter(spec: Mapping[str, Any]) -> _Convert:
    kinds = spec["type"] if isinstance(spec["type"], list) else [spec["type"]]
    kind = next(name for name in kinds if name != "null")
    if kind == "string" and spec.get("format") == "date-time":
        return _checked(_date_time)
    if kind == "array":
        return _array(_converter(spec.get("items") or {"type": ["object", "null"]}))
    if kind == "object":
        return _object(spec["properties"]) if spec.get("properties") else _checked(_free_object)
    return _whole_number if kind == "integer" else _checked(_SCALARS[kind])


def _is_text(spec: Mapping[str, Any]) -> bool:
    return "string" in spec["type"] and spec.get("format") != "date-time"


def _checked(convert: Callable[[Any], Any]) -> _Convert:
    def checked(value: Any, path: str, extra: dict[str, Any]) -> Any:
        if value is None:
            return None
        try:
            result = convert(value)
        except (ValueError, TypeError, OverflowError):
            result = _UNFIT
        if result is _UNFIT:
            if value not in ("", [], {}):  # a vendor's ways to write nothing
                extra[path] = without_nul(value)
            return None
        return result

    return checked


def _array(convert: _Convert) -> _Convert:
    def array(value: Any, path: str, extra: dict[str, Any]) -> Any:
        if value is None:
            return None
        items = value if isinstance(value, list) else [value] if value not in ("", {}) else []
        return [convert(item, f"{path}.{number}", extra) for number, item in enumerate(items)]

    return array


def _object(properties: Mapping[str, Any]) -> _Convert:
    converters = {name: _converter(spec) for name, spec in properties.items()}
    texts = frozenset(name for name, spec in properties.items() if _is_text(spec))

    def nested(value: Any, path: str, extra: dict[str, Any]) -> Any:
        if not isinstance(value, dict):
            if value not in (None, "", []):
                extra[path] = without_nul(value)
            return None
        result = {}
        for name, item in value.items():
            if type(item) is str and name in texts and "\x00" not in item:
                result[name] = item
                continue
            convert = converters.get(name)
            if convert is None:
                extra[without_nul(f"{path}.{name}")] = without_nul(item)
            elif (converted := convert(item, f"{path}.{name}", extra)) is not None:
                result[name] = converted
        return result

    return nested


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value.replace("\x00", "") if "\x00" in value else value
    return json_text(without_nul(value))


def _integer(value: Any) -> Any:
    if isinstance(value, bool):
        return _UNFIT
    number = int(value)
    fits = isinstance(value, (int, str)) or number == value
    return number if fits and -_INTEGERS <= number < _INTEGERS else _UNFIT


def _whole_number(value: Any, path: str, extra: dict[str, Any]) -> Any:
    if type(value) is int and -_INTEGERS <= value < _INTEGERS:
        return value
    return _read_integer(value, path, extra)


_read_integer = _checked(_integer)


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        return _UNFIT
    number = float(value)
    return number if number - number == 0 else _UNFIT  # infinities and NaN are no JSON


def _boolean(value: Any) -> Any:
    return {True: True, False: False, "true": True, "false": False}.get(
        value.lower() if isinstance(value, str) else value,
        _UNFIT,
    )


def _date_time(value: Any) -> Any:
    if isinstance(value, str):
        return timestamps.utc_text(value) if not value.isdigit() else timestamps.epoch_text(int(value))
    return _UNFIT if isinstance(value, bool) else timestamps.epoch_text(value)


def _free_object(value: Any) -> Any:
    return without_nul(value) if isinstance(value, dict) else _UNFIT


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "string": _string,
    "number": _number,
    "boolean": _boolean,
}


def canonical(record: Mapping[str, Any], names: Sequence[str]) -> bytes:
    """Write the named columns so that equal records give equal bytes; null is the same as absent, at every depth."""
    content = {}
    for name in names:
        value = record.get(name)
        if value is not None:
            content[name] = pruned(value) if isinstance(value, (dict, list)) else value
    return _encode_sorted(content)


def pruned(value: Any) -> Any:
    """Return a value without the nulls of its objects; those of its lists stay."""
    if isinstance(value, dict):
        return {key: pruned(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [pruned(item) for item in value]
    return value


def pack(record: Record, key: str, identity: bytes) -> bytes:
    """Return a record as JSON, with the key of the first row of this identity as its last column."""
    del record[key]
    record[key] = twin_key(identity, 0)
    return encode(record)


class Packed:
    """Records kept as JSON until they are written, a tenth of the memory; may be iterated over more than once."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self.lines = lines

    @classmethod
    def with_twins(cls, rows: Sequence[PreparedRow]) -> Packed:
        """Number the rows of the same identity, whose lines `pack` made, and so give each a key of its own.

        Twins that differ outside their identity are numbered by `order`, then by what differs, never by the answer.
        They come one after the other.
        """
        if len({row.identity for row in rows}) == len(rows):
            return cls([row.line for row in rows])
        counts = Counter([row.identity for row in rows])
        groups: defaultdict[bytes, list[tuple[bytes, bytes]]] = defaultdict(list)
        for row in rows:
            if counts[row.identity] > 1:
                groups[row.identity].append((row.order, row.line))
        lines = []
        for row in rows:
            if row.identity not in groups:
                if counts[row.identity] == 1:
                    lines.append(row.line)
                continue
            twins = sorted(groups.pop(row.identity))
            lines += [_with_key(line, twin_key(row.identity, place)) for place, (_, line) in enumerate(twins)]
        return cls(lines)

    def chunks(self, size: int) -> Iterator[list[bytes]]:
        """Hand the records out, encoded, at most `size` at once; those handed out are gone."""
        left = list(reversed(self.lines))
        self.lines = ()
        while left:
            chunk = left[-size:]
            del left[-size:]
            yield chunk[::-1]

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[Record]:
        return map(_decode, self.lines)


def _with_key(line: bytes, key: str) -> bytes:
    return b'%s"%s"}' % (line[: -len(key) - 3], key.encode())


def twin_key(content: bytes, place: int) -> str:
    """Return the key of the record at `place`, from 0, among its exact twins."""
    if place:
        return digest(content, str(place).encode())
    if len(content) != _IDENTITY_BYTES:
        return digest(content)
    state = _OF_AN_IDENTITY.copy()  # as `digest(content)`, in half the time
    state.update(content)
    return state.hexdigest()

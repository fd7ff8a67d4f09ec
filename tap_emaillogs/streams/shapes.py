"""The Structs that rows are decoded into: compiled from a stream's schema and what its vendor sends beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Raw

from tap_emaillogs.streams.converters import FreeObjects, Objects, Spread, Times, Undeclared

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tap_emaillogs.streams.converters import Normalise

_FREE = dict[str, Any] | None
_SCALARS: dict[str, Any] = {
    "string": str | None,
    "integer": Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | None,
    "number": float | None,
    "boolean": bool | None,
}


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


class Fields:
    """The fields of a vendor's rows: their names and types, in the order of the columns, and how they are converted.

    Raises:
        TypeError: An identity holds a column that cannot be a part of it as it comes.
    """

    def __init__(
        self,
        columns: Mapping[str, Any],
        own: Iterable[str],
        identity: Collection[str],
        layout: Layout,
        normalise: Normalise,
    ) -> None:
        self.normalise = normalise
        self.layout, self.renamed = layout, dict(layout.renamed)
        self.names = {column: column for column in columns} | {column: name for name, column in layout.renamed}
        """Column → field."""
        self.typed: list[tuple[str, Any, Any]] = []
        self.converters: list[Times | Objects | Spread | FreeObjects] = []
        self.free: list[str] = []
        """Objects of the identity in which nulls may be."""
        refused = set(own)
        for name, targets in layout.spread:
            refused.update(targets)
            self.typed.append((name, Raw, UNSET))
            self.converters.append(Spread(name, targets, normalise))
        for column, spec in columns.items():
            name = self.names[column]
            kind = _Refused if column in refused else _kind(spec)
            self.typed.append((name, kind, None))
            if column in identity and (kind is Raw or name != column):
                raise TypeError(f"{column} is no part of an identity as it comes")
            if kind is Raw:
                self.converters.append(Objects(name, column, normalise))
            elif kind is not _Refused and spec.get("format") == "date-time":
                self.converters.append(Times(name, column, normalise))
            elif kind == _FREE:
                self.converters.append(FreeObjects(name, column, normalise))
                if column in identity:
                    self.free.append(name)


class Shape:
    """The Structs for these fields, and those that were learned.

    Both have the same slots, so that an instance of the one can become one of the other: `row` has its fields in the
    order of their names and leaves out nulls, as keys want it; `line` has all columns, in the order of the schema, but
    for `key`, which comes last.
    """

    def __init__(self, fields: Fields, key: str | None, learned: Iterable[str]) -> None:
        self.learned = {f"learned_{number}": name for number, name in enumerate(sorted(learned))}
        typed = [*fields.typed, *((attribute, Raw, UNSET) for attribute in self.learned)]
        self.known = {*(name for name, *_ in fields.typed), *self.learned.values()}
        self.row: Any = msgspec.defstruct(
            "row",
            sorted(typed, key=lambda field: field[0]),
            bases=(Row,),
            rename=self.learned,
            omit_defaults=True,
            forbid_unknown_fields=True,
            gc=False,
        )
        names = sorted((name for name, *_ in typed), key=lambda name: name == key)
        self.line: Any = msgspec.defstruct(
            "line", [(name, Any, None) for name in names], bases=(Row,), rename=fields.renamed, gc=False
        )
        self.row().__class__ = self.line  # raises TypeError, should their slots ever differ
        self.decode = msgspec.json.Decoder(answer_of(self.row, fields.layout.rows_at), dec_hook=_refuse).decode
        self.decode_row = msgspec.json.Decoder(self.row, dec_hook=_refuse).decode
        self.undeclared = [Undeclared(*one, fields.normalise) for one in self.learned.items()]


def answer_of(row: Any, rows_at: Sequence[str]) -> Any:
    """Return the type of an answer: objects down to the list of rows, and whatever else but lists beside them."""
    inside: Any = list[row] | dict[str, Any]
    for _ in rows_at:
        inside = dict[str, inside | str | int | float | bool | None]
    return inside


def _kind(spec: Mapping[str, Any]) -> Any:
    """Return the type of a column's values as the vendor should send them; `Raw`: they are converted."""
    kinds = spec["type"] if isinstance(spec["type"], list) else [spec["type"]]
    kind = next(name for name in kinds if name != "null")
    if kind == "object" and not spec.get("properties"):
        return _FREE
    if kind == "array" and spec.get("items") == {"type": ["string", "null"]}:
        return list[str | None] | None
    return _SCALARS.get(kind, Raw)

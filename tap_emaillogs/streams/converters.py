"""What the codec does with fields that are not written as they come: all rows of a page at once, in place.

What a field becomes is the `Normaliser`'s word. It is asked once for each value: most vendors repeat theirs.
"""

from __future__ import annotations

from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from msgspec import UNSET, Raw

from tap_emaillogs.formats.nesting import DEEPEST, is_too_deep
from tap_emaillogs.formats.timestamps import exact_text
from tap_emaillogs.formats.values import json_text
from tap_emaillogs.http.answers import decode
from tap_emaillogs.http.errors import Misunderstood

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_emaillogs.streams.records import Record

Normalise: TypeAlias = "Callable[[str, Any], tuple[Record, dict[str, Any]]]"
"""(field, value) → the columns that it fills, and what goes to the extra fields."""
Extra = dict[int, dict[str, Any]]
"""Extra fields by the number of their row, as they are filled."""
_MOST = 1024
_LONGEST = 512
_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines


class _Cache(dict[Any, Any]):
    """What values become, by the values; filled as they come, and bounded."""

    def __init__(self, become: Callable[[Any], Any]) -> None:
        super().__init__()
        self._become = become

    def __missing__(self, value: bytes) -> Any:
        found = self._become(value)
        if len(value) <= _LONGEST:
            if len(self) >= _MOST:
                self.clear()
            self[value] = found
        return found


class Times:
    """A time, which comes as text."""

    def __init__(self, name: str, column: str, normalise: Normalise) -> None:
        self._name, self._column, self._normalise = name, column, normalise
        self._of = attrgetter(name)

    def __call__(self, rows: Sequence[Any], extra: Extra) -> None:
        """Bring the times of the rows to UTC."""
        values = list(map(self._of, rows))
        changed: dict[str, Any] = {}
        for text in set(values):
            if text is not None and (exact := exact_text(text)) != text:
                changed[text] = exact, {}
                if exact is None:
                    record, unfit = self._normalise(self._name, text)
                    changed[text] = record[self._column], unfit
        if changed:
            for number, text in enumerate(values):
                if text in changed:
                    value, unfit = changed[text]
                    setattr(rows[number], self._name, value)
                    if unfit:
                        extra.setdefault(number, {}).update(unfit)


class Objects:
    """An object or list whose parts are declared, which comes as raw JSON."""

    def __init__(self, name: str, column: str, normalise: Normalise) -> None:
        def become(raw: bytes) -> tuple[Raw | None, dict[str, Any]]:
            record, unfit = normalise(name, value_of(raw))
            value = record.get(column)
            return None if value is None else Raw(_encode(value)), unfit

        self._name, self._of, self._become = name, attrgetter(name), _Cache(become)

    def __call__(self, rows: Sequence[Any], extra: Extra) -> None:
        """Bring the objects of the rows to the form of their column."""
        name, become = self._name, self._become
        for number, raw in enumerate(map(self._of, rows)):
            if raw is not None:
                value, unfit = become[bytes(raw)]
                setattr(rows[number], name, value)
                if unfit:
                    extra.setdefault(number, {}).update(unfit)


class Spread:
    """An object whose fields are columns of texts, which comes as raw JSON."""

    def __init__(self, name: str, columns: Sequence[str], normalise: Normalise) -> None:
        def become(raw: bytes) -> tuple[list[Any], dict[str, Any]]:
            record, unfit = normalise(name, value_of(raw))
            return [record.get(column) for column in columns], unfit

        self._name, self._columns = name, columns
        self._of, self._become = attrgetter(name), _Cache(become)

    def __call__(self, rows: Sequence[Any], extra: Extra) -> None:
        """Fill the columns."""
        for number, raw in enumerate(map(self._of, rows)):
            if raw is not UNSET:
                values, unfit = self._become[bytes(raw)]
                setattr(rows[number], self._name, UNSET)
                for column, value in zip(self._columns, values, strict=True):
                    setattr(rows[number], column, value)
                if unfit:
                    extra.setdefault(number, {}).update(unfit)


class FreeObjects:
    """An object whose parts nobody declares: one nested too deep is no column."""

    def __init__(self, name: str, column: str, normalise: Normalise) -> None:
        self._name, self._column, self._normalise = name, column, normalise
        self._of = attrgetter(name)

    def __call__(self, rows: Sequence[Any], extra: Extra) -> None:
        """Move what is nested too deep to the extra fields."""
        values = list(map(self._of, rows))
        if values.count(None) == len(values):
            return
        lines = _encode_lines(values).split(b"\n")
        if max(map(bytes.count, lines, repeat(b"{"))) + max(map(bytes.count, lines, repeat(b"["))) <= DEEPEST:
            return
        for number, value in enumerate(values):
            if value and is_too_deep(value):
                record, unfit = self._normalise(self._name, value)
                setattr(rows[number], self._name, record.get(self._column))
                extra.setdefault(number, {}).update(unfit)


class Undeclared:
    """A field that no column declares, which comes as raw JSON in `attribute`."""

    def __init__(self, attribute: str, name: str, normalise: Normalise) -> None:
        def become(raw: bytes) -> tuple[str, str]:
            _, unfit = normalise(name, value_of(raw))
            return name, _part(name, unfit[name])

        self._attribute, self._of, self._become = attribute, attrgetter(attribute), _Cache(become)

    def __call__(self, rows: Sequence[Any], texts: dict[int, list[tuple[str, str]]]) -> None:
        """Take the field out of the rows, and add it to the texts of their extra fields."""
        become = self._become
        for number, raw in enumerate(map(self._of, rows)):
            if raw is not UNSET:
                texts.setdefault(number, []).append(become[bytes(raw)])
                setattr(rows[number], self._attribute, UNSET)


def extra_texts(rows: Sequence[Any], extra: Extra, undeclared: Sequence[Undeclared]) -> dict[int, str]:
    """Return the texts of the extra fields, by the number of their row; `undeclared` are in the order of names."""
    texts = {number: [(path, _part(path, value)) for path, value in unfit.items()] for number, unfit in extra.items()}
    for one in undeclared:
        one(rows, texts)
    for number in extra:
        texts[number].sort()
    return {number: f"{{{','.join([text for _, text in parts])}}}" for number, parts in texts.items()}


def _part(name: str, value: Any) -> str:
    return json_text({name: value})[1:-1]


def value_of(raw: bytes) -> Any:
    """Read a part of an answer.

    Raises:
        Misunderstood: It is no JSON.
    """
    try:
        return decode(raw)
    except ValueError as error:
        raise Misunderstood("a value of the answer cannot be read") from error

"""What becomes of the records of one endpoint: a plan made once from the annotations of its streams' schemas.

A raw record is read for what it hides; it and what was made of it are then cleared of that, in all their columns.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from tap_emaillogs.privacy.clearing import StreamClearing
from tap_emaillogs.privacy.hiding import Hider

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_emaillogs.privacy.annotations import Columns

    Record = dict[str, Any]


class Plan:
    """Clears raw records and what was made of them; any number of threads may use one. This one hides nothing."""

    def hide(self, record: Record, derived: Sequence[Iterable[Record]]) -> list[list[Record]]:  # noqa: ARG002 - see below
        """Return what may be written of `derived`: for each consumer its records, of which `record` may be one.

        The records given stay as they are.
        """
        return [list(records) for records in derived]


class Privacy:
    """The `privacy` setting."""

    hides: ClassVar[bool] = False
    """Whether anything is hidden at all."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Privacy:
        """Read the configuration."""
        privacy = config.get("privacy") or {}
        hidden = any(privacy.get(name, "keep") != "keep" for name in ("recipient", "subject", "body", "ip"))
        return _Hiding(Hider(privacy)) if hidden else cls()

    def plan(self, raw: Columns, *consumers: Columns) -> Plan:  # noqa: ARG002 - see below
        """Return how records of the raw stream are cleared, and what each consumer makes of them."""
        return Plan()


class _Hiding(Privacy):
    hides = True

    def __init__(self, hider: Hider) -> None:
        self._plans = cache(lambda raw, *consumers: _HidingPlan(hider, raw, consumers))

    def plan(self, raw: Columns, *consumers: Columns) -> Plan:
        return self._plans(raw, *consumers)


class _HidingPlan(Plan):
    def __init__(self, hider: Hider, raw: Columns, consumers: Sequence[Columns]) -> None:
        self._raw = StreamClearing(raw, raw, hider)
        self._consumers = [self._raw if one is raw else StreamClearing(one, raw, hider) for one in consumers]

    def hide(self, record: Record, derived: Sequence[Iterable[Record]]) -> list[list[Record]]:
        values = self._raw.values(record)
        shown = self._raw.known(record, values)
        cleared = []
        for stream, records in zip(self._consumers, derived, strict=True):
            found = []
            for one in records:
                if one is record:
                    found.append(stream.clear(one, values, shown))
                else:
                    own = stream.values(one)
                    found.append(stream.clear(one, own, stream.known(one, own, shown)))
            cleared.append(found)
        return cleared

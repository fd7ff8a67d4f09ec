"""Values that cannot be handled as they come, and what stands for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats.nesting import DEEPEST, deep_text, is_too_deep

if TYPE_CHECKING:
    from collections.abc import Callable

_WHERE = "it comes as text, in extra_fields where it fits no column"
TOO_DEEP = f"a field is nested deeper than {DEEPEST} levels; {_WHERE}"
TOO_LONG = f"a whole number is too long to be read; {_WHERE}"
_MOST_DIGITS = 4300
"""Python reads no longer numbers: `formats.reading` leaves them as text."""
_CONTAINERS = frozenset({dict, list})


def readable(value: Any, remark: Callable[[str], None]) -> Any:
    """Return a value as it can be handled: what is nested too deep as text; `remark` is told of what is text now."""
    if type(value) in _CONTAINERS:
        if is_too_deep(value):
            remark(TOO_DEEP)
            return deep_text(value)
    elif type(value) is str and len(value) > _MOST_DIGITS and value.removeprefix("-").isdecimal():
        remark(TOO_LONG)
    return value

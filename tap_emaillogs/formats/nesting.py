"""Values nested too deep to be handled: by Python, which ends at some hundred levels, and by whoever loads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tap_emaillogs.formats.values import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST = 300
"""So many levels of objects and lists are read; what is nested deeper comes as text."""
_encode = msgspec.json.Encoder(enc_hook=str).encode


def may_be_too_deep(text: str) -> bool:
    """Whether JSON may be nested deeper than `DEEPEST`; False is certain."""
    return text.count("{") + text.count("[") > DEEPEST


def is_too_deep(value: Any) -> bool:
    """Whether a value is nested deeper than `DEEPEST`."""
    try:
        written = _encode(value)
        if written.count(b"{") + written.count(b"[") <= DEEPEST:
            return False
    except (RecursionError, ValueError):
        pass  # then it is looked at
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for one in level if isinstance(one, (dict, list)) for _, inner in _parts(one)]
        if not level:
            return False
    return True


def deep_text(value: Any) -> str:
    """Write a value as compact JSON with sorted keys, however deep it is nested."""
    written: list[str] = []
    open_parts, ends = [iter([("", value)])], [""]
    while open_parts:
        for before, part in open_parts[-1]:
            written.append(before)
            if isinstance(part, (dict, list)):
                written.append("{" if isinstance(part, dict) else "[")
                open_parts.append(_parts(part))
                ends.append("}" if isinstance(part, dict) else "]")
                break
            written.append(json_text([part])[1:-1])
        else:
            open_parts.pop()
            written.append(ends.pop())
    return "".join(written)


def _parts(container: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of an object or a list, each with what is written before it."""
    if isinstance(container, dict):
        for place, name in enumerate(sorted(container)):
            yield f"{',' if place else ''}{json_text(name)}:", container[name]
    else:
        for place, item in enumerate(container):
            yield "," if place else "", item

"""Answers: what an accepted one holds, and reading JSON as it comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats.reading import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Reply:
    """An accepted answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    data: Any = field(default=None, repr=False)


def decode_any(body: bytes) -> Any:
    """Read JSON where nothing is promised about the body; None: it is none."""
    try:
        return decode(body)
    except (ValueError, RecursionError):
        return None  # a few words, or a page: the status says enough


def decode(body: bytes) -> Any:
    """Read JSON, also what most readers refuse.

    Raises:
        ValueError: The bytes are no JSON.
    """
    return read_json(body)

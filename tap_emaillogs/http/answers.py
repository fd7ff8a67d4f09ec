"""Answers: what an accepted one holds, and reading JSON as it comes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

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
    """Read JSON, also with lone surrogates, which become U+FFFD.

    Raises:
        ValueError: The bytes are no JSON.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # NaN and the infinities are no JSON, but some write them: as text they harm nobody.
        text = json.dumps(json.loads(body.decode("utf-8-sig", "replace"), parse_constant=str), ensure_ascii=False)
        return json.loads(text.encode("utf-8", "replace"))

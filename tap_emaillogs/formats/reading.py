"""Reading JSON as it comes: also what no strict reader takes."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import msgspec

from tap_emaillogs.formats.nesting import DEEPEST

_WRAPPERS = 16
"""So many levels an answer may have around its rows: none of a row's own is lost for them."""
_LONE = re.compile("[\ud800-\udfff]")
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


def read_json(body: bytes) -> Any:
    """Read JSON, also what most readers refuse.

    Lone surrogates become U+FFFD. What JSON has not (NaN and the infinities), what Python reads not (whole numbers of
    thousands of digits) and what is nested deeper than some hundred levels becomes text.

    Raises:
        ValueError: The bytes are no JSON.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body.decode("utf-8-sig", "replace")
    try:
        value = _loaded(text)
    except RecursionError:
        value = _flattened(text)
    if "\\ud" in text.lower():
        return json.loads(_LONE.sub("\ufffd", json.dumps(value, ensure_ascii=False)))
    return value


def _loaded(text: str) -> Any:
    return json.loads(text, parse_constant=str, parse_int=_whole_number)


def _whole_number(digits: str) -> int | str:
    most = sys.get_int_max_str_digits()
    return int(digits) if not most or len(digits.lstrip("-")) <= most else digits


def _flattened(text: str) -> Any:
    """Read JSON with what is nested too deep as text.

    Raises:
        ValueError: It is none.
    """
    pieces: list[str] = []
    level = done = start = 0
    for match in _STRUCTURE.finditer(text):
        sign = match.group()
        if sign in "[{":
            level += 1
            if level == DEEPEST + _WRAPPERS + 1:
                start = match.start()
        elif sign in "]}":
            if level == DEEPEST + _WRAPPERS + 1:
                pieces += text[done:start], json.dumps(text[start : match.end()], ensure_ascii=False)
                done = match.end()
            level -= 1
    try:
        return _loaded("".join([*pieces, text[done:]]))
    except RecursionError as error:
        raise ValueError("brackets are opened that none closes") from error

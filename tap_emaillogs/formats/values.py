"""Values in the form in which records have them: JSON as text, and what stands for an empty part of a key."""

from __future__ import annotations

import json
import math
from typing import Any

NO_KEY = "-"
"""What stands for a null or empty part of a primary key: loaders turn an empty text into NULL, and refuse that."""


def json_text(value: Any) -> str:
    """Write a value as compact JSON with sorted keys; infinite numbers and NaN, which JSON has not, as text."""
    try:
        return _written(value)
    except ValueError:
        told = _finite(value)
        return told if isinstance(told, str) else _written(told)


def _written(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return json.dumps(value) if isinstance(value, float) and not math.isfinite(value) else value

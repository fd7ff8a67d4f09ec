"""Values in the form in which records have them: JSON as text, and what stands for an empty part of a key."""

from __future__ import annotations

import json
from typing import Any

NO_KEY = "-"
"""What stands for a null or empty part of a primary key: loaders turn an empty text into NULL, and refuse that."""


def json_text(value: Any) -> str:
    """Write a value as compact JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)

"""Checks of a parameter's text, as vendors document them: each returns whether the text will do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[str], bool]


def integer(low: int, high: int = 1 << 53) -> Check:
    """Check that it is a whole number within bounds."""
    return lambda value: value.isascii() and value.isdigit() and low <= int(value) <= high


def text(longest: int, shortest: int = 0) -> Check:
    """Check its length."""
    return lambda value: shortest <= len(value) <= longest


def like(pattern: str) -> Check:
    """Check that all of it is like a pattern."""
    return lambda value: re.fullmatch(pattern, value) is not None


def among(*values: str) -> Check:
    """Check that it is one of these."""
    return lambda value: value in values


def readable(read: Callable[[str], object], pattern: str = r"(?s).*") -> Check:
    """Check that a text is like `pattern` and that `read` raises no ValueError for it."""

    def check(value: str) -> bool:
        try:
            read(value)
        except ValueError:
            return False
        return re.fullmatch(pattern, value) is not None

    return check

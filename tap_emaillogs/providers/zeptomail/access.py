"""Scopes: what an OAuth token may read."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_emaillogs.http.errors import VendorError

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_scope_error(message: str) -> bool:
    """Whether the vendor misses a scope: another token of the same refresh token would not have it either."""
    return "scope" in message.lower()


@contextmanager
def explained(scope: str) -> Iterator[None]:
    """Say which scope is needed where the vendor refuses a token."""
    try:
        yield
    except VendorError as error:
        if error.status == 403 or is_scope_error(error.text):
            error.hint = f"create a refresh token with the scope {scope}: this one does not permit it"
        raise

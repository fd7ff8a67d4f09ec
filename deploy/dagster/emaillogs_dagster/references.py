"""Secrets by reference: `{env: NAME}`, `$NAME` or `{file: PATH}` in place of the secret itself."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

_SECRET = re.compile(r"(apikey|secret|token|password|passwd|pwd|passphrase|salt|mailagentkey|authorization)$")
"""Names of secrets, without what stands between their words, however they are spelt."""
_IN_ADDRESS = re.compile(r"://[^\s/@:]*:(?!\d+/)[^\s@]+@|[?&](password|pwd|token|api_?key|secret)=", re.IGNORECASE)


class AccountsError(ValueError):
    """The file of accounts cannot be used; the message says why and holds no secret."""


def _reference(value: Any) -> tuple[str, str] | None:
    """Return ("env", name) or ("file", path) when a value says where a secret is."""
    if isinstance(value, str) and re.fullmatch(r"\$\w+", value):
        return "env", value[1:]
    if isinstance(value, dict) and len(value) == 1 and (kind := next(iter(value))) in {"env", "file"}:
        return kind, str(value[kind])
    return None


def refuse_open(settings: Any, whose: str) -> None:
    """Refuse settings that hold a secret itself.

    Raises:
        AccountsError: It names the setting and `whose` it is, and not the secret.
    """
    if isinstance(settings, dict):
        for name, value in settings.items():
            if isinstance(value, str) and _IN_ADDRESS.search(value):
                raise AccountsError(f"{whose}: {name} holds a secret; name a variable for all of it, {{env: NAME}}")
            if _SECRET.search(re.sub(r"[^a-z]", "", str(name).lower())) and value is not None and not _reference(value):
                raise AccountsError(f"{whose}: {name} stands in the file; name a variable instead, {{env: NAME}}")
            refuse_open(value, whose)
    elif isinstance(settings, list):
        for value in settings:
            refuse_open(value, whose)


def resolved(value: Any, secrets: set[str]) -> Any:
    """Return a value with what its references stand for, and add that to `secrets`.

    Raises:
        AccountsError: A variable or file is not there.
    """
    if found := _reference(value):
        kind, name = found
        try:
            secret = os.environ[name] if kind == "env" else Path(name).read_text(encoding="utf-8").strip()
        except (KeyError, OSError, ValueError):
            raise AccountsError(f"the {'variable' if kind == 'env' else 'file'} {name} is not there") from None
        secrets.add(secret)
        return secret
    if isinstance(value, dict):
        return {name: resolved(one, secrets) for name, one in value.items()}
    if isinstance(value, list):
        return [resolved(one, secrets) for one in value]
    return value

"""Environment variables that look like settings of this tap and are none."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_emaillogs.streams.provider import Provider

_OTHERS = ("LOGLEVEL", "LOG_LEVEL")
"""What others read under the tap's prefix."""


def mistakes(schema: Mapping[str, Any], providers: Iterable[Provider], prefix: str) -> Iterator[str]:
    """Yield a sentence for each variable that is no setting: of a provider's, or nearly one of the tap's.

    Others are left alone: they may be somebody else's, such as Meltano's.
    """
    known = set(_names(schema))
    objects = tuple(f"{provider.name}_".upper() for provider in providers)
    for variable in sorted(os.environ):
        name = variable.removeprefix(prefix)
        if name == variable or name.startswith("_") or name in known or name in _OTHERS or not os.environ[variable]:
            continue
        own = name.startswith(objects)
        close = difflib.get_close_matches(name, known, 1, 0.6 if own else 0.85)
        if own or close:
            guess = f"; did you mean {prefix}{close[0]}?" if close else ""
            yield f"the environment variable {variable} is no setting of this tap{guess}"


def _names(schema: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, spec in schema.get("properties", {}).items():
        yield f"{before}{name}".upper()
        yield from _names(spec, f"{before}{name}_")


def any_given(providers: Iterable[Provider], prefix: str) -> bool:
    """Whether any variable speaks of a provider."""
    return any(name.startswith(f"{prefix}{provider.name}".upper()) for provider in providers for name in os.environ)

"""What somebody may have meant who wrote a setting that there is not, or a value that does not fit.

No sentence here holds a value of the configuration: it may be a secret in the wrong place.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_FILTERS = "filters"


def for_unknown(key: str, value: Any, path: str, parent: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """Return the end of the sentence `… is no setting of this tap`.

    Args:
        key: The unknown name.
        value: What it was given; only its kind is looked at.
        path: Where it stands; empty: at the top.
        parent: The schema of the object that it stands in.
        root: The schema of the whole configuration.
    """
    known = parent["properties"]
    if not path and (provider := _provider_before(key, root)):
        return f"; did you mean {provider}?"
    if close := nearest(key, known):
        return f"; did you mean {close}?"
    if not path:
        return _for_unknown_at_the_top(key, value, root)
    if key in root["properties"]:
        return f"; {key} stands at the top of the configuration, not in {path}"
    if key in known.get(_FILTERS, {}).get("properties", {}):
        return f"; did you mean {_FILTERS}.{key}?"
    return _needs(known)


def _for_unknown_at_the_top(key: str, value: Any, root: Mapping[str, Any]) -> str:
    owners = [name for name in providers(root) if key in root["properties"][name]["properties"]]
    if owners:
        return f'; it belongs into the object of a provider: {owners[0]}: {{"{key}": …}}'
    if isinstance(value, dict) or "." in key or not value:
        return f"; its providers are {', '.join(providers(root))}"
    return f"; its providers are {', '.join(providers(root))}, and --about lists all settings"


def providers(root: Mapping[str, Any]) -> list[str]:
    """Return the names of the providers' objects."""
    return [name for name, spec in root["properties"].items() if "accounts" in spec.get("properties", {})]


def _provider_before(key: str, root: Mapping[str, Any]) -> str | None:
    """Read `smtp2go_api_key` and the like: a provider's name, and a setting of its."""
    for name in providers(root):
        rest = key.lower().removeprefix(name)
        if rest != key.lower() and rest[:1] in {"_", "-", "/"} and len(rest) > 1:
            known = root["properties"][name]["properties"]
            return f'{name}: {{"{nearest(rest[1:], known) or "…"}": …}}'
    return None


def _needs(known: Mapping[str, Any]) -> str:
    needed = [name for name, spec in known.items() if "Required" in (spec.get("description") or "")]
    return f"; it needs {' or '.join(needed)}, and --about lists all settings" if needed else ""


def nearest(word: str, known: Iterable[Any]) -> str | None:
    """Return the known word that is most like this one; None: none is much like it."""
    by_form = {_plain(str(one)): str(one) for one in known}
    found = difflib.get_close_matches(_plain(word), by_form, 1)
    return by_form[found[0]] if found else None


def _plain(word: str) -> str:
    return word.lower().replace("-", "_").replace(" ", "_")


def for_choice(value: Any, allowed: Collection[Any]) -> str:
    """Return the end of the sentence `… must be one of …`."""
    close = nearest(value, [one for one in allowed if one is not None]) if isinstance(value, str) else None
    return f"; did you mean {close}?" if close else ""


def for_kind(value: Any, kind: str, schema: Mapping[str, Any]) -> str:
    """Return the end of the sentence `… must be an object, not text` and its like."""
    if isinstance(value, str) and kind in {"object", "array"}:
        if value.strip()[:1] in {"{", "["}:
            return f"; it begins like JSON, but is no valid JSON ({_where(value)})"
    example = _example(kind, schema)
    return f"; write it as {example}" if example else ""


def _where(text: str) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    except (ValueError, RecursionError):
        return "it is nested too deeply"
    return "of another kind"


def _example(kind: str, schema: Mapping[str, Any]) -> str:
    if kind == "array":
        items = schema.get("items", {})
        if "properties" in items:
            return '[{"account": "one", …}, {"account": "two", …}]'
        allowed = [one for one in items.get("enum", ()) if one is not None]
        numbers = items.get("type") in ("number", ["number", "null"], "integer", ["integer", "null"])
        return "[60]" if numbers else f'["{allowed[0] if allowed else "…"}"]'
    if kind == "object" and "accounts" in schema.get("properties", {}):
        needed = [name for name, spec in schema["properties"].items() if "Required" in (spec.get("description") or "")]
        return f'{{"{needed[0] if needed else "api_key"}": …}}'
    if schema.get("format") == "date-time":
        return '"2026-01-31" or "2026-01-31T08:00:00Z"'
    return ""

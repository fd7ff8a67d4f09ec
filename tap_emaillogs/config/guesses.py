"""What somebody may have meant who wrote a setting that there is not, or a value that does not fit.

No sentence here holds a value of the configuration: it may be a secret in the wrong place.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

from tap_emaillogs.config.load import kind_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_FILTERS = "filters"
_ALIKE = 0.7
"""How much a word resembles another one that begins with another letter."""
_FEW = 12
"""So many names can be listed in a sentence."""
_ALSO_CALLED = {
    "name": "account",
    "label": "account",
    "key": "api_key",
    "token": "api_key",
    "url": "base_url",
    "host": "base_url",
    "user": "username",
    "since": "start_date",
    "until": "end_date",
}
"""What other tools call a setting."""
_ELSEWHERE = {
    **dict.fromkeys(
        ("streams", "select", "selected"), "streams are selected in the catalog, or by `select` in Meltano"
    ),
    **dict.fromkeys(("state", "catalog"), "it is a file of its own: --state, --catalog"),
    **dict.fromkeys(("schedule", "cron", "interval"), "how often the tap runs is for whoever starts it"),
}
"""Words that other tools have in their configuration, and where they belong here."""


def for_unknown(
    key: str, around: Mapping[str, Any], path: str, parent: Mapping[str, Any], root: Mapping[str, Any]
) -> str:
    """Return the end of the sentence `… is no setting of this tap`.

    Args:
        key: The unknown name.
        around: The object that it stands in; only names and kinds are looked at.
        path: Where that stands; empty: at the top.
        parent: The schema of that object.
        root: The schema of the whole configuration.
    """
    known = parent["properties"]
    also = _ALSO_CALLED.get(_plain(key), "")
    close = also if also in known else nearest(key, known)
    if not path:
        close = _provider_before(key, root) or (None if key in _ELSEWHERE else close)
    if close is None and key in known.get(_FILTERS, {}).get("properties", {}):
        close = f"{_FILTERS}.{key}"
    if close is not None:
        return f"; did you mean {close}?"
    if not path:
        return _for_unknown_at_the_top(key, around[key], root)
    if key in root["properties"]:
        return f"; {key} stands at the top of the configuration, not in {path}"
    return _needs(known, around)


def _for_unknown_at_the_top(key: str, value: Any, root: Mapping[str, Any]) -> str:
    if key in _ELSEWHERE:
        return f"; {_ELSEWHERE[key]}"
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


def _needs(known: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    if len(known) <= _FEW:
        return f"; there are {', '.join(known)}"
    needed = [name for name, spec in known.items() if "Required" in (spec.get("description") or "")]
    needs = f"it needs {' or '.join(needed)}, and " if needed and given.keys().isdisjoint(needed) else ""
    return f"; {needs}--about lists all settings"


def nearest(word: str, known: Iterable[Any]) -> str | None:
    """Return the known word that is most like this one, or the only one that holds it; None: none is much like it."""
    plain, by_form = _plain(word), {_plain(str(one)): str(one) for one in known}
    for form in difflib.get_close_matches(plain, by_form):
        if form[0] == plain[0] or difflib.SequenceMatcher(None, plain, form).ratio() >= _ALIKE:
            return by_form[form]
    parts = [by_form[form] for form in by_form if plain and (form.startswith(plain) or plain.startswith(form))]
    return parts[0] if len(parts) == 1 else None


def _plain(word: str) -> str:
    return word.lower().replace("-", "_").replace(" ", "_")


def for_choice(value: Any, allowed: Collection[Any]) -> str:
    """Return the end of the sentence `… must be one of …`."""
    close = nearest(value, [one for one in allowed if one is not None]) if isinstance(value, str) else None
    return f"; did you mean {close}?" if close else ""


def for_kind(value: Any, kind: str, schema: Mapping[str, Any]) -> str:
    """Return the end of the sentence `… must be an object, not text` and its like."""
    if isinstance(value, str) and kind in {"object", "array"} and value.strip()[:1] in {"{", "["}:
        return f"; it begins like JSON, but is no valid JSON ({_where(value)})"
    if allowed := [str(one) for one in schema.get("enum", ()) if one is not None]:
        return f"; it is one of {', '.join(allowed)}"
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
        return "[60, 1440]" if kind_of(items) in {"number", "integer"} else f'["{allowed[0] if allowed else "…"}"]'
    if kind == "object" and (known := schema.get("properties")):
        needed = [name for name, spec in known.items() if "Required" in (spec.get("description") or "")]
        return f'{{"{next(iter([*needed, *known]))}": …}}'
    if schema.get("format") == "date-time":
        return '"2026-01-31" or "2026-01-31T08:00:00Z"'
    return ""

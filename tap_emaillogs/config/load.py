"""The configuration: read from the environment, brought to one shape, composed into accounts."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_emaillogs.config.schema import General
from tap_emaillogs.streams.settings import declared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_emaillogs.streams.provider import Provider


_MOST_WHOLE = 10**18
"""Beyond it a number with a point or an exponent stays one: `1e99999999` would take for ever to write out."""


def kind_of(schema: Mapping[str, Any]) -> str:
    """Return the JSON type that a schema wants, null aside; "" where it takes anything."""
    kinds = schema.get("type") or ("object" if "properties" in schema else "")
    return kinds if isinstance(kinds, str) else next((kind for kind in kinds if kind != "null"), "")


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one configuration over another, object by object."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def from_environment(schema: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Read nested settings from the environment: `TAP_EMAILLOGS_SMTP2GO_API_KEY` is `smtp2go.api_key`."""
    found: dict[str, Any] = {}
    for name, spec in schema["properties"].items():
        text = os.environ.get(f"{prefix}{name}".upper())
        inner = from_environment(spec, f"{prefix}{name}_") if "properties" in spec else {}
        if text:
            whole = coerced(text, spec)
            # A text that is no object is reported as a mistake where all others are.
            found[name] = merged(whole, inner) if isinstance(whole, dict) else whole
        elif inner:
            found[name] = inner
    return found


def nested(config: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted keys (`smtp2go.api_key`) into objects; None counts as left out."""
    result: dict[str, Any] = {}
    for key, value in config.items():
        name, _, rest = key.partition(".")
        item = nested({rest: value}) if rest else value
        if value is None:
            continue
        if isinstance(result.get(name), dict) and isinstance(item, dict):
            result[name] = merged(result[name], item)
        elif isinstance(result.get(name, {}), dict):  # what is no object stays, to be reported as a mistake
            result[name] = item
    return result


def coerced(value: Any, schema: Mapping[str, Any]) -> Any:
    """Read texts, as environment variables give them, as what the schema wants; leave the rest alone."""
    kind = kind_of(schema)
    if isinstance(value, Decimal):  # the SDK reads floats so
        value = int(value) if abs(value) < _MOST_WHOLE and value == int(value) else float(value)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        # None counts as left out where all keys are the tap's: stream maps leave streams and columns out by it.
        own = schema.get("additionalProperties") is False
        kept = {key: item for key, item in value.items() if item is not None or not own}
        return {key: coerced(item, known.get(key, {})) for key, item in kept.items()}
    if kind == "array" and isinstance(value, list):
        return [coerced(item, schema.get("items", {})) for item in value]
    if isinstance(value, str) and kind in {"integer", "number", "boolean", "array", "object"}:
        try:
            return coerced(json.loads(value.strip().lower() if kind == "boolean" else value), schema)
        except (ValueError, RecursionError):
            return value
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def given_by_account(config: Mapping[str, Any], provider: Provider) -> list[tuple[str, dict[str, Any]]]:
    """Return (path, what the user gave) for each account of a provider.

    An account takes what it leaves out from the object around it, and that from the top where it is a setting there.
    """
    top = {name: config[name] for name in declared(General).keys() & declared(provider.settings) if name in config}
    outer = {**top, **config[provider.name]}
    given = outer.pop("accounts", None)
    if given is None:
        return [(provider.name, outer)]
    return [(f"{provider.name}.accounts[{number}]", {**outer, **account}) for number, account in enumerate(given)]


def secrets(value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield every secret in the configuration; of an object that is secret all its values are."""
    if schema.get("secret") and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, dict):
        others = {"secret": True} if schema.get("secret") else {}
        for key, item in value.items():
            yield from secrets(item, schema.get("properties", {}).get(key, others))
    elif isinstance(value, list):
        for item in value:
            yield from secrets(item, schema.get("items", {}))

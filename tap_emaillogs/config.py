"""The configuration: brought to one shape, checked in plain words, composed into accounts.

No message here ever holds a value of the configuration, so none can print a secret.
"""

from __future__ import annotations

import difflib
import json
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tap_emaillogs import timestamps
from tap_emaillogs.settings import COMMON_DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_emaillogs.provider import Provider

_POSITIVE = {"timeout_seconds", "max_tries", "page_size", "window_hours", "history_days", "max_concurrency"}
_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def _kind(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type", "object")
    return kinds if isinstance(kinds, str) else next((kind for kind in kinds if kind != "null"), "object")


def from_environment(schema: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Read nested settings from the environment: `TAP_EMAILLOGS_SMTP2GO_API_KEY` is `smtp2go.api_key`."""
    found: dict[str, Any] = {}
    for name, spec in schema["properties"].items():
        text = os.environ.get(f"{prefix}{name}".upper())
        if _kind(spec) == "object" and "properties" in spec:
            inner = from_environment(spec, f"{prefix}{name}_")
            if text:
                try:
                    inner = {**json.loads(text), **inner}
                except (ValueError, TypeError):
                    inner = {"": text}  # reported as a mistake where all others are
            if inner:
                found[name] = inner
        elif text:
            found[name] = text
    return found


def nested(config: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted keys (`smtp2go.api_key`) into objects; None counts as left out."""
    result: dict[str, Any] = {}
    for key, value in config.items():
        if value is None:
            continue
        name, _, rest = key.partition(".")
        if rest:
            merged = {**(result.get(name) or {}), **nested({rest: value})}
            if merged:
                result[name] = merged
        elif isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = {**result[name], **value}
        else:
            result[name] = value
    return result


def coerced(value: Any, schema: Mapping[str, Any]) -> Any:
    """Read texts, as environment variables give them, as what the schema wants; leave the rest alone."""
    kind = _kind(schema)
    if isinstance(value, Decimal):  # the SDK reads floats so
        value = int(value) if value == int(value) else float(value)
    if kind == "object" and isinstance(value, dict):
        known = schema.get("properties", {})
        return {key: coerced(item, known.get(key, {})) for key, item in value.items() if item is not None}
    if kind == "array" and isinstance(value, list):
        return [coerced(item, schema.get("items", {})) for item in value]
    if isinstance(value, str) and kind in {"integer", "number", "boolean", "array"}:
        try:
            return coerced(json.loads(value.strip().lower() if kind == "boolean" else value), schema)
        except (ValueError, RecursionError):
            return value
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _fits(value: Any, kind: str) -> bool:
    if kind == "string":
        return isinstance(value, str)
    if kind in {"integer", "number"}:
        return isinstance(value, int if kind == "integer" else (int, float)) and not isinstance(value, bool)
    return isinstance(value, {"boolean": bool, "array": list, "object": dict}[kind])


def shape_mistakes(value: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield a sentence for each value of the wrong type and each unknown setting."""
    kind = _kind(schema)
    if not _fits(value, kind):
        yield f"{path} must be {_NAMES[kind]}, not {_described(value)}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{path} must be one of {', '.join(map(str, schema['enum']))}"
    elif schema.get("format") == "date-time":
        try:
            timestamps.parse(value)
        except ValueError:
            yield f"{path} is not a date or time in ISO 8601, such as 2026-01-31 or 2026-01-31T08:00:00Z"
    elif kind == "array":
        for number, item in enumerate(value):
            yield from shape_mistakes(item, schema.get("items", {}), f"{path}[{number}]")
    elif kind == "object" and "properties" in schema:
        for key, item in value.items():
            inner = f"{path}.{key}" if path else key
            if key in schema["properties"]:
                yield from shape_mistakes(item, schema["properties"][key], inner)
            elif schema.get("additionalProperties") is False or not path:
                close = difflib.get_close_matches(key, schema["properties"], 1)
                yield f"{inner} is no setting of this tap" + (f"; did you mean {close[0]}?" if close else "")
    elif kind in {"integer", "number"}:
        name = path.rpartition(".")[2]
        if value < 0 or (value == 0 and name in _POSITIVE):
            yield f"{path} must be {'greater than 0' if name in _POSITIVE else '0 or greater'}"


def _described(value: Any) -> str:
    kinds = {dict: "object", list: "array", bool: "boolean", str: "string", float: "number", int: "integer"}
    return _NAMES.get(kinds.get(type(value), ""), "nothing")


def account_settings(config: Mapping[str, Any], provider: Provider) -> list[tuple[str, dict[str, Any]]]:
    """Return the (path, settings) of each account of a provider, with what they leave out filled in."""
    outer = dict(config[provider.name])
    given = outer.pop("accounts", None)
    found = [(provider.name, outer)]
    if given is not None:
        found = [(f"{provider.name}.accounts[{number}]", {**outer, **account}) for number, account in enumerate(given)]
    return [(path, {**COMMON_DEFAULTS, **provider.defaults_for(settings), **settings}) for path, settings in found]


def mistakes(config: Mapping[str, Any], schema: Mapping[str, Any], providers: Iterable[Provider]) -> list[str]:
    """Return one plain sentence per mistake in the configuration; none of them holds a value of it."""
    found = list(shape_mistakes(config, schema))
    if found:
        return found
    found.extend(_order_mistakes("", config.get("start_date"), config.get("end_date")))
    found.extend(_privacy_mistakes(config.get("privacy") or {}))
    for provider in providers:
        if provider.name not in config:
            continue
        accounts = account_settings(config, provider)
        if not accounts:
            found.append(f"{provider.name}.accounts is an empty list: name at least one account or leave it out")
        labels: dict[str, str] = {}
        for path, settings in accounts:
            found.extend(f"{path}.{key} {what}" for key, what in _account_mistakes(provider, settings))
            if settings.get("start_date"):
                found.extend(_order_mistakes(f"{path}.", settings["start_date"], config.get("end_date")))
            label = settings["account"]
            if label in labels:
                found.append(f"{path}.account is the same as that of {labels[label]}: each account needs its own label")
            labels[label] = path
    return list(dict.fromkeys(found))


def _account_mistakes(provider: Provider, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not settings["account"].strip():
        yield "account", "is empty"
    if "@" in settings["account"]:
        yield "account", "must not be an e-mail address, since it stands in STATE and in every log line"
    given = {key for key, value in settings.items() if value not in (None, "") and str(value).strip()}
    if not any(given.issuperset(keys) for keys in provider.required):
        nearest = min(provider.required, key=lambda keys: len(set(keys) - given))
        others = [" and ".join(keys) for keys in provider.required if keys != nearest]
        for key in nearest:
            if key not in given:
                yield (
                    key,
                    ("is empty" if key in settings else "is missing") + "".join(f" (or give {o})" for o in others),
                )
    for key, value in settings.items():
        if key.endswith("_url") and value:
            parts = urlsplit(value)
            if parts.scheme not in {"http", "https"}:
                yield key, "has no scheme: it must begin with https:// (or http://)"
            elif not parts.hostname:
                yield key, "names no host"
            elif parts.username or parts.password:
                yield key, "must not hold a user name or password"
        elif isinstance(value, str) and any(ord(character) < 32 for character in value):
            yield key, "holds a line break or another control character"
    yield from provider.checks(settings)


def _order_mistakes(path: str, start: str | None, end: str | None) -> Iterator[str]:
    if start and end and timestamps.parse(end) <= timestamps.parse(start):
        yield f"end_date must be after {path}start_date"


def _privacy_mistakes(privacy: Mapping[str, Any]) -> Iterator[str]:
    hashed = [key for key in ("recipient", "subject", "ip") if privacy.get(key) == "hash"]
    if hashed and not privacy.get("salt"):
        yield f"privacy.salt is missing: privacy.{hashed[0]} is to be hashed"


def secrets(value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield every secret in the configuration."""
    if schema.get("secret") and isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from secrets(item, schema.get("properties", {}).get(key, {}))
    elif isinstance(value, list):
        for item in value:
            yield from secrets(item, schema.get("items", {}))

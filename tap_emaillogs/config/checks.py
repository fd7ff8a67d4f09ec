"""What can be wrong with a configuration, in plain words.

No message here ever holds a value of the configuration, so none can print a secret.
"""

from __future__ import annotations

import copy
import math
import re
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers._batch import BatchConfig

from tap_emaillogs.config import guesses, texts, variables
from tap_emaillogs.config.load import given_by_account, kind_of
from tap_emaillogs.formats import timestamps
from tap_emaillogs.privacy.annotations import recipient_keys
from tap_emaillogs.streams.schemas import columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from tap_emaillogs.streams.provider import Provider
    from tap_emaillogs.streams.settings import Settings

_MOST = {"seconds": 86_400, "minutes": 52_560_000, "hours": 876_000, "days": 36_500}
"""A hundred years (a day for waits), by the last word of a setting: longer times leave the calendar."""
_SHORTEST_SALT = 16
_LONGEST_LABEL = 200
_SLOWEST = 0.01
"""Requests a minute: one in a hundred minutes."""
_MAKE_SALT = "this makes one: python -c 'import secrets; print(secrets.token_hex(32))'"
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}
_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def mistakes(
    config: Mapping[str, Any],
    schema: Mapping[str, Any],
    providers: Iterable[Provider],
    now: datetime | None = None,
) -> list[str]:
    """Return one plain sentence per mistake in the configuration; none of them holds a value of it.

    With `now`, a start in the future is a mistake too.
    """
    providers = list(providers)
    found = list(shape_mistakes(config, schema, root=schema))
    if found:
        return found
    found.extend(_order_mistakes("", config.get("start_date"), config.get("end_date")))
    found.extend(_future_mistakes("", config.get("start_date"), now))
    found.extend(_privacy_mistakes(config, providers))
    found.extend(f"user_agent {what}" for what in texts.header_mistakes(config.get("user_agent") or ""))
    found.extend(_batch_mistakes(config.get("batch_config")))
    for provider in providers:
        if provider.name in config:
            found.extend(_provider_mistakes(provider, config, now))
    return list(dict.fromkeys(found))


# The shape: types, unknown names, ranges.


def no_provider(providers: Iterable[Provider], prefix: str) -> str:
    """Return what to say where no provider is configured; `prefix` is that of environment variables."""
    providers = list(providers)
    said = f"no provider is configured: give at least one of {', '.join(one.name for one in providers)} with its key"
    if variables.any_given(providers, prefix):
        said += f"; variables that begin with {prefix} are read with --config=ENV only"
    return said


def shape_mistakes(
    value: Any, schema: Mapping[str, Any], path: str = "", root: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Yield a sentence for each value of the wrong type and each unknown setting; `root` is the whole schema."""
    kind = kind_of(schema)
    if not kind:
        return
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{path or 'the configuration'} must be {_NAMES[kind]}, not {_described(value, kind)}" + (
            guesses.for_kind(value, kind, schema) if path else ""
        )
    elif "enum" in schema and value not in schema["enum"]:
        allowed = [one for one in schema["enum"] if one is not None]
        yield f"{path} must be one of {', '.join(map(str, allowed))}" + guesses.for_choice(value, allowed)
    elif isinstance(value, dict):
        yield from _object_mistakes(value, schema, path, root or schema)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from shape_mistakes(item, schema.get("items", {}), f"{path}[{number}]", root)
    elif look := _LOOK.get("date-time" if schema.get("format") == "date-time" else kind):
        yield from look(value, schema, path)


def _described(value: Any, wanted: str) -> str:
    if isinstance(value, float) and wanted == "integer":
        return "one with a fraction"
    kinds = {dict: "object", list: "array", bool: "boolean", str: "string", float: "number", int: "integer"}
    return _NAMES.get(kinds.get(type(value), ""), "nothing")


def _date_mistakes(value: str, _schema: Mapping[str, Any], path: str) -> Iterator[str]:
    try:
        timestamps.parse(value)
    except ValueError:
        yield f"{path} is not a date or time in ISO 8601, such as 2026-01-31 or 2026-01-31T08:00:00Z"


def _object_mistakes(
    value: dict[str, Any], schema: Mapping[str, Any], path: str, root: Mapping[str, Any]
) -> Iterator[str]:
    if "properties" not in schema:
        return
    for key, item in value.items():
        inner = f"{path}.{key}" if path else key
        if key in schema["properties"]:
            yield from shape_mistakes(item, schema["properties"][key], inner, root)
        elif schema.get("additionalProperties") is False or not path:
            yield f"{inner} is no setting of this tap" + guesses.for_unknown(key, value, path, schema, root)


def _number_mistakes(value: float, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    name = path.rpartition(".")[2].partition("[")[0]
    most = schema.get("maximum", _MOST.get(name.rpartition("_")[2], math.inf))
    positive = "exclusiveMinimum" in schema
    if not -math.inf < value < math.inf:  # math.isfinite cannot take a whole number that no float can hold
        yield f"{path} must be a finite number"
    elif value < 0 or (value == 0 and positive):
        yield f"{path} must be {'greater than 0' if positive else '0 or greater'}"
    elif value > most:
        yield f"{path} must be at most {most}"


def _string_mistakes(value: str, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    most = schema.get("maxLength")
    if most is not None and len(value) > most:
        yield f"{path} must be at most {most} characters long"
    elif schema.get("format") == "email" and not _ADDRESS.fullmatch(value):
        yield f"{path} must be an e-mail address"
    elif "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        yield f"{path} has not the form that the vendor documents: {schema['pattern']}"


_LOOK: dict[str, Callable[[Any, Mapping[str, Any], str], Iterator[str]]] = {
    "date-time": _date_mistakes,
    "string": _string_mistakes,
    "integer": _number_mistakes,
    "number": _number_mistakes,
}


# The meaning: what belongs together.


def _order_mistakes(path: str, start: str | None, end: str | None) -> Iterator[str]:
    if start and end and timestamps.parse(end) <= timestamps.parse(start):
        yield f"end_date must be after {path}start_date"


def _future_mistakes(path: str, start: str | None, now: datetime | None) -> Iterator[str]:
    if start and now is not None and timestamps.parse(start) > now:
        yield f"{path}start_date lies in the future: nothing could be read"


def _salt_mistakes(salt: str) -> Iterator[str]:
    if len(salt.strip()) < _SHORTEST_SALT or len(set(salt)) == 1:
        yield (
            f"privacy.salt must have at least {_SHORTEST_SALT} characters, not all alike, or hashes can be guessed; "
            + _MAKE_SALT
        )


def _privacy_mistakes(config: Mapping[str, Any], providers: Iterable[Provider]) -> Iterator[str]:
    privacy = config.get("privacy") or {}
    if privacy.get("salt"):
        yield from _salt_mistakes(privacy["salt"])
        return
    hashed = [key for key in ("recipient", "subject", "ip") if privacy.get(key) == "hash"]
    if hashed:
        yield f"privacy.salt is missing: privacy.{hashed[0]} is to be hashed; {_MAKE_SALT}"
    elif privacy.get("recipient", "keep") != "keep":
        for kind in (kind for provider in providers if provider.name in config for kind in provider.streams):
            for key in recipient_keys(columns(kind)):
                name = columns(kind).stream
                yield f"privacy.salt is missing: `{key}` is in the primary key of {name}, so it is hashed there"


def _batch_mistakes(given: Mapping[str, Any] | None) -> Iterator[str]:
    if not given:
        return
    try:
        size = BatchConfig.from_dict(copy.deepcopy(dict(given))).batch_size
    except (TypeError, ValueError, LookupError, AttributeError):
        size = None
    if not isinstance(size, int) or size < 1:
        yield (
            'batch_config must have the form {"encoding": {"format": "jsonl", "compression": "gzip"}, '
            '"storage": {"root": "file:///…"}}'
        )


def _provider_mistakes(provider: Provider, config: Mapping[str, Any], now: datetime | None) -> Iterator[str]:
    accounts = given_by_account(config, provider)
    if not accounts:
        yield f"{provider.name}.accounts is an empty list: name at least one account or leave it out"
    labels: dict[str, str] = {}
    for path, given in accounts:
        settings = provider.settings.of(given)
        for found in (
            _label_mistakes(settings.account),
            _reading_mistakes(settings),
            texts.mistakes(settings),
            _required_mistakes(provider, given),
            _address_mistakes(provider, settings),
            _filter_mistakes(settings),
            settings.mistakes(),
        ):
            yield from (f"{path}.{key} {what}" for key, what in found)
        if settings.start_date != config.get("start_date"):  # that of the whole configuration is checked once
            yield from _order_mistakes(f"{path}.", settings.start_date, config.get("end_date"))
            yield from _future_mistakes(f"{path}.", settings.start_date, now)
        label = settings.account
        if label in labels:
            yield f"{path}.account is the same as that of {labels[label]}: each account needs its own label"
        labels[label] = path


def _label_mistakes(label: str) -> Iterator[tuple[str, str]]:
    if not label.strip():
        yield "account", "is empty"
    if len(label) > _LONGEST_LABEL:
        yield "account", f"must be at most {_LONGEST_LABEL} characters long, since it stands in every record"
    if "@" in label:
        yield "account", "must not be an e-mail address, since it stands in STATE and in every log line"


def _reading_mistakes(settings: Settings) -> Iterator[tuple[str, str]]:
    if 0 < settings.requests_per_minute < _SLOWEST:
        yield "requests_per_minute", f"must be 0 (no limit) or at least {_SLOWEST:g}"
    if any(age <= 0 for age in settings.revisit_minutes):
        yield "revisit_minutes", "must hold ages greater than 0; an empty list reads nothing once more"


def _address_mistakes(provider: Provider, settings: Settings) -> Iterator[tuple[str, str]]:
    if not settings.api_root() and not any("base_url" in keys for keys in provider.required):
        yield "base_url", "is missing"
    for kind in provider.streams:
        path = getattr(kind, "path", None) or ""
        if isinstance(path, str) and len(path) > 1 and settings.base_url.rstrip("/").endswith(path):
            yield "base_url", f"must be the root of the API, without {path}"


def _filter_mistakes(settings: Settings) -> Iterator[tuple[str, str]]:
    for key, value in settings.filters.items():
        if value in ("", []):
            yield f"filters.{key}", "is empty: give it a value, or leave it out to read everything"


def _required_mistakes(provider: Provider, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    given = {key for key, value in settings.items() if value is not None and str(value).strip()}
    if any(given.issuperset(keys) for keys in provider.required):
        return
    nearest = min(provider.required, key=lambda keys: (-len(settings.keys() & {*keys}), len(set(keys) - given)))
    others = "".join(f" (or give {' and '.join(keys)})" for keys in provider.required if keys != nearest)
    for key in nearest:
        if key not in given:
            yield key, ("is empty" if key in settings else "is missing") + others

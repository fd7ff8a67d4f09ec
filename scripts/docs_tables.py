"""The tables of `docs/` that follow from the code: streams and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_emaillogs.config.schema import General, common_properties, default_of, default_text, properties
from tap_emaillogs.engine.ledger import SyncWindows
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.events import EmailEvents
from tap_emaillogs.streams.settings import Settings, declared
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_emaillogs.streams.provider import Provider

_HEAD = ("| setting | meaning |", "| --- | --- |")
_NAMES = {provider.name for provider in PROVIDERS}
_SDK = "They work as in [every tap of the Singer SDK](https://sdk.meltano.com/en/latest/)."


def streams() -> Iterator[str]:
    """Yield the table of all streams."""
    yield "| stream | endpoint | primary key | replication key | paging |"
    yield "| --- | --- | --- | --- | --- |"
    for provider in PROVIDERS:
        for stream in provider.streams:
            known: Any = stream  # the SDK declares some of these on instances only
            keys = ", ".join(known.primary_keys)
            yield f"| `{vars(stream)['name']}` | {known.endpoint} | {keys} | {known.replication_key} | {known.paging} |"
    for name, about in ((EmailEvents, "all of the above, unified"), (SyncWindows, "the tap's own ledger")):
        own: Any = name
        yield f"| `{own.name}` | {about} | {', '.join(own.primary_keys)} | {own.replication_key} | none |"


def _row(name: str, spec: Mapping[str, Any]) -> str:
    mark = " (secret)" if spec.get("secret") else ""
    values = spec.get("enum") or spec.get("items", {}).get("enum")
    allowed = f" One of {', '.join(f'`{value}`' for value in values)}." if values else ""
    text = " ".join((spec.get("description") or "").split()).replace("|", "\\|")
    return f"| `{name}`{mark} | {text}{allowed} |"


def _rows(properties: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield a row for each setting; objects with known properties are followed by what is in them."""
    for name, spec in properties.items():
        yield _row(f"{prefix}{name}", spec)
        if not spec.get("additionalProperties"):
            yield from _rows(spec.get("properties", {}), f"{prefix}{name}.")


def _specs(properties: Iterable[Any]) -> dict[str, Any]:
    return {prop.name: prop.to_dict()[prop.name] for prop in properties}


def settings() -> Iterator[str]:
    """Yield the tables of all settings, those of the SDK included."""
    schema = TapEmailLogs._full_schema()["properties"]  # noqa: SLF001 - what `--about` shows
    general, common = declared(General), _specs(properties(Settings))
    yield from (*_HEAD, *_rows({name: spec for name, spec in schema.items() if name in general or name == "privacy"}))
    yield from ("", "## Every provider", "", "Each provider's object, and each of its `accounts`, also takes:", "")
    yield from (*_HEAD, *_rows(common))
    yield "| `accounts` | A list of objects of the same keys; what one leaves out it takes from the object around it. |"
    for provider in PROVIDERS:
        other = ", ".join(f"{name} {value}" for name, value in _other_defaults(provider))
        yield from ("", f"## `{provider.name}`", "", f"{provider.title}; other defaults: {other}.", "", *_HEAD)
        shared = {prop.name for prop in common_properties(provider)} | {"accounts"}
        found = schema[provider.name]["properties"]
        yield from _rows({name: found[name] for name in found if name not in shared}, f"{provider.name}.")
    rest = {name: spec for name, spec in schema.items() if not (name in general or name == "privacy" or name in _NAMES)}
    yield from ("", "## The SDK's own", "", _SDK, "", *_HEAD, *_rows(rest))


def _other_defaults(provider: Provider) -> Iterator[tuple[str, str]]:
    """Yield the common settings whose defaults this vendor or its streams have otherwise."""
    common, own = declared(Settings), declared(provider.settings)
    for name in sorted(common.keys() - declared(General)):
        text = default_of(provider, own[name])
        if own[name].described_by is Settings and text != default_text(common[name].default):
            yield name, text

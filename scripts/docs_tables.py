"""The tables of `docs/` that follow from the code: streams and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_emaillogs.config.schema import PRIVACY, General, default_of, default_text, own_properties, properties
from tap_emaillogs.engine.ledger import SyncWindows
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.events import EmailEvents
from tap_emaillogs.streams.settings import Settings, declared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_emaillogs.streams.provider import Provider


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


def _rows(properties: Iterable[Any], prefix: str = "") -> Iterator[str]:
    for prop in properties:
        spec = prop.to_dict()[prop.name]
        mark = " (secret)" if spec.get("secret") else ""
        allowed = f" One of {', '.join(f'`{value}`' for value in spec['enum'])}." if "enum" in spec else ""
        text = " ".join((spec.get("description") or "").split()).replace("|", "\\|")
        yield f"| `{prefix}{prop.name}`{mark} | {text}{allowed} |"


def settings() -> Iterator[str]:
    """Yield the tables of all settings."""
    yield from ("| setting | meaning |", "| --- | --- |", *_rows(properties(General)))
    privacy: Any = PRIVACY.wrapped
    yield from _rows(privacy.wrapped.values(), "privacy.")
    yield from ("", "## Every provider", "", "Each provider's object, and each of its `accounts`, also takes:", "")
    yield from ("| setting | meaning |", "| --- | --- |", *_rows(properties(Settings)))
    yield "| `accounts` | A list of objects of the same keys; what one leaves out it takes from the object around it. |"
    for provider in PROVIDERS:
        other = ", ".join(f"{name} {value}" for name, value in _other_defaults(provider))
        yield from ("", f"## `{provider.name}`", "", f"{provider.title}; other defaults: {other}.", "")
        yield from ("| setting | meaning |", "| --- | --- |")
        yield from _rows(own_properties(provider), f"{provider.name}.")


def _other_defaults(provider: Provider) -> Iterator[tuple[str, str]]:
    """Yield the common settings whose defaults this vendor or its streams have otherwise."""
    common, own = declared(Settings), declared(provider.settings)
    for name in sorted(common.keys() - declared(General)):
        text = default_of(provider, own[name])
        if own[name].described_by is Settings and text != default_text(common[name].default):
            yield name, text

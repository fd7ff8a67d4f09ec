"""The tables of README.md that follow from the code: streams and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_emaillogs.config.schema import COMMON, PRIVACY, TOP
from tap_emaillogs.engine.ledger import SyncWindows
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.events import EmailEvents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_COMMON_NAMES = {prop.name for prop in COMMON}


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


def _rows(properties: Iterable[Any], prefix: str = "", required: Iterable[str] = ()) -> Iterator[str]:
    for prop in properties:
        spec = prop.to_dict()[prop.name]
        marks = ("*" if prop.name in required else "") + (" (secret)" if spec.get("secret") else "")
        allowed = f" One of {', '.join(f'`{value}`' for value in spec['enum'])}." if "enum" in spec else ""
        text = " ".join((spec.get("description") or "").split()).replace("|", "\\|")
        yield f"| `{prefix}{prop.name}`{marks} | {text}{allowed} |"


def settings() -> Iterator[str]:
    """Yield the tables of all settings."""
    yield from ("| setting | meaning |", "| --- | --- |", *_rows(TOP))
    privacy: Any = PRIVACY.wrapped
    yield from _rows(privacy.wrapped.values(), "privacy.")
    yield from ("", "Each provider's object, and each of its `accounts`, also takes:", "")
    yield from ("| setting | meaning |", "| --- | --- |", *_rows(COMMON))
    yield "| `accounts` | A list of objects of the same keys; what one leaves out it takes from the object around it. |"
    for provider in PROVIDERS:
        required = {key for keys in provider.required for key in keys}
        shown = ", ".join(
            f"{name} {_text(provider.defaults[name])}" for name in sorted(provider.defaults) if name in _COMMON_NAMES
        )
        yield from ("", f"**`{provider.name}`** ({provider.title}; * required; defaults: {shown})", "")
        yield from ("| setting | meaning |", "| --- | --- |")
        yield from _rows(provider.settings, f"{provider.name}.", required)


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

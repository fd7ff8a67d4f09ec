"""The configuration's JSON schema, made from what the settings' classes declare."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.provider import name_of
from tap_emaillogs.streams.settings import Options, Settings, declared, option
from tap_emaillogs.streams.undocumented import UndocumentedStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_emaillogs.streams.provider import Provider
    from tap_emaillogs.streams.settings import Declared

_SCALARS: dict[Any, Any] = {
    str: th.StringType,
    int: th.IntegerType,
    float: th.NumberType,
    bool: th.BooleanType,
}


@dataclass(frozen=True, kw_only=True)
class General(Options):
    """The settings that are no provider's."""

    start_date: str | None = option(
        None,
        "Read events from this time on (ISO 8601, UTC unless it names an offset). Without it a first run goes back as "
        "far as the vendor keeps its log.",
        kind=th.DateTimeType,
    )
    end_date: str | None = option(None, "Read events before this time only; for backfills.", kind=th.DateTimeType)
    on_gap: str = option(
        "warn",
        "What a gap (a window lost to the vendor's history, or cut by it) means: `warn`, or `fail`, exit status 1.",
        allowed=("warn", "fail"),
    )
    timeout_seconds: float = option(
        60,
        "Longest silence of a vendor in one request. A whole answer may take three times as long, and a second more "
        "for each 64 kB of it.",
        positive=True,
    )
    max_tries: int = option(6, "How often a request is tried in all.", positive=True, most=100)
    user_agent: str | None = option(None, "User-Agent header of all requests.")
    emit_activate_version_messages: bool = option(
        False,
        "Whether a stream that the catalog wants read whole (`FULL_TABLE`) begins with an ACTIVATE_VERSION message, "
        "after which a target drops what an earlier run wrote; also where this run then fails halfway.",
    )
    allow_http: bool = option(
        False, "Permit addresses with http, where anybody on the way can read key and mail; loopback always may."
    )


PRIVACY = th.Property(
    "privacy",
    th.ObjectType(
        th.Property(
            "recipient",
            th.StringType,
            allowed_values=["keep", "hash", "domain", "drop"],
            description="Recipients' addresses, in every stream.",
        ),
        th.Property("subject", th.StringType, allowed_values=["keep", "hash", "drop"], description="Subjects."),
        th.Property("body", th.StringType, allowed_values=["keep", "drop"], description="Bodies (Infobip's `text`)."),
        th.Property(
            "ip",
            th.StringType,
            allowed_values=["keep", "hash", "drop"],
            description="The recipient's side's IP addresses (opens and clicks).",
        ),
        th.Property(
            "salt",
            th.StringType,
            secret=True,
            description="Secret salt of the hashes, at least 16 characters; required when anything is hashed.",
        ),
        additional_properties=False,
    ),
    description="What happens to personal data before anything is written; everything is kept by default.",
)


# From a declaration to a property.


def property_of(one: Declared, default: str, more: str = "", kind: Any = None) -> th.Property[Any]:
    """Return a setting's property.

    The default stands in its description only: as the schema's own, a plugin's definition would take it over, and that
    would switch its provider on.
    """
    parts = (one.option.description, more, f"Default: {default}." if default else "")
    return th.Property(
        one.name,
        kind or _kind(one),
        description=" ".join(filter(None, parts)) or None,
        secret=one.option.secret,
        allowed_values=[*one.option.allowed] if one.option.allowed and one.type in _SCALARS else None,
    )


def default_text(value: Any) -> str:
    """Return a default as the documentation shows it; empty: there is none to speak of."""
    if value is None or value in ("", {}, ()) or isinstance(value, Options):
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(default_text, value))
    if isinstance(value, str):
        return f"`{value}`"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def _kind(one: Declared) -> Any:
    if one.option.kind is not None:
        return one.option.kind
    if isinstance(one.type, type) and issubclass(one.type, Options):
        return th.ObjectType(*properties(one.type), additional_properties=False)
    if typing.get_origin(one.type) is Sequence:
        (item,) = typing.get_args(one.type)
        allowed = [*one.option.allowed]
        return th.ArrayType(_SCALARS[item](allowed_values=allowed) if allowed else _SCALARS[item])
    bounds = {"exclusive_minimum": 0 if one.option.positive else None, "maximum": one.option.most}
    bounds = {name: bound for name, bound in bounds.items() if bound is not None}
    return _SCALARS[one.type](**bounds) if bounds else _SCALARS[one.type]


def properties(kind: type[Options]) -> Iterator[th.Property[Any]]:
    """Yield the properties of a class of settings."""
    for one in declared(kind).values():
        if one.option.description:
            yield property_of(one, default_text(one.default))


def general_properties() -> Iterator[th.Property[Any]]:
    """Yield those of the settings that are no provider's: only they may have a default that others take over."""
    for one, prop in zip(declared(General).values(), properties(General), strict=True):
        prop.default = one.default
        yield prop


# One provider's.


def _columns(provider: Provider) -> Iterator[th.Property[Any]]:
    """Yield `columns` and `reference`, where the vendor does not document the columns of all its streams."""
    open_ended = [name_of(kind) for kind in provider.streams if issubclass(kind, UndocumentedStream)]
    if open_ended:
        names = th.ArrayType(th.StringType)
        streams = [th.Property(name, names, description=f"Of `{name}`.") for name in open_ended]
        yield th.Property(
            "columns",
            th.ObjectType(*streams, additional_properties=False),
            description="Columns that the schema is to declare beside the likely ones, as strings, by stream; all "
            "others come in `extra_fields`.",
        )
        yield th.Property(
            "reference",
            th.ObjectType(*streams, additional_properties=False),
            description="Columns that hold the vendor's reference of a mail, the best first, by stream, where the "
            "likely ones are not right: with the recipient and the mail's own date it identifies a row.",
        )


def _filters(provider: Provider) -> Iterator[th.Property[Any]]:
    """Yield the setting `filters`, where the vendor's request has any."""
    if provider.request_filters:
        yield th.Property(
            "filters",
            th.ObjectType(*provider.request_filters, additional_properties=False),
            description="The vendor's own request filters, under its own names. Only what they let through is read; "
            "the ledger shows them, and its `complete` means complete under them.",
        )


def own_properties(provider: Provider) -> Iterator[th.Property[Any]]:
    """Yield the properties of the settings that the vendor itself describes."""
    for one in declared(provider.settings).values():
        if one.described_by is not Settings:
            yield property_of(one, default_of(provider, one), _required(provider, one.name))


def common_properties(provider: Provider) -> Iterator[th.Property[Any]]:
    """Yield those of the settings that all vendors have, with this vendor's defaults."""
    for one in declared(provider.settings).values():
        if one.described_by is Settings and one.option.description:
            yield property_of(one, default_of(provider, one))


def default_of(provider: Provider, one: Declared) -> str:
    """Return a setting's default in words, with those that streams and other settings make differ."""
    if one.name in declared(General):
        return ""  # that of the whole configuration
    streams: dict[str, list[str]] = {}
    for kind in provider.streams:
        assert issubclass(kind, LogStream)
        streams.setdefault(default_text(kind.defaults.get(one.name, one.default)), []).append(name_of(kind))
    text, *others = streams or [default_text(one.default)]
    parts = [text, *(f"{other} for {', '.join(streams[other])}" for other in others)]
    parts += [f"{default_text(value)} with {name} {case}" for (name, case), value in one.option.cases.items()]
    return "; ".join(filter(None, parts))


def _required(provider: Provider, name: str) -> str:
    if not any(name in keys for keys in provider.required):
        return ""
    others = " or ".join(", ".join(keys) for keys in provider.required if name not in keys)
    return f"Required without {others}." if others else "Required."


def provider_property(provider: Provider) -> th.Property[Any]:
    """Return the configuration object of one provider."""
    own = (*own_properties(provider), *_filters(provider), *_columns(provider), *common_properties(provider))
    return th.Property(
        provider.name,
        th.ObjectType(
            *own,
            th.Property(
                "accounts",
                th.ArrayType(th.ObjectType(*own, additional_properties=False)),
                description="Several accounts, each with an `account` label of its own; what one leaves out "
                "it takes from the object around it.",
            ),
            additional_properties=False,
        ),
        description=f"{provider.title}: is on when this object is there.",
    )


def config_schema(providers: Iterable[Provider]) -> dict[str, Any]:
    """Return the JSON schema of the whole configuration."""
    objects = map(provider_property, providers)
    schema: dict[str, Any] = th.PropertiesList(*general_properties(), PRIVACY, *objects).to_dict()
    return schema

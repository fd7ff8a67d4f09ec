"""The configuration's JSON schema, composed from what the providers say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from tap_emaillogs.streams.undocumented import UndocumentedStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_emaillogs.streams.provider import Provider

DEFAULT_ACCOUNT = "default"

COMMON_DEFAULTS: dict[str, Any] = {
    "account": DEFAULT_ACCOUNT,
    "max_concurrency": 2,
}
TOP_DEFAULTS: dict[str, Any] = {"on_gap": "warn", "timeout_seconds": 60, "max_tries": 6}

_ALLOW_HTTP = "Permit addresses with http, where anybody on the way can read key and mail (false; loopback always may)."
TOP: tuple[th.Property[Any], ...] = (
    th.Property(
        "start_date",
        th.DateTimeType,
        description="Read events from this time on (ISO 8601, UTC unless it names an offset). "
        "Without it a first run goes back as far as the vendor keeps its log.",
    ),
    th.Property("end_date", th.DateTimeType, description="Read events before this time only; for backfills."),
    th.Property(
        "on_gap",
        th.StringType,
        allowed_values=["warn", "fail"],
        description="What a gap (a window lost to the vendor's history, or cut by it) means: `warn` (default) "
        "or `fail`, exit status 1.",
    ),
    th.Property("timeout_seconds", th.NumberType, description="Longest silence of a vendor in one request (60)."),
    th.Property("max_tries", th.IntegerType, description="How often a request is tried in all (6)."),
    th.Property("user_agent", th.StringType, description="User-Agent header of all requests."),
    th.Property("allow_http", th.BooleanType, description=_ALLOW_HTTP),
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

COMMON: tuple[th.Property[Any], ...] = (
    th.Property("base_url", th.StringType, description="The API root, with its scheme."),
    th.Property("allow_http", th.BooleanType, description="As above, for this provider or account."),
    th.Property("account", th.StringType, description="Label of this account in every record (`default`)."),
    th.Property("start_date", th.DateTimeType, description="As above, for this provider or account."),
    th.Property("history_days", th.NumberType, description="Days that the vendor keeps its log."),
    th.Property("lookback_minutes", th.NumberType, description="Each run starts so far before its bookmark."),
    th.Property(
        "revisit_minutes",
        th.ArrayType(th.NumberType),
        description="Every stretch of time is read once more when it reaches each of these ages.",
    ),
    th.Property("settle_minutes", th.NumberType, description="Windows end so long before now."),
    th.Property("window_hours", th.NumberType, description="The largest window asked for at once."),
    th.Property("page_size", th.IntegerType, description="Rows asked for in one request."),
    th.Property(
        "requests_per_minute",
        th.NumberType,
        description="Request budget of the account; default: the vendor's published one; 0: no limit.",
    ),
    th.Property("max_concurrency", th.IntegerType, description="Windows of the account read at the same time (2)."),
)


def _columns(provider: Provider) -> Iterator[th.Property[Any]]:
    """Yield `columns` and `reference`, where the vendor does not document the columns of all its streams."""
    open_ended = [vars(kind)["name"] for kind in provider.streams if issubclass(kind, UndocumentedStream)]
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


def provider_property(provider: Provider) -> th.Property[Any]:
    """Return the configuration object of one provider."""
    own = (*provider.settings, *_filters(provider), *_columns(provider), *COMMON)
    own = tuple({prop.name: prop for prop in reversed(own)}.values())[::-1]  # a provider may describe a common key
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
    schema: dict[str, Any] = th.PropertiesList(*TOP, PRIVACY, *map(provider_property, providers)).to_dict()
    return schema

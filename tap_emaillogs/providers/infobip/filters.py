"""The request filters of both versions of the logs endpoint, and what each version accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from tap_emaillogs.providers.infobip.mapping import GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_RENAMED = {"from": "sender", "to": "destination"}
"""What version 4 calls filters and columns of version 1."""
_LISTS = "in version 4 several, with commas"

FILTERS: tuple[th.Property[Any], ...] = (
    th.Property("messageId", th.StringType(max_length=2048), description=f"The vendor's id of a mail; {_LISTS}."),
    th.Property("from", th.StringType, description="Sender's address (version 1)."),
    th.Property("to", th.StringType, description="Recipient's address (version 1)."),
    th.Property("sender", th.StringType, description="Sender's address (version 4)."),
    th.Property("destination", th.StringType, description="Recipient's address (version 4)."),
    th.Property("bulkId", th.StringType(max_length=2048), description=f"The vendor's id of a request; {_LISTS}."),
    th.Property("campaignReferenceId", th.StringType, description=f"Your id of a campaign; {_LISTS}."),
    th.Property(
        "generalStatus",
        th.StringType,
        description=f"Status group; in version 4 one of {', '.join(GROUPS.meanings)}. A mail that changes to another "
        "group leaves what is read: its record keeps the state that was seen last.",
    ),
    th.Property("applicationId", th.StringType, description="Your id of an application."),
    th.Property("entityId", th.StringType, description="Your id of an entity."),
)
"""All filters, under the vendor's own names."""


def renamed_in_version_4(name: str) -> str:
    """Return what version 4 calls a filter or column of version 1."""
    return _RENAMED.get(name, name)


def mistakes(filters: Mapping[str, str], version: int) -> Iterator[tuple[str, str]]:
    """Yield (filter, what is wrong with it) for filters that this version of the endpoint refuses or ignores."""
    other_names = {new: old for old, new in _RENAMED.items()} if version == 1 else _RENAMED
    for name, value in filters.items():
        if name in other_names:
            yield name, f"is no filter of api_version {version}, which calls it {other_names[name]}"
        elif not value.strip():
            yield name, "is empty: leave it out"
        elif version == 4 and name == "generalStatus" and value not in GROUPS.meanings:
            yield name, f"must be one of {', '.join(GROUPS.meanings)} with api_version 4"

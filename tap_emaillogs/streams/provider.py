"""What a vendor module tells the rest: its settings, defaults, authorization and streams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from tap_emaillogs.engine.windows import Policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from singer_sdk.typing import Property

    from tap_emaillogs.http.client import ApiClient, Auth
    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.meanings import MappingTable
    from tap_emaillogs.streams.records import Record


class Provider(ABC):
    """A vendor. One module of `tap_emaillogs.providers` defines one, and nothing else names it."""

    name: ClassVar[str]
    """The object in the configuration, and the first word of its streams."""
    title: ClassVar[str]
    settings: ClassVar[tuple[Property[Any], ...]]
    """The vendor's own keys, beside those common to all."""
    request_filters: ClassVar[tuple[Property[Any], ...]] = ()
    """The vendor's request filters, under its own names and with its own limits, but for dates, paging and sorting."""
    required: ClassVar[tuple[tuple[str, ...], ...]]
    """Sets of keys of which one must be there in full."""
    defaults: ClassVar[Mapping[str, Any]]
    streams: ClassVar[tuple[type[LogStream], ...]]
    event_sources: ClassVar[tuple[str, ...]] = ()
    """Streams that can feed `email_events`, the preferred one first; one of them does."""
    mappings: ClassVar[tuple[MappingTable, ...]] = ()
    """What the vendor's values become in `email_events`."""

    def defaults_for(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002 - for the vendors
        """Return the defaults of an account with these settings."""
        return self.defaults

    def checks(self, settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:  # noqa: ARG002 - for the vendors
        """Yield (key, what is wrong with it) for mistakes that the schema cannot see."""
        return ()

    def streams_for(self, settings: Mapping[str, Any]) -> tuple[type[LogStream], ...]:  # noqa: ARG002 - likewise
        """Return the streams that an account with these settings can read."""
        return self.streams

    @abstractmethod
    def base_url(self, settings: Mapping[str, Any]) -> str:
        """Return the API root, without a slash at its end."""

    @abstractmethod
    def auth(self, settings: Mapping[str, Any]) -> Auth:
        """Return how the account proves who it is."""

    def token_refused(self, message: str) -> bool:  # noqa: ARG002 - for the vendors
        """Whether a 401 with this message may be answered better with another token."""
        return True

    @abstractmethod
    def error_message(self, data: Any) -> str | None:
        """Find the vendor's own error text in a decoded body; None: it carries no error."""

    def events(self, stream: str, record: Record) -> Iterable[Record]:  # noqa: ARG002 - likewise
        """Derive the unified events of one record of `stream`, before privacy is applied.

        What an older version of a row gave, every newer version gives too, under the same `event_id`.
        """
        return ()

    def remark(self, stream: str, record: Record) -> str | None:  # noqa: ARG002 - likewise
        """Say what a record tells that makes no event, for one warning per run; None: nothing of the kind."""
        return None


@dataclass(frozen=True)
class Account:
    """One account of a vendor, ready to be asked."""

    provider: Provider
    label: str
    settings: Mapping[str, Any] = field(repr=False)
    client: ApiClient = field(repr=False)
    start: datetime | None = None
    end: datetime | None = None

    @property
    def base_url(self) -> str:
        """The API root, without a slash at its end."""
        return self.provider.base_url(self.settings).rstrip("/")

    def policy(self, unit: timedelta, overrides: Mapping[str, Any]) -> Policy:
        """Return how an endpoint of this account is read; `overrides` are the endpoint's own defaults."""
        given = {**overrides, **{key: value for key, value in self.settings.items() if value is not None}}
        history = given.get("history_days")
        largest = given.get("window_hours") or 24 * 365
        return Policy(
            unit=unit,
            largest=timedelta(hours=float(largest)),
            history=None if history is None else timedelta(days=float(history)),
            lookback=timedelta(minutes=float(given["lookback_minutes"])),
            revisits=tuple(timedelta(minutes=float(age)) for age in sorted(set(given["revisit_minutes"]))),
            settle=timedelta(minutes=float(given["settle_minutes"])),
            start=self.start,
            end=self.end,
        )

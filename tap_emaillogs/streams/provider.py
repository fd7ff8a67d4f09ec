"""What a vendor module tells the rest: its settings, defaults, authorization and streams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from tap_emaillogs.streams.window import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from singer_sdk.streams import RESTStream
    from singer_sdk.typing import Property

    from tap_emaillogs.http.client import ApiClient
    from tap_emaillogs.http.errors import ErrorRule
    from tap_emaillogs.streams.meanings import MappingTable
    from tap_emaillogs.streams.records import Record
    from tap_emaillogs.streams.settings import Settings, StreamDefaults


class Provider(ABC):
    """A vendor. One module of `tap_emaillogs.providers` defines one, and nothing else names it."""

    name: ClassVar[str]
    """The object in the configuration, and the first word of its streams."""
    title: ClassVar[str]
    settings: ClassVar[type[Settings]]
    """The vendor's own keys and defaults, beside those common to all."""
    request_filters: ClassVar[tuple[Property[Any], ...]] = ()
    """The vendor's request filters, under its own names and with its own limits, but for dates, paging and sorting."""
    required: ClassVar[tuple[tuple[str, ...], ...]]
    """Alternative sets of required settings, of which one must be complete: `(("key",), ("user", "password"))`."""
    streams: ClassVar[tuple[type[RESTStream[Any]], ...]]
    """Subclasses of `LogStream`."""
    errors: ClassVar[tuple[ErrorRule, ...]] = ()
    """What the vendor's errors mean, where the common table (`http/errors.py`) does not say it right."""
    history_source: ClassVar[str] = "documented"
    """Where the default of `history_days` is from; `inferred`: no page of the vendor's states it outright."""
    auth_schemes: ClassVar[tuple[str, ...]] = ()
    """Words of the vendor's that precede a key or token in a header, as `Bearer` does: what follows is hidden."""
    event_sources: ClassVar[tuple[str, ...]] = ()
    """Streams that can feed `email_events`, the preferred one first; one of them does."""
    mappings: ClassVar[tuple[MappingTable, ...]] = ()
    """What the vendor's values become in `email_events`."""

    def streams_for(self, settings: Settings) -> tuple[type[RESTStream[Any]], ...]:
        """Return the streams that an account with these settings can read."""
        off = settings.streams_off()
        return tuple(kind for kind in self.streams if name_of(kind) not in off)

    @abstractmethod
    def error_message(self, data: Any) -> str | None:
        """Find the vendor's own error text in a decoded body; None: it carries no error."""

    def error_finder(self, settings: Settings) -> Callable[[Any], str | None]:  # noqa: ARG002 - where it depends
        """Return what finds it for an account; override where settings tell where errors stand."""
        return self.error_message

    def events(self, stream: str, record: Record) -> Iterable[Record]:  # noqa: ARG002 - likewise
        """Derive the unified events of one record of `stream`, before privacy is applied.

        What an older version of a row gave, every newer version gives too, under the same `event_id`.
        """
        return ()

    def remark(self, stream: str, record: Record) -> str | None:  # noqa: ARG002 - likewise
        """Say what a record tells that makes no event, for one warning per run; None: nothing of the kind."""
        return None


def name_of(kind: type[Any]) -> str:
    """Return the name of a stream's class; the SDK declares it of instances only."""
    return str(kind.name)


@dataclass(frozen=True)
class Account:
    """One account of a vendor, ready to be asked."""

    provider: Provider
    label: str
    settings: Settings = field(repr=False)
    client: ApiClient = field(repr=False)
    given: Mapping[str, Any] = field(repr=False)
    """What the user gave of the settings."""
    start: datetime | None = None
    end: datetime | None = None

    @property
    def base_url(self) -> str:
        """The API root, without a slash at its end."""
        return self.settings.api_root().rstrip("/")

    def settings_with(self, defaults: StreamDefaults) -> Settings:
        """Return the settings of an endpoint whose stream has defaults of its own."""
        return self.provider.settings.of(defaults, self.given)

    def policy(self, unit: timedelta, defaults: StreamDefaults) -> Policy:
        """Return how an endpoint of this account is read; `defaults` are its stream's own."""
        given = self.settings_with(defaults)
        history = given.history_days
        return Policy(
            unit=unit,
            largest=timedelta(hours=given.window_hours),
            history=None if history is None else timedelta(days=history),
            lookback=timedelta(minutes=given.lookback_minutes),
            revisits=tuple(timedelta(minutes=age) for age in sorted(set(given.revisit_minutes))),
            settle=timedelta(minutes=given.settle_minutes),
            start=self.start,
            end=self.end,
        )

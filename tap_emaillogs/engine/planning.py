"""Which endpoints a run reads, and who is fed by each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_emaillogs.engine.endpoint import Endpoint
from tap_emaillogs.engine.finish import Consumer, processed_by
from tap_emaillogs.engine.ledger import SyncWindows
from tap_emaillogs.engine.state import Bookmark, EndpointState, Partitions
from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.events import EmailEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from singer_sdk import Stream

    from tap_emaillogs.privacy.plan import Privacy
    from tap_emaillogs.streams.output import RecordLines
    from tap_emaillogs.streams.provider import Account, Provider


@dataclass(frozen=True)
class Sources:
    """The streams of a tap, and the accounts that each of them can be read in."""

    streams: Mapping[str, Stream]
    accounts_of: Callable[[LogStream], Sequence[Account]]

    def endpoints(self, outputs: Mapping[str, RecordLines], privacy: Privacy, now: datetime) -> list[Endpoint]:
        """Return what is to be read so that each stream with an output gets its records, each endpoint once.

        Args:
            outputs: What makes lines of the records of a stream, by the stream's name.
            privacy: What hides personal data.
            now: When the run began.
        """
        partitions = {name: Partitions(stream) for name, stream in self.streams.items()}
        found = []
        for stream, account in self._pairs():
            bound = stream.for_account(account)
            consumers = []
            if stream.name in outputs:
                bookmark = Bookmark(stream, partitions[stream.name], {"account": account.label})
                consumers.append(Consumer(stream, bookmark, processed_by(stream), outputs[stream.name]))
            if EmailEvents.name in outputs and stream.name == event_source(account.provider, outputs):
                events = self.streams[EmailEvents.name]
                assert isinstance(events, EmailEvents)
                bookmark = Bookmark(events, partitions[events.name], context_of(account, stream))
                consumers.append(
                    Consumer(events, bookmark, events.deriving(account.provider, bound), outputs[events.name])
                )
            if consumers:
                known = EndpointState(partitions[SyncWindows.name], context_of(account, stream))
                found.append(Endpoint(bound, consumers, known, now, privacy))
        for endpoint in found:
            endpoint.plan()
        return found

    def event_contexts(self, selected: Collection[str]) -> list[dict[str, str]]:
        """Return the partitions of `email_events`."""
        return [
            context_of(account, stream)
            for stream, account in self._pairs()
            if stream.name == event_source(account.provider, selected)
        ]

    def _pairs(self) -> Iterator[tuple[LogStream, Account]]:
        for stream in self.streams.values():
            if isinstance(stream, LogStream):
                for account in self.accounts_of(stream):
                    yield stream, account


def event_source(provider: Provider, selected: Collection[str]) -> str | None:
    """Return the stream of a provider that feeds `email_events`; None: none does."""
    return next((name for name in provider.event_sources if name in selected), next(iter(provider.event_sources), None))


def context_of(account: Account, stream: Stream) -> dict[str, str]:
    """Return what STATE knows an endpoint by."""
    return {"provider": account.provider.name, "account": account.label, "stream": stream.name}

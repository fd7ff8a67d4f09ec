"""Which endpoints a run reads, and who is fed by each of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tap_emaillogs.engine.endpoint import Endpoint
from tap_emaillogs.engine.failure import Failure
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
    unread: Sequence[str] = ()
    """A sentence for each stream that is selected and is not among `streams`: no account can be read for it."""

    def why_nothing(self, selected: Collection[str]) -> str:
        """Say why a run that found nothing to read for the selected streams reads nothing."""
        if not self.unread and [*selected] == [SyncWindows.name]:
            return "nothing is read: no selected stream reads a log (sync_windows alone reads nothing)"
        if self.unread:
            return "nothing is read: no selected stream is of a vendor that is configured"
        return "nothing is read: no stream is selected"

    def endpoints(
        self, outputs: Mapping[str, RecordLines], privacy: Privacy, now: datetime
    ) -> tuple[list[Endpoint], list[Failure]]:
        """Return what is to be read so that each stream with an output gets its records, and what cannot be planned.

        Args:
            outputs: What makes lines of the records of a stream, by the stream's name.
            privacy: What hides personal data.
            now: When the run began.
        """
        partitions = {name: Partitions(stream) for name, stream in self.streams.items()}
        found, failures = [], []
        for stream, account in self._pairs():
            context = context_of(account, stream)
            fed = self._fed_by(stream, account, outputs)
            try:  # a vendor's code is at work here too
                bound = stream.for_account(account)
                consumers = [self._consumer(one, bound, partitions[one.name], outputs[one.name]) for one in fed]
                if consumers:
                    known = EndpointState(partitions[SyncWindows.name], context)
                    endpoint = Endpoint(bound, consumers, known, now, privacy)
                    endpoint.plan()
                    found.append(endpoint)
            except BaseException as error:
                if account.client.clock.stopped:  # a signal, and nothing of the vendor's
                    raise
                where = f"{context['provider']}, account {context['account']}, stream {context['stream']}"
                failures.append(Failure.of(where, error, account, (one.name for one in fed)))
        return found, failures

    def read_for(self, selected: Collection[str]) -> Iterator[LogStream]:
        """Yield each stream that is read for the selected ones, bound to each of its accounts."""
        for stream, account in self._pairs():
            if self._fed_by(stream, account, selected):
                yield stream.for_account(account)

    def _fed_by(self, stream: LogStream, account: Account, outputs: Collection[str]) -> list[Stream]:
        """Return the streams with an output that an endpoint feeds."""
        fed: list[Stream] = [stream] if stream.name in outputs else []
        if EmailEvents.name in outputs and stream.name == event_source(account.provider, outputs):
            fed.append(self.streams[EmailEvents.name])
        return fed

    @staticmethod
    def _consumer(fed: Stream, stream: LogStream, partitions: Partitions, output: RecordLines) -> Consumer:
        account = stream.account
        if isinstance(fed, EmailEvents):
            bookmark = Bookmark(fed, partitions, context_of(account, stream))
            note_remarks = partial(fed.note_remarks, stream.name)
            derives = fed.deriving(account.provider, stream)
            return Consumer(fed, bookmark, derives, output, stream.remark, note_remarks)
        assert isinstance(fed, LogStream)
        return Consumer(fed, Bookmark(fed, partitions, {"account": account.label}), processed_by(fed), output)

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

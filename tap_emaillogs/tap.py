"""The tap: configuration composed from the providers, discovery, and one sync over all streams."""

from __future__ import annotations

import gc
import logging
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError

from tap_emaillogs import cli
from tap_emaillogs.config import accounts, checks
from tap_emaillogs.config import load as configuration
from tap_emaillogs.config.schema import config_schema
from tap_emaillogs.engine.ledger import SyncWindows
from tap_emaillogs.http.clock import Clock
from tap_emaillogs.http.redaction import RedactingFilter, Redactor
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.events import EmailEvents
from tap_emaillogs.streams.output import LineWriter
from tap_emaillogs.streams.provider import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    import click
    from singer_sdk import Stream
    from singer_sdk.helpers.types import Context
    from singer_sdk.streams import RESTStream

    from tap_emaillogs.engine.planning import Sources
    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.provider import Account, Provider
    from tap_emaillogs.streams.records import Record


# What only a sync needs is imported by what a sync calls: `--version`, `--about` and `--discover` answer at once.


class TapEmailLogs(Tap):
    """Singer tap for the delivery logs of e-mail providers."""

    name = "tap-emaillogs"
    config_jsonschema: ClassVar[dict[str, Any]] = config_schema(PROVIDERS)
    message_writer_class = LineWriter
    clock_class: ClassVar[type[Clock]] = Clock

    def __init__(self, *, config: dict[str, Any] | None = None, parse_env_config: bool = False, **kwargs: Any) -> None:
        given = configuration.nested(config or {})
        if parse_env_config:
            given = configuration.merged(given, configuration.from_environment(self._full_schema(), "TAP_EMAILLOGS_"))
        given = configuration.coerced(given, self._full_schema())
        self.clock = self.clock_class()
        self.redact = Redactor(configuration.secrets(given, self._full_schema()))
        self._signal: int | None = None
        self._wake: Callable[[], None] | None = None
        self.windows_read: list[Record] = []
        """Rows of the ledger, where streams are read one by one and not in a sync: what each window came to."""
        super().__init__(config=given, **kwargs)

    @classmethod
    def _full_schema(cls) -> dict[str, Any]:
        cls.append_builtin_config(cls.config_jsonschema)
        return cls.config_jsonschema

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the configuration in words that never hold a value of it."""
        found = checks.mistakes(dict(self.config), self._full_schema(), PROVIDERS, self.clock.now())
        if not found and not any(provider.name in self.config for provider in PROVIDERS):
            names = ", ".join(provider.name for provider in PROVIDERS)
            found = [f"no provider is configured: give at least one of {names} with its key"]
        if found and raise_errors:
            raise ConfigValidationError("the configuration has mistakes", errors=found, schema={})
        self._usable = not found
        return found

    # Streams and accounts.

    @cached_property
    def accounts(self) -> dict[str, list[Account]]:
        """The configured accounts, by provider."""
        return accounts.build(self.config, PROVIDERS, self.clock, self.redact) if self._usable else {}

    def discover_streams(self) -> Sequence[Stream]:
        """Return the streams of the configured providers; of all where none is configured."""
        streams: list[Stream] = [EmailEvents(self), SyncWindows(self)]
        for provider in PROVIDERS:
            streams.extend(kind(self) for kind in self._kinds(provider))
        return streams

    def _kinds(self, provider: Provider) -> Sequence[type[RESTStream[Any]]]:
        if not self.accounts:
            return provider.streams
        readable = {
            kind for account in self.accounts.get(provider.name, ()) for kind in provider.streams_for(account.settings)
        }
        return [kind for kind in provider.streams if kind in readable]

    def setup_mapper(self) -> None:
        """Prepare stream maps; a stream that is not selected keeps its whole schema, for whoever reads it all the same.

        The SDK would leave it without a column: its own test suite reads every stream.
        """
        super().setup_mapper()
        for entry in self.catalog.streams:
            if not entry.metadata.resolve_selection()[()]:
                self.mapper.register_raw_stream_schema(
                    entry.stream or entry.tap_stream_id, entry.schema.to_dict(), entry.key_properties
                )

    def accounts_of(self, stream: LogStream) -> list[Account]:
        """Return the accounts in which a stream can be read."""
        return [
            account
            for account in self.accounts.get(stream.provider, ())
            if isinstance(stream, account.provider.streams_for(account.settings))
        ]

    def load_state(self, state_: dict[str, Any]) -> None:
        """Take the state of an earlier run.

        Raises:
            InputError: It is not one of this tap's.
        """
        from tap_emaillogs.engine import state  # noqa: PLC0415 - see above

        try:
            state.check(state_, _stream_names())
        except state.StateError as error:
            raise cli.InputError(str(error)) from error
        super().load_state(state_)

    @property
    def sources(self) -> Sources:
        """The streams, and the accounts that each can be read in."""
        from tap_emaillogs.engine.planning import Sources  # noqa: PLC0415 - see above

        return Sources(self.streams, self.accounts_of)

    def event_contexts(self) -> list[dict[str, str]]:
        """Return the partitions of `email_events`."""
        return self.sources.event_contexts({stream.name for stream in self.streams.values() if stream.selected})

    # Syncing.

    def sync_all(self) -> None:  # type: ignore[misc] # final in the SDK; windows of all streams are read together here
        """Read all selected streams.

        Raises:
            SystemExit: With 1 when a stream failed, 128 + n when ended by signal n, 141 when nobody reads stdout.
        """
        _redact_logs(self.redact)
        selected = [stream for stream in self.streams.values() if stream.selected]
        self.message_writer.buffered = True  # type: ignore[attr-defined] # a LineWriter
        try:
            status = self._sync(selected)
            self.message_writer.flush()  # type: ignore[attr-defined] # likewise
        except BrokenPipeError:
            self.clock.stop()
            cli.leave_output()
        if status:
            sys.exit(status)

    def _sync(self, selected: Sequence[Stream]) -> int:
        from tap_emaillogs.engine.sync import Sync  # noqa: PLC0415 - see above

        for stream in selected:
            stream._write_schema_message()  # noqa: SLF001 - schema messages are the SDK's affair
        sync = Sync(
            sources=self.sources,
            selected=selected,
            config=self.config,
            writer=self.message_writer,  # type: ignore[arg-type] # a LineWriter
            state=self.state,
            clock=self.clock,
        )
        self._wake = sync.wake
        status = sync.execute()
        return 128 + (self._signal or 0) if status is None else status

    def records_of(self, stream: Stream, context: Context | None) -> Iterator[Record]:
        """Yield what is due for one stream in one partition, for whoever calls `stream.sync()`.

        Raises:
            ReadError: An endpoint failed.
        """
        from tap_emaillogs.engine import sync  # noqa: PLC0415 - see above

        return sync.records(
            self.sources, stream, context, config=self.config, clock=self.clock, ledger=self.windows_read
        )

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler
        """End the run at the next whole line; a second signal ends it at once."""
        if self._wake is None or self._signal is not None:
            sys.exit(128 + signum)
        self._signal = signum
        self.clock.stop()
        self._wake()

    # Command line.

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command, with plain sentences for bad input."""
        command = super().get_singer_command()
        command.__class__ = cli.Command
        return command

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Read the configuration files one by one, so that a message can name the one that is wrong."""
        given = super().cb_config(ctx, param, ())
        for path in value:
            with cli.reading_config(path):
                one = super().cb_config(ctx, param, (path,))
            given.config |= one.config
            given.parse_env |= one.parse_env
        return given

    @classmethod
    def invoke(cls, *, state: Any = None, catalog: Any = None, config: Any = None, **kwargs: Any) -> None:
        """Run a sync, `--about` or the like."""
        if kwargs.get("about"):
            super().invoke(**kwargs)
        cls.print_version(print_fn=cls.logger.info)
        tap = cls(
            config=config.config if config else {},
            parse_env_config=config.parse_env if config else False,
            state=None if state is None else cli.read_json("state", state.read()),
            catalog=None if catalog is None else cli.read_catalog(catalog.read(), _stream_names()),
        )
        # Rows make no circles: looking for garbage often would only cost.
        gc.set_threshold(50_000)
        tap.sync_all()


def _stream_names() -> list[str]:
    kinds = (kind for provider in PROVIDERS for kind in provider.streams)
    return [EmailEvents.name, SyncWindows.name, *map(name_of, kinds)]


def _redact_logs(redact: Redactor) -> None:
    hider = RedactingFilter(redact)
    for logger in (logging.getLogger(), logging.getLogger(TapEmailLogs.name)):
        for handler in logger.handlers:
            handler.addFilter(hider)

"""The tap: configuration composed from the providers, discovery, and one sync over all streams."""

from __future__ import annotations

import logging
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._util import read_json_file

from tap_emaillogs import cli, memory
from tap_emaillogs.config import accounts, checks, variables
from tap_emaillogs.config import load as configuration
from tap_emaillogs.config.schema import config_schema
from tap_emaillogs.engine.ledger import SyncWindows
from tap_emaillogs.http import handles
from tap_emaillogs.http.clock import Clock
from tap_emaillogs.http.redaction import Redactor
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.events import EmailEvents
from tap_emaillogs.streams.output import LineWriter, activate_version
from tap_emaillogs.streams.provider import name_of
from tap_emaillogs.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    import click
    from singer_sdk import Stream
    from singer_sdk.helpers.types import Context
    from singer_sdk.streams import RESTStream

    from tap_emaillogs.engine.planning import Sources
    from tap_emaillogs.progress.watch import Watch
    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.provider import Account, Provider
    from tap_emaillogs.streams.records import Record


_PREFIX = "TAP_EMAILLOGS_"

# What only a sync needs is imported by what a sync calls: `--version`, `--about` and `--discover` answer at once.


class TapEmailLogs(Tap):
    """Singer tap for the delivery logs of e-mail providers."""

    name = "tap-emaillogs"
    config_jsonschema: ClassVar[dict[str, Any]] = config_schema(PROVIDERS)
    message_writer_class = LineWriter
    clock_class: ClassVar[type[Clock]] = Clock

    def __init__(self, *, config: dict[str, Any] | None = None, parse_env_config: bool = False, **kwargs: Any) -> None:
        given = configuration.nested(config or {})
        self._misspelt: list[str] = []
        self.mistakes: list[str] = []
        """What is wrong with the configuration, a sentence each; that no provider is there is not among them."""
        if parse_env_config:
            given = configuration.merged(given, configuration.from_environment(self._full_schema(), _PREFIX))
            self._misspelt = list(variables.mistakes(self._full_schema(), PROVIDERS, _PREFIX))
        given = configuration.coerced(given, self._full_schema())
        self.logger.addFilter(cli.is_news)
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
        found = list(dict.fromkeys([*self._misspelt, *found]))
        self.mistakes = found
        if not found and not any(provider.name in self.config for provider in PROVIDERS):
            found = [checks.no_provider(PROVIDERS, _PREFIX)]
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

        return Sources(self.streams, self.accounts_of, [*self._unread()])

    def _unread(self) -> Iterator[str]:
        """Yield a sentence for each stream that is selected and that no account can be read for."""
        for entry in self.catalog.streams:
            name = entry.tap_stream_id
            owner = next((one.name for one in PROVIDERS if name in map(name_of, one.streams)), None)
            if owner is None or name in self.streams or not entry.metadata.resolve_selection()[()]:
                continue
            if owner in self.accounts:
                yield f"{name} is selected, but no account of {owner} has the settings for it: it is not read"
            else:
                yield f"{name} is selected, but {owner} is not configured: it is not read"

    def event_contexts(self) -> list[dict[str, str]]:
        """Return the partitions of `email_events`."""
        return self.sources.event_contexts({stream.name for stream in self.streams.values() if stream.selected})

    # Syncing.

    def sync_all(self) -> None:  # type: ignore[misc] # final in the SDK; windows of all streams are read together here
        """Read all selected streams.

        Raises:
            SystemExit: With 1 when a stream failed, 128 + n when ended by signal n, 141 when nobody reads stdout.
        """
        from tap_emaillogs.progress.watch import Watch  # noqa: PLC0415 - see above

        cli.redact_logs(self.redact, self.name)
        selected = [stream for stream in self.streams.values() if stream.selected]
        self.message_writer.buffered = True  # type: ignore[attr-defined] # a LineWriter
        self._watchdog = Watchdog(lambda: self.message_writer.taken)  # type: ignore[attr-defined] # likewise
        self._watchdog.start()
        try:
            with Watch(self.clock, self.redact) as watch:
                status = self._sync(selected, watch)
                self.message_writer.flush()  # type: ignore[attr-defined] # likewise
        except BrokenPipeError:
            self.clock.stop()
            cli.leave_output()
        finally:
            self._watchdog.close()
        if self._signal is not None:
            status = 128 + self._signal
        if status:
            sys.exit(status)

    def _sync(self, selected: Sequence[Stream], watch: Watch) -> int:
        from tap_emaillogs.engine.sync import Sync  # noqa: PLC0415 - see above

        for stream in selected:
            stream._write_schema_message()  # noqa: SLF001 - schema messages are the SDK's affair
            activate_version(stream)
        sync = Sync(
            sources=self.sources,
            selected=selected,
            config=self.config,
            writer=self.message_writer,  # type: ignore[arg-type] # a LineWriter
            state=self.state,
            clock=self.clock,
            observer=watch,
        )
        self._wake = sync.wake
        status = sync.execute()
        if status is None and self._signal is not None:
            watch.stopped(self._signal)
        return status or 0  # None where it was stopped: the signal tells the status

    def records_of(self, stream: Stream, context: Context | None) -> Iterator[Record]:
        """Yield what is due for one stream in one partition, for whoever calls `stream.sync()`.

        Raises:
            ReadError: An endpoint failed.
        """
        from tap_emaillogs.engine import sync  # noqa: PLC0415 - see above

        return sync.records(
            self.sources, stream, context, config=self.config, clock=self.clock, ledger=self.windows_read
        )

    # Telling beforehand.

    def _selected_names(self) -> list[str]:
        return [stream.name for stream in self.streams.values() if stream.selected]

    def check(self, *, as_json: bool = False) -> int:
        """Ask each vendor one cheap question per account and stream, and say what came of it; return the status."""
        from tap_emaillogs.inspection import check, reports  # noqa: PLC0415 - see above

        cli.redact_logs(self.redact, self.name)
        if not self.logger.isEnabledFor(logging.DEBUG):
            self.metrics_logger.setLevel(logging.WARNING)  # a line for each request would bury the table
        sources, selected = self.sources, self._selected_names()
        try:
            found = check.check(sources.read_for(selected), self.clock)
        except SystemExit:  # by a signal
            self.logger.warning("stopped before every answer was there: nothing is known of what was asked")
            raise
        warnings = [*sources.unread, *([] if found else [sources.why_nothing(selected)])]
        told = reports.check_json(found, warnings, self.clock.now()) if as_json else reports.check_text(found, warnings)
        cli.tell(told, self.redact)
        return int(not found or any(one.said is not None for one in found))

    def plan(self, *, as_json: bool = False) -> None:
        """Say what a sync would read now, without asking any vendor."""
        from tap_emaillogs.inspection import plan, reports  # noqa: PLC0415 - see above

        cli.redact_logs(self.redact, self.name)
        found = plan.plan(self.sources, self._selected_names(), self.config, self.clock)
        cli.tell(reports.plan_json(found) if as_json else reports.plan_text(found), self.redact)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler
        """End the run at the next whole line; a second signal ends it at once."""
        again, self._signal = self._signal is not None, signum
        self.clock.stop()
        if self._wake is None or again:
            sys.exit(128 + signum)
        self._watchdog.wake(128 + signum)
        self._wake()

    # Command line.

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command, with a check and a plan, and with plain sentences for bad input."""
        command = super().get_singer_command()
        command.__class__ = cli.Command
        command.params = [*cli.with_own_options(command.params), cli.QUIET]
        return command

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Read the configuration files one by one, so that a message can name the one that is wrong."""
        given = super().cb_config(ctx, param, ())
        for path in value:
            if path == "ENV":
                given.parse_env = True
                continue
            with cli.reading_config(path):
                one = read_json_file(path)
                if not isinstance(one, dict):
                    raise TypeError
            given.config |= one
        return given

    @classmethod
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:  # noqa: ARG003 - click's
        """Print the catalog; what a sync would refuse is refused, but for a configuration without any provider."""
        if not value:
            return
        config = ctx.params["config"]
        tap = cls(config=config.config, parse_env_config=config.parse_env, validate_config=False, setup_mapper=False)
        if tap.mistakes:
            raise ConfigValidationError("the configuration has mistakes", errors=tap.mistakes, schema={})
        if tap.config.get("stream_maps"):
            tap.setup_mapper()
        tap.run_discovery()
        ctx.exit()

    @classmethod
    def print_about(cls, output_format: str | None = None) -> None:
        """Print what the tap is and each of its settings."""
        from tap_emaillogs.config import about  # noqa: PLC0415 - see above

        print(about.formatted(cls._get_about_info(), PROVIDERS, output_format))  # noqa: T201 - what --about is for

    @classmethod
    def invoke(
        cls,
        *,
        state: Any = None,
        catalog: Any = None,
        config: Any = None,
        test: str | None = None,
        plan: bool = False,
        **kwargs: Any,
    ) -> None:
        """Run a sync, a check, a plan, `--about` or the like."""
        if kwargs.get("about"):
            super().invoke(**kwargs)
        as_json = cli.wants_json(kwargs.get("about_format"), test, plan=plan)
        cls.print_version(print_fn=cls.logger.info)
        handles.raise_limit()
        tap = cls(
            config=config.config if config else {},
            parse_env_config=config.parse_env if config else False,
            state=None if state is None else cli.read_state(state.read()),
            catalog=None if catalog is None else cli.read_catalog(catalog.read(), _stream_names()),
        )
        if test == cli.SCHEMA:
            tap.write_schemas()
        elif test is not None:
            sys.exit(tap.check(as_json=as_json))
        elif plan:
            tap.plan(as_json=as_json)
        else:
            memory.prepare()
            tap.sync_all()


def _stream_names() -> list[str]:
    kinds = (kind for provider in PROVIDERS for kind in provider.streams)
    return [EmailEvents.name, SyncWindows.name, *map(name_of, kinds)]

"""The command line: the SDK's, with one plain sentence where it would show a traceback."""

from __future__ import annotations

import copy
import json
import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from singer_sdk.exceptions import ConfigValidationError, MapExpressionError, StreamMapConfigError
from singer_sdk.plugin_base import SingerCommand
from singer_sdk.singerlib import Catalog

from tap_emaillogs.http.redaction import RedactingFilter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tap_emaillogs.http.redaction import Redactor

CLOSED_OUTPUT = 128 + 13
"""Exit status when nobody reads stdout any more, as if by SIGPIPE."""


_logger = logging.getLogger("tap-emaillogs")
SCHEMA = "schema"
"""The value of `--test` that only prints SCHEMA messages."""
_SELECTION = logging.getLogger("singer_sdk.singerlib.catalog")
"""Tells of each column, several times, that it is selected since its stream is."""


def _be_quiet(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001 - click's
    if value:
        root = logging.getLogger()
        root.setLevel(max(root.level, logging.WARNING))
        for handler in root.handlers:  # a logger with a level of its own is not asked again
            handler.setLevel(max(handler.level, logging.WARNING))


QUIET = click.Option(
    ["--quiet"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_be_quiet,
    help="Only warnings and errors on stderr, whatever LOGLEVEL says: no progress, no summary.",
)


def check_level() -> None:
    """Stop where the environment wants a level of the log that there is not; the SDK would show a traceback.

    Raises:
        SystemExit: There is no such level.
    """
    names = logging.getLevelNamesMapping()
    variable = next((name for name in ("TAP_EMAILLOGS_LOGLEVEL", "LOGLEVEL") if os.environ.get(name)), None)
    if variable is not None and os.environ[variable].upper() not in names:
        given = os.environ[variable][:40]
        sys.stderr.write(f"{variable}={given!r} is no level of the log: give DEBUG, INFO, WARNING, ERROR or CRITICAL\n")
        sys.exit(1)


class InputError(Exception):
    """Something given on the command line cannot be used; `str()` is the sentence for the user."""


class Command(SingerCommand):
    """Turns bad input into one line and status 1."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take `--about=json` for `--about --format=json`."""
        split = (["--about", f"--format={arg[8:]}"] if arg.startswith("--about=") else [arg] for arg in args)
        return super().parse_args(ctx, [part for parts in split for part in parts])

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the arguments, and with them the configuration files."""
        return self._plainly(super().make_context, *args, **kwargs)  # type: ignore[no-any-return]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the tap."""
        if _SELECTION.level == logging.NOTSET:  # where the user's own configuration of the log does not want it
            _SELECTION.setLevel(logging.INFO)
        # Not SingerCommand's: it adds a line of its own to each mistake in the configuration.
        logging.captureWarnings(capture=True)
        sys.excepthook = self.excepthook
        return self._plainly(super(SingerCommand, self).invoke, ctx)

    def _plainly(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except (click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            leave_output()
        except Exception as error:
            sentences = _sentences(error)
            if sentences is None:
                raise
            for sentence in sentences:
                self.logger.error("%s", sentence)  # noqa: TRY400 - a traceback helps nobody here
            self.logger.debug("where it came from", exc_info=error)
            sys.exit(1)


def with_own_options(options: list[click.Parameter]) -> list[click.Parameter]:
    """Return the SDK's options, `--test` and `--format` as this tap has them, and `--plan`."""
    own: list[click.Parameter] = [
        click.Option(
            ["--test"],
            is_flag=False,
            flag_value="all",
            type=click.Choice(["all", "records", SCHEMA]),
            help="Check keys, permissions and clock: one cheap question per account and stream, a table on stderr, "
            "status 1 if anything is wrong; no record is written. --test=schema prints SCHEMA messages only.",
        ),
        click.Option(
            ["--plan"],
            is_flag=True,
            help="Tell what a sync would read and how many requests and minutes that takes; no vendor is asked.",
        ),
        click.Option(
            ["--format", "--test-format", "--plan-format", "about_format"],
            type=click.Choice(["json", "markdown"], case_sensitive=False),
            help="Output of --about (json, markdown), --test and --plan (json, on stdout).",
        ),
    ]
    names = {option.name for option in own}
    return [*(option for option in options if option.name not in names), *own]


def wants_json(output_format: str | None, test: str | None, *, plan: bool) -> bool:
    """Tell whether the report that is asked for is to be JSON.

    Raises:
        InputError: There is none, or there are two; or it is to be something that only `--about` can be.
    """
    if test is not None and plan:
        raise InputError("--test and --plan are two reports: ask for one at a time")
    if output_format is not None and test is None and not plan:
        raise InputError(f"--format={output_format} is for --about, --test and --plan: a sync has one form only")
    if output_format == "markdown":
        raise InputError("--format=markdown is for --about; --test and --plan have a table, or --format=json")
    return output_format == "json"


def _sentences(error: Exception) -> list[str] | None:
    """Say what is wrong with what was given on the command line; None: that is for click to say."""
    if isinstance(error, ConfigValidationError):
        return list(error.errors)
    if isinstance(error, (MapExpressionError, StreamMapConfigError)):  # its own words hold the expression
        error = InputError("stream_maps holds an expression that cannot be read; LOGLEVEL=DEBUG shows which")
    if isinstance(error, InputError):
        return [str(error)]
    if isinstance(error, click.BadParameter) and isinstance(getattr(error.param, "type", None), click.File):
        assert error.param is not None
        if _is_content(error.message.removeprefix("'")):  # it begins with the path
            return [f"--{error.param.name} takes the path of a file, not JSON"]
        return [f"the {error.param.name} file cannot be read: {error.message}"]
    if isinstance(error, click.ClickException):
        return None
    return [_sentence(error)]


def _sentence(error: Exception) -> str:
    # What a vendor's endpoint meets is its failure, and does not come here.
    if isinstance(error, OSError) and error.errno is not None:
        said = error.strerror or type(error).__name__
        return f"the output cannot be written ({said}): make room where it goes; the next run starts at its last STATE"
    if isinstance(error, UnicodeDecodeError):
        return "a file given on the command line is not UTF-8 text"
    return f"an error inside the tap ({type(error).__name__}): report it, with the log of LOGLEVEL=DEBUG"


@contextmanager
def reading_config(path: str) -> Iterator[None]:
    """Say in plain words what is wrong with a configuration file.

    Raises:
        InputError: The file cannot be used.
    """
    if _is_content(path):
        raise InputError("--config takes the path of a file, or ENV, not JSON")
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"the configuration file {path} does not exist") from error
    except UnicodeDecodeError as error:
        raise InputError(f"the configuration file {path} is not UTF-8 text") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"the configuration file {path} is not valid JSON{_place(error)}") from error
    except TypeError as error:
        raise InputError(f"the configuration file {path} holds no JSON object") from error
    except (OSError, RuntimeError) as error:
        said = getattr(error, "strerror", None) or "no path is given"
        raise InputError(f"the configuration file {path} cannot be read: {said}") from error


def _is_content(path: str) -> bool:
    """Whether somebody gave a file's content for its path: it may hold a secret, so it is never shown."""
    return path.lstrip()[:1] in {"{", "["} or len(path.splitlines()) > 1


def _place(error: Exception) -> str:
    line, column = getattr(error, "lineno", None), getattr(error, "colno", None)
    return "" if line is None else f" (line {line}, column {column})"


def leave_output() -> None:
    """End quietly, since nobody reads stdout any more.

    Raises:
        SystemExit: Always.
    """
    # The interpreter flushes stdout once more at its end; that must not complain either.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(CLOSED_OUTPUT)


def read_json(kind: str, text: str) -> Any:
    """Read a state or catalog.

    Raises:
        InputError: It is no JSON object.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the {kind} file is not valid JSON{_place(error)}") from error
    if not isinstance(value, dict):
        raise InputError(f"the {kind} file holds no JSON object")
    return value


def read_state(text: str) -> dict[str, Any] | None:
    """Read a STATE, or a whole STATE message as the tap writes it; None: the file is empty, as after a first run.

    Raises:
        InputError: It is no JSON object.
    """
    if not text.strip():
        _logger.warning("the state file is empty: this run starts without a STATE, as a first run does")
        return None
    state: dict[str, Any] = read_json("state", text)
    if state.get("type") == "STATE" and isinstance(state.get("value"), dict):
        return dict(state["value"])
    return state


def read_catalog(text: str, names: Collection[str]) -> dict[str, Any]:
    """Read a catalog; `names` are the streams of this tap.

    Raises:
        InputError: It is no Singer catalog, or another tap's.
    """
    catalog: dict[str, Any] = read_json("catalog", text)
    streams = catalog.get("streams")
    try:
        known = isinstance(streams, list) and all(isinstance(entry["schema"], dict) for entry in streams)
        Catalog.from_dict(copy.deepcopy(catalog))
    except (ValueError, TypeError, LookupError, AttributeError):
        known = False
    if not known:
        raise InputError("the catalog file is no Singer catalog: it must hold a list `streams`, each with a schema")
    if not any(entry.get("tap_stream_id", entry.get("stream")) in names for entry in catalog["streams"]):
        raise InputError("the catalog file has no stream of tap-emaillogs: is it another tap's?")
    return catalog


# What is told on stderr, and on stdout where programs ask for it.


def tell(report: dict[str, Any] | Iterator[str], redact: Redactor) -> None:
    """Print a report: JSON for programs on stdout, as `--discover` does; what people read on stderr."""
    if isinstance(report, dict):
        click.echo(redact(json.dumps(report, ensure_ascii=False, indent=2)))
    else:
        click.echo(redact("\n".join(report)), err=True)


def redact_logs(redact: Redactor, name: str) -> None:
    """Let nothing secret into the log, whoever writes it; `name` is the tap's."""
    hider = RedactingFilter(redact)
    for logger in (logging.getLogger(), logging.getLogger(name)):
        for handler in logger.handlers:
            handler.addFilter(hider)


def is_news(record: logging.LogRecord) -> bool:
    """Whether a line tells something: not the SDK's, that it leaves the environment to this tap."""
    return "parse of env var settings" not in str(record.msg)

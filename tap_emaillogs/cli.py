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
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.plugin_base import SingerCommand
from singer_sdk.singerlib import Catalog

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

CLOSED_OUTPUT = 128 + 13
"""Exit status when nobody reads stdout any more, as if by SIGPIPE."""


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


def _sentences(error: Exception) -> list[str] | None:
    """Say what is wrong with what was given on the command line; None: that is for click to say."""
    if isinstance(error, (ConfigValidationError, InputError)):
        return list(error.errors) if isinstance(error, ConfigValidationError) else [str(error)]
    if isinstance(error, click.BadParameter) and isinstance(getattr(error.param, "type", None), click.File):
        assert error.param is not None
        return [f"the {error.param.name} file cannot be read: {error.message}"]
    if isinstance(error, click.ClickException):
        return None
    if isinstance(error, OSError):  # what a vendor's endpoint meets is its failure, and does not come here
        said = error.strerror or type(error).__name__
        return [
            f"the output cannot be written ({said}): make room where it goes; the next run starts at its last STATE"
        ]
    if isinstance(error, UnicodeDecodeError):
        return ["a file given on the command line is not UTF-8 text"]
    return [f"an error inside the tap ({type(error).__name__}): report it, with the log of LOGLEVEL=DEBUG"]


@contextmanager
def reading_config(path: str) -> Iterator[None]:
    """Say in plain words what is wrong with a configuration file.

    Raises:
        InputError: The file cannot be used.
    """
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

"""The command line: the SDK's, with one plain sentence where it would show a traceback."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.plugin_base import SingerCommand

if TYPE_CHECKING:
    import click

CLOSED_OUTPUT = 128 + 13
"""Exit status when nobody reads stdout any more, as if by SIGPIPE."""


class InputError(Exception):
    """Something given on the command line cannot be used; `str()` is the sentence for the user."""


class Command(SingerCommand):
    """Turns bad input into one line and status 1."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the arguments, and with them the configuration files."""
        return self._plainly(super().make_context, *args, **kwargs)  # type: ignore[no-any-return]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the tap."""
        return self._plainly(super().invoke, ctx)

    def _plainly(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except ConfigValidationError as error:
            for sentence in error.errors:
                self.logger.error("%s", sentence)  # noqa: TRY400 - a traceback helps nobody here
            sys.exit(1)
        except InputError as error:
            self.logger.error("%s", error)  # noqa: TRY400 - likewise
            sys.exit(1)
        except json.JSONDecodeError as error:
            self.logger.error("a configuration file is not valid JSON (line %d, column %d)", error.lineno, error.colno)  # noqa: TRY400
            sys.exit(1)
        except UnicodeDecodeError:
            self.logger.error("a file given on the command line is not UTF-8 text")  # noqa: TRY400 - likewise
            sys.exit(1)
        except FileNotFoundError as error:
            self.logger.error("%s does not exist", error.filename or error)  # noqa: TRY400 - likewise
            sys.exit(1)
        except BrokenPipeError:
            leave_output()


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
    except ValueError as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"the {kind} file is not valid JSON{where}") from error
    if not isinstance(value, dict):
        raise InputError(f"the {kind} file holds no JSON object")
    return value


def read_catalog(text: str) -> dict[str, Any]:
    """Read a catalog.

    Raises:
        InputError: It is no Singer catalog.
    """
    catalog: dict[str, Any] = read_json("catalog", text)
    streams = catalog.get("streams")
    entries = streams if isinstance(streams, list) else [None]
    if not all(isinstance(entry, dict) and isinstance(entry.get("schema"), dict) for entry in entries):
        raise InputError("the catalog file is no Singer catalog: it must hold a list `streams`, each with a schema")
    return catalog

"""Plugs in vendors that are defined in the tests: in the tuple of providers, and in the registry of players.

A module with such a vendor says `PLUGGED = Plug(provider, player)`. A test module that says `PLUGGED = (one, other)`
runs the general tests that it imports for these. As a program, this is the tap with those vendors:
`python tests/plugging.py <module>,<module> <arguments of the tap>`.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.base import Vendor
    from tap_emaillogs.streams.provider import Provider


class Plug(NamedTuple):
    """A vendor of the tests: the tap's provider and the sandbox's player."""

    provider: Provider
    player: type[Vendor[Any]]


@contextlib.contextmanager
def plugged(*plugs: Plug) -> Iterator[None]:
    """Let the tap and the sandbox know vendors, as a line in the one's tuple and in the other's would."""
    import harness  # noqa: PLC0415 - it starts the program below
    from sandbox.vendors import VENDORS  # noqa: PLC0415 - `main` finds it later
    from tap_emaillogs import providers, tap  # noqa: PLC0415 - likewise
    from tap_emaillogs.config.schema import config_schema  # noqa: PLC0415

    before = providers.PROVIDERS
    with pytest.MonkeyPatch.context() as patch:
        after = (*before, *(plug.provider for plug in plugs))
        for module in [*sys.modules.values()]:
            if getattr(module, "PROVIDERS", None) is before:
                patch.setattr(module, "PROVIDERS", after)
        patch.setattr(tap.TapEmailLogs, "config_jsonschema", config_schema(after))
        for plug in plugs:
            patch.setitem(VENDORS, plug.player.name, plug.player)
        patch.setattr(harness, "PROGRAM", [__file__, ",".join(type(plug.provider).__module__ for plug in plugs)])
        yield


def main() -> None:
    """Run the tap with the vendors of the modules named by the first argument."""
    tests = Path(__file__).parent
    sys.path += [str(tests), str(tests.parent)]
    with plugged(*(importlib.import_module(name).PLUGGED for name in sys.argv.pop(1).split(","))):
        from tap_emaillogs.tap import TapEmailLogs  # noqa: PLC0415 - now it knows the vendors

        TapEmailLogs.cli()


if __name__ == "__main__":
    main()

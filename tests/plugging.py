"""Plugs in a vendor that is defined in the tests: one more in the tuple of providers and in the registry of players.

A module with such a vendor says `PLUGGED = Plug(provider, player)`, and the general tests that another module imports,
together with `PLUGGED`, run for it. As a program, this is the tap with that vendor:
`python tests/plugging.py <module> <arguments of the tap>`.
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
    """A vendor of the tests: the tap's provider, and the sandbox's player."""

    provider: Provider
    player: type[Vendor[Any]]


@contextlib.contextmanager
def plugged(plug: Plug) -> Iterator[None]:
    """Let the tap and the sandbox know a vendor, as a line in the one's tuple and in the other's would."""
    import harness  # noqa: PLC0415 - it starts the program below
    from sandbox.vendors import VENDORS  # noqa: PLC0415 - `main` finds it later
    from tap_emaillogs import providers, tap  # noqa: PLC0415 - likewise
    from tap_emaillogs.config.schema import config_schema  # noqa: PLC0415

    before = providers.PROVIDERS
    with pytest.MonkeyPatch.context() as patch:
        after = (*before, plug.provider)
        for module in [*sys.modules.values()]:
            if getattr(module, "PROVIDERS", None) is before:
                patch.setattr(module, "PROVIDERS", after)
        patch.setattr(tap.TapEmailLogs, "config_jsonschema", config_schema(after))
        patch.setitem(VENDORS, plug.player.name, plug.player)
        patch.setattr(harness, "PROGRAM", [__file__, type(plug.provider).__module__])
        yield


def main() -> None:
    """Run the tap with the vendor of the module named by the first argument."""
    tests = Path(__file__).parent
    sys.path += [str(tests), str(tests.parent)]
    with plugged(importlib.import_module(sys.argv.pop(1)).PLUGGED):
        from tap_emaillogs.tap import TapEmailLogs  # noqa: PLC0415 - now it knows the vendor

        TapEmailLogs.cli()


if __name__ == "__main__":
    main()

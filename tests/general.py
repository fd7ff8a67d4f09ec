"""What the general tests know of vendors, and the configurations they read them with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.vendors import VENDORS as PLAYERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outcome import Run
    from sandbox.base.facts import Facts
    from sandbox.server import Sandbox

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEDGER, EVENTS = "sync_windows", "email_events"


def facts(kind: str) -> Facts:
    """Return what the general tests must know of a vendor or a variant of it, which stands beside its player."""
    own = PLAYERS[vendor_of(kind)].facts
    return own.variants.get(kind.removeprefix(vendor_of(kind)), own)


def vendor_of(kind: str) -> str:
    """Return the vendor of a variant such as `infobip4`."""
    return next(name for name in PLAYERS if kind.startswith(name))


def stream_of(vendor: str) -> str:
    """Return the stream of a vendor that the general tests read."""
    return facts(vendor).stream


VENDORS = tuple(PLAYERS)
STREAMS = {vendor: stream_of(vendor) for vendor in VENDORS}
OWN = frozenset().union(*(player.facts.own for player in PLAYERS.values()))
"""Columns that the tap adds, of any vendor."""


def config_of(box: Sandbox, *vendors: str, top: Mapping[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """Return a configuration for these vendors of the sandbox (default: all it plays), each with `settings`."""
    given = box.config(vendors or None)
    return {**{name: {**vendor, **settings} for name, vendor in given.items()}, **(top or {})}


def general(box: Sandbox, vendor: str, *, top: Mapping[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """Return the configuration under which the general tests read a vendor."""
    return config_of(box, vendor, top=top, **{**facts(vendor).settings, **settings})


def pages(vendor: str, size: int) -> dict[str, int]:
    """Return the settings for answers of so many rows, where a vendor has pages."""
    return {} if "page size" in facts(vendor).unfit else {"page_size": size}


def options_of(*vendors: str, **more: Any) -> dict[str, dict[str, Any]]:
    """Return the options under which players are played in general tests, and `more` for each of them."""
    return {vendor: {**facts(vendor).options, **more} for vendor in vendors}


def limit(vendor: str, now: datetime = NOW) -> datetime:
    """Return where the windows of a run end: now minus settle."""
    return now - facts(vendor).settle


def beginning(vendor: str, now: datetime = NOW) -> datetime:
    """Return where a first run begins without a `start_date`."""
    return now - facts(vendor).history


def asked(run_: Run, vendor: str) -> int:
    """Return how many requests of a run a vendor saw that the ledger counts."""
    return sum(request.vendor == vendor and facts(vendor).counted(request) for request in run_.requests)


def needed(run_: Run, vendor: str) -> int:
    """Return how many of them were not there to see whether something is ready, which is a matter of time."""
    return asked(run_, vendor) - sum(
        facts(vendor).waits(request) for request in run_.requests if request.vendor == vendor
    )

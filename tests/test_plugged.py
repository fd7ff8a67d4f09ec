"""Vendors of the tests are plugged in, and every general test runs for them as for any other."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

import cappedmail
import cursormail
import test_completeness
import test_concurrency
import test_contract
import test_events
import test_faults
import test_privacy
import test_requests
import test_resume
from harness import NOW
from sandbox.server import Sandbox
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.tap import TapEmailLogs
from test_contract import two_accounts, whole
from test_faults import boxes, peace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["PLUGGED", "boxes", "peace", "two_accounts", "whole"]

PLUGGED = (cappedmail.PLUGGED, cursormail.PLUGGED)
pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("peace")]


def _general(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield a module's general tests: those that take whichever vendor they are given."""
    for name, test in inspect.getmembers(module, inspect.isfunction):
        marks = getattr(test, "pytestmark", ())
        tried = {name for mark in marks if mark.name == "parametrize" for name in str(mark.args[0]).split(",")}
        if name.startswith("test_") and {"vendor", "vendors", "kind"} & {*inspect.signature(test).parameters} - tried:
            yield name, test


for _module in (
    *(test_completeness, test_concurrency, test_contract, test_events),
    *(test_faults, test_privacy, test_requests, test_resume),
):
    globals().update(_general(_module))


def test_they_are_known_while_they_are_plugged_in() -> None:
    assert PROVIDERS[-2:] == tuple(plug.provider for plug in PLUGGED)
    for plug in PLUGGED:
        assert plug.provider.name in TapEmailLogs.config_jsonschema["properties"]
        assert Sandbox(now=NOW, vendors=[plug.player.name]).vendors.keys() == {plug.player.name}

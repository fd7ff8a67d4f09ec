"""Vendors of the tests are plugged in, and every general test runs for them as for any other."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

import cappedmail
import cursormail
import test_completeness
import test_concurrency
import test_contract
import test_convergence
import test_events
import test_faults
import test_privacy
import test_requests
import test_resume
from general import EVENTS, NOW, config_of, stream_of
from harness import run
from outcome import assert_rows, upserted
from sandbox.server import Sandbox
from tap_emaillogs.privacy.annotations import words_of
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.schemas import columns
from tap_emaillogs.tap import TapEmailLogs
from test_contract import two_accounts, whole
from test_faults import boxes, peace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from plugging import Plug

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
del globals()["test_vendors_are_read_side_by_side"]  # of these two, one alone has a dozen windows


def test_they_are_known_while_they_are_plugged_in() -> None:
    assert PROVIDERS[-2:] == tuple(plug.provider for plug in PLUGGED)
    for plug in PLUGGED:
        assert plug.provider.name in TapEmailLogs.config_jsonschema["properties"]
        assert Sandbox(now=NOW, vendors=[plug.player.name]).vendors.keys() == {plug.player.name}


# --- a cap beside a total


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_cap_beside_a_total_costs_few_requests(play: Callable[..., Sandbox], seed: int) -> None:
    box = play(vendors=["cappedmail"], size=5_000, seed=seed)
    found = run(config_of(box), box=box)
    assert_rows(box, found, "cappedmail")
    ledger = found.windows(stream_of("cappedmail"))
    assert all(row["records"] == row["reported_total"] <= 1_000 for row in ledger)
    print(f"{len(found.requests)} requests for a minimum of 50")  # noqa: T201 - shown by -rP
    assert len(found.requests) <= 70


def test_a_cap_that_is_lower_than_the_plan_says_splits_too(play: Callable[..., Sandbox]) -> None:
    box = play(vendors=["cappedmail"], options={"cappedmail": {"cap": 100}})
    found = run(config_of(box, page_size=30))
    assert found.status == 0, found.stderr
    assert_rows(box, found, "cappedmail")
    assert {row["status"] for row in found.windows(stream_of("cappedmail"))} == {"complete"}


# --- a cursor without times


def test_a_cursor_without_times_is_walked_once(play: Callable[..., Sandbox]) -> None:
    box = play(vendors=["cursormail"], size=5_000)
    found = run(config_of(box, window_hours=6), box=box)
    assert_rows(box, found, "cursormail")
    (row,) = found.windows(stream_of("cursormail"))
    assert (row["status"], row["records"], row["requests"]) == ("complete", 5_000, 50)
    assert len(found.requests) == 50
    again = run(config_of(box), state=found.state, box=box)
    assert_rows(box, [found, again], "cursormail")
    assert len(again.requests) <= 2


def test_its_rows_read_early_and_again_are_those_read_once_and_late() -> None:
    test_convergence.test_read_early_and_again_is_read_once_and_late(test_convergence.Scene("cursormail"))


# --- columns under the vendor's own names


def test_the_schema_alone_says_what_is_personal(shared_box: Sandbox) -> None:
    privacy = {"recipient": "hash", "salt": "salt0123456789abc", "subject": "drop", "ip": "drop"}
    config = config_of(shared_box, "cursormail")
    plain, found = run(config), run({**config, "privacy": privacy})
    for stream in (stream_of("cursormail"), EVENTS):
        assert upserted(plain, stream).keys() == upserted(found, stream).keys()
    for before, after in zip(*(one.records[stream_of("cursormail")] for one in (plain, found)), strict=True):
        assert not after["emailSubject"]
        assert after["openedFrom"] is None
        assert re.fullmatch(r"[0-9a-f]{32}", after["recipientAddress"])
        assert after["senderAddress"] == before["senderAddress"]
        kept = json.dumps([after["failureReason"], after["extra_fields"]])
        assert "campaignTag" in kept
        assert "@" not in kept
    assert "x-holds" not in json.dumps(found.schemas)


@pytest.mark.parametrize("plug", PLUGGED, ids=lambda plug: plug.player.name)
def test_every_text_says_what_it_holds(plug: Plug) -> None:
    for kind in plug.provider.streams:
        assert "subject" in dict(words_of(columns(kind))).values()


def test_rows_with_a_layout_are_read_fast(shared_box: Sandbox) -> None:
    tap: Any = TapEmailLogs(config=config_of(shared_box, "cursormail"))
    stream = tap.streams[stream_of("cursormail")]
    (account,) = tap.accounts_of(stream)
    assert stream.for_account(account).codec

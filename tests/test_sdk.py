"""The SDK's own suite, offline: every stream of every vendor against the sandbox."""

from __future__ import annotations

import contextlib
import io
import socket
from typing import TYPE_CHECKING

import pytest
from singer_sdk.testing import get_tap_test_class

from general import LEDGER, config_of
from sandbox.server import Sandbox
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Iterator


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


_PORT = _free_port()
_BOX = Sandbox(size=60, port=_PORT)
"""Started by the fixture; the suite wants the configuration when the module is imported."""


@pytest.fixture(scope="module", autouse=True)
def _sandbox() -> Iterator[None]:
    with _BOX:
        yield


_CONFIG = {name: vendor.config(f"http://127.0.0.1:{_PORT}") for name, vendor in _BOX.vendors.items()}
TestSuite = get_tap_test_class(TapEmailLogs, config=_CONFIG, parse_env_config=False)


def test_the_ledger_of_streams_read_one_by_one_calls_nothing_complete_that_was_not_taken() -> None:
    for limit, statuses in ((10, {"pending"}), (1_000, {"complete"})):
        tap = TapEmailLogs(config=config_of(_BOX, "jetemail"))
        with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")):
            tap.run_sync_dry_run(dry_run_record_limit=limit)
        rows = [*tap.streams[LEDGER].get_records(None)]
        assert {row["status"] for row in rows} == statuses

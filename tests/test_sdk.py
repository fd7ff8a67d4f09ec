"""The SDK's own suite, offline: every stream against the sandbox."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from harness import LEDGER, VENDORS, catalog
from sandbox.server import Sandbox
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Iterator


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


_PORT = _free_port()
# The suite takes every stream for selected, and ZeptoMail has one that is not by default.
_BOX = Sandbox(size=60, vendors=set(VENDORS) - {"zeptomail"}, port=_PORT)
"""Started by the fixture; the suite wants the configuration when the module is imported."""


@pytest.fixture(scope="module", autouse=True)
def _sandbox() -> Iterator[None]:
    with _BOX:
        yield


_CONFIG = {name: vendor.config(f"http://127.0.0.1:{_PORT}") for name, vendor in _BOX.vendors.items()}
TestSuite = get_tap_test_class(
    TapEmailLogs,
    config=_CONFIG,
    # All streams: the suite compares each one's records with what the catalog selects.
    catalog=catalog(_CONFIG, [stream.name for stream in TapEmailLogs(config=_CONFIG).discover_streams()]),
    # The SDK counts what streams return one by one; the ledger's rows come into being when others read.
    suite_config=SuiteConfig(ignore_no_records_for_streams=[LEDGER]),
    parse_env_config=False,
)

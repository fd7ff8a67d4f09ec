"""The SDK's own suite as a stranger would start it: outside of the project, all vendors, no argument but the keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from general import VENDORS, config_of
from sandbox.server import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.thorough

SUITE = """
import json
from pathlib import Path

from singer_sdk.testing import get_tap_test_class
from tap_emaillogs.tap import TapEmailLogs

TestTap = get_tap_test_class(TapEmailLogs, config=json.loads(Path("config.json").read_text()))
"""


@pytest.mark.parametrize("size", [60, 600])
def test_the_sdks_suite_passes_with_its_default_arguments(tmp_path: Path, size: int) -> None:
    (tmp_path / "mail").mkdir()
    options: dict[str, Any] = {"messangi": {"directory": str(tmp_path / "mail")}}
    with Sandbox(size=size, options=options) as box:
        config = config_of(box)
        config["messangi"]["report"] = {
            "emails": ["reports@example.com"],
            "from": "shop@example.com",
            "directory": str(tmp_path / "mail"),
            "wait_minutes": 1,
        }
        assert config.keys() == {*VENDORS}
        (tmp_path / "config.json").write_text(json.dumps(config))
        (tmp_path / "test_tap.py").write_text(SUITE)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_tap.py"],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if not name.startswith("TAP_EMAILLOGS")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-6000:]
    assert " failed" not in done.stdout
    assert " skipped" not in done.stdout

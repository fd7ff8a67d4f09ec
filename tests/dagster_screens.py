"""Pictures of Dagster's own pages, for docs/scaling.md: `scripts/simulate --screens FOLDER`."""

from __future__ import annotations

import socket
import subprocess
import time
from typing import TYPE_CHECKING
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

from dagster_stage import BIN, PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from dagster_play import Play

_SETTLING = 8_000
"""Milliseconds that a page gets to load what it shows."""


def take(play: Play, folder: Path) -> None:
    """Start a webserver beside the daemon, and take the pictures that the documentation shows."""
    folder.mkdir(parents=True, exist_ok=True)
    backfills = [run for run in play.stage.runs() if run.kind == "backfill" and run.status == "SUCCESS"]
    pages = {
        "dagster-partitions": "assets/emaillogs/sync_windows?view=partitions",
        "dagster-checks": "assets/emaillogs/sync_windows?view=checks",
        "dagster-runs": "runs",
        "dagster-run": f"runs/{backfills[-1].run_id}",
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [f"{BIN}/dagster-webserver", "-w", str(PROJECT / "workspace.yaml"), "-p", str(port)]
    with (folder / "webserver.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=play.stage.folder, env=play.stage.environ, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/server_info")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1360, "height": 820})
            for name, path in pages.items():
                page.goto(f"http://127.0.0.1:{port}/{path}", timeout=120_000)
                page.wait_for_timeout(_SETTLING)
                if (invitation := page.get_by_role("button", name="Skip")).is_visible():
                    invitation.click()
                    page.wait_for_timeout(500)
                page.screenshot(path=str(folder / f"{name}.png"))
            browser.close()
    finally:
        server.terminate()
        server.wait(30)


def _wait(url: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)

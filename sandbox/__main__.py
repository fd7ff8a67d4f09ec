"""`python -m sandbox`: serve the vendors until a signal comes; stdout has one line of JSON, `{"url", "config"}`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.server import Sandbox


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 is any free one")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--size", type=int, default=2000, help="rows of each vendor's main stream")
    parser.add_argument("--now", type=_moment, help="a fixed time (ISO 8601) instead of the system's")
    parser.add_argument("--vendors", nargs="+", metavar="NAME", help="play these only")
    parser.add_argument("--options", type=json.loads, default={}, help="JSON: what differs from each vendor's defaults")
    parser.add_argument("--ready", type=Path, metavar="FILE", help="write the line of JSON to this file as well")
    parser.add_argument("--enforce-budget", action="store_true", help="429 past a vendor's requests per minute")
    given = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings: dict[str, Any] = {
        name: getattr(given, name) for name in ("port", "seed", "size", "now", "vendors", "options")
    }
    with Sandbox(**settings, enforce_budget=given.enforce_budget) as sandbox:
        line = json.dumps({"url": sandbox.url, "config": sandbox.config()})
        if given.ready:
            fresh = given.ready.with_name(given.ready.name + ".new")
            fresh.write_text(line + "\n", encoding="utf-8")
            fresh.replace(given.ready)
        print(line, flush=True)
        stop.wait()
    return 0


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())

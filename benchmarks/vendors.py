"""Cases: all five vendors at once, played by the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contestants import OURS, ROOT, catalog
from benchmarks.report import Goal, Section, median, spread
from benchmarks.runs import Result, measured, own_environ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.reading import Context

_NAMES = ("smtp2go", "jetemail", "infobip", "zeptomail", "messangi")


@contextmanager
def _playing(size: int, latency: float = 0, *options: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run the sandbox in a process of its own, each answer `latency` seconds late.

    Yields:
        Its address, and the tap's configuration.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        mailbox = json.dumps({"messangi": {"directory": folder}})
        command = [sys.executable, "-m", "sandbox", "--size", str(size), "--options", mailbox, *options]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ) as process:
            assert process.stdout
            try:
                said = json.loads(process.stdout.readline())
                slow = json.dumps({"kind": "slow", "times": -1, "seconds": latency}).encode()
                if latency:
                    urllib.request.urlopen(said["url"] + "/_control/faults", slow, timeout=60).close()  # noqa: S310 - loopback
                yield said["url"], said["config"]
            finally:
                process.terminate()


def _run(context: Context, config: dict[str, Any], streams: tuple[str, ...] | None = None) -> Result:
    """Read these vendors once; without `streams`, those selected by default."""
    python = context.bench.pythons[OURS.name]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        command = [python, *OURS.arguments, "--config", str(path)]
        chosen = Path(folder) / "catalog.json"
        if streams is not None:
            chosen.write_text(json.dumps(catalog(python, own_environ(), streams, path)), encoding="utf-8")
            command += ["--catalog", str(chosen)]
        return measured(command)


def _row(label: str, results: list[Result]) -> tuple[str, ...]:
    return (
        label,
        spread([one.wall for one in results]),
        f"{median([one.cpu for one in results]):.2f}",
        f"{max(one.rss_mb for one in results):.0f}",
        f"{results[-1].records:,}",
    )


def five(context: Context) -> Section:
    """Five vendors together, beside each alone.

    Raises:
        RuntimeError: Together they gave another number of records than one by one.
    """
    size = context.rows(20_000)
    with _playing(size, 0.1) as (_, config):
        runs = {name: partial(_run, context, {name: config[name]}) for name in _NAMES}
        found = context.interleaved({**runs, "all five": partial(_run, context, config)})
    section = Section(
        "five", f"Five vendors, {size:,} rows each, 100 ms", ("", "wall s", "CPU s", "peak MB", "records")
    )
    section.rows += [_row(name, results) for name, results in found.items()]
    together = found.pop("all five")
    if sum(results[-1].records for results in found.values()) != together[-1].records:
        raise RuntimeError(f"together {together[-1].records} records, one by one {section.rows}")
    slowest = [max(results[number].wall for results in found.values()) for number in range(context.rounds)]
    ratios = [one.wall / other for one, other in zip(together, slowest, strict=True)]
    section.goals.append(Goal("five vendors beside the slowest alone", median(ratios), 1.2, at_least=False))
    section.note = "Played by the sandbox, whose own work for a page is no less than the tap's."
    return section


def everything(context: Context) -> Section:
    """The memory of every stream of five vendors."""
    size = context.rows(50_000)
    with _playing(size) as (_, config):
        run = partial(_run, context, config, ())
        results = context.interleaved({"every stream": run}, most=3)["every stream"]
    headers = ("", "wall s", "CPU s", "peak MB", "records")
    section = Section("everything", f"Every stream of five vendors, {size:,} rows each", headers)
    section.rows.append(_row("every stream", results))
    peak = max(one.rss_mb for one in results)
    section.goals.append(Goal("peak memory, every stream of five vendors", peak, 150, at_least=False, unit="MB"))
    return section


def polite(context: Context) -> Section:
    """Every stream with default settings, where one request over a vendor's budget is refused, and more follow."""
    size = context.rows(10_000)
    with _playing(size, 0, "--enforce-budget") as (url, config):
        for settings in config.values():  # the sandbox's are for the hasty
            settings.pop("requests_per_minute")
            settings.pop("poll_seconds", None)
        results = context.interleaved({"every stream": partial(_run, context, config, ())}, most=1)["every stream"]
        with urllib.request.urlopen(url + "/_control/requests", timeout=60) as answer:  # noqa: S310 - loopback
            log = json.load(answer)
    headers = ("", "wall s", "CPU s", "peak MB", "records", "requests", "refused")
    section = Section("polite", f"Default budgets, {size:,} rows each", headers)
    refused = sum(one["status"] == 429 for one in log)
    section.rows.append((*_row("every stream", results), f"{len(log):,}", str(refused)))
    goal = "requests over the vendors' budgets, default settings"
    section.goals.append(Goal(goal, refused, 0, at_least=False, unit="requests"))
    return section

"""What a person sees of a run: lines in a pipe, a display on a terminal, the summary, and what a signal leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import harness
from general import EVENTS, LEDGER, NOW, STREAMS, VENDORS, config_of, options_of
from harness import Ticking, catalog, command, command_line, run, started
from hurried import Hurried
from outcome import Run, canonical
from tap_emaillogs.engine.headway import Headway
from terminal import at_terminal, finish

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

NAME = "jetemail/default jetemail_outbound_logs"
MEANWHILE = re.compile(
    rf"{NAME}: [\d,]+ rows?, to \d{{4}}-\d\d-\d\d \d\d:\d\d \(\d+ %\), \d+ requests?, "
    r"waits for its budget \(2/min\), about [\d.]+ (?:s|min) left$"
)
FAST = 60
"""How many times faster a hurried run is."""


def said(found: Run, logger: str = "tap-emaillogs.progress", level: str = "INFO") -> list[str]:
    """Return what was logged for a person about the run's progress."""
    return [
        text
        for line in found.stderr.splitlines()
        if (match := re.search(rf"{level}\s+(?:\| )?{re.escape(logger)}\s+(?:\| )?(.*)", line))
        for text in match.groups()
    ]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command line run by a clock that goes faster."""
    program = str(Path(__file__).with_name("hurried.py"))
    monkeypatch.setattr(harness, "PROGRAM", [program, str(FAST), NOW.isoformat()])


# Lines.


def test_each_endpoint_has_a_line_when_it_begins_and_when_it_ends_and_one_in_the_summary(play: Play) -> None:
    box = play(size=40, options=options_of(*VENDORS))
    found = run(config_of(box), box=box)
    lines = said(found)
    main = [STREAMS[vendor] for vendor in VENDORS if vendor != "zeptomail"]
    for stream in [*main, "zeptomail_mail_logs"]:
        own = [line for line in lines if f"/default {stream}: " in line]
        begins, ends, summary = own
        assert "begins, 20" in begins
        assert re.search(r": 40 rows, to 20\d\d-\d\d-\d\d \d\d:\d\d \(100 %\), \d+ requests?, done in [\d.,]+ ", ends)
        assert "40 rows; " in summary
        assert "needed); windows: " in summary
    assert lines[-1].startswith(f"{len(found.states and main) + 3} endpoints, in ")


def test_a_long_run_tells_every_half_minute_how_far_it_is(play: Play, hurried: None) -> None:
    box = play(size=400, vendors=["jetemail"])
    found = command(config_of(box, requests_per_minute=2), box=box)
    lines = said(found)
    meanwhile = [line for line in lines[1:-2] if MEANWHILE.match(line)]
    assert lines[0].startswith(f"{NAME}: begins, ")
    assert lines[0].endswith("1 window, up to 2 requests a minute")
    assert 1 <= len(meanwhile) <= 8, found.stderr
    shares = [int(re.search(r"\((\d+) %\)", line)[1]) for line in meanwhile]  # type: ignore[index]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 100
    assert "(100 %)" in lines[-2]
    assert re.search(r"; waited [\d.]+ (?:s|min) for its budget; next revisit due 2026-03-01 13:\d\d$", lines[-1]), (
        lines[-1]
    )
    assert "5 requests (at least 4 needed)" in lines[-1]


@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
def test_it_tells_up_to_where_or_back_to_where_a_window_is_read(order: str) -> None:
    moments = [NOW + number * timedelta(minutes=1) for number in range(6)]
    if order == "newest":
        moments.reverse()
    if order == "shuffled":
        moments[3], moments[5] = moments[5], moments[3]
    headway = Headway()
    for page in (moments[:3], moments[3:]):
        headway.add(3, None, (page[0], page[-1]))
    assert headway.rows == 6
    assert headway.at == (None if order == "shuffled" else moments[-1])
    assert order == "shuffled" or headway.backwards == (order == "newest")


@pytest.mark.parametrize("kind", ["export", "mail"])
def test_it_tells_what_is_waited_for(play: Play, kind: str, tmp_path: Path) -> None:
    clock = Hurried(600, NOW)
    if kind == "export":
        box = play(now=clock.now, live=False, size=20, vendors=["zeptomail"], options={"zeptomail": {"polls": 6}})
        config = config_of(box, poll_seconds=20)
        stream, words = "zeptomail_mail_logs", "waits for an export"
    else:
        box = play(now=clock.now, live=False, size=20, vendors=["messangi"])
        report = {"emails": ["reports@example.com"], "directory": str(tmp_path), "wait_minutes": 8}
        config = config_of(box, report={**report, "from": "billing@shop.example"})
        stream, words = "messangi_message_reports", "waits for a report by mail"
    found = run(config, catalog=catalog(config, [stream, LEDGER]), clock=clock, box=box)
    own = [line for line in said(found) if f"/default {stream}: " in line]
    assert any(words in line for line in own[1:-2]), found.stderr
    assert re.search(rf"waited [\d.]+ (?:s|min) {words.removeprefix('waits ')}", own[-1]), own[-1]
    if kind == "mail":
        assert "not ready yet, a later run takes it up" in own[-2]
        assert "windows: 1 pending" in own[-1]


def test_waits_that_the_vendor_asks_for_and_retries_are_counted(play: Play) -> None:
    box = play(size=40, vendors=["smtp2go"])
    box.fault(vendor="smtp2go", kind="status", status=429, retry_after=120, times=2)
    box.fault(vendor="smtp2go", kind="status", status=503, times=1)
    found = run(config_of(box), clock=Ticking(), box=box)
    summary = said(found)[-1]
    assert "; 3 retries; " in summary
    assert re.search(r"waited 4 min as the vendor asks \(Retry-After\), [\d.]+ s to try again", summary), summary


def test_an_endpoint_without_anything_due_says_so(play: Play) -> None:
    box = play(size=40, vendors=["infobip"])
    config, clock = config_of(box), Ticking()
    first = run(config, clock=clock, box=box)
    again = run(config, state=first.state, clock=clock, box=box)
    assert "windows: 1 complete" in said(again)[-1]
    early = run({**config, "end_date": "2020-01-01"}, state=first.state, clock=clock, box=box)
    assert "0 rows; 0 requests (at least 0 needed); windows: none was due" in said(early)[-1]


def of_accounts(count: int) -> dict[str, Any]:
    return {"jetemail": {"accounts": {f"api_{number:040}": {"label": f"a{number}"} for number in range(count)}}}


def test_many_accounts_make_no_flood(play: Play) -> None:
    box = play(size=5, vendors=["jetemail"], options=of_accounts(60))
    found = run(config_of(box), box=box)
    lines = said(found)
    assert lines[0] == "begins: 60 endpoints of 60 accounts"
    assert lines[1].startswith("60 accounts, jetemail_outbound_logs: 300 rows; 60 requests (at least 60 needed)")
    assert len(lines) == 2


@pytest.mark.thorough
def test_many_slow_accounts_make_at_most_so_many_lines_at_a_time(play: Play) -> None:
    box = play(size=150, vendors=["jetemail"], options=of_accounts(25))
    found = run(config_of(box, requests_per_minute=0.25), clock=Hurried(FAST, NOW), box=box)
    lines = said(found)
    ends = [line for line in lines if ", done in " in line]
    assert 0 < len(ends) <= 25
    assert any(re.fullmatch(r"\d+ more are being read: .* wait, about .* left", line) for line in lines), lines
    assert any(re.fullmatch(r"\d+ of 25 endpoints are done", line) for line in lines)


# Levels.


@pytest.mark.parametrize("how", ["--quiet", "LOGLEVEL", "TAP_EMAILLOGS_LOGLEVEL"])
def test_a_quiet_run_says_nothing_where_all_is_well(play: Play, how: str) -> None:
    box = play(now=None, size=40, vendors=["smtp2go"])
    arguments = [how] if how.startswith("--") else []
    environment = {"LOGLEVEL": "DEBUG"} if arguments else {how: "warning"}
    with tempfile.TemporaryDirectory() as folder:
        line = [*command_line(Path(folder), config_of(box)), *arguments]
        done = subprocess.run(line, capture_output=True, timeout=60, check=False, env={**os.environ, **environment})
    assert done.returncode == 0
    assert not done.stderr
    found = Run(0, "", [json.loads(text) for text in done.stdout.splitlines()])
    assert len(found.records["smtp2go_activity"]) == 40


def test_a_quiet_run_says_what_failed(play: Play) -> None:
    box = play(now=None, size=40, vendors=["smtp2go"])
    box.fault(vendor="smtp2go", kind="status", status=401, times=-1)
    found = command(config_of(box), "--quiet", box=box)
    assert found.status == 1
    (line,) = found.stderr.splitlines()
    assert "smtp2go, account default, stream smtp2go_activity" in line
    assert "What to do: " in line


@pytest.mark.parametrize("variable", ["LOGLEVEL", "TAP_EMAILLOGS_LOGLEVEL"])
def test_an_unknown_level_is_a_mistake_in_words(variable: str) -> None:
    found = command({}, "--version", environment={variable: "loud"})
    assert found.status == 1
    assert found.stderr == f"{variable}='loud' is no level of the log: give DEBUG, INFO, WARNING, ERROR or CRITICAL\n"


def test_debug_tells_each_window_and_each_wait_and_not_what_is_selected(play: Play, hurried: None) -> None:
    box = play(size=300, vendors=["jetemail"])
    config = config_of(box, requests_per_minute=60, window_hours=360)
    found = command(config, environment={"LOGLEVEL": "DEBUG"}, box=box)
    windows = said(found, level="DEBUG")
    assert sum("begins window 20" in line for line in windows) == 2
    ended = re.compile(r": window 20\S+ to 20\S+: \d+ rows, \d requests, complete$")
    assert sum(ended.search(line) is not None for line in windows) == 2
    waits = said(found, "tap-emaillogs.waits", level="DEBUG")
    assert waits
    assert all(re.fullmatch(r"jetemail, account default, .*: waits [\d.]+ s for its budget", line) for line in waits)
    assert "Selection metadata" not in found.stderr
    assert len(found.stderr.splitlines()) < 60


def test_the_log_can_be_configured_as_the_docs_say(play: Play, tmp_path: Path) -> None:
    text = (Path(__file__).parent.parent / "docs" / "running.md").read_text("utf-8")
    given = tmp_path / "logging.yaml"
    given.write_text(text.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    box = play(now=None, size=40, vendors=["smtp2go"])
    found = command(config_of(box), environment={"SINGER_SDK_LOG_CONFIG": str(given)}, box=box)
    assert "record_count" in found.stderr
    assert "http_request_duration" not in found.stderr
    assert said(found)


def test_metrics_come_as_from_every_tap(play: Play) -> None:
    box = play(now=None, size=40, vendors=["smtp2go"])
    found = command(config_of(box), box=box)
    points = [json.loads(text) for text in re.findall(r"METRIC: (\{.*\})", found.stderr)]
    assert {"record_count", "sync_duration", "http_request_duration"} <= {point["metric"] for point in points}


# How a run ends.


def test_failures_stay_the_last_lines(play: Play) -> None:
    box = play(now=None, size=40, vendors=["smtp2go", "jetemail", "infobip"])
    for vendor in ("smtp2go", "infobip"):
        box.fault(vendor=vendor, kind="status", status=401, times=-1)
    found = command(config_of(box), box=box)
    assert found.status == 1
    *before, one, two = found.stderr.splitlines()
    assert all("| ERROR " in line and ": failed: " in line for line in (one, two))
    assert "3 endpoints, in " in before[-1]
    assert sum("windows: 1 failed" in line for line in before) == 2
    assert sum(line.endswith("1 request, failed") for line in before) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_tells_what_is_kept_and_how_to_go_on(play: Play, number: signal.Signals, hurried: None) -> None:
    box = play(size=6000, vendors=["jetemail", "infobip"])
    with started(config_of(box, requests_per_minute=6, window_hours=4)) as process:
        end = time.monotonic() + 20
        while b'"type":"STATE"' not in process.out.read_bytes():
            assert time.monotonic() < end
            time.sleep(0.02)
        found = process.finish(number)
    assert found.status == 128 + number
    assert found.messages[-1]["type"] == "STATE"
    *_, kept, go_on = found.stderr.splitlines()
    assert f"stopped by {number.name}: " in kept
    assert "covered by the last STATE on stdout; what was being read of " in kept
    assert "run the tap again with that STATE" in go_on
    rows = int(re.search(r"([\d,]+) rows? of this run", kept)[1].replace(",", ""))  # type: ignore[index]
    assert rows <= len(found.records["infobip_email_logs"]) + len(found.records["jetemail_outbound_logs"])


def test_a_signal_before_a_window_is_whole_says_that_nothing_was_read(play: Play, hurried: None) -> None:
    box = play(size=6000, vendors=["jetemail"])
    with started(config_of(box, requests_per_minute=6)) as process:
        end = time.monotonic() + 20
        while b"begins" not in process.err.read_bytes():
            assert time.monotonic() < end
            time.sleep(0.02)
        found = process.finish(signal.SIGINT)
    assert (found.status, found.state) == (130, {})
    *_, kept, go_on = found.stderr.splitlines()
    assert "stopped by SIGINT: nothing was read to its end yet, and no row was written" in kept
    assert "run the tap again as before" in go_on


# A stderr that is broken.


@pytest.mark.parametrize("how", ["closed", "full", "nobody reads"])
def test_a_broken_stderr_fails_no_run(play: Play, how: str) -> None:
    box = play(now=None, size=40, vendors=["smtp2go", "jetemail"])
    reading, writing = os.pipe()
    os.close(reading)
    with tempfile.TemporaryDirectory() as folder, Path("/dev/full").open("wb") as full:
        line = command_line(Path(folder), config_of(box))
        if how == "closed":
            line = ["sh", "-c", 'exec "$@" 2>&-', "sh", *line]
        stderr = {"closed": None, "full": full.fileno(), "nobody reads": writing}[how]
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=stderr, timeout=60, check=False)
    os.close(writing)
    assert done.returncode == 0
    found = Run(0, "", [json.loads(text) for text in done.stdout.splitlines()])
    assert found.messages[-1]["type"] == "STATE"
    assert len(found.records["smtp2go_activity"]) == 40


# On a terminal.


@pytest.mark.thorough
def test_a_terminal_has_a_display_that_makes_way_for_the_summary(play: Play, hurried: None) -> None:
    box = play(size=1500, vendors=["jetemail", "smtp2go"])
    config = config_of(box, requests_per_minute=6)
    with at_terminal(config) as terminal:
        ended = finish(terminal)
    assert ended.run.status == 0
    assert "of 2 endpoints done" in ended.shown
    table = ended.shown[ended.shown.rindex("next revisit due") :]
    row = rf"{NAME} +1,500 +16 +15 +1 complete +[\d.]+ (?:s|min) for its budget +2026-03-01 13:\d\d"
    assert re.search(row, table), table
    assert "http_request_duration" not in ended.shown.partition("of 2 endpoints done")[2]
    assert "record_count" in ended.shown
    assert "\x1b[?25l" not in ended.raw.rpartition("\x1b[?25h")[2], "the cursor is there again"
    at_once = {**config, "jetemail": {**config["jetemail"], "requests_per_minute": 0}}
    plain = run(at_once, box=box, checked=False)
    for stream in ("jetemail_outbound_logs", "smtp2go_activity", EVENTS):
        assert canonical(plain.records[stream]) == canonical(ended.run.records[stream])


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_a_terminal_leaves_it_tidy(play: Play, number: signal.Signals, hurried: None) -> None:
    box = play(size=900, vendors=["jetemail"])
    with at_terminal(config_of(box, requests_per_minute=1)) as terminal:
        terminal.wait_for(rf"{NAME} +[━╺]{{10}} +\d+ % +[\d,]+ +\d+ +for its budget \(1/min\) +[\d.]+ (?:s|min)")
        ended = finish(terminal, number)
    assert ended.run.status == 128 + number
    assert ended.run.messages[-1]["type"] == "STATE"
    *_, kept, go_on = ended.shown.strip().splitlines()
    assert f"stopped by {number.name}: nothing was read to its end yet, and no row was written" in kept
    assert "what was being read of 1 endpoint is read again" in kept
    assert "run the tap again as before" in go_on
    assert "\x1b[?25l" not in ended.raw.rpartition("\x1b[?25h")[2]


@pytest.mark.thorough
@pytest.mark.parametrize("why", ["no rich", "it breaks", "stdout is the same terminal"])
def test_without_a_display_a_run_goes_on(play: Play, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    box = play(size=1000, vendors=["jetemail"])
    breaks = {
        "no rich": "sys.modules['rich'] = None",
        "it breaks": "import rich.live; rich.live.Live.update = lambda *_, **__: 1 / 0",
        "stdout is the same terminal": "sys.stdout.isatty = lambda: True",
    }[why]
    code = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]\n{breaks}\n"
        f"sys.argv[1:1] = ['{FAST}', '{NOW.isoformat()}']\nimport hurried; hurried.main()"
    )
    monkeypatch.setattr(harness, "PROGRAM", ["-c", code])
    with at_terminal(config_of(box, requests_per_minute=6)) as terminal:
        ended = finish(terminal)
    assert ended.run.status == 0
    assert len(ended.run.records["jetemail_outbound_logs"]) == 1000
    assert f"{NAME}: 1,000 rows; 11 requests" in ended.shown
    assert (f"{NAME}: begins, " in ended.shown) == (why != "it breaks")

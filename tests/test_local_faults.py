"""What this machine lacks is told as that, and no vendor is blamed: disk, handles, permission, a full stdout."""

from __future__ import annotations

import errno
import io
import logging
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.streams.rest import HTTPRequest
from urllib3.util import connection

import harness
from general import config_of
from harness import Ticking, command, command_line, run
from sandbox.vendors import VENDORS as PLAYERS
from tap_emaillogs.engine import spool
from tap_emaillogs.engine.spool import Block, Spool
from tap_emaillogs.http import handles
from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.http.budget import Budget
from tap_emaillogs.http.client import ApiClient, Meter
from tap_emaillogs.http.errors import ReadError, Unreachable
from tap_emaillogs.http.handles import Kept
from tap_emaillogs.http.local import fault_of
from tap_emaillogs.http.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.server import Sandbox


class Broken(io.BytesIO):
    """A file on a disk with a fault."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def writelines(self, lines: Iterable[Any]) -> None:
        for _ in lines:
            raise OSError(self._number, os.strerror(self._number))


def client(clock: Ticking) -> ApiClient:
    return ApiClient(
        auth=KeyAuth("Authorization", "App key-0123456789"),
        budget=Budget(0, clock),
        clock=clock,
        redact=Redactor(),
        logger=logging.getLogger("test-local"),
        vendor_message=lambda _: None,
        label="server, account default",
        timeout=5,
        max_tries=3,
        user_agent="tap-emaillogs/test",
        connections=2,
    )


@pytest.mark.parametrize(
    ("number", "said", "hint"),
    [
        (errno.ENOSPC, "No space left on device", "TMPDIR"),
        (errno.EDQUOT, "Disk quota exceeded", "TMPDIR"),
        (errno.EROFS, "Read-only file system", "TMPDIR"),
        (errno.EACCES, "Permission denied", "permissions"),
        (errno.EFBIG, "File too large", "ulimit -f"),
    ],
)
def test_a_file_that_cannot_be_written_is_no_fault_of_the_vendor(
    box: Sandbox, number: int, said: str, hint: str
) -> None:
    clock = Ticking()
    request = HTTPRequest(method="GET", url=f"{box.url}/truth")
    with pytest.raises(ReadError, match=rf"^a fault of this machine \({said}\)$") as caught:
        client(clock).download(request, Meter(), Broken(number), 1 << 20)
    assert hint in caught.value.hint
    assert clock.waits == [], "a further try would fail too"


def test_no_handles_are_waited_for_and_then_told_as_that(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(*_: Any, **__: Any) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    clock = Ticking()
    monkeypatch.setattr(connection, "create_connection", no_more)
    with pytest.raises(Unreachable, match=r"a fault of this machine \(Too many open files\) \(3 tries\)") as caught:
        client(clock).send(HTTPRequest(method="GET", url=f"{box.url}/truth"), Meter())
    assert "ulimit -n" in caught.value.hint
    assert len(clock.waits) == 2


def test_a_full_disk_under_an_export_is_told_in_the_ledger(
    play: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = "zeptomail"
    box = play(size=20, vendors=[vendor])
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Broken(errno.ENOSPC))
    found = run(config_of(box, vendor), box=box)
    assert found.status == 1
    assert len(found.lines("ERROR")) == 3, "one for each export"
    for line in found.lines("ERROR"):
        assert "a fault of this machine (No space left on device)" in line
        assert "What to do: free space in " in line
    assert {row["gap_reason"] for row in found.ledger} == {"a fault of this machine (No space left on device)"}


def test_a_full_disk_under_finished_lines_is_no_error_inside_the_tap(
    play: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    box = play(size=20, vendors=["smtp2go"])
    full = OSError(errno.ENOSPC, "No space left on device")

    def add(_: Spool, __: Block) -> None:
        raise full

    monkeypatch.setattr(Spool, "add", add)
    found = run(config_of(box, "smtp2go"), box=box)
    (line,) = found.lines("ERROR")
    assert "a fault of this machine (No space left on device)" in line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_stdout_that_is_full_is_told_in_a_sentence(box: Sandbox, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        line = command_line(tmp_path, config_of(box, "smtp2go"))
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 1
    assert b"the output cannot be written (No space left on device)" in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_what_is_no_fault_of_the_system_is_not_blamed_on_the_output(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is replaced during a run raises a FileNotFoundError, which no system call failed with."""
    code = (
        "import sys\nfrom tap_emaillogs.tap import TapEmailLogs\n"
        "def sync_all(_): raise FileNotFoundError('no metadata of a package')\n"
        "TapEmailLogs.sync_all = sync_all\nTapEmailLogs.cli()"
    )
    monkeypatch.setattr(harness, "PROGRAM", ["-c", code])
    found = command(config_of(box, "smtp2go"), checked=False)
    assert found.status == 1
    assert "an error inside the tap (FileNotFoundError)" in found.stderr
    assert "output" not in found.stderr


def test_faults_of_a_scratch_database_are_local() -> None:
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA max_page_count = 2")
    with pytest.raises(sqlite3.OperationalError) as caught:
        database.execute("CREATE TABLE x AS SELECT randomblob(100000) AS y")
    fault = fault_of(caught.value)
    assert fault is not None
    assert "full" in fault.said
    assert "TMPDIR" in fault.hint
    database.close()


@pytest.mark.parametrize(
    "error", [ValueError("x"), OSError("no number"), ConnectionRefusedError(111, "no"), KeyError()]
)
def test_other_errors_are_not_local(error: Exception) -> None:
    assert fault_of(error) is None


def test_no_memory_is_local() -> None:
    fault = fault_of(MemoryError())
    assert fault is not None
    assert "memory" in fault.said


# Many accounts, and few handles.


@pytest.mark.parametrize(
    ("name", "number"),
    [("jetemail", 200), pytest.param("smtp2go", 200, marks=pytest.mark.thorough)],
)
def test_two_hundred_accounts_under_64_handles_wait_and_do_not_fail(
    play: Callable[..., Sandbox], tmp_path: Path, name: str, number: int
) -> None:
    accounts = {f"{PLAYERS[name].default_key}-{one}": {"label": f"a{one}"} for one in range(number)}
    box = play(size=3, now=None, vendors=[name], options={name: {"accounts": accounts}})
    line = command_line(tmp_path, config_of(box, name, requests_per_minute=0))
    limited = ["bash", "-c", 'ulimit -n 64 && exec "$@"', "limited", *line]
    done = subprocess.run(limited, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert b"WARNING" not in done.stderr
    assert done.stdout.count(f'"stream":"{PLAYERS[name].facts.stream}","record"'.encode()) >= 3 * number


def test_windows_stay_in_memory_where_no_file_may_be_opened() -> None:
    spools = [Spool() for _ in range(8)]
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = os.dup(0)
    os.close(taken)
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken, most))
    lines = b"x" * (1 << 20)
    try:
        for spool in spools:
            for _ in range(6):
                spool.add(Block(0, lines, 1))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (now, most))
    for spool in spools:
        spool.add(Block(1, b"last", 1))
        assert [*spool] == [Block(0, lines, 1)] * 6 + [Block(1, b"last", 1)]
        spool.close()
        spool.close()


def test_connections_used_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handles, "limit", lambda: 32)
    kept, closed = Kept(), []
    whos = [object() for _ in range(4)]
    for number, who in enumerate(whos):
        kept.begin(who)
        kept.end(who, 2, lambda number=number: closed.append(number))  # type: ignore[misc]
    assert closed == [0, 1]
    kept.begin(whos[2])  # in use: not to be closed
    kept.begin(whos[0])
    kept.end(whos[0], 2, lambda: closed.append(0))
    kept.begin(whos[1])
    kept.end(whos[1], 2, lambda: closed.append(1))
    assert closed == [0, 1, 3]


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_the_limit_is_raised_as_far_as_it_may_be() -> None:
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, now), most))
    try:
        handles.raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 512 or most <= 512
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (now, most))


def test_windows_that_wait_to_be_written_share_a_bound_of_memory() -> None:
    before, lines = spool._in_memory.add(0), b"x" * 100_000
    waiting = [Spool() for _ in range(150)]
    for one in waiting:
        one.add(Block(0, lines, 1))
    assert spool._in_memory.add(0) <= spool._ALL_IN_MEMORY < 150 * len(lines)
    for one in waiting:
        assert [*one] == [Block(0, lines, 1)]
        one.close()
    assert spool._in_memory.add(0) == before

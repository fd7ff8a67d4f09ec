"""A real PostgreSQL server for a test: in a directory of its own, on a free port of loopback, gone afterwards.

    from postgres import ABSENT, server

    @pytest.fixture(scope="session")
    def dsn():
        if ABSENT:
            pytest.skip(ABSENT)
        with server() as dsn:
            yield dsn

PostgreSQL refuses to run as root, so for root it runs as `postgres` or `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACES = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # Fedora and relatives
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)


def _binaries() -> Path | None:
    """Return the directory that holds `initdb` and `postgres`, the newest version first."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent  # beside it lie the files that it needs
    candidates = [path for place in _PLACES for path in Path("/").glob(place[1:]) if (path / "initdb").exists()]
    return max(
        candidates, key=lambda path: [int(part) for part in str(path).split("/") if part.isdigit()], default=None
    )


_BINARIES = _binaries()
ABSENT = (
    None
    if _BINARIES
    else "PostgreSQL is not installed (no initdb on PATH or in its usual places), so nothing was loaded into it; "
    "on Debian: apt-get install postgresql"
)
"""Why there can be no server; None when there can."""


def _other_user() -> dict[str, Any]:
    """Return arguments of `subprocess` that leave root behind; none for an ordinary user."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("PostgreSQL does not run as root, and there is no user postgres or nobody")


@contextmanager
def server() -> Iterator[str]:
    """Run a server with one empty database; yield its address, `postgresql://tap@127.0.0.1:<port>/tap`.

    Raises:
        RuntimeError: It did not start; the message holds its log.
    """
    assert _BINARIES, ABSENT
    user = _other_user()
    # Not pytest's tmp_path: that is closed to other users, and too long for the name of a socket.
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    data, log = home / "data", home / "log"
    process = None
    try:
        if user:
            os.chown(home, user["user"], user["group"])
        common: dict[str, Any] = {"cwd": home, "env": {"PATH": os.defpath, "LC_ALL": "C"}, **user}
        subprocess.run(
            [_BINARIES / "initdb", "-D", data, "-U", "tap", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            **common,
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": home, "fsync": "off"}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [_BINARIES / "postgres", "-D", data, *(f"--{key}={value}" for key, value in settings.items())],
                stdout=output,
                stderr=output,
                **common,
            )
        address = f"postgresql://tap@127.0.0.1:{port}"
        _wait(f"{address}/postgres", process, log)
        with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
            connection.execute("create database tap")
        yield f"{address}/tap"
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)  # "fast": does not wait for clients to leave
            process.wait(30)
        shutil.rmtree(home, ignore_errors=True)


def _wait(dsn: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server takes connections."""
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(dsn).close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                text = log.read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"PostgreSQL did not start:\n{text}") from error
            time.sleep(0.05)
        else:
            return

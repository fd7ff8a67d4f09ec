"""The part of the internet that a new user needs, played on loopback under its real names.

- The vendors: the sandbox, behind a proxy that speaks TLS as `api.smtp2go.com` and so on.
- The project's repository: what lies in this checkout, committed and tagged as the documentation names it. git finds it
  through `insteadOf`, and raw files come through the proxy.
- Packages: the wheels that `scripts/test` fetched beforehand.

Whatever else is asked for is refused, and remembered.
"""

from __future__ import annotations

import http.client
import os
import re
import ssl
import subprocess
import sys
import threading
import tomllib
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import trustme

if TYPE_CHECKING:
    from sandbox.server import Sandbox

ROOT = Path(__file__).resolve().parent.parent
WHEELHOUSE = os.environ.get("WHEELHOUSE")
MELTANO = os.environ.get("MELTANO_BIN")
NO_WHEELS = "WHEELHOUSE or MELTANO_BIN is not set: scripts/test fetches what tests install and sets them"
SOURCE: str = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Source"]
"""The project's repository, which the documentation names."""
TAG = "v0.1.0"
"""The version that the documentation installs."""
VENDORS = {
    "api.smtp2go.com": "smtp2go",
    "api.jetemail.com": "jetemail",
    "xxxxx.api.infobip.com": "infobip",
    "api.zeptomail.com": "zeptomail",
    "accounts.zoho.com": "zeptomail",
    "elastic.messangi.me": "messangi",
}
"""Whom the sandbox plays; it has each vendor's paths behind the vendor's name."""
RAW = "raw.githubusercontent.com"
UNHEEDED = {"api.github.com"}
"""uv asks it for the commit of a tag, and does without an answer."""


class Internet:
    """Alive inside a `with` block; `environment()` is what makes a program live in it."""

    def __init__(self, box: Sandbox, folder: Path) -> None:
        self.box, self.folder = box, folder
        self.refused: set[str] = set()
        """Names that were asked for and are not played."""
        authority = trustme.CA()
        self.certificates = folder / "certificates.pem"
        authority.cert_pem.write_to_path(str(self.certificates))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*VENDORS, RAW).configure_cert(self.tls)
        self.upstream = published(folder / "upstream")

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Proxy,), {"internet": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.005,), name="internet", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of somebody who has Python, git and Meltano, and no clone."""
        commands = self.folder / "bin"
        if not commands.exists():
            commands.mkdir()
            for name, program in {"python3": sys.executable, "meltano": str(MELTANO)}.items():
                (commands / name).write_text(f'#!/bin/sh\nexec "{program}" "$@"\n')
                (commands / name).chmod(0o755)
            (self.folder / "gitconfig").write_text(f'[url "file://{self.upstream}"]\n\tinsteadOf = {SOURCE}.git\n')
            (self.folder / "uv.toml").write_text(f'no-index = true\nfind-links = ["{WHEELHOUSE}"]\n')
        proxy = f"http://127.0.0.1:{self._server.server_address[1]}"
        ours = re.compile("PYTHON|TAP_|TARGET_|MELTANO|GIT_|UV_|PIP_|VIRTUAL_ENV|COV")
        return {
            **{name: value for name, value in os.environ.items() if not ours.match(name)},
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"),
            "HTTPS_PROXY": proxy,
            "https_proxy": proxy,
            "NO_PROXY": "",
            "REQUESTS_CA_BUNDLE": str(self.certificates),
            "SSL_CERT_FILE": str(self.certificates),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(WHEELHOUSE),
            "PIP_NO_COMPILE": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "UV_CONFIG_FILE": str(self.folder / "uv.toml"),
            "UV_CACHE_DIR": str(self.folder / "uv"),
            "UV_PYTHON_DOWNLOADS": "never",
            "MELTANO_PYTHON": sys.executable,
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
            **more,
        }


class _Proxy(BaseHTTPRequestHandler):
    """Answers CONNECT, and inside of it as the host that was asked for."""

    internet: Internet
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_CONNECT(self) -> None:
        self.host = self.path.partition(":")[0]
        if self.host not in {*VENDORS, RAW}:
            self.internet.refused |= {self.host} - UNHEEDED
            self.send_error(502)
            return
        self.send_response(200)
        self.end_headers()
        self.connection = self.internet.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.host == RAW:
            owner = SOURCE.removeprefix("https://github.com")
            file = ROOT / self.path.removeprefix(f"{owner}/{TAG}/")
            status, headers, answer = 200, [], file.read_bytes()
        else:
            there = http.client.HTTPConnection(self.internet.box.url.removeprefix("http://"), timeout=60)
            given = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            there.request(self.command, f"/{VENDORS[self.host]}{self.path}", body, given)
            reply = there.getresponse()
            status, headers, answer = reply.status, reply.getheaders(), reply.read()
            there.close()
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = forward  # noqa: N815 - named by http.server


@cache
def published(folder: Path) -> Path:
    """Return a repository that holds this checkout as it lies here, as one commit with the documentation's tag."""

    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", *arguments],
            cwd=ROOT,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
                "GIT_DIR": str(folder),
                "GIT_WORK_TREE": str(ROOT),
            },
            check=True,
            capture_output=True,
        )

    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(folder)], check=True)
    git("add", "--all")
    git("commit", "--quiet", "--no-verify", "--message=As it lies here")
    git("tag", TAG)
    return folder

"""The container file, tried without a container engine: each command of it, in virtual environments."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import duckdb
import pytest

from internet import NO_WHEELS, ROOT, WHEELHOUSE
from sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = ROOT / "deploy" / "Containerfile"
TEXT = re.sub(r"\\\n\s*", " ", FILE.read_text("utf-8"))
LINES = [line.split(" ", 1) for line in TEXT.splitlines() if line and not line.startswith("#")]


def test_the_file_follows_what_linters_ask_for() -> None:
    assert all(re.fullmatch(r"python:3\.\d+-slim( AS \w+)?", rest) for word, rest in LINES if word == "FROM")
    assert [rest for word, rest in LINES if word == "USER"] == ["10001"], "not root"
    assert not any(word in {"ADD", "MAINTAINER"} for word, _ in LINES)
    for word, rest in LINES:
        assert word != "WORKDIR" or rest.startswith("/"), rest
        if word == "ENTRYPOINT":
            assert json.loads(rest) == ["/opt/run-once"]
        if word == "RUN":
            assert "|" not in rest, "a failure on the left would be lost"
            assert "sudo" not in rest
    assert "PIP_NO_CACHE_DIR=1" in TEXT
    assert "PIP_REQUIRE_HASHES=1" in TEXT


def test_what_it_copies_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    for word, rest in LINES:
        if word == "COPY" and "--from" not in rest:
            *sources, _ = [part for part in shlex.split(rest) if not part.startswith("--")]
            for source in sources:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in ignored or f"!{os.path.dirname(source)}/*.txt" in ignored, source  # noqa: PTH120


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the file's first stage makes, with another root."""
    if WHEELHOUSE is None:
        pytest.skip(NO_WHEELS)
    pytest.importorskip("ensurepip", reason="this Python cannot make a venv with pip")
    root = tmp_path_factory.mktemp("image")
    place, environment = root, {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELHOUSE, "PIP_NO_COMPILE": "1"}
    (root / "bin").mkdir()
    (root / "bin" / "python3").symlink_to(sys.executable)
    environment["PATH"] = f"{root / 'bin'}{os.pathsep}{environment['PATH']}"
    for word, rest in LINES[1:]:
        if word == "FROM":
            break
        if word in {"ARG", "ENV"}:
            environment |= dict(part.split("=", 1) for part in shlex.split(rest))
        elif word == "WORKDIR":
            place = root / rest.lstrip("/")
            place.mkdir(parents=True)
        elif word == "COPY":
            *sources, target = shlex.split(rest)
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, place / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    (place / target).mkdir(exist_ok=True, parents=True)
                    shutil.copy(ROOT / source, place / target)
        elif word == "RUN":
            command = rest.replace("/opt/", f"{root}/opt/")
            done = subprocess.run(
                ["sh", "-eu", "-c", command], cwd=place, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{rest}\n{done.stdout}{done.stderr}"
    yield root
    shutil.rmtree(root)


@pytest.mark.thorough
def test_it_reads_goes_on_and_stops(image: Path, tmp_path: Path) -> None:
    bins = [str(image / "opt" / name / "bin") for name in ("tap", "target")]
    environment = {**os.environ, "PATH": os.pathsep.join([*bins, os.environ["PATH"]])}
    for name in [name for name in environment if name.startswith(("PYTHON", "TAP_"))]:
        del environment[name]
    loader = {"filepath": str(tmp_path / "emaillogs.duckdb"), "default_target_schema": "mail", "batch_size_rows": 2000}
    (tmp_path / "target.json").write_text(json.dumps({**loader, "flush_all_streams": True}))
    with Sandbox(size=50, vendors=["smtp2go"]) as box:
        config = box.config()
        key = config["smtp2go"].pop("api_key")
        (tmp_path / "config.json").write_text(json.dumps(config))
        environment["TAP_EMAILLOGS_SMTP2GO_API_KEY"] = key
        for requests in (1, 2):
            done = subprocess.run(
                [ROOT / "deploy" / "run-once"],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert len(box.requests) == requests, "the second run begins where the first one ended"
            assert "bookmarks" in json.loads((tmp_path / "state.json").read_text())
        with duckdb.connect(loader["filepath"], read_only=True) as connection:
            assert connection.execute("select count(*) from mail.smtp2go_activity").fetchall() == [(50,)]
        box.fault(kind="status", vendor="smtp2go", status=503, times=1_000)
        process = subprocess.Popen(
            [ROOT / "deploy" / "run-once"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while len(box.requests) < 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
        assert "bookmarks" in json.loads((tmp_path / "state.json").read_text())
        assert {path.name for path in tmp_path.iterdir()} <= {
            "config.json",
            "target.json",
            "state.json",
            "emaillogs.duckdb",
        }

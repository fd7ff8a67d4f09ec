"""A stranger copies what README and docs/ show into an empty directory and follows it: all of it works.

The internet is played (`internet.py`): the vendors under their real names, this checkout as the project's repository,
and packages from a directory of wheels. See `pages.py` for what becomes of a block.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from internet import MELTANO, NO_WHEELS, WHEELHOUSE, Internet
from pages import PAGES, ROOT, Block, blocks, runs
from sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(not (WHEELHOUSE and MELTANO), reason=NO_WHEELS),
    pytest.mark.timeout(600),
]
README = ROOT / "README.md"
KEYS = {"smtp2go": ["api-YOUR-KEY"], "jetemail": ["api_YOUR-KEY", "api_ONE", "api_OTHER"]}
"""The keys that the pages show, of vendors that their commands read."""
SIZE = 300


@pytest.fixture(scope="module")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    options = {vendor: {"accounts": {key: {} for key in keys}} for vendor, keys in KEYS.items()}
    with Sandbox(size=SIZE, vendors=KEYS, options=options) as box, Internet(box, tmp_path_factory.mktemp("net")) as net:
        yield net


def follow(shown: list[Block], folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Write the files, run the commands, ask the questions; return what each block printed."""
    printed = []
    for block in shown:
        if block.reason:
            continue
        if block.title:
            file = folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
        elif block.language == "console":
            done = subprocess.run(
                ["bash", "-e", "-o", "pipefail", "-c", "\n".join(block.commands)],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=500,
                check=False,
            )
            assert done.returncode == 0, f"{block}\n{done.stdout[-6000:]}"
            printed.append(done.stdout)
        elif block.language == "sql":
            with duckdb.connect(str(folder / "emaillogs.duckdb"), read_only=True) as connection:
                printed.append(str(connection.execute(block.text).fetchall()))
    return printed


def section(page: Path, title: str) -> list[Block]:
    """Return the blocks between a heading and the next one of its level."""
    lines = page.read_text("utf-8").splitlines()
    start = lines.index(f"## {title}") + 1
    end = next((number for number, line in enumerate(lines[start:], start) if line.startswith("## ")), len(lines))
    return [block for block in blocks(page) if start < block.line <= end]


def assert_all_there(internet: Internet, folder: Path) -> None:
    with duckdb.connect(str(folder / "emaillogs.duckdb"), read_only=True) as connection:
        counts = dict(
            connection.execute(
                "select 'smtp2go_activity', count(distinct event_id) from mail.smtp2go_activity "
                "union all select 'email_events', count(*) from mail.email_events"
            ).fetchall()
        )
    assert counts == internet.box.truth()["vendors"]["smtp2go"]["default"]["distinct_keys"]


def warnings(printed: str) -> list[str]:
    lines = re.findall(r".*(?:\[(?:warning|error) *\]|\b(?:WARN|ERROR|level=W|level=E)|[Dd]eprecat).*", printed)
    return [line for line in lines if "No state was found, complete import" not in line]


def test_readme_with_meltano(internet: Internet, tmp_path: Path) -> None:
    began = time.monotonic()
    (tmp_path / "empty").mkdir()
    shown = section(README, "With Meltano")
    printed = follow(shown, tmp_path / "empty", internet.environment())
    took = time.monotonic() - began
    lines = sum(len(block.commands or block.text.splitlines()) for block in shown)
    print(f"README, with Meltano: {lines} lines, {took:.0f} s to {SIZE} rows in DuckDB")  # noqa: T201 - for the report
    assert_all_there(internet, tmp_path / "empty")
    assert not internet.refused, "only what README names is needed"
    again = subprocess.run(
        ["meltano", "run", "tap-emaillogs", "target-duckdb"],
        cwd=tmp_path / "empty",
        env=internet.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert warnings("".join(printed) + again.stdout + again.stderr) == []
    assert follow(section(README, "Is anything missing?"), tmp_path / "empty", {}) == ["[]"]
    listed = subprocess.run(
        ["meltano", "config", "list", "tap-emaillogs"],
        cwd=tmp_path / "empty",
        env=internet.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "YOUR-KEY" not in listed.stdout + listed.stderr


@pytest.fixture(scope="module")
def installed(internet: Internet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which README's lines for those without Meltano were followed."""
    pytest.importorskip("ensurepip", reason="this Python cannot make a venv with pip")
    folder = tmp_path_factory.mktemp("installed")
    follow(section(README, "Without Meltano"), folder, internet.environment())
    return folder


def test_readme_without_meltano(internet: Internet, installed: Path) -> None:
    assert_all_there(internet, installed)
    state = json.loads((installed / "state.jsonl").read_text().splitlines()[-1])
    assert "smtp2go_activity" in state["bookmarks"]
    version = subprocess.run([installed / "tap/bin/tap-emaillogs", "--version"], check=True, capture_output=True)
    assert version.stdout.startswith(b"tap-emaillogs v0.1.0,")


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if runs(page) and page != README],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_page(internet: Internet, request: pytest.FixtureRequest, tmp_path: Path, page: Path) -> None:
    shown = blocks(page)
    commands = [line for block in shown if not block.reason for line in block.commands]
    environment, before = internet.environment(), {*internet.refused}
    if any(block.language == "sql" for block in shown) or any(re.match("tap-|target-", line) for line in commands):
        installed: Path = request.getfixturevalue("installed")
        path = os.pathsep.join([str(installed / "tap/bin"), str(installed / "target/bin")])
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
        if not any("target-duckdb" in line for line in commands):
            (tmp_path / "emaillogs.duckdb").write_bytes((installed / "emaillogs.duckdb").read_bytes())
    printed = follow(shown, tmp_path, environment)
    assert warnings("".join(printed)) == []
    assert internet.refused == before
    if page.name == "meltano.md":
        _, accounts, children = printed
        shop, news = {"account": "shop", "api_key": "api_ONE"}, {"account": "news", "api_key": "api_OTHER"}
        assert objects(accounts) == [{"jetemail": {"accounts": [shop, news]}}]
        assert objects(children) == [{"jetemail": {"api_key": "api_ONE"}}, {"smtp2go": {"api_key": "api-TWO"}}]


def objects(printed: str) -> list[Any]:
    """Return the JSON objects that stand on lines of their own."""
    return [json.loads(text) for text in re.findall(r"^\{.*?^\}", printed, re.DOTALL | re.MULTILINE)]

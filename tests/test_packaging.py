"""What is published: its version is the tag's, and its metadata are whole; also where there is no tag, and no git."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from email.parser import Parser
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from internet import NO_WHEELS, ROOT, SOURCE, WHEELHOUSE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(WHEELHOUSE is None, reason=NO_WHEELS),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not in a clone"),
]


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What builds the wheel, as locked."""
    folder = tmp_path_factory.mktemp("builder")
    install = ["install", "-q", "--no-index", f"--find-links={WHEELHOUSE}", "--require-hashes", f"--target={folder}"]
    requirements = f"--requirement={ROOT / 'requirements' / 'build.txt'}"
    subprocess.run([sys.executable, "-m", "pip", *install, requirements], check=True)
    return folder


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What git knows or would add of this checkout, without git."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            target = tmp_path / "copy" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    return tmp_path / "copy"


def build(builder: Path, folder: Path, *kinds: str) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GIT_", "COV"))}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *(f"-t{kind}" for kind in kinds)],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(builder), "GIT_CEILING_DIRECTORIES": str(folder.parent)},
        check=True,
        capture_output=True,
    )
    return sorted(path.name for path in (folder / "dist").iterdir())


def commit(folder: Path, tag: str | None = None) -> None:
    name = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    git = ["git", "-C", str(folder), *name]
    if not (folder / ".git").exists():
        subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "a change"], check=True)
    if tag:
        subprocess.run([*git, "tag", tag], check=True)


def test_a_tag_is_the_version_and_the_wheel_of_the_sdist_is_the_same(builder: Path, copy: Path, tmp_path: Path) -> None:
    commit(copy, "v1.2.3")
    wheel, sdist = build(builder, copy, "sdist", "wheel")
    assert (wheel, sdist) == ("tap_emaillogs-1.2.3-py3-none-any.whl", "tap_emaillogs-1.2.3.tar.gz")
    with tarfile.open(copy / "dist" / sdist) as archive:
        archive.extractall(tmp_path / "sdist", filter="data")
    again = build(builder, tmp_path / "sdist" / "tap_emaillogs-1.2.3", "wheel")
    assert again == [wheel]
    with (
        ZipFile(copy / "dist" / wheel) as one,
        ZipFile(tmp_path / "sdist" / "tap_emaillogs-1.2.3" / "dist" / wheel) as two,
    ):
        assert sorted(one.namelist()) == sorted(two.namelist())
        metadata = Parser().parsestr(one.read("tap_emaillogs-1.2.3.dist-info/METADATA").decode())
    assert metadata["Version"] == "1.2.3"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    urls = dict(line.split(", ") for line in metadata.get_all("Project-URL", []))
    assert urls["Source"] == SOURCE
    assert urls.keys() == {"Documentation", "Source", "Changelog", "Issues"}
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])


def test_a_clone_without_tags_has_a_version_too(builder: Path, copy: Path) -> None:
    commit(copy)
    (wheel,) = build(builder, copy, "wheel")
    assert ".dev" in wheel


def test_so_has_an_archive_without_git(builder: Path, copy: Path) -> None:
    assert build(builder, copy, "wheel") == ["tap_emaillogs-0.0.0.dev0-py3-none-any.whl"]

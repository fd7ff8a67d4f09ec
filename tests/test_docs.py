"""What the documentation says of itself and of the project is so; `test_docs_commands.py` runs what it shows."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from internet import SOURCE, TAG
from pages import KNOWN, PAGES, ROOT, blocks
from tap_emaillogs.config import checks
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
README = ROOT / "README.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    found = blocks(page)
    assert len(found) * 2 == len(re.findall(r"^ *```", page.read_text("utf-8"), re.MULTILINE)), "a fence is not closed"
    for block in found:
        assert block.language in KNOWN, f"{block}: what is to become of {block.language or 'a bare block'}?"
        if not block.reason:
            assert block.language != "yaml" or block.title, f"{block}: what is this file called?"
            assert block.language != "console" or block.commands, f"{block}: no line begins with `$ `"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_configuration_shown_is_valid(page: Path) -> None:
    schema = TapEmailLogs._full_schema()
    for block in blocks(page):
        if block.language == "json" and block.title != "target.json":
            config = json.loads(block.text)
            assert config.keys() & {provider.name for provider in PROVIDERS}, block
            assert checks.mistakes(config, schema, PROVIDERS, datetime.now(UTC)) == [], block


def test_every_vendors_page_begins_with_a_configuration_that_works() -> None:
    for provider in PROVIDERS:
        page = ROOT / "docs" / "providers" / f"{provider.name}.md"
        setup = page.read_text("utf-8").split("## Set up")[1].split("\n## ")[0]
        assert f'"{provider.name}": {{' in setup
        assert "History" in setup or "history" in setup
        assert re.search(r"\| rows a day \|", setup), "what does a day cost?"


def test_readme_stays_what_a_visitor_needs() -> None:
    first, *rest = blocks(README)
    assert first.commands[0].startswith("scripts/demo ")
    assert first.commands[1].startswith("scripts/test ")
    pasted = next(block for block in rest if block.title == "meltano.yml")
    assert 10 <= len(pasted.text.splitlines()) <= 15
    assert len(next(block for block in rest if any("pip install" in line for line in block.commands)).commands) == 5
    assert len(README.read_text("utf-8").splitlines()) <= 150


def test_one_name_and_one_version_of_the_project_everywhere() -> None:
    version = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert version
    assert f"v{version[1]}" == TAG
    hub = ROOT / "hub" / "tap-emaillogs.yml"
    texts = {path: path.read_text("utf-8") for path in [*PAGES, hub, ROOT / "mkdocs.yml"]}
    for path, text in texts.items():
        for url in re.findall(r"https://[\w.-]*github[\w.-]*/[\w.-]+/tap-emaillogs[\w./@-]*", text):
            owned = url.replace("raw.githubusercontent.com", "github.com")
            assert owned.startswith(SOURCE), f"{path}: {url}"
        assert {*re.findall(r"tap-emaillogs(?:\.git@|/)(v\d[\w.]*\w)", text)} <= {TAG}, path
        assert {*re.findall(r"VERSION=(\d[\w.]*\w)", text)} <= {version[1]}, path
    definition = yaml.safe_load(texts[hub])
    assert definition["pip_url"] == f"git+{SOURCE}.git@{TAG}"
    assert (definition["repo"], definition["docs"]) == (SOURCE, PROJECT["urls"]["Documentation"])
    site = yaml.safe_load(texts[ROOT / "mkdocs.yml"])
    assert (site["repo_url"], site["site_url"]) == (SOURCE, PROJECT["urls"]["Documentation"])


def test_the_hubs_definition_is_that_of_meltano_yml() -> None:
    hub = yaml.safe_load((ROOT / "hub" / "tap-emaillogs.yml").read_text("utf-8"))
    ours = yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))["plugins"]["extractors"][0]
    for key in (
        "name",
        "namespace",
        "label",
        "executable",
        "capabilities",
        "settings",
        "settings_group_validation",
        "select",
    ):
        assert hub[key] == ours[key], key
    # Meltano warns of a stream that is named and not there, and not every vendor is configured.
    assert all("*" in pattern.split(".")[0] for pattern in hub["select"])
    assert not any("value" in setting for setting in hub["settings"]), "a default would switch a provider on"


def test_every_setting_is_described() -> None:
    text = (ROOT / "docs/settings.md").read_text("utf-8")
    found = {*re.findall(r"^\| `([\w.]+)`", text, re.MULTILINE)}
    vendors = {provider.name for provider in PROVIDERS}
    for name in _names(TapEmailLogs._full_schema()):
        vendor, _, rest = name.partition(".")
        assert name in found or (vendor in vendors and rest in found), f"{name}: run scripts/generate.py"


def _names(schema: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Names of all settings, with dots, but for the objects of the vendors themselves."""
    for name, spec in schema.get("properties", {}).items():
        if before or name not in {provider.name for provider in PROVIDERS}:
            yield f"{before}{name}"
        if not spec.get("additionalProperties"):
            yield from _names(spec, f"{before}{name}.")


def test_every_page_can_be_found() -> None:
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}

    def links(name: str) -> set[str]:
        return {*re.findall(r"\]\(([^)#\s]+)", (ROOT / name).read_text("utf-8"))}

    readme, index = links("README.md"), links("docs/index.md")
    assert {f"docs/{page}" for page in pages - {"index.md"} if "/" not in page} <= readme
    assert {"SECURITY.md", "dbt/README.md"} <= readme
    assert pages - {"index.md"} <= index
    nav = {*re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text("utf-8").split("nav:\n")[1])}
    assert nav == pages


TROUBLE = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
MESSAGES = [
    message
    for table in re.findall(r"\| (?:message|what to do, says the line) \|.*?\n\n", TROUBLE, re.DOTALL)
    for row in table.splitlines()[2:]
    for message in re.findall(r"`([^`]+)`", row.split(" | ")[0])
]  # fmt: skip
FOREIGN = {
    "A Meltano environment must be specified",
    "Stream … was not found in the catalog",
    "Another … pipeline is already running",
    "UnknownIssuer",
    "invalid peer certificate",
    "target-duckdb",
}
"""What others say."""


@pytest.fixture(scope="module")
def said() -> str:
    """All texts in the tap's code."""
    texts = []
    for path in (ROOT / "tap_emaillogs").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(re.sub("%[sd]|%[+.0-9]+[fg]", "\0", node.value))
    return "\n".join(texts).replace("`", "")


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_in_troubleshooting_are_those_of_the_tap(said: str, message: str) -> None:
    if message not in FOREIGN:
        for part in filter(None, (part.strip() for part in message.split("…"))):
            assert part in said, part


def test_troubleshooting_has_messages() -> None:
    assert len(MESSAGES) > 25


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_have_few_rights_and_fixed_actions(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            uses = step.get("uses", "")
            # The publishing action is to be used by its branch: an old one cannot read today's metadata.
            assert not uses or re.search(r"@[0-9a-f]{40}$", uses) or uses == "pypa/gh-action-pypi-publish@release/v1"
            if "actions/checkout@" in uses:
                assert step["with"]["persist-credentials"] is False


def test_ci_is_one_command_and_a_release_is_made_without_a_secret() -> None:
    ci, release = (
        yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text("utf-8")) for name in ("ci", "release")
    )
    assert [step["run"] for step in ci["jobs"]["ci"]["steps"] if "run" in step] == [".ci/run"]
    assert release["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert "secrets." not in json.dumps(release)

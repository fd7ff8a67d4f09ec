"""What `deploy/dagster` has for a deployment fits together: image, compose file, Helm values, instance, README."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "deploy" / "dagster"
sys.path.append(str(PROJECT))

from emaillogs_dagster import accounts  # noqa: E402 - found where the line above says

if TYPE_CHECKING:
    import pytest

TEXT = re.sub(r"\\\n\s*", " ", (PROJECT / "Containerfile").read_text("utf-8"))
LINES = [line.split(" ", 1) for line in TEXT.splitlines() if line and not line.startswith("#")]
PURSE = {"key": "emaillogs/purse", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}


def read(name: str) -> Any:
    return yaml.safe_load((PROJECT / name).read_text("utf-8"))


def test_the_image_is_made_of_what_is_there_and_runs_as_nobody() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert [rest for word, rest in LINES if word == "USER"] == ["10001"]
    assert all(re.fullmatch(r"python:3\.\d+-slim( AS \w+)?", rest) for word, rest in LINES if word == "FROM")
    assert "PIP_REQUIRE_HASHES=1" in TEXT
    for word, rest in LINES:
        if word == "COPY" and "--from" not in rest:
            *sources, _ = shlex.split(rest)
            for source in sources:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in ignored or source.startswith("requirements/"), source


def test_the_queue_limits_purses_everywhere() -> None:
    instance = read("dagster.yaml")["run_coordinator"]
    helm = read("helm/values.yaml")["dagsterDaemon"]["runCoordinator"]["config"]["customRunCoordinator"]
    for coordinator in (instance, helm):
        module, name = coordinator["module"], coordinator["class"]
        assert f"class {name}(" in (PROJECT / f"{module.replace('.', '/')}.py").read_text("utf-8")
        limits = coordinator["config"]["tag_concurrency_limits"]
        assert PURSE in limits
        (backfills,) = [limit["limit"] for limit in limits if limit.get("value") == "backfill"]
        assert backfills < coordinator["config"]["max_concurrent_runs"], "places are kept for forward runs"
    assert read("laptop/dagster.yaml")["run_coordinator"]["config"]["max_concurrent_runs"] == 1, "DuckDB has one writer"


def test_only_the_code_location_has_secrets() -> None:
    services = read("compose/compose.yaml")["services"]
    assert [name for name, own in services.items() if "env_file" in own] == ["code"]
    assert [name for name, own in services.items() if "EMAILLOGS_WAREHOUSE" in own.get("environment", ())] == ["code"]
    helm = read("helm/values.yaml")
    assert not any("envSecrets" in helm[name] for name in ("dagsterWebserver", "dagsterDaemon"))
    (location,) = helm["dagster-user-deployments"]["deployments"]
    assert {secret["name"] for secret in location["envSecrets"]} == {"emaillogs-keys", "emaillogs-warehouse"}
    (server,) = read("compose/workspace.yaml")["load_from"]
    assert server["grpc_server"]["host"] in services


def test_the_chart_is_the_version_that_is_locked() -> None:
    locked = re.findall(r"^dagster==(\S+)", (ROOT / "requirements" / "dagster.txt").read_text("utf-8"), re.MULTILINE)
    assert re.findall(r"--version (\S+)", (PROJECT / "helm" / "values.yaml").read_text("utf-8")) == locked
    pods = (ROOT / "requirements" / "dagster-k8s.txt").read_text("utf-8")
    assert f"dagster=={locked[0]}" in pods
    assert "dagster-k8s==" in pods


def test_the_example_of_accounts_loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    example = (PROJECT / "accounts.example.yaml").read_text("utf-8")
    (tmp_path / "accounts.yaml").write_text(example, encoding="utf-8")
    monkeypatch.setenv("OTHER_SHOP_SMTP2GO_KEY", "api-3")
    monkeypatch.setenv("ACME_SMTP2GO_KEY", "api-1")
    monkeypatch.setenv("SHOP_JETEMAIL_KEY", "api_2")
    groups = accounts.load(str(tmp_path / "accounts.yaml"))
    secrets = {secret for group in groups.values() for secret in group.config("backfill")[1]}
    assert secrets == {"api-1", "api_2", "api-3"}
    assert groups["acme"].every_minutes == 5


def test_readme_names_every_variable() -> None:
    code = (PROJECT / "emaillogs_dagster" / "settings.py").read_text("utf-8")
    named = re.findall(r"`(EMAILLOGS_\w+)`", (PROJECT / "README.md").read_text("utf-8"))
    assert set(re.findall(r'"(EMAILLOGS_\w+)"', code)) == set(named)


def test_no_module_is_long() -> None:
    assert max(path.read_text("utf-8").count("\n") for path in PROJECT.rglob("*.py")) <= 300

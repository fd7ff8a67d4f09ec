"""Bad input through the command line: one plain sentence, status 1, nothing on stdout, no traceback, no secret."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import LEDGER, NOW, config_of
from harness import run
from tap_emaillogs.formats.timestamps import millis
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.server import Sandbox

KEY = "secret-0123456789"
GOOD = {"smtp2go": {"api_key": KEY, "base_url": "http://127.0.0.1:9"}, "max_tries": 1}


@dataclass
class Ended:
    """What one call of the command line left behind."""

    status: int
    stdout: str
    stderr: str

    @property
    def errors(self) -> list[str]:
        """The sentences logged as errors."""
        lines = [line for line in self.stderr.splitlines() if "| ERROR " in line]
        return [line.split("|", 3)[3].strip() for line in lines]


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a call does to this process."""
    for name in [name for name in os.environ if name.startswith("TAP_EMAILLOGS")]:
        monkeypatch.delenv(name)
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = [*root.handlers], root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)
    sys.excepthook = hook


def call(*arguments: str | Path) -> Ended:
    """Call the command line in this process."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    logging.getLogger().handlers = []
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = TapEmailLogs.cli([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
    out.flush()
    written = out.buffer.getvalue().decode()  # type: ignore[attr-defined] # a BytesIO
    assert "Traceback" not in err.getvalue()
    assert KEY not in err.getvalue()
    return Ended(int(status or 0), written, err.getvalue())


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def refused(ended: Ended) -> str:
    """Return the one sentence of a call that was refused."""
    assert ended.status == 1
    assert ended.stdout == ""
    assert len(ended.errors) == 1, ended.stderr
    return ended.errors[0]


# Configurations. Every mistake is tried in test_config.py; here is how they come out.


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "no provider is configured: give at least one of smtp2go, jetemail, infobip, zeptomail, messangi"),
        ({"smtp2go": None}, "no provider is configured"),
        ({"smtp2go": {}}, "smtp2go.api_key is missing"),
        ({"smtp2go": {"api_key": ""}}, "smtp2go.api_key is empty"),
        ({"smtp2go.api_key": ""}, "smtp2go.api_key is empty"),
        ({"smtp2go": {"api_key": 123456789}}, "smtp2go.api_key must be text, not a whole number"),
        ({"smtp2go": {"api_key": 1234567.89}}, "smtp2go.api_key must be text, not a number"),
        ({"smtp2go": {"api_key": {"value": KEY}}}, "smtp2go.api_key must be text, not an object"),
        ({"sendgrid": {"api_key": KEY}}, "sendgrid is no setting of this tap"),
        ({**GOOD, "ongap": "fail"}, "ongap is no setting of this tap; did you mean on_gap?"),
        ({"smtp2go.api-key": KEY}, "smtp2go.api-key is no setting of this tap; did you mean api_key?"),
        (
            {"jetemail": {"api_key": KEY, "accounts": [{"account": "a", "pagin": "page"}]}},
            "jetemail.accounts[0].pagin is no setting of this tap; did you mean paging?",
        ),
        ({**GOOD, "start_date": "tomorrow"}, "start_date is not a date or time in ISO 8601"),
        ({**GOOD, "start_date": "2026-02-02", "end_date": "2026-02-01"}, "end_date must be after start_date"),
        ({"infobip": {"api_key": KEY, "base_url": "x.api.infobip.com"}}, "infobip.base_url has no scheme"),
        ({"smtp2go": {"api_key": KEY, "account": "ann@example.com"}}, "smtp2go.account must not be an e-mail address"),
        (
            {"smtp2go": {"api_key": KEY, "accounts": [{"account": "a"}, {"account": "a"}]}},
            "smtp2go.accounts[1].account is the same as that of smtp2go.accounts[0]",
        ),
        ({"smtp2go": {"api_key": KEY, "lookback_minutes": -60}}, "smtp2go.lookback_minutes must be 0 or greater"),
        ({"jetemail": {"api_key": KEY, "page_size": 500}}, "jetemail.page_size must be at most 100"),
        ({"smtp2go": {"api_key": KEY, "history_days": 1e30}}, "smtp2go.history_days must be at most 36500"),
        ({"smtp2go": {"api_key": KEY, "history_days": 10**400}}, "smtp2go.history_days must be at most 36500"),
        ({**GOOD, "batch_config": {"x": 1}}, "batch_config must have the form {"),
        ({**GOOD, "batch_config": {"encoding": {}, "storage": {"root": "x"}}}, "batch_config must have the form {"),
        ({**GOOD, "batch_config": {"encoding": {"format": "jsonl"}, "storage": {}}}, "batch_config must have the fo"),
        ({"smtp2go": {"api_key": "\u201c" + KEY}}, "smtp2go.api_key holds a character that no HTTP header can carry"),
    ],
)
def test_a_mistake_in_the_configuration_is_one_sentence(
    file: Callable[..., Path], config: dict[str, Any], said: str
) -> None:
    assert refused(call("--config", file("config.json", config))).startswith(said)


def test_every_mistake_has_a_line_of_its_own(file: Callable[..., Path]) -> None:
    config = {"smtp2go": {"account": "a@b.example"}, "infobip": {"base_url": "x", "api_key": KEY}}
    ended = call("--config", file("config.json", config))
    assert (ended.status, ended.stdout, len(ended.errors)) == (1, "", 3)


def test_a_sync_without_a_configuration_is_refused() -> None:
    assert refused(call()).startswith("no provider is configured")
    assert refused(call("--config=ENV")).startswith("no provider is configured")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"smtp2go": {', "is not valid JSON (line 1, column"),
        (b"", "is not valid JSON"),
        (b"smtp2go: {}", "is not valid JSON"),
        (b'{"smtp2go": NaN}', "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"[1]", "holds no JSON object"),
        (b"[]", "holds no JSON object"),
        (b'[{"smtp2go": {}}]', "holds no JSON object"),
        (b"5", "holds no JSON object"),
        (b"null", "holds no JSON object"),
        (b"\xff\xfe{}", "is not UTF-8 text"),
    ],
)
def test_a_configuration_file_that_is_none_is_named(file: Callable[..., Path], content: bytes, said: str) -> None:
    good, bad = file("good.json", GOOD), file("bad.json", content)
    for arguments in (("--config", bad), ("--config", good, "--config", bad), ("--config", bad, "--discover")):
        assert refused(call(*arguments)).startswith(f"the configuration file {bad} {said}")


def test_a_missing_configuration_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    assert refused(call("--config", missing)) == f"the configuration file {missing} does not exist"
    assert refused(call("--config", tmp_path)) == f"the configuration file {tmp_path} cannot be read: Is a directory"


# States and catalogs.


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"bookmarks": {', "the state file is not valid JSON (line 1, column"),
        (b"[]", "the state file holds no JSON object"),
        (b"[" * 100_000, "the state file is not valid JSON"),
        (b"\xff", "a file given on the command line is not UTF-8 text"),
        (b'{"type": "RECORD", "record": {"bookmarks": {}}}', "the state holds no bookmarks"),
        (b'{"type": "STATE", "value": {"mark": 1}}', "the state holds no bookmarks"),
        (b'{"bookmarks": {"users": {"replication_key_value": "1"}}}', "the state has a bookmark for 'users'"),
        (
            b'{"bookmarks": {"smtp2go_activity": {"replication_key_value": "2026-01-01"}}}',
            "the state of stream smtp2go_activity knows no accounts",
        ),
        (
            b'{"bookmarks": {"smtp2go_activity": {"partitions": [{"context": {}, "replication_key_value": "x"}]}}}',
            "the state of stream smtp2go_activity is damaged",
        ),
    ],
)
def test_a_state_that_is_none_of_the_taps_is_refused(file: Callable[..., Path], content: bytes, said: str) -> None:
    ended = call("--config", file("config.json", GOOD), "--state", file("state.json", content))
    assert refused(ended).startswith(said)


def test_a_state_message_is_a_state(file: Callable[..., Path]) -> None:
    def plan(*arguments: str | Path) -> Any:
        ended = call("--config", file("config.json", GOOD), "--plan", "--format=json", *arguments)
        assert ended.status == 0, ended.stderr
        return json.loads(ended.stdout)["endpoints"][0]["from"][:16]

    state = state_at(millis(datetime.now(UTC) - timedelta(days=3)))
    message = file("message.json", {"type": "STATE", "value": state})
    assert plan("--state", message) == plan("--state", file("state.json", state)) != plan()


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_state_is_none_and_told(file: Callable[..., Path], content: bytes) -> None:
    ended = call("--config", file("config.json", GOOD), "--state", file("state.json", content), "--plan")
    assert ended.status == 0
    assert ended.stderr.count("the state file is empty: this run starts without a STATE") == 1


@pytest.mark.parametrize("option", ["config", "state", "catalog"])
@pytest.mark.parametrize("content", [json.dumps(GOOD), f' {{"a": "{KEY}"', f'[{{"a": "{KEY}"}}]', f"api_key:\n{KEY}"])
def test_what_is_given_for_a_path_is_never_shown(file: Callable[..., Path], option: str, content: str) -> None:
    good = ["--config", file("config.json", GOOD)] if option != "config" else []
    said = refused(call(*good, f"--{option}", content))  # without the key, as all that is said
    assert said.startswith(f"--{option} takes the path of a file")
    assert said.endswith("not JSON")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "the catalog file is not valid JSON (line 1, column"),
        (b"[]", "the catalog file holds no JSON object"),
        (b"\xff", "a file given on the command line is not UTF-8 text"),
        (b"{}", "the catalog file is no Singer catalog"),
        (b'{"streams": {}}', "the catalog file is no Singer catalog"),
        (b'{"streams": [5]}', "the catalog file is no Singer catalog"),
        (b'{"streams": [{"stream": "smtp2go_activity"}]}', "the catalog file is no Singer catalog"),
        (b'{"streams": [{"schema": {}}]}', "the catalog file is no Singer catalog"),
        (
            b'{"streams": [{"tap_stream_id": "users", "stream": "users", "schema": {}, "metadata": []}]}',
            "the catalog file has no stream of tap-emaillogs",
        ),
        (
            b'{"streams": [{"tap_stream_id": "smtp2go_activity", "schema": {}, "metadata": 5}]}',
            "the catalog file is no Singer catalog",
        ),
        (
            b'{"streams": [{"tap_stream_id": "smtp2go_activity", "schema": {"properties": 5}, "metadata": []}]}',
            "the catalog file is no Singer catalog",
        ),
    ],
)
def test_a_catalog_that_is_none_is_refused(file: Callable[..., Path], content: bytes, said: str) -> None:
    ended = call("--config", file("config.json", GOOD), "--catalog", file("catalog.json", content))
    assert refused(ended).startswith(said)


@pytest.mark.parametrize("kind", ["state", "catalog"])
def test_a_missing_state_or_catalog_is_named(file: Callable[..., Path], tmp_path: Path, kind: str) -> None:
    good, missing = file("config.json", GOOD), tmp_path / "none.json"
    said = refused(call("--config", good, f"--{kind}", missing))
    assert said.startswith(f"the {kind} file cannot be read: ")
    assert str(missing) in said


def test_an_unknown_option_shows_the_usage() -> None:
    ended = call("--nonsense")
    assert (ended.status, ended.stdout) == (2, "")
    assert "No such option" in ended.stderr


# The environment and several files.


def test_the_environment_configures_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAP_EMAILLOGS_SMTP2GO_API_KEY", KEY)
    ended = call("--config=ENV", "--discover")
    assert ended.status == 0
    names = [stream["tap_stream_id"] for stream in json.loads(ended.stdout)["streams"]]
    assert sorted(names) == ["email_events", "smtp2go_activity", "sync_windows"]


def test_the_environment_goes_over_a_file(file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    config = file("config.json", {"smtp2go": {"base_url": "nowhere"}, "jetemail.page_size": 10})
    monkeypatch.setenv("TAP_EMAILLOGS_SMTP2GO_API_KEY", KEY)
    monkeypatch.setenv("TAP_EMAILLOGS_JETEMAIL_API_KEY", KEY)
    assert refused(call("--config", config, "--config=ENV")).startswith("smtp2go.base_url has no scheme")
    monkeypatch.setenv("TAP_EMAILLOGS_SMTP2GO_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("TAP_EMAILLOGS_JETEMAIL_PAGE_SIZE", "many")
    said = refused(call("--config", config, "--config=ENV"))
    assert said == "jetemail.page_size must be a whole number, not text"


def test_later_files_go_over_earlier_ones(file: Callable[..., Path]) -> None:
    first, second = file("1.json", {**GOOD, "on_gap": "never"}), file("2.json", {"on_gap": "warn", "max_tries": 0})
    assert refused(call("--config", first, "--config", second)) == "max_tries must be greater than 0"


def test_dotted_keys_are_read_through_the_command_line(file: Callable[..., Path]) -> None:
    config = {"smtp2go.api_key": KEY, "smtp2go.base_url": "http://127.0.0.1:9", "smtp2go.page_size": 9999}
    assert refused(call("--config", file("config.json", config))) == "smtp2go.page_size must be at most 1000"


# What needs no configuration.


def test_discovery_without_configuration_shows_all_streams() -> None:
    ended = call("--discover")
    assert (ended.status, ended.errors) == (0, [])
    names = {stream["tap_stream_id"] for stream in json.loads(ended.stdout)["streams"]}
    assert names == {
        "email_events",
        "sync_windows",
        *(str(vars(kind)["name"]) for provider in PROVIDERS for kind in provider.streams),
    }


@pytest.mark.parametrize("form", [("--about", "--format", "json"), ("--about", "--format=json"), ("--about=json",)])
def test_about_without_configuration_shows_all_settings(form: tuple[str, ...]) -> None:
    ended = call(*form)
    assert (ended.status, ended.errors) == (0, [])
    about = json.loads(ended.stdout)
    assert about["name"] == "tap-emaillogs"
    assert {provider.name for provider in PROVIDERS} <= about["settings"]["properties"].keys()


@pytest.mark.parametrize("form", [("--about",), ("--about=markdown",), ("--help",), ("--version",)])
def test_the_tap_tells_about_itself(form: tuple[str, ...]) -> None:
    ended = call(*form)
    assert (ended.status, ended.errors) == (0, [])
    assert "tap-emaillogs" in ended.stdout or "Usage:" in ended.stdout


# Bookmarks that time has overtaken.


def state_at(bookmark: str) -> dict[str, Any]:
    context = {"provider": "smtp2go", "account": "default", "stream": "smtp2go_activity"}
    entry = {"replication_key_value": bookmark}
    return {
        "bookmarks": {
            "smtp2go_activity": {"partitions": [{"context": {"account": "default"}, **entry}]},
            "email_events": {"partitions": [{"context": context, **entry}]},
        }
    }


def test_a_bookmark_in_the_future_is_pulled_back_with_a_warning(box: Sandbox) -> None:
    found = run(config_of(box, "smtp2go"), state=state_at("2027-01-01T00:00:00.000Z"), box=box)
    assert found.status == 0
    warnings = [line for line in found.lines("WARNING") if "lies in the future" in line]
    assert {name for name in ("smtp2go_activity", "email_events") for line in warnings if f"of {name} " in line} == {
        "smtp2go_activity",
        "email_events",
    }
    limit = millis(NOW - timedelta(minutes=5))
    assert found.bookmark("smtp2go_activity") == found.bookmark("email_events") == limit
    assert [row["window_end"] for row in found.ledger] == [limit]


def test_a_bookmark_older_than_the_vendor_keeps_is_a_warning_and_a_gap_in_the_ledger(box: Sandbox) -> None:
    old = "2026-01-01T00:00:00.000Z"
    kept = millis(NOW - timedelta(days=30))
    for on_gap, status in (("warn", 0), ("fail", 1)):
        found = run(config_of(box, "smtp2go", top={"on_gap": on_gap}), state=state_at(old), box=box)
        assert found.status == status
        assert [line for line in found.lines("WARNING") if f"events from {old} to {kept} are older" in line]
        (gap,) = [row for row in found.ledger if row["status"] != "complete"]
        assert (gap["status"], gap["window_start"], gap["window_end"]) == ("unavailable", old, kept)
        assert gap["gap_reason"]
        assert found.schemas.keys() >= {LEDGER}


# As a process of its own.


@pytest.mark.parametrize("arguments", [[], ["--plan", "--format=json"], ["--discover"]], ids=str)
def test_a_closed_stdout_ends_it_quietly(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(GOOD))
    line = shlex.join([sys.executable, "-m", "tap_emaillogs", "--config", str(tmp_path / "config.json"), *arguments])
    ended = subprocess.run(f"{line} >&-", shell=True, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 141
    assert "Traceback" not in ended.stderr
    assert "rror" not in ended.stderr


def test_a_process_ends_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"smtp2go": {"api_key": KEY, "page_size": -1}}))
    line = [sys.executable, "-m", "tap_emaillogs", "--config", str(path)]
    ended = subprocess.run(line, capture_output=True, text=True, check=False, timeout=30)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "smtp2go.page_size must be greater than 0" in ended.stderr
    assert "Traceback" not in ended.stderr

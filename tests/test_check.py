"""`--test`: one cheap question per account and stream, a table on stderr, and status 1 when anything is wrong."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import cappedmail
import cursormail
from general import facts, options_of, vendor_of
from harness import command
from outcome import assert_private
from plugging import plugged
from sandbox.vendors import VENDORS
from tap_emaillogs.inspection import check
from test_bad_input import GOOD, _as_it_was, call, file, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]
    File = Callable[..., Path]

__all__ = ["_as_it_was", "file"]

PLUGS = (cappedmail.PLUGGED, cursormail.PLUGGED)
READ_ONLY = {"GET", "POST"}


@pytest.fixture
def now_box(play: Play) -> Sandbox:
    """A sandbox at the system's time, as the command line has it."""
    box = play(now=None, size=400, options=options_of(*VENDORS))
    box.clock_off = timedelta()
    return box


def checked(file: File, config: dict[str, Any], *arguments: Any) -> tuple[int, dict[tuple[str, str], dict[str, Any]]]:
    """Run the check; return its status, and what JSON has by (account, stream)."""
    ended = call("--config", file("config.json", config), "--test", "--format=json", *arguments)
    assert_private("stdout", ended.stdout, config)
    assert_private("stderr", ended.stderr, config)
    report = json.loads(ended.stdout)
    assert report["ok"] == (ended.status == 0)
    return ended.status, {(one["account"], one["stream"]): one for one in report["checks"]}


def test_right_keys_are_right(now_box: Sandbox, vendor: str, file: File) -> None:
    config = now_box.config([vendor])
    status, found = checked(file, config)
    assert status == 0
    for one in found.values():
        assert (one["ok"], one["reachable"], one["authorised"], one["error"]) == (True, True, True, None)
        assert one["requests"] <= 2
        assert one["suggested_every_minutes"] == 60
        assert abs(one["clock_ahead_seconds"]) < 5
        assert [cost["every_minutes"] for cost in one["costs"]] == [15, 60, 1440]
    main = found["default", facts(vendor).stream]
    sources = {"zeptomail": "inferred", "jetemail": "not stated", "messangi": "not stated"}
    assert main["history_source"] == sources.get(vendor, "documented")
    if vendor != "zeptomail":
        assert main["newest_record"]
        assert main["rows_in_a_day"]
    assert not [request for request in now_box.requests if request.path.endswith("exports") and request.method != "GET"]


def test_it_asks_once_per_account_and_stream(now_box: Sandbox, file: File) -> None:
    checked(file, now_box.config())
    asked = [(request.vendor, request.method, request.path) for request in now_box.requests]
    assert len(asked) == len(set(asked)) == 8  # five streams by a page or list, two more lists, and a token


def test_the_table_is_on_stderr_and_nothing_on_stdout(now_box: Sandbox) -> None:
    config = now_box.config()
    found = command(config, "--test", checked=False)
    assert (found.status, found.messages, found.tail) == (0, [], "")
    assert "provider   account  stream" in found.stderr
    assert "All 7 streams can be read. Suggested schedule: run hourly." in found.stderr
    assert "METRIC" not in found.stderr
    assert_private("stderr", found.stderr, config)


def test_a_wrong_key_is_told_in_the_vendors_words(now_box: Sandbox, vendor: str, file: File) -> None:
    config = now_box.config([vendor])
    config[vendor] |= facts(vendor).wrong
    status, found = checked(file, config)
    assert status == 1
    for one in found.values():
        assert (one["ok"], one["reachable"], one["authorised"]) == (False, True, False)
        assert one["error"]
        assert one["what_to_do"]
        assert one["suggested_every_minutes"] is None
    ended = call("--config", file("config.json", config), "--test")
    assert (ended.status, ended.stdout) == (1, "")
    assert "What to do: " in ended.stderr
    assert ".." not in ended.stderr
    are = "1 stream is not as it" if len(found) == 1 else f"{len(found)} streams are not as they"
    assert f"{len(found)} of {are} should be." in ended.stderr


def test_one_wrong_account_does_not_stop_the_others(play: Play, vendor: str, file: File) -> None:
    one, two = facts(vendor).keys
    box = play(now=None, size=60, options={vendor: {**facts(vendor).options, "accounts": {one: {}, two: {}}}})
    config = box.config([vendor])
    config[vendor]["accounts"].append({**config[vendor]["accounts"][0], "account": "bad", **facts(vendor).wrong})
    status, found = checked(file, config)
    assert status == 1
    assert {account: one["ok"] for (account, _), one in found.items()} == {
        "default": True,
        "account2": True,
        "bad": False,
    }


SCOPES: list[tuple[str, dict[str, Any], str]] = [
    (
        "smtp2go",
        {
            "status": 400,
            "body": {
                "request_id": "x1",
                "data": {
                    "error": "You do not have permission to access this API endpoint",
                    "error_code": "E_ApiResponseCodes.ENDPOINT_PERMISSION_DENIED",
                },
            },
        },
        "give the API key the permission /activity/search",
    ),
    ("jetemail", {"status": 403, "body": {"message": "Missing permission: logs.read"}}, "permission"),
    (
        "infobip",
        {"status": 403, "body": {"requestError": {"serviceException": {"messageId": "FORBIDDEN", "text": "no scope"}}}},
        "permission",
    ),
    ("messangi", {"status": 403, "body": {"explain": "Forbidden for this role"}}, "permission"),
]


@pytest.mark.parametrize(("provider", "fault", "hint"), SCOPES, ids=[one[0] for one in SCOPES])
def test_a_missing_permission_is_named(
    now_box: Sandbox, file: File, provider: str, fault: dict[str, Any], hint: str
) -> None:
    now_box.fault(vendor=provider, kind="status", times=-1, **fault)
    status, found = checked(file, now_box.config([provider]))
    (one,) = found.values()
    assert status == 1
    assert (one["reachable"], one["authorised"]) == (True, False)
    assert str(fault["status"]) in one["error"]
    assert hint in one["what_to_do"]


def test_a_missing_scope_is_named_by_stream(play: Play, file: File) -> None:
    box = play(now=None, size=60, options={"zeptomail": {"scopes": "Zeptomail.email.READ"}}, vendors=["zeptomail"])
    config = box.config()
    status, found = checked(file, config)
    assert status == 1
    assert {one["authorised"] for one in found.values()} == {False}
    assert all("Zeptomail.Exports.READ is required" in one["error"] for one in found.values())
    assert all("Zeptomail.Exports.ALL" in one["what_to_do"] for one in found.values())


def test_a_history_is_as_sure_as_the_vendors_pages(now_box: Sandbox, file: File) -> None:
    ended = call("--config", file("config.json", now_box.config(["jetemail", "zeptomail", "smtp2go"])), "--test")
    for said in ("  no limit stated  ", "  60 days (inferred)  ", "  30 days (documented)  "):
        assert said in ended.stderr
    assert "unlimited" not in ended.stderr


@pytest.mark.parametrize(
    ("selected", "said"),
    [
        (["infobip_email_logs"], "nothing is read: no selected stream is of a vendor that is configured"),
        (
            ["infobip_email_logs", "sync_windows"],
            "nothing is read: no selected stream is of a vendor that is configured",
        ),
        (["sync_windows"], "nothing is read: no selected stream reads a log (sync_windows alone reads nothing)"),
        ([], "nothing is read: no stream is selected"),
    ],
    ids=["unconfigured", "unconfigured and ledger", "ledger", "none"],
)
def test_a_check_of_nothing_is_not_right(now_box: Sandbox, file: File, selected: list[str], said: str) -> None:
    both = json.loads(call("--config", file("both.json", now_box.config(["smtp2go", "infobip"])), "--discover").stdout)
    for entry in both["streams"]:
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = entry["tap_stream_id"] in selected
    options = ("--config", file("config.json", now_box.config(["smtp2go"])), "--catalog", file("catalog.json", both))
    lack = "infobip_email_logs is selected, but infobip is not configured: it is not read"
    for report, status in ((["--test"], 1), (["--plan"], 0), ([], 0)):
        ended = call(*options, *report)
        assert ended.status == status
        assert ended.stderr.count(said) == 1
        assert ended.stderr.count(lack) == int("infobip_email_logs" in selected)
        assert "METRIC" not in ended.stderr or not report
    for report, status in (("--test", 1), ("--plan", 0)):
        ended = call(*options, report, "--format=json")
        found = json.loads(ended.stdout)
        assert ended.status == status
        assert found["warnings"][-1] == said
        assert not found.get("ok")
    assert not now_box.requests


@pytest.mark.parametrize(("minutes", "said"), [(10, "behind"), (-10, "ahead of")])
def test_a_clock_that_is_off_is_wrong(now_box: Sandbox, vendor: str, file: File, minutes: float, said: str) -> None:
    now_box.clock_off = timedelta(minutes=minutes, seconds=0.5)
    status, found = checked(file, now_box.config([vendor]))
    assert status == 1
    for one in found.values():
        assert (one["reachable"], one["authorised"]) == (True, True)
        assert abs(one["clock_ahead_seconds"] + 60 * minutes) < 5
        assert said in one["error"]
        assert ("nothing is passed over" in one["error"]) == (minutes < 0)
        assert "timedatectl" in one["what_to_do"]
    ended = call("--config", file("config.json", now_box.config([vendor])), "--test")
    assert ended.stderr.count("clock is") == len(found)
    assert "may be missed" not in ended.stderr


@pytest.mark.parametrize("kind", ["reset", "html", "cut_json", "garbage", "redirect", "status"])
def test_other_trouble_is_told_after_one_try(now_box: Sandbox, vendor: str, file: File, kind: str) -> None:
    now_box.fault(vendor=vendor, path="", kind=kind, times=-1)
    status, found = checked(file, now_box.config([vendor]))
    assert status == 1
    assert all(one["error"] and one["what_to_do"] for one in found.values())
    assert all(one["reachable"] is (kind != "reset") for one in found.values())
    assert len(now_box.requests) <= len(found) + 1


def test_a_vendor_that_asks_to_wait_is_not_waited_for(now_box: Sandbox, file: File) -> None:
    now_box.fault(vendor="jetemail", kind="status", status=429, retry_after=300, times=-1)
    began = time.monotonic()
    status, found = checked(file, now_box.config(["jetemail"]))
    assert time.monotonic() - began < 10
    assert status == 1
    assert "HTTP 429" in next(iter(found.values()))["error"]


def test_nobody_at_home(file: File, now_box: Sandbox) -> None:
    config = now_box.config(["smtp2go", "zeptomail"])
    config["smtp2go"]["base_url"] = config["zeptomail"]["accounts_url"] = "http://127.0.0.1:9"
    status, found = checked(file, config)
    assert status == 1
    assert {one["reachable"] for one in found.values()} == {False}
    assert {one["authorised"] for one in found.values()} == {None}


def test_an_answer_that_never_comes_is_given_up(now_box: Sandbox, file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_emaillogs.inspection.check._PATIENCE", -2.0)  # less 3 s that the budget may take
    now_box.fault(vendor="smtp2go", kind="slow", seconds=3)
    config = now_box.config(["smtp2go", "jetemail"])
    status, found = checked(file, config)
    assert status == 1
    assert found["default", "jetemail_outbound_logs"]["ok"]
    assert "no answer within 1 s" in found["default", "smtp2go_activity"]["error"]


def test_many_accounts_are_asked_side_by_side_within_a_bound(play: Play, file: File) -> None:
    keys = {f"api-{number:04}-0123456789": {"size": 3} for number in range(60)}
    box = play(now=None, vendors=["smtp2go"], options={"smtp2go": {"accounts": keys}})
    box.fault(kind="slow", seconds=0.05, times=-1)
    began = time.monotonic()
    status, found = checked(file, box.config())
    assert (status, len(found), len(box.requests)) == (0, 60, 60)
    assert time.monotonic() - began < 3


def test_what_is_not_selected_is_not_asked(now_box: Sandbox, file: File) -> None:
    config = now_box.config(["zeptomail", "smtp2go"])
    _, found = checked(file, config)
    assert ("default", "zeptomail_emails") not in found
    catalog = json.loads(call("--config", file("config.json", config), "--discover").stdout)
    for entry in catalog["streams"]:
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = entry["tap_stream_id"] == "zeptomail_emails"
    status, found = checked(file, config, "--catalog", file("catalog.json", catalog))
    assert (status, [*found]) == (0, [("default", "zeptomail_emails")])
    assert found["default", "zeptomail_emails"]["newest_record"]


def test_the_report_by_mail_is_checked_at_its_mailbox(play: Play, file: File, tmp_path: Path) -> None:
    box = play(now=None, size=60, vendors=["messangi"], options={"messangi": {"directory": str(tmp_path)}})
    config = box.config()
    report: dict[str, Any] = {"emails": ["a@example.com"], "from": "b@example.com", "directory": str(tmp_path)}
    config["messangi"]["report"] = report
    status, found = checked(file, config)
    assert (status, len(box.requests)) == (0, 1)
    assert "no report is asked for" in found["default", "messangi_message_reports"]["note"]
    assert found["default", "messangi_message_reports"]["authorised"] is None
    report["directory"] = str(tmp_path / "none")
    status, found = checked(file, config)
    assert status == 1
    assert "cannot be read" in found["default", "messangi_message_reports"]["error"]
    assert not box.vendor("messangi").post().requests


def test_plugged_vendors_are_checked_by_their_descriptions(play: Play, file: File) -> None:
    with plugged(*PLUGS):
        names = [plug.player.name for plug in PLUGS]
        box = play(now=None, size=3000, vendors=names)
        status, found = checked(file, box.config())
        assert status == 0
        capped, walked = found["default", "cappedmail_log"], found["default", "cursormail_messages"]
        assert 50 < capped["rows_in_a_day"] < 200
        assert not capped["rows_in_a_day_is_at_least"]
        assert walked["newest_record_is_sure"]
        assert walked["rows_in_a_day"] >= 50
        assert len(box.requests) == 2
        config = box.config()
        for name in names:
            config[name]["api_key"] = "wrong-0123456789"
        status, found = checked(file, config)
        assert status == 1
        assert {one["error"] for one in found.values()} == {"HTTP 401: Wrong key"}


@pytest.mark.parametrize("form", ["--test-format=json", "--format=json", "--plan-format=json"])
def test_one_option_says_how_reports_are_written(now_box: Sandbox, file: File, form: str) -> None:
    config = file("config.json", now_box.config(["smtp2go"]))
    for report in ("--test", "--plan"):
        assert json.loads(call("--config", config, report, form).stdout)
    assert call("--config", config, "--test", "--format=markdown").status == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--test", "--plan"], "--test and --plan are two reports: ask for one at a time"),
        (["--format=json"], "--format=json is for --about, --test and --plan: a sync has one form only"),
    ],
    ids=str,
)
def test_options_that_do_not_go_together_are_refused(file: File, arguments: list[str], said: str) -> None:
    assert refused(call("--config", file("config.json", GOOD), *arguments)) == said


def test_a_check_that_is_stopped_says_so(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any) -> None:
        raise SystemExit(130)

    monkeypatch.setattr(check, "check", stopped)
    ended = call("--config", file("config.json", GOOD), "--test")
    assert (ended.status, ended.stdout) == (130, "")
    assert "stopped before every answer was there" in ended.stderr


@pytest.mark.parametrize("value", ["--test", "--test=all", "--test=records"])
def test_the_sdks_values_are_the_check_too(now_box: Sandbox, file: File, value: str) -> None:
    ended = call("--config", file("config.json", now_box.config(["smtp2go"])), value)
    assert (ended.status, ended.stdout) == (0, "")
    assert "smtp2go_activity" in ended.stderr


def test_schemas_are_written_without_a_question(now_box: Sandbox, file: File) -> None:
    ended = call("--config", file("config.json", now_box.config(["smtp2go"])), "--test=schema")
    assert ended.status == 0
    assert {json.loads(line)["type"] for line in ended.stdout.splitlines()} == {"SCHEMA"}
    assert not now_box.requests
    assert call("--test=nonsense").status == 2


def test_a_bad_configuration_is_refused_before_any_question() -> None:
    ended = call("--test")
    assert (ended.status, ended.stdout) == (1, "")
    assert ended.errors[0].startswith("no provider is configured")


def test_variants_of_vendors_are_checked_too(play: Play, file: File) -> None:
    box = play(now=None, size=60, vendors=["infobip"])
    config = box.config()
    config["infobip"]["api_version"] = 4
    assert vendor_of("infobip4") == "infobip"
    status, found = checked(file, config)
    assert (status, found["default", "infobip_email_logs"]["ok"]) == (0, True)

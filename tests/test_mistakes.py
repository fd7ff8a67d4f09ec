"""Mistakes that new users make, and what they are told: what is wrong, where, and what to write instead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_emaillogs.providers import PROVIDERS
from test_bad_input import GOOD, KEY, _as_it_was, call, file, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    File = Callable[..., Path]

pytestmark = pytest.mark.thorough

__all__ = ["_as_it_was", "file"]

NAMES = ", ".join(provider.name for provider in PROVIDERS)
ZEPTO = {"client_id": "x", "client_secret": KEY, "refresh_token": KEY}


def smtp2go(**settings: Any) -> dict[str, Any]:
    return {"smtp2go": {"api_key": KEY, **settings}}


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"sendgrid": {"api_key": KEY}}, f"sendgrid is no setting of this tap; its providers are {NAMES}"),
    ({"providers": {"smtp2go": {}}}, f"providers is no setting of this tap; its providers are {NAMES}"),
    ({"smtp2go_api_key": KEY}, 'smtp2go_api_key is no setting of this tap; did you mean smtp2go: {"api_key": …}?'),
    ({"smtp2go-apikey": KEY}, 'smtp2go-apikey is no setting of this tap; did you mean smtp2go: {"api_key": …}?'),
    ({"SMTP2GO": {"api_key": KEY}}, "SMTP2GO is no setting of this tap; did you mean smtp2go?"),
    (
        {"api_key": KEY},
        'api_key is no setting of this tap; it belongs into the object of a provider: smtp2go: {"api_key": …}',
    ),
    (
        {**GOOD, "lookback_minutes": 60},
        "lookback_minutes is no setting of this tap; it belongs into the object of a provider: smtp2go: {",
    ),
    (
        {**GOOD, "select": ["x"]},
        "select is no setting of this tap; streams are selected in the catalog, or by `select`",
    ),
    ({**GOOD, "streams": ["x"]}, "streams is no setting of this tap; streams are selected in the catalog"),
    ({**GOOD, "state": {}}, "state is no setting of this tap; it is a file of its own: --state"),
    ({**GOOD, "account_id": 5}, f"account_id is no setting of this tap; its providers are {NAMES}, and --about lists"),
    ({**GOOD, "stream_map": {}}, "stream_map is no setting of this tap; did you mean stream_maps?"),
    ({"smtp2go": {"apiKey": KEY}}, "smtp2go.apiKey is no setting of this tap; did you mean api_key?"),
    ({"jetemail": {"token": KEY}}, "jetemail.token is no setting of this tap; did you mean api_key?"),
    ({"jetemail": {"secret": KEY}}, "jetemail.secret is no setting of this tap; it needs api_key, and --about lists"),
    (smtp2go(columns={}), "smtp2go.columns is no setting of this tap; --about lists all settings"),
    (smtp2go(on_gap="fail"), "smtp2go.on_gap is no setting of this tap; on_gap stands at the top of the configuration"),
    (smtp2go(privacy={}), "smtp2go.privacy is no setting of this tap; privacy stands at the top"),
    (
        smtp2go(search_recipient="x"),
        "smtp2go.search_recipient is no setting of this tap; did you mean filters.search_recipient?",
    ),
    (
        smtp2go(filters={"recipient": "x"}),
        "smtp2go.filters.recipient is no setting of this tap; did you mean search_recipient?",
    ),
    (
        {"smtp2go": {"accounts": [{"name": "a", "api_key": KEY}]}},
        "smtp2go.accounts[0].name is no setting of this tap; did you mean account?",
    ),
    (
        {"messangi": {"api_key": KEY, "columns": {"messangi_logs": ["x"]}}},
        "messangi.columns.messangi_logs is no setting of this tap; did you mean messangi_message_logs?",
    ),
    ({**GOOD, "privacy": {"to": "hash"}}, "privacy.to is no setting of this tap; there are recipient, subject, body"),
    (smtp2go(event_types=["soft_bounced"]), "smtp2go.event_types[0] must be one of processed, soft-bounced, hard-"),
    (smtp2go(event_types="opened"), 'smtp2go.event_types must be a list, not text; write it as ["processed"]'),
    (smtp2go(region="europe"), "smtp2go.region must be one of us, eu, au; did you mean eu?"),
    (smtp2go(revisit_minutes="60,1440"), "smtp2go.revisit_minutes must be a list, not text; write it as [60, 1440]"),
    (
        smtp2go(accounts={"a": {}}),
        'smtp2go.accounts must be a list, not an object; write it as [{"account": "one", …}, {"account": "two", …}]',
    ),
    ({"smtp2go": KEY}, 'smtp2go must be an object, not text; write it as {"api_key": …}'),
    (
        {"smtp2go": '{"api_key": "x"'},
        "smtp2go must be an object, not text; it begins like JSON, but is no valid JSON (line 1, column 16: Expecting",
    ),
    ({**GOOD, "privacy": "hash"}, 'privacy must be an object, not text; write it as {"recipient": …}'),
    ({**GOOD, "on_gap": "Fail"}, "on_gap must be one of warn, fail; did you mean fail?"),
    ({**GOOD, "on_gap": True}, "on_gap must be text, not true or false; it is one of warn, fail"),
    ({**GOOD, "privacy": {"recipient": "hash"}}, "privacy.salt is missing: privacy.recipient is to be hashed; this ma"),
    (
        {**GOOD, "start_date": 1767225600},
        'start_date must be text, not a whole number; write it as "2026-01-31" or "2026-01-31T08:00:00Z"',
    ),
    ({**GOOD, "start_date": "01/02/2026"}, "start_date is not a date or time in ISO 8601, such as 2026-01-31 or"),
    (
        {"infobip": {"api_key": KEY, "base_url": "https://x.example", "api_version": "v4"}},
        "infobip.api_version must be a whole number, not text; it is one of 1, 4",
    ),
    (
        {"infobip": {"api_key": KEY, "base_url": "https://x.api.infobip.com/email/1/logs"}},
        "infobip.base_url must be the root of the API, without /email/1/logs",
    ),
    ({"zeptomail": {**ZEPTO, "data_center": ".com"}}, "zeptomail.data_center must be one of com, eu, in, com.au, jp"),
    ({"zeptomail": {**ZEPTO, "data_centre": "eu"}}, "zeptomail.data_centre is no setting of this tap; did you mean d"),
    ({"messangi": {"username": "x"}}, "messangi.password is missing (or give api_key)"),
    (
        {"messangi": {"api_key": KEY, "report": {"emails": "x"}}},
        "messangi.report.emails must be a list, not text; write",
    ),
    (smtp2go(requests_per_minute=1e-300), "smtp2go.requests_per_minute must be 0 (no limit) or at least 0.01"),
    (smtp2go(max_concurrency=10**30), "smtp2go.max_concurrency must be at most 64"),
    (smtp2go(account="a" * 5000), "smtp2go.account must be at most 200 characters long"),
    (smtp2go(revisit_minutes=[0]), "smtp2go.revisit_minutes must hold ages greater than 0"),
    ({**GOOD, "max_tries": 10**20}, "max_tries must be at most 100"),
    ({**GOOD, "max_tries": 1.5}, "max_tries must be a whole number, not one with a fraction"),
    ({"smtp2go": {"api_key": "${SMTP2GO_KEY}"}}, "smtp2go.api_key is a placeholder that nothing was put into"),
    ({"smtp2go": {"api_key": "<your key>"}}, "smtp2go.api_key is a placeholder that nothing was put into"),
    (
        {"jetemail": {"api_key": f"Bearer {KEY}"}},
        "jetemail.api_key must be the key alone: the tap adds `Bearer` itself",
    ),
]


@pytest.mark.parametrize(("config", "said"), MISTAKES, ids=[said[:60] for _, said in MISTAKES])
def test_a_mistake_is_told_with_what_to_write_instead(file: File, config: dict[str, Any], said: str) -> None:
    sentence = refused(call("--config", file("config.json", config)))
    assert sentence.startswith(said)
    assert not sentence.endswith("..")


BAD: list[dict[str, Any]] = [config for config, _ in MISTAKES]


@pytest.mark.parametrize("config", BAD, ids=[said[:60] for _, said in MISTAKES])
def test_discovery_refuses_what_a_sync_refuses(file: File, config: dict[str, Any]) -> None:
    path = file("config.json", config)
    assert refused(call("--config", path, "--discover")) == refused(call("--config", path))
    assert refused(call("--config", path, "--test")) == refused(call("--config", path, "--plan"))


def test_without_a_provider_there_is_a_catalog_and_an_about(file: File) -> None:
    path = file("config.json", {"start_date": "2026-01-01"})
    assert call("--config", path, "--discover").status == 0
    assert call("--config", path, "--about").status == 0


# Variables.


def test_a_misspelt_variable_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAP_EMAILLOGS_SMTP2GO_APIKEY", KEY)
    said = refused(call("--config=ENV"))
    assert said == (
        "the environment variable TAP_EMAILLOGS_SMTP2GO_APIKEY is no setting of this tap; did you mean "
        "TAP_EMAILLOGS_SMTP2GO_API_KEY?"
    )
    assert refused(call("--config=ENV", "--discover")) == said


def test_other_programs_variables_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAP_EMAILLOGS_SMTP2GO_API_KEY", KEY)
    for name in ("LOGLEVEL", "_SELECT", "_CATALOG", "HOME", "PIP_URL"):
        monkeypatch.setenv(f"TAP_EMAILLOGS_{name}", "INFO")
    assert call("--config=ENV", "--discover").status == 0


def test_broken_json_in_a_variable_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAP_EMAILLOGS_SMTP2GO", f'{{"api_key": "{KEY}",}}')
    said = refused(call("--config=ENV"))
    assert said.startswith(
        "smtp2go must be an object, not text; it begins like JSON, but is no valid JSON (line 1, col"
    )


def test_variables_without_config_env_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAP_EMAILLOGS_SMTP2GO_API_KEY", KEY)
    assert refused(call()).endswith("; variables that begin with TAP_EMAILLOGS_ are read with --config=ENV only")


def test_the_sdk_does_not_say_what_it_skips(file: File) -> None:
    ended = call("--config", file("config.json", GOOD), "--plan")
    assert "parse of env var" not in ended.stderr


def test_a_broken_expression_of_a_stream_map_is_the_users(file: File) -> None:
    path = file("config.json", {**GOOD, "stream_maps": {"smtp2go_activity": {"x": "lower("}}})
    for more in ([], ["--discover"], ["--plan"]):
        assert refused(call("--config", path, *more)).startswith("stream_maps holds an expression that cannot be read")


# What --about tells.


def test_about_tells_required_and_defaults() -> None:
    text = call("--about").stdout
    key = text[text.index("Name: smtp2go.api_key") :].split("  - Name:")[0]
    assert "Required: yes" in key
    assert "Environment Variable: TAP_EMAILLOGS_SMTP2GO_API_KEY" in key
    budget = text[text.index("Name: jetemail.requests_per_minute") :].split("  - Name:")[0]
    assert "Required: no" in budget
    assert "Default: 240" in budget
    assert "Required: yes without username, password" in text
    assert "Default: warn" in text


def test_about_as_markdown_has_a_row_for_each_setting() -> None:
    text = call("--about=markdown").stdout
    assert "| smtp2go.api_key | yes |  | API key with the permission /activity/search. |" in text
    assert "| jetemail.requests_per_minute | no | 240 |" in text


def test_about_as_json_knows_what_is_required_and_switches_nothing_on() -> None:
    about = json.loads(call("--about=json").stdout)
    for provider in PROVIDERS:
        spec = about["settings"]["properties"][provider.name]
        assert {"required": ["accounts"]} in spec["anyOf"]
        assert {"required": list(provider.required[0])} in spec["anyOf"]
        assert not any("default" in one for one in spec["properties"].values())

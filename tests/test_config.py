"""The configuration: from files, dotted keys and the environment to accounts, and what can be wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_emaillogs.config.checks import mistakes, shape_mistakes
from tap_emaillogs.config.load import coerced, from_environment, given_by_account, kind_of, merged, nested, secrets
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.tap import TapEmailLogs

TapEmailLogs.append_builtin_config(TapEmailLogs.config_jsonschema)
SCHEMA = TapEmailLogs.config_jsonschema
KEY = "secret-0123456789"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BY_NAME = {provider.name: provider for provider in PROVIDERS}


def wrong(**config: Any) -> list[str]:
    """Return the mistakes of a configuration, as the tap finds them."""
    found = mistakes(coerced(nested(config), SCHEMA), SCHEMA, PROVIDERS, NOW)
    assert not any(KEY in sentence for sentence in found)
    assert all(sentence.count("\n") == 0 for sentence in found)
    return found


def smtp2go(**settings: Any) -> list[str]:
    return wrong(smtp2go={"api_key": KEY, **settings})


# Bringing to one shape.


def test_dotted_keys_become_objects_at_any_depth() -> None:
    found = nested({"a.b.c": 1, "a.b.d": 2, "a.e": 3, "f": 4, "g.h": None, "i": None})
    assert found == {"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": 4}


@pytest.mark.parametrize("order", [1, -1])
def test_dotted_keys_and_objects_are_laid_together(order: int) -> None:
    given = [("smtp2go", {"region": "eu"}), ("smtp2go.api_key", KEY), ("smtp2go.page_size", 5)]
    found = nested(dict(given[::order]))
    assert found == {"smtp2go": {"region": "eu", "api_key": KEY, "page_size": 5}}


@pytest.mark.parametrize("order", [1, -1])
def test_a_dotted_key_beside_what_is_no_object_stays_a_mistake(order: int) -> None:
    given = [("smtp2go", KEY), ("smtp2go.api_key", KEY)]
    assert wrong(**dict(given[::order])) == ['smtp2go must be an object, not text; write it as {"api_key": …}']


def test_what_is_laid_over_wins_object_by_object() -> None:
    base = {"a": {"b": 1, "c": {"d": 2}}, "e": [1]}
    assert merged(base, {"a": {"c": {"f": 3}}, "e": [2]}) == {"a": {"b": 1, "c": {"d": 2, "f": 3}}, "e": [2]}
    assert base == {"a": {"b": 1, "c": {"d": 2}}, "e": [1]}


def test_texts_are_read_as_what_the_schema_wants() -> None:
    given = {
        "max_tries": "3",
        "smtp2go": {
            "api_key": "123456",
            "include_headers": "True",
            "event_types": '["opened"]',
            "history_days": "2.5",
            "revisit_minutes": "[60, 1440.0]",
            "accounts": '[{"account": "a", "page_size": "7"}]',
            "region": None,
        },
        "stream_maps": '{"a": {"b": "c"}}',
    }
    assert coerced(given, SCHEMA) == {
        "max_tries": 3,
        "smtp2go": {
            "api_key": "123456",
            "include_headers": True,
            "event_types": ["opened"],
            "history_days": 2.5,
            "revisit_minutes": [60, 1440.0],
            "accounts": [{"account": "a", "page_size": 7}],
        },
        "stream_maps": {"a": {"b": "c"}},
    }


def test_the_sdks_decimals_become_numbers() -> None:
    found = coerced({"timeout_seconds": Decimal("1.5"), "max_tries": Decimal("3.0"), "other": Decimal(2)}, SCHEMA)
    assert found == {"timeout_seconds": 1.5, "max_tries": 3, "other": 2}
    assert [type(value) for value in found.values()] == [float, int, int]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=4))
def test_no_value_is_so_odd_that_it_breaks_the_reading(value: Any) -> None:
    for key in ("start_date", "smtp2go", "privacy", "max_tries", "stream_maps", "smtp2go.accounts", "infobip.base_url"):
        wrong(**{key: value})


# The environment.


def environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> dict[str, Any]:
    for name, value in values.items():
        monkeypatch.setenv(f"TAP_EMAILLOGS_{name}", value)
    return from_environment(SCHEMA, "TAP_EMAILLOGS_")


def test_the_environment_reaches_nested_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    found = environment(
        monkeypatch,
        SMTP2GO_API_KEY=KEY,
        SMTP2GO_PAGE_SIZE="50",
        START_DATE="2026-01-01",
        PRIVACY_RECIPIENT="hash",
        INFOBIP_BASE_URL="",
        UNKNOWN="x",
    )
    assert found == {
        "start_date": "2026-01-01",
        "privacy": {"recipient": "hash"},
        "smtp2go": {"api_key": KEY, "page_size": 50},
    }


def test_a_provider_may_come_as_json_with_single_settings_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = environment(
        monkeypatch, SMTP2GO='{"api_key": "old", "region": "eu"}', SMTP2GO_API_KEY=KEY, JETEMAIL="[1]", INFOBIP="{"
    )
    assert found == {"smtp2go": {"api_key": KEY, "region": "eu"}, "jetemail": [1], "infobip": "{"}
    assert wrong(**found) == [
        'jetemail must be an object, not a list; write it as {"api_key": …}',
        (
            "infobip must be an object, not text; it begins like JSON, but is no valid JSON (line 1, column 2: "
            "Expecting property name enclosed in double quotes)"
        ),
    ]


def test_a_deep_setting_of_the_environment_leaves_its_siblings_in_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAP_EMAILLOGS_SMTP2GO_PAGE_SIZE", "7")
    tap = TapEmailLogs(config={"smtp2go.api_key": KEY, "smtp2go": {"region": "eu"}}, parse_env_config=True)
    assert tap.config["smtp2go"] == {"api_key": KEY, "region": "eu", "page_size": 7}


def test_without_being_asked_to_the_tap_leaves_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAP_EMAILLOGS_SMTP2GO_PAGE_SIZE", "7")
    assert TapEmailLogs(config={"smtp2go.api_key": KEY}).config["smtp2go"] == {"api_key": KEY}


# Accounts and secrets.


def test_accounts_take_what_they_leave_out_from_the_object_around_them() -> None:
    config = {
        "smtp2go": {"api_key": KEY, "page_size": 5, "accounts": [{"account": "a"}, {"account": "b", "page_size": 6}]}
    }
    provider = BY_NAME["smtp2go"]
    (one, first), (two, second) = given_by_account(config, provider)
    assert (one, two) == ("smtp2go.accounts[0]", "smtp2go.accounts[1]")
    found = [provider.settings.of(given) for given in (first, second)]
    assert [(s.account, s.page_size, s.history_days) for s in found] == [("a", 5, 30), ("b", 6, 30)]
    assert all(given["api_key"] == KEY and "accounts" not in given for given in (first, second))


def test_required_keys_may_come_from_either_place() -> None:
    account = {"account": "a", "api_key": KEY}
    assert wrong(infobip={"base_url": "https://x.example", "accounts": [account]}) == []
    assert wrong(infobip={"accounts": [account]}) == ["infobip.accounts[0].base_url is missing"]


def test_every_secret_is_known_wherever_it_stands() -> None:
    config = {
        "privacy": {"salt": "salt-1"},
        "smtp2go": {"api_key": "key-1", "region": "eu", "accounts": [{"api_key": "key-2", "account": "x"}]},
    }
    assert sorted(secrets(config, SCHEMA)) == ["key-1", "key-2", "salt-1"]


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_every_setting_that_sounds_secret_is_marked_so(provider: Any) -> None:
    def names(schema: dict[str, Any], path: str) -> list[str]:
        if "items" in schema:
            return names(schema["items"], path)
        found = []
        for name, spec in schema.get("properties", {}).items():
            found += names(spec, f"{path}.{name}")
            sounds = any(word in name for word in ("key", "token", "secret", "password", "salt"))
            sounds = sounds and name != "mailagent_key"  # an agent's alias, which every row of its mails shows
            if sounds and kind_of(spec) == "string" and spec.get("secret") is not True:
                found.append(f"{path}.{name}")
        return found

    assert names(SCHEMA["properties"][provider.name], provider.name) == []


# Mistakes.


def test_a_sound_configuration_has_none() -> None:
    assert smtp2go(region="eu", revisit_minutes=[60], start_date="2026-01-01") == []
    assert wrong(jetemail={"api_key": KEY}, infobip={"api_key": KEY, "base_url": "https://x.api.infobip.com"}) == []
    assert wrong(smtp2go={"api_key": KEY}, faker_config={"seed": 42}, flattening_enabled=True) == []
    assert wrong() == []


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"smtp2go": {}}, "smtp2go.api_key is missing"),
        ({"smtp2go": {"api_key": ""}}, "smtp2go.api_key is empty"),
        ({"smtp2go": {"api_key": "  "}}, "smtp2go.api_key is empty"),
        ({"smtp2go": {"api_key": 1234567}}, "smtp2go.api_key must be text, not a whole number"),
        ({"smtp2go": {"api_key": [KEY]}}, "smtp2go.api_key must be text, not a list"),
        ({"smtp2go": {"api_key": f"{KEY}\n"}}, "smtp2go.api_key holds a line break or another control character"),
        ({"smtp2go": {"api_key": "ключ" + KEY}}, "smtp2go.api_key holds a character that no HTTP header can carry"),
        ({"smtp2go": KEY}, "smtp2go must be an object, not text"),
        ({"smtp2go": True}, "smtp2go must be an object, not true or false"),
        ({"infobip": {"api_key": KEY}}, "infobip.base_url is missing"),
        ({"smtp2goo": {"api_key": KEY}}, "smtp2goo is no setting of this tap; did you mean smtp2go?"),
        ({"mailgun": {"api_key": KEY}}, "mailgun is no setting of this tap"),
        ({"start_dat": "2026-01-01"}, "start_dat is no setting of this tap; did you mean start_date?"),
        ({"smtp2go.apikey": KEY}, "smtp2go.apikey is no setting of this tap; did you mean api_key?"),
        (
            {"smtp2go": {"api_key": KEY, "accounts": [{"account": "a", "regoin": "eu"}]}},
            "smtp2go.accounts[0].regoin is no setting of this tap; did you mean region?",
        ),
        ({"privacy": {"recipients": "hash"}}, "privacy.recipients is no setting of this tap; did you mean recipient?"),
        ({"privacy": {"recipient": "hash"}}, "privacy.salt is missing: privacy.recipient is to be hashed"),
        ({"privacy": {"recipient": "hash", "salt": "a" * 40}}, "privacy.salt must have at least 16 characters"),
        (
            {"privacy": {"recipient": "hash", "salt": "0123456789abcde"}},
            "privacy.salt must have at least 16 characters",
        ),
        ({"privacy": {"salt": " " * 14 + "ab"}}, "privacy.salt must have at least 16 characters"),
        ({"privacy": {"subject": "shred"}}, "privacy.subject must be one of keep, hash, drop"),
        ({"on_gap": "stop"}, "on_gap must be one of warn, fail"),
        ({"start_date": "last week"}, "start_date is not a date or time in ISO 8601"),
        ({"start_date": "2026-02-31"}, "start_date is not a date or time in ISO 8601"),
        ({"start_date": "2026-03-02"}, "start_date lies in the future"),
        ({"smtp2go": {"api_key": KEY, "start_date": "2126-01-01"}}, "smtp2go.start_date lies in the future"),
        (
            {"smtp2go": {"api_key": KEY, "base_url": "http://api.smtp2go.com/v3"}},
            "smtp2go.base_url must begin with https://",
        ),
        (
            {"infobip": {"api_key": KEY, "base_url": "http://127.0.0.1.example"}},
            "infobip.base_url must begin with https",
        ),
        (
            {"smtp2go": {"api_key": KEY, "filters": {"search_recipient": ""}}},
            "smtp2go.filters.search_recipient is empty",
        ),
        ({"end_date": 20260101}, "end_date must be text, not a whole number"),
        ({"start_date": "2026-02-01", "end_date": "2026-01-31"}, "end_date must be after start_date"),
        ({"start_date": "2026-02-01", "end_date": "2026-02-01T00:00:00Z"}, "end_date must be after start_date"),
        (
            {"smtp2go": {"api_key": KEY, "start_date": "2026-02-01"}, "end_date": "2026-01-31"},
            "end_date must be after smtp2go.start_date",
        ),
        ({"max_tries": 0}, "max_tries must be greater than 0"),
        ({"max_tries": 1.5}, "max_tries must be a whole number, not one with a fraction"),
        ({"timeout_seconds": -1}, "timeout_seconds must be greater than 0"),
        ({"timeout_seconds": 1e300}, "timeout_seconds must be at most 86400"),
        ({"timeout_seconds": "NaN"}, "timeout_seconds must be a finite number"),
        ({"user_agent": "a\nb"}, "user_agent holds a character that no HTTP header can carry"),
        ({"smtp2go": {"api_key": KEY, "accounts": []}}, "smtp2go.accounts is an empty list"),
        ({"smtp2go": {"api_key": KEY, "accounts": {}}}, "smtp2go.accounts must be a list, not an object"),
        ({"smtp2go": {"api_key": KEY, "accounts": [KEY]}}, "smtp2go.accounts[0] must be an object, not text"),
        (
            {"smtp2go": {"api_key": KEY, "accounts": [{"account": "a"}, {"account": "a"}]}},
            "smtp2go.accounts[1].account is the same as that of smtp2go.accounts[0]",
        ),
        (
            {"smtp2go": {"api_key": KEY, "accounts": [{}, {"account": "default"}]}},
            "smtp2go.accounts[1].account is the same as that of smtp2go.accounts[0]",
        ),
    ],
)
def test_a_mistake_is_one_plain_sentence_that_names_the_setting(config: dict[str, Any], said: str) -> None:
    found = wrong(**config)
    assert len(found) == 1
    assert found[0].startswith(said)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"base_url": "api.smtp2go.com/v3"}, "base_url has no scheme: it must begin with https://"),
        ({"base_url": "localhost:8080"}, "base_url has no scheme: it must begin with https://"),
        ({"base_url": "ftp://x.example"}, "base_url has no scheme: it must begin with https://"),
        ({"base_url": "https://"}, "base_url names no host"),
        ({"base_url": "https://[::1"}, "base_url is not a valid address"),
        ({"base_url": "https://x.example:port"}, "base_url is not a valid address"),
        ({"base_url": "https://me:pw@x.example"}, "base_url must not hold a user name or password"),
        ({"base_url": "https://x.example/?key=1"}, "base_url must end with the path"),
        ({"base_url": "https://x.ex\nample"}, "base_url holds a line break"),
        ({"account": "ann@example.com"}, "account must not be an e-mail address"),
        ({"account": " "}, "account is empty"),
        ({"page_size": 0}, "page_size must be greater than 0"),
        ({"page_size": 1001}, "page_size must be at most 1000"),
        ({"page_size": 10.5}, "page_size must be a whole number, not one with a fraction"),
        ({"page_size": True}, "page_size must be a whole number, not true or false"),
        ({"history_days": -5}, "history_days must be greater than 0"),
        ({"history_days": 1e6}, "history_days must be at most 36500"),
        ({"lookback_minutes": -1}, "lookback_minutes must be 0 or greater"),
        ({"settle_minutes": -0.5}, "settle_minutes must be 0 or greater"),
        ({"requests_per_minute": -1}, "requests_per_minute must be 0 or greater"),
        ({"max_concurrency": 0}, "max_concurrency must be greater than 0"),
        ({"window_hours": 0}, "window_hours must be greater than 0"),
        ({"revisit_minutes": [60, -60]}, "revisit_minutes[1] must be 0 or greater"),
        ({"revisit_minutes": [1e12]}, "revisit_minutes[0] must be at most 52560000"),
        ({"revisit_minutes": 60}, "revisit_minutes must be a list, not a whole number"),
        ({"revisit_minutes": ["often"]}, "revisit_minutes[0] must be a number, not text"),
        ({"start_date": "soon"}, "start_date is not a date or time in ISO 8601"),
    ],
)
@pytest.mark.parametrize("nested_in", [False, True])
def test_every_provider_setting_is_checked_in_accounts_too(settings: Any, said: str, nested_in: bool) -> None:
    account = {"account": "a", **settings}
    found = smtp2go(accounts=[account]) if nested_in else smtp2go(**settings)
    assert len(found) == 1
    assert found[0].startswith(("smtp2go.accounts[0]." if nested_in else "smtp2go.") + said)


@pytest.mark.parametrize(("provider", "most"), [("smtp2go", 1000), ("jetemail", 100), ("infobip", 1000)])
def test_the_vendors_largest_page_is_known(provider: str, most: int) -> None:
    base = {"api_key": KEY, "base_url": "https://x.example"}
    assert wrong(**{provider: {**base, "page_size": most}}) == []
    assert wrong(**{provider: {**base, "page_size": most + 1}}) == [f"{provider}.page_size must be at most {most}"]


def test_all_mistakes_are_told_at_once() -> None:
    found = wrong(
        smtp2go={"account": "a@b"}, infobip={"base_url": "x", "api_key": KEY}, end_date="2020-01-01", start_date="2021"
    )
    assert found == ["start_date is not a date or time in ISO 8601, such as 2026-01-31 or 2026-01-31T08:00:00Z"]
    found = wrong(smtp2go={"account": "a@b"}, infobip={"base_url": "x", "api_key": KEY})
    assert [sentence.split()[0] for sentence in found] == ["smtp2go.account", "smtp2go.api_key", "infobip.base_url"]


def test_what_has_no_type_takes_anything() -> None:
    assert kind_of({}) == ""
    assert list(shape_mistakes(object(), {})) == []
    assert kind_of({"type": ["null", "integer"]}) == "integer"


@given(
    st.dictionaries(
        st.sampled_from(["api_key", "base_url", "account", "page_size", "accounts", "start_date", "revisit_minutes"]),
        st.just(KEY) | st.lists(st.just(KEY), max_size=2) | st.dictionaries(st.just(KEY[:6]), st.just(KEY)),
        max_size=4,
    ),
    st.sampled_from([provider.name for provider in PROVIDERS]),
)
def test_no_mistake_shows_a_value(settings: dict[str, Any], provider: str) -> None:
    for config in ({provider: settings}, {provider: {"accounts": [settings]}}):
        wrong(**config)


@pytest.mark.parametrize("url", ["http://127.0.0.1:80", "http://localhost:1", "http://[::1]:1", "http://127.9.9.9"])
def test_http_is_for_loopback(url: str) -> None:
    assert smtp2go(base_url=url) == []


@pytest.mark.parametrize("where", ["top", "provider", "account"])
def test_http_may_be_permitted(where: str) -> None:
    account: dict[str, Any] = {"account": "a", "base_url": "http://proxy.example"}
    provider: dict[str, Any] = {"api_key": KEY, "accounts": [account]}
    config: dict[str, Any] = {"smtp2go": provider}
    assert wrong(**config)
    {"top": config, "provider": provider, "account": account}[where]["allow_http"] = True
    assert wrong(**config) == []
    account["allow_http"] = False
    assert bool(wrong(**config))

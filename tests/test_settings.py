"""Settings: declared once, never without a value, and merged in one order."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from general import NOW, config_of
from harness import Ticking, run
from outcome import assert_rows
from tap_emaillogs import tap
from tap_emaillogs.config import accounts
from tap_emaillogs.config.checks import mistakes
from tap_emaillogs.config.load import given_by_account
from tap_emaillogs.config.schema import config_schema
from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.http.redaction import Redactor
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.providers.jetemail import JetEmail
from tap_emaillogs.providers.jetemail.logs import OutboundLogs
from tap_emaillogs.streams.settings import Options, Settings, StreamDefaults, declared, option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.server import Sandbox
    from tap_emaillogs.http.client import Auth

KEY = "secret-0123456789"
by_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)


@dataclass(frozen=True, kw_only=True)
class Bare(Settings):
    """What a vendor must say at least."""

    api_key: str = option("", "API key.", secret=True)
    paging: str = option("offset", "How to page.")

    def auth(self) -> Auth:
        return KeyAuth("Authorization", f"Bearer {self.api_key}")


class BareLogs(OutboundLogs):
    name = "jetemail_outbound_logs"
    provider = "bare"
    settings: Bare  # type: ignore[assignment]


class BareVendor(JetEmail):
    """JetEmail, had its author forgotten all defaults."""

    name = "bare"
    settings = Bare
    streams = (BareLogs,)


# One order.

NUMBERS = tuple(StreamDefaults.__annotations__.keys() - {"revisit_minutes"})
layer = st.dictionaries(st.sampled_from(NUMBERS), st.integers(1, 10_000), max_size=len(NUMBERS))


@given(layer, layer, layer, layer)
def test_the_last_place_that_names_a_setting_wins(
    vendor: dict[str, int], stream: dict[str, int], outer: dict[str, int], account: dict[str, int]
) -> None:
    fields: Any = [(name, float, value) for name, value in vendor.items()]
    provider: Any = type(
        "Vendor", (BareVendor,), {"settings": make_dataclass("Own", fields, bases=(Bare,), frozen=True)}
    )
    config = {"bare": {"api_key": KEY, **outer, "accounts": [{"account": "a", **account}]}}
    ((_, given_by_user),) = given_by_account(config, provider)
    found = provider.settings.of(stream, given_by_user)
    for name in NUMBERS:
        layers = (account, outer, stream, vendor, {name: declared(Settings)[name].default})
        assert getattr(found, name) == next(one[name] for one in layers if name in one), name


def test_what_is_set_for_all_reaches_an_account_unless_it_says_otherwise() -> None:
    config = {
        "start_date": "2026-01-01",
        "allow_http": True,
        "bare": {"accounts": [{"account": "a"}, {"account": "b", "start_date": "2026-02-01", "allow_http": False}]},
    }
    found = [Bare.of(given_by_user) for _, given_by_user in given_by_account(config, BareVendor())]
    assert [(s.account, s.start_date, s.allow_http) for s in found] == [
        ("a", "2026-01-01", True),
        ("b", "2026-02-01", False),
    ]


@pytest.mark.parametrize(
    ("stream", "user", "budget"),
    [({}, {}, 60), ({}, {"api_version": 4}, 120), ({}, {"api_version": 4, "requests_per_minute": 7}, 7)],
)
def test_a_default_may_depend_on_another_setting(stream: Any, user: Mapping[str, Any], budget: float) -> None:
    infobip = next(provider for provider in PROVIDERS if provider.name == "infobip")
    assert infobip.settings.of(stream, user).requests_per_minute == budget


def test_none_counts_as_left_out() -> None:
    assert Bare.of({"page_size": 7}, {"page_size": None}).page_size == 7


def test_the_plan_of_an_endpoint_follows_its_streams_defaults_and_the_users_values() -> None:
    built = accounts.build({"bare": {"api_key": KEY, "settle_minutes": 1}}, [BareVendor()], Ticking(), Redactor())
    (account,) = built["bare"]
    policy = account.policy(BareLogs.unit, {"settle_minutes": 9, "window_hours": 2, "revisit_minutes": [60, 30, 60]})
    assert (policy.settle.total_seconds(), policy.largest.total_seconds()) == (60, 7200)
    assert [age.total_seconds() for age in policy.revisits] == [1800, 3600]
    assert policy.history is None


# Nothing without a value.


def test_a_vendor_without_any_default_is_read(play: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap, "PROVIDERS", (BareVendor(),))
    monkeypatch.setattr(tap.TapEmailLogs, "config_jsonschema", config_schema((BareVendor(),)))
    box = play(vendors=["jetemail"], now=NOW)
    found = run({"bare": config_of(box)["jetemail"]}, box=box)
    assert found.status == 0, found.stderr
    monkeypatch.undo()
    for record in found.records["jetemail_outbound_logs"]:
        assert record["account"] == "default"
    assert_rows(box, found, "jetemail")


def test_an_address_that_nobody_names_is_a_mistake() -> None:
    config, schema = {"bare": {"api_key": KEY}}, config_schema((BareVendor(),))
    assert mistakes(config, schema, [BareVendor()]) == ["bare.base_url is missing"]


def test_a_setting_without_a_default_is_refused() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Forgetful(Bare):
        color: str

    with pytest.raises(TypeError, match=r"Forgetful\.color has no default"):
        declared(Forgetful)


@by_provider
def test_every_setting_has_a_value_of_its_type_where_nobody_names_one(provider: Any) -> None:
    settings = provider.settings.of({})
    for one, value in settings.items():
        assert value == one.default
        if one.type in (str, int, bool):
            assert value is None or isinstance(value, one.type), one.name
        elif one.type is float:
            assert value is None or isinstance(value, (int, float)), one.name


@by_provider
def test_streams_name_defaults_of_known_settings_only(provider: Any) -> None:
    for stream in provider.streams:
        assert stream.defaults.keys() <= StreamDefaults.__annotations__.keys()


# One declaration.


def test_a_class_that_declares_a_setting_again_keeps_what_it_does_not_name() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Narrow(Bare):
        page_size: int = option(50, most=60)
        history_days: float | None = 3

    size, history = declared(Narrow)["page_size"], declared(Narrow)["history_days"]
    assert (size.default, size.option.most, size.option.positive) == (50, 60, True)
    assert size.option.description == declared(Settings)["page_size"].option.description
    assert (history.default, history.option.positive, history.described_by) == (3, True, Settings)


def test_names_that_are_pythons_words_are_written_plainly() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Letter(Options):
        from_: str = option("", "Sender.")

    assert Letter.of({"from": "x"}).from_ == "x"


@by_provider
def test_no_setting_of_a_provider_has_a_default_that_would_switch_it_on(provider: Any) -> None:
    def defaults(schema: Any) -> list[Any]:
        if isinstance(schema, dict):
            here = [schema["default"]] if "default" in schema else []
            return here + [found for value in schema.values() for found in defaults(value)]
        return []

    assert defaults(config_schema(PROVIDERS)["properties"][provider.name]) == []


@by_provider
def test_settings_show_no_secret(provider: Any) -> None:
    secret = [one for one in declared(provider.settings).values() if one.option.secret]
    assert secret
    assert KEY not in repr(provider.settings.of({one.name: KEY for one in secret}))

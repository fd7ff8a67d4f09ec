"""`deploy/dagster`: the file of accounts, secrets by reference, and how budgets are shared."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent.parent / "deploy" / "dagster"
sys.path.append(str(PROJECT))

from emaillogs_dagster import accounts, references  # noqa: E402 - found where the line above says
from emaillogs_dagster.settings import Settings  # noqa: E402

from tap_emaillogs.providers import PROVIDERS  # noqa: E402

DAY = datetime(2026, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SMTP2GO = {"provider": "smtp2go", "account": "acme", "api_key": {"env": "ACME_KEY"}}


def groups(tmp_path: Path, **given: Any) -> dict[str, accounts.Group]:
    file = tmp_path / "accounts.yaml"
    file.write_text(json.dumps({"accounts": [SMTP2GO], **given}), encoding="utf-8")
    return accounts.load(str(file))


def test_a_secret_is_looked_up_when_the_tap_starts_and_stands_in_no_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", "api-OPENS0EVERYTHING")
    (group,) = groups(tmp_path).values()
    assert "OPENS" not in repr(group)
    config, secrets = group.config("forward")
    assert config["smtp2go"]["accounts"][0]["api_key"] == "api-OPENS0EVERYTHING"
    assert secrets == {"api-OPENS0EVERYTHING"}


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("api-1\n", encoding="utf-8")
    (group,) = groups(tmp_path, accounts=[{**SMTP2GO, "api_key": {"file": str(tmp_path / "key")}}]).values()
    assert group.config("forward")[1] == {"api-1"}


@pytest.mark.parametrize(
    "account",
    [
        {**SMTP2GO, "api_key": "api-OPEN"},
        {"provider": "zeptomail", "client_secret": "OPEN"},
        {"provider": "messangi", "report": {"mailbox": {"password": "OPEN"}}},
        {**SMTP2GO, "apikey": "OPEN"},
        {**SMTP2GO, "API-Key": "OPEN"},
        {**SMTP2GO, "base_url": "http://user:OPEN@host/x"},
    ],
)
def test_a_secret_in_the_open_is_refused_without_naming_it(tmp_path: Path, account: dict[str, Any]) -> None:
    with pytest.raises(references.AccountsError) as found:
        groups(tmp_path, accounts=[account])
    assert "OPEN" not in str(found.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"accounts": [SMTP2GO, SMTP2GO]}, "stands twice"),
        ({"accounts": [{"provider": "postman"}]}, "no provider"),
        ({"accounts": None}, "no list"),
        ({"backfill_share": 1.5}, "backfill_share"),
        ({"accounts": [{**SMTP2GO, "group": "a|b"}]}, "a group's name"),
        ({"accounts": []}, "names no account"),
        ({"accounts": ["smtp2go"]}, "account 1 of the list"),
        ({"accounts": [{"provider": ["smtp2go"]}]}, "no provider"),
        ({"accounts": [{"provider": "postman", "account": "shop"}]}, "'shop'.*'postman'"),
        ({"accounts": [{**SMTP2GO, "group": 5}]}, "smtp2go/acme: group"),
        ({"accounts": [{**SMTP2GO, "every_minutes": 5}]}, "smtp2go/acme: every_minutes"),
        ({"accounts": [{**SMTP2GO, "requests_per_minute": "many"}]}, "requests_per_minute"),
        ({"providers": {"smtp2go": {"requests_per_minute": None}}}, "requests_per_minute"),
        ({"since": "yesterday"}, "since must be a date"),
        *(({"every_minutes": wrong}, "every_minutes") for wrong in (0, -5, 1.5, "ten", None, True)),
        ({"groups": {"quiet-000": {"every_minutes": 0}}}, "groups: quiet-000: every_minutes"),
        ({"quiet_groups": 0}, "quiet_groups"),
        *(({"backfill_share": wrong}, "backfill_share") for wrong in ("half", True, 0)),
        ({"providers": []}, "providers must hold"),
        ({"groups": ["a"]}, "groups must hold"),
        ({"groups": {"quiet-000": 5}}, "groups: quiet-000 must hold"),
        ({"groups": {"quiet-000": {"sinse": None}}}, "no setting 'sinse'"),
        ({"groups": {"acme": {"every_minutes": 5}}}, "groups: acme: no account"),
        ({"providers": {"jetmail": {}}}, "providers: jetmail: no account"),
        ({"evry_minutes": 5}, "no setting 'evry_minutes'"),
        ({"table": {"url": {"env": "X"}}}, "`query`"),
        ({"table": {"url": "postgresql://user:word@host/db", "query": "select 1"}}, "^table: url holds a secret"),
        ({"table": {"url": "nonsense", "query": "select 1"}}, "table of accounts"),
    ],
)
def test_mistakes_in_the_file_are_told(tmp_path: Path, given: dict[str, Any], words: str) -> None:
    with pytest.raises(references.AccountsError, match=words):
        groups(tmp_path, **given)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"accounts:\n- {api_key: *OPEN, provider: [smtp2go}\n", "line 2: that is not YAML"),
        (b"accounts:\n- {provider: smtp2go, account: caf\xe9}\n", "line 2: that is not UTF-8"),
        (b"since: 2026-13-45\n", "date that does not exist"),
        (b"- a list\n", "no list `accounts`"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_by_line_without_what_stands_there(
    tmp_path: Path, text: bytes, words: str
) -> None:
    (tmp_path / "accounts.yaml").write_bytes(text)
    with pytest.raises(references.AccountsError, match=words) as found:
        accounts.load(str(tmp_path / "accounts.yaml"))
    assert "OPEN" not in str(found.value)


def test_dates_without_quotes_are_text_for_the_tap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "api-1")
    text = f"since: 2026-11-01\ntap: {{start_date: 2026-11-15}}\naccounts: [{json.dumps(SMTP2GO)}]\n"
    (tmp_path / "accounts.yaml").write_text(text, encoding="utf-8")
    (group,) = accounts.load(str(tmp_path / "accounts.yaml")).values()
    assert json.loads(json.dumps(group.config("forward")[0]))["start_date"] == "2026-11-15"
    assert group.since == datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(("name", "value"), [("EMAILLOGS_STRETCH", "year"), ("EMAILLOGS_SINCE", "soon")])
def test_mistakes_in_the_environment_are_told(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(references.AccountsError, match=name):
        Settings.load()


def test_accounts_may_stand_in_a_table(tmp_path: Path) -> None:
    settings = [json.dumps({"api_key": "$ACME_KEY", "group": "g"}), "{"]
    tables = [
        {
            "url": f"sqlite:///{tmp_path / 'table'}",
            "query": f"select 'smtp2go' as provider, 'acme' as account, json('{own}') as settings"
            if own != "{"
            else "select 'smtp2go' as provider, 'acme' as account, '{' as settings",
        }
        for own in settings
    ]
    tables[0]["query"] = tables[0]["query"].replace('":', '"\\:')  # SQLAlchemy takes `:name` for a parameter
    assert list(groups(tmp_path, accounts=None, table=tables[0])) == ["g"]
    with pytest.raises(references.AccountsError, match=r"smtp2go/acme: settings.*not JSON"):
        groups(tmp_path, accounts=None, table=tables[1])


def test_a_missing_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_KEY", raising=False)
    (group,) = groups(tmp_path).values()
    with pytest.raises(references.AccountsError, match="ACME_KEY"):
        group.config("forward")


def test_forward_and_backfill_share_one_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "api-1")
    (group,) = groups(tmp_path, backfill_share=0.7).values()
    shares = [
        group.config(kind)[0]["smtp2go"]["accounts"][0]["requests_per_minute"] for kind in ("forward", "backfill")
    ]
    assert shares == [16, 37]
    assert group.purse("forward") != group.purse("backfill")
    (alone,) = groups(tmp_path, backfill_share=None).values()
    assert alone.config("backfill")[0]["smtp2go"]["accounts"][0]["requests_per_minute"] == 54
    assert alone.purse("forward") == alone.purse("backfill")


def test_a_backfill_has_times_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "api-1")
    given = {"accounts": [{**SMTP2GO, "start_date": "2026-03-01"}], "tap": {"start_date": "2026-03-01"}}
    (group,) = groups(tmp_path, **given).values()
    config, _ = group.config("backfill", start_date=DAY, end_date=DAY + 24 * HOUR)
    assert config["start_date"] == "2026-02-01T00:00:00+00:00"
    assert "start_date" not in config["smtp2go"]["accounts"][0]


def test_quiet_accounts_keep_their_group_when_others_come(tmp_path: Path) -> None:
    def found(count: int) -> dict[tuple[str, str], str]:
        listed = [{**SMTP2GO, "account": f"a{number}"} for number in range(count)]
        made = groups(tmp_path, accounts=listed, quiet_groups=8)
        return {account.name: group.name for group in made.values() for account in group.accounts}

    few, many = found(50), found(200)
    assert few.items() <= many.items()
    assert len(set(many.values())) == 8


def test_the_streams_and_budgets_are_the_taps() -> None:
    assert set(accounts.STREAMS) == {provider.name for provider in PROVIDERS}
    about = json.loads(
        subprocess.run([sys.executable, "-m", "tap_emaillogs", "--about=json"], capture_output=True, check=True).stdout
    )
    for name, budget in accounts.BUDGETS.items():
        settings = about["settings"]["properties"][name]["properties"]
        assert (
            f"{budget}" in settings["requests_per_minute"]["description"]
            or settings["requests_per_minute"].get("default") == budget
        ), name

"""The file of accounts: which are read together, with which share of their budgets, and where their secrets are.

    quiet_groups: 4                  # accounts without a `group` share these
    since: 2026-01-01                # backfill by itself from here on; absent: only what somebody asks for
    every_minutes: 10                # forward runs
    backfill_share: 0.7              # of each account's requests a minute; null: the two never run at once
    tap: {privacy: {recipient: domain}}          # settings for all, as the tap's
    providers: {jetemail: {revisit_minutes: [360, 1440]}}
    groups: {acme: {every_minutes: 5}}           # may name every_minutes and since
    accounts:
    - {provider: smtp2go, account: acme, group: acme, api_key: {env: ACME_SMTP2GO_KEY}}
    - {provider: jetemail, account: shop, api_key: {file: /run/secrets/shop-jetemail}}

Accounts may come from a table too; each row's `settings` is a JSON object as above:

    table: {url: {env: ACCOUNTS_URL}, query: "select provider, account, settings from accounts where active"}

Secrets stand in no file, run, tag or log of Dagster: the file names an environment variable (`{env: NAME}`, `$NAME`) or
another file, and the worker looks there when it starts the tap. A secret in the open is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from emaillogs_dagster import given
from emaillogs_dagster.references import AccountsError, refuse_open, resolved

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

STREAMS = {
    "smtp2go": ("smtp2go_activity",),
    "jetemail": ("jetemail_outbound_logs",),
    "infobip": ("infobip_email_logs",),
    "zeptomail": ("zeptomail_mail_logs", "zeptomail_activity_logs", "zeptomail_suppression_list"),
    "messangi": ("messangi_message_logs",),
}
"""The endpoints of each provider that a sync reads by default."""
BUDGETS = {"smtp2go": 60, "jetemail": 240, "infobip": 60, "zeptomail": 60, "messangi": 60}
"""Requests a minute and account that the tap allows itself by default, as the vendors publish them."""
USED = 0.9
"""How much of a budget is used: a run that begins knows nothing of the requests that the one before it just sent."""
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Account:
    """One login at a provider: its settings as the tap has them, with references in place of secrets."""

    provider: str
    account: str
    settings: Mapping[str, Any]

    @property
    def name(self) -> tuple[str, str]:
        """Provider and account, as they stand in the ledger."""
        return self.provider, self.account

    @property
    def streams(self) -> tuple[str, ...]:
        """The endpoints that must be whole."""
        more = ("messangi_message_reports",) if "report" in self.settings else ()
        return (*STREAMS[self.provider], *more)

    @property
    def budget(self) -> float:
        """Requests a minute; 0: no limit."""
        version4 = self.provider == "infobip" and self.settings.get("api_version") == 4
        return float(self.settings.get("requests_per_minute", 120 if version4 else BUDGETS[self.provider]))


@dataclass(frozen=True)
class Group:
    """Accounts that one process reads."""

    name: str
    accounts: tuple[Account, ...]
    every_minutes: int
    since: datetime | None
    """Backfill by itself from here on."""
    backfill_share: float | None
    common: Mapping[str, Any]
    """Settings of the tap for all."""

    def config(self, kind: str, **times: datetime) -> tuple[dict[str, Any], set[str]]:
        """Return the tap's configuration for a `forward` or `backfill` run, and the secrets in it.

        Raises:
            AccountsError: A secret is not where the file says.
        """
        share = USED
        if self.backfill_share is not None:
            share *= self.backfill_share if kind == "backfill" else 1 - self.backfill_share
        secrets: set[str] = set()
        config: dict[str, Any] = dict(resolved(self.common, secrets))
        for account in self.accounts:
            own = {"account": account.account, **resolved(account.settings, secrets)}
            if times:  # a backfill's are its own; an account's `start_date` is where its forward runs begin
                own.pop("start_date", None)
            if account.budget:
                own["requests_per_minute"] = max(1, math.floor(account.budget * share))
            config.setdefault(account.provider, {}).setdefault("accounts", []).append(own)
        config |= {name: moment.isoformat() for name, moment in times.items()}
        return config, secrets

    def only(self, names: Collection[tuple[str, str]]) -> Group:
        """Return the group with these accounts only."""
        return replace(self, accounts=tuple(account for account in self.accounts if account.name in names))

    def purse(self, kind: str) -> str:
        """Return the value of the tag of which only one run may go at once."""
        return self.name if self.backfill_share is None else f"{self.name}:{kind}"


def load(path: str) -> dict[str, Group]:
    """Read the file; return the groups by name.

    Raises:
        AccountsError: In one plain sentence.
    """
    try:
        changed = Path(path).stat().st_mtime_ns
    except (OSError, ValueError) as error:
        raise AccountsError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'no such path'}") from None
    found = _parsed(path, changed)
    every = [*(found.get("accounts") or []), *_listed(found.get("table"))]
    if not every:
        raise AccountsError(f"{path} names no account; add one to `accounts`")
    return _grouped({**found, "accounts": every})


@lru_cache(maxsize=2)
def _parsed(path: str, _changed: int) -> Any:
    """Return what the file holds; read anew when it has changed."""
    return given.parsed(path)


def _listed(table: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the accounts that a table has, as they would stand in the file."""
    if not table:
        return []
    refuse_open(table, "table")
    url = resolved(table["url"], set())
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            rows = connection.execute(sa.text(table["query"])).mappings().all()
    except (sa.exc.SQLAlchemyError, ImportError, ValueError) as error:
        raise AccountsError(f"the table of accounts cannot be read: {type(error).__name__}") from None
    entries = []
    for row in rows:
        if not {"provider", "account"} <= row.keys():
            raise AccountsError("the table of accounts must have the columns provider and account: change its query")
        where, settings = f"{row['provider']}/{row['account']}", row.get("settings") or {}
        try:
            settings = json.loads(settings) if isinstance(settings, str) else settings
        except ValueError:
            raise AccountsError(f"{where}: settings in the table of accounts are not JSON") from None
        given.settings(settings, f"{where}: settings in the table of accounts")
        entries.append({**settings, "provider": row["provider"], "account": row["account"]})
    return entries


def _grouped(file: Mapping[str, Any]) -> dict[str, Group]:
    members: defaultdict[str, list[Account]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    refuse_open(file.get("tap"), "tap")
    for place, entry in enumerate(file["accounts"], 1):
        account = _account(entry, place, file.get("providers") or {})
        if account.name in seen:
            raise AccountsError(f"{'/'.join(account.name)} stands twice in the file: its budget would be spent twice")
        seen.add(account.name)
        members[entry.get("group") or _quiet(account, file.get("quiet_groups", 1))].append(account)
    own = file.get("groups") or {}
    _refuse_unused(file, set(members), {provider for provider, _ in seen})
    groups = {}
    for name, accounts in sorted(members.items()):
        if not _NAME.fullmatch(name):
            raise AccountsError(f"a group's name has letters, digits, dots, dashes and underscores only: {name!r}")
        merged, where = {**file, **(own.get(name) or {})}, f"groups: {name}: " if own.get(name) else ""
        every = given.count(merged.get("every_minutes", 10), f"{where}every_minutes")
        since = given.moment(merged.get("since"), f"{where}since")
        share = file.get("backfill_share", 0.7)
        groups[name] = Group(name, tuple(accounts), every, since, share, file.get("tap") or {})
    return groups


def _refuse_unused(file: Mapping[str, Any], groups: set[str], providers: set[str]) -> None:
    """Refuse settings that no account uses: a name is misspelt there."""
    for name in sorted((file.get("providers") or {}).keys() - (set(STREAMS) if file.get("table") else providers)):
        raise AccountsError(f"providers: {name}: no account is of this provider; correct the name, or take it away")
    if not file.get("table"):  # there accounts come and go, and the file stays
        for name in sorted((file.get("groups") or {}).keys() - groups):
            raise AccountsError(f"groups: {name}: no account is in this group; correct the name, or take it away")


def _account(entry: Any, place: int, providers: Mapping[str, Any]) -> Account:
    provider, account = given.account(entry, place, STREAMS)
    own = {name: value for name, value in entry.items() if name not in {"provider", "account", "group"}}
    settings = {**(providers.get(provider) or {}), **own}
    given.of_an_account(settings, f"{provider}/{account}")
    refuse_open(settings, f"{provider}/{account}")
    return Account(provider, account, settings)


def _quiet(account: Account, groups: int) -> str:
    """Return a group that depends on the account alone, so that none moves when others come and go."""
    digest = hashlib.sha256("/".join(account.name).encode()).digest()
    return f"quiet-{int.from_bytes(digest[:8], 'big') % groups:03d}"


def names(accounts: Sequence[Account]) -> set[tuple[str, str]]:
    """Return the accounts as the ledger has them."""
    return {account.name for account in accounts}

"""What is given, read and looked over: each mistake in the file of accounts is one sentence that says where it is.

A file that is taken with a mistake in it costs more than one that is refused: a schedule of all groups that stops, or
settings that nobody uses. The tap's own settings are the tap's to judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from emaillogs_dagster.references import AccountsError

_GROUP = {"every_minutes", "since"}
_TOP = {"quiet_groups", "backfill_share", "tap", "providers", "groups", "accounts", "table", *_GROUP}
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it is there


def parsed(path: str) -> dict[str, Any]:
    """Return what a file of accounts holds, dates as text.

    Raises:
        AccountsError: It says the line; not what stands there, which may be a secret.
    """
    try:
        raw = Path(path).read_bytes()
        found = yaml.load(raw.decode("utf-8-sig"), Loader=_Loader)  # noqa: S506 - a safe one
        return _looked_over(path, _plain(found))
    except AccountsError:
        raise
    except OSError as error:
        raise AccountsError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise AccountsError(f"{path}, line {line}: that is not UTF-8; save the file as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise AccountsError(f"{path}{where}: that is not YAML; look at indents, brackets and quotes there") from None
    except (ValueError, RecursionError):
        raise AccountsError(f"{path} holds a date that does not exist, or an alias of itself; correct it") from None


def _plain(value: Any) -> Any:
    """Return a value as JSON can have it: YAML makes dates of what the tap takes as text."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _looked_over(path: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise AccountsError(f"{path} has no list `accounts`: it must hold settings by name")
    known(given, _TOP, path)
    for name in ("tap", "providers", "groups", "table"):
        settings(given.get(name), f"{path}: {name}")
    for name in ("providers", "groups"):
        for key, own in (given.get(name) or {}).items():
            settings(own, f"{path}: {name}: {key}")
            if name == "groups":
                known(own or {}, _GROUP, f"{path}: groups: {key}")
    table = given.get("table")
    if table is not None and not (table.get("url") and isinstance(table.get("query"), str)):
        raise AccountsError(f"{path}: table needs `url` and `query`")
    known(table or {}, {"url", "query"}, f"{path}: table")
    if given.get("accounts") is None and not table:
        raise AccountsError(f"{path} has no list `accounts`")
    if not isinstance(given.get("accounts") or [], list):
        raise AccountsError(f"{path} has no list `accounts`: each account is an entry that begins with `- `")
    share = given.get("backfill_share")
    if share is not None and (isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1):
        raise AccountsError(f"{path}: backfill_share must be a number between 0 and 1, or null")
    count(given.get("quiet_groups", 1), f"{path}: quiet_groups")
    return given


def known(given: Mapping[str, Any], names: set[str], where: str) -> None:
    """Refuse names that mean nothing there."""
    if unknown := sorted(str(name) for name in given.keys() - names):
        raise AccountsError(f"{where}: there is no setting {unknown[0]!r}; there are {', '.join(sorted(names))}")


def settings(given: Any, where: str) -> None:
    """Refuse what holds no settings by name; nothing at all is none."""
    if given is not None and not isinstance(given, Mapping):
        raise AccountsError(f"{where} must hold settings by name, and is a {type(given).__name__}")


def count(given: Any, where: str) -> int:
    """Return a positive whole number."""
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise AccountsError(f"{where} must be a positive whole number")
    return given


def moment(given: Any, where: str) -> datetime | None:
    """Return a time as aware UTC."""
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given)
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise AccountsError(f"{where} must be a date such as 2026-01-31") from None


def account(entry: Any, place: int, providers: Mapping[str, Any]) -> tuple[str, str]:
    """Return provider and name of an account, the file's entry number `place`."""
    if not isinstance(entry, dict):
        raise AccountsError(f"account {place} of the list must hold settings by name, `provider` among them")
    provider, name = entry.get("provider"), str(entry.get("account", "default"))
    if not isinstance(provider, str) or provider not in providers:
        raise AccountsError(
            f"account {place} of the list, {name!r}, names no provider of {', '.join(providers)}, but {provider!r}"
        )
    group = entry.get("group")
    if group is not None and not isinstance(group, str):
        raise AccountsError(f"{provider}/{name}: group must be a name: write it in quotes, group: {str(group)!r}")
    return provider, name


def of_an_account(given: Mapping[str, Any], where: str) -> None:
    """Refuse what are no settings of an account, its provider's among them."""
    for wrong in sorted(_TOP & given.keys()):
        raise AccountsError(f"{where}: {wrong} is no setting of an account; it stands at the top, or in a group")
    budget = given.get("requests_per_minute", 0)
    if isinstance(budget, bool) or not isinstance(budget, int | float) or budget < 0:
        raise AccountsError(f"{where}: requests_per_minute must be a number; 0 means no limit")

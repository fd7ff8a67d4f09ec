"""From the checked configuration to accounts that can be asked."""

from __future__ import annotations

import functools
import logging
from importlib import metadata
from typing import TYPE_CHECKING, Any

from tap_emaillogs.config.load import account_settings
from tap_emaillogs.config.schema import TOP_DEFAULTS
from tap_emaillogs.formats import timestamps
from tap_emaillogs.http.budget import Budget
from tap_emaillogs.http.client import ApiClient
from tap_emaillogs.streams.provider import Account

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_emaillogs.http.clock import Clock
    from tap_emaillogs.http.redaction import Redactor
    from tap_emaillogs.streams.provider import Provider


@functools.cache
def default_user_agent() -> str:
    """Return the product name and version."""
    try:
        return f"tap-emaillogs/{metadata.version('tap-emaillogs')}"
    except metadata.PackageNotFoundError:  # run from a source tree
        return "tap-emaillogs"


def build(
    config: Mapping[str, Any], providers: Iterable[Provider], clock: Clock, redact: Redactor
) -> dict[str, list[Account]]:
    """Return the accounts of each configured provider."""
    top = {**TOP_DEFAULTS, **config}
    return {
        provider.name: [
            _account(provider, settings, top, clock, redact) for _, settings in account_settings(config, provider)
        ]
        for provider in providers
        if isinstance(config.get(provider.name), dict)
    }


def _account(
    provider: Provider, settings: Mapping[str, Any], top: Mapping[str, Any], clock: Clock, redact: Redactor
) -> Account:
    redact.add_schemes(*provider.auth_schemes)
    concurrency = int(settings["max_concurrency"])
    client = ApiClient(
        auth=provider.auth(settings),
        budget=Budget(float(settings["requests_per_minute"]), clock),
        clock=clock,
        redact=redact,
        logger=logging.getLogger(f"tap-emaillogs.{provider.name}"),
        vendor_message=provider.error_message,
        errors=provider.errors,
        label=f"{provider.name}, account {settings['account']}",
        timeout=float(top["timeout_seconds"]),
        max_tries=int(top["max_tries"]),
        user_agent=top.get("user_agent") or default_user_agent(),
        connections=concurrency,
    )
    start = settings.get("start_date") or top.get("start_date")
    end = top.get("end_date")
    return Account(
        provider,
        settings["account"],
        settings,
        client,
        start=timestamps.parse(start) if start else None,
        end=timestamps.parse(end) if end else None,
    )

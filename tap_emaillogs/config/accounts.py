"""From the checked configuration to accounts that can be asked."""

from __future__ import annotations

import functools
import logging
from importlib import metadata
from typing import TYPE_CHECKING, Any

from tap_emaillogs.config.load import given_by_account
from tap_emaillogs.config.schema import General
from tap_emaillogs.formats import timestamps
from tap_emaillogs.http.budget import Budget
from tap_emaillogs.http.client import ApiClient
from tap_emaillogs.streams.provider import Account
from tap_emaillogs.streams.settings import declared

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
    general = General.of({name: config.get(name) for name in declared(General)})
    return {
        provider.name: [
            _account(provider, given, general, clock, redact) for _, given in given_by_account(config, provider)
        ]
        for provider in providers
        if isinstance(config.get(provider.name), dict)
    }


def _account(provider: Provider, given: Mapping[str, Any], general: General, clock: Clock, redact: Redactor) -> Account:
    settings = provider.settings.of(given)
    redact.add_schemes(*provider.auth_schemes)
    client = ApiClient(
        auth=settings.auth(),
        budget=Budget(settings.requests_per_minute, clock),
        clock=clock,
        redact=redact,
        logger=logging.getLogger(f"tap-emaillogs.{provider.name}"),
        vendor_message=provider.error_finder(settings),
        errors=provider.errors,
        label=f"{provider.name}, account {settings.account}",
        context={"provider": provider.name, "account": settings.account},
        timeout=general.timeout_seconds,
        max_tries=general.max_tries,
        user_agent=general.user_agent or default_user_agent(),
        connections=settings.max_concurrency,
    )
    return Account(
        provider,
        settings.account,
        settings,
        client,
        given,
        start=timestamps.parse(settings.start_date) if settings.start_date else None,
        end=timestamps.parse(general.end_date) if general.end_date else None,
    )

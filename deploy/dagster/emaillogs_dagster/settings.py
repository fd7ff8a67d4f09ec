"""What the environment says of this deployment; no secret is kept in these objects but the databases' addresses."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emaillogs_dagster.given import moment
from emaillogs_dagster.references import AccountsError

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class Settings:
    """One deployment.

    Attributes:
        accounts: The file of accounts.
        warehouse: `duckdb:///file` or `postgresql://user:password@host:port/database`.
        state: Where STATE is kept, an address of SQLAlchemy: `sqlite:///file`, or PostgreSQL, beside the data.
        tap: The tap's command.
        loader: The loader's command; by default that of the warehouse's kind.
        schema: Schema of the tap's tables.
        stretch: `day`, `week` or `month`: the time of one partition.
        since: Where the first stretch begins, aware UTC.
        stretches_per_run: So many stretches of a group a run takes at most that the sensor asks for.
        retry_seconds: How long a failed step waits before its first retry; twice as long before the next.
        pause_minutes: How long a range of stretches rests after a run that left something missing; twice as long after
            each more, 6 hours at most.
        alert_url: Where failures are posted, as JSON `{"text": …}`; None: they are only logged.
    """

    accounts: str
    warehouse: str = field(repr=False)
    state: str = field(repr=False)
    tap: tuple[str, ...]
    loader: tuple[str, ...]
    schema: str
    stretch: str
    since: datetime
    stretches_per_run: int
    retry_seconds: float
    pause_minutes: float
    alert_url: str | None = field(repr=False)

    @classmethod
    def load(cls) -> Settings:
        """Read the environment: `EMAILLOGS_ACCOUNTS`, `_WAREHOUSE`, `_STATE`, `_TAP`, `_LOADER`, and so on."""
        given = os.environ.get
        warehouse = given("EMAILLOGS_WAREHOUSE", "duckdb:///emaillogs.duckdb")
        duckdb = warehouse.startswith("duckdb:")
        since = moment(given("EMAILLOGS_SINCE", "2026-01-01"), "EMAILLOGS_SINCE")
        stretch = given("EMAILLOGS_STRETCH", "week")
        if stretch not in {"day", "week", "month"}:
            raise AccountsError(f"EMAILLOGS_STRETCH must be day, week or month, and is {stretch!r}")
        assert since
        return cls(
            accounts=given("EMAILLOGS_ACCOUNTS", "accounts.yaml"),
            warehouse=warehouse,
            state=given("EMAILLOGS_STATE", "sqlite:///emaillogs-state.sqlite" if duckdb else warehouse),
            tap=tuple(shlex.split(given("EMAILLOGS_TAP", "tap-emaillogs"))),
            loader=tuple(shlex.split(given("EMAILLOGS_LOADER", "target-duckdb" if duckdb else "target-postgres"))),
            schema=given("EMAILLOGS_SCHEMA", "tap_emaillogs"),
            stretch=stretch,
            since=since,
            stretches_per_run=int(given("EMAILLOGS_STRETCHES_PER_RUN", "5")),
            retry_seconds=float(given("EMAILLOGS_RETRY_SECONDS", "20")),
            pause_minutes=float(given("EMAILLOGS_PAUSE_MINUTES", "5")),
            alert_url=given("EMAILLOGS_ALERT_URL"),
        )

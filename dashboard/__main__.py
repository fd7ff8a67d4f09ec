"""`python -m dashboard`: write the page."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from dashboard.database import NoData, connected
from dashboard.facts import DAYS, gathered
from dashboard.page import written

_MOST_DAYS = 36_500


def _now() -> datetime:
    """Return the moment of EMAILLOGS_NOW, which tests and pages of the past set, or now."""
    given = os.environ.get("EMAILLOGS_NOW")
    if not given:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise NoData(f"EMAILLOGS_NOW is {given!r}; it is a moment such as 2026-03-01T12:00:00+00:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; status 1 when there is nothing to read."""
    parser = argparse.ArgumentParser(
        prog="scripts/page", description="Write the page about deliverability from the dbt models."
    )
    file = Path(os.environ.get("EMAILLOGS_PAGE", "output/deliverability.html"))
    parser.add_argument("--output", type=Path, default=file, help="the file (%(default)s)")
    parser.add_argument("--days", type=int, default=DAYS, help="how many days back (%(default)s)")
    given = parser.parse_args(arguments)
    if not 1 <= given.days <= _MOST_DAYS:
        parser.error(f"--days is between 1 and {_MOST_DAYS}")
    try:
        with connected() as ask:
            text = written(gathered(ask, given.days, _now()))
    except NoData as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    given.output.parent.mkdir(parents=True, exist_ok=True)
    fresh = given.output.with_name(given.output.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(given.output)
    print(given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

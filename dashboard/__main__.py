"""`python -m dashboard`: write the page."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from dashboard.database import NoData, connected
from dashboard.facts import DAYS, gathered
from dashboard.page import written


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; status 1 when there is nothing to read."""
    parser = argparse.ArgumentParser(
        prog="scripts/page", description="Write the page about deliverability from the dbt models."
    )
    file = Path(os.environ.get("EMAILLOGS_PAGE", "output/deliverability.html"))
    parser.add_argument("--output", type=Path, default=file, help="the file (%(default)s)")
    parser.add_argument("--days", type=int, default=DAYS, help="how many days back (%(default)s)")
    given = parser.parse_args(arguments)
    if given.days < 1:
        parser.error("--days is at least 1")
    try:
        with connected() as ask:
            text = written(gathered(ask, given.days))
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

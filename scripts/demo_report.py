"""The part of `scripts/demo` that talks to the sandbox and to DuckDB.

    url        print where the sandbox is
    between    after the first run: note what arrived, then let the sandbox's data change
    report     after the second: print what arrived beside the truth; status 1 when they differ

The files it works with come in the environment, from `scripts/demo`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import duckdb

NOT_SELECTED = {"zeptomail_emails"}
"""Streams that the demo does not read, though the sandbox has data for them."""
LATE = {"smtp2go": 40, "jetemail": 20, "infobip": 30, "messangi": 25}
"""Rows that appear between the runs, 30 minutes old: within the look-back."""
CHANGED = {"jetemail": 10}
"""Rows that change between the runs."""
LEDGER = """\
select provider, stream, window_start, window_end, status, gap_reason
from tap_emaillogs.sync_windows where status <> 'complete' order by all"""
TRY = """\
with mails as (
  select provider, account, message_id, recipient, recipient_domain, bool_or(event_type = 'bounced') as bounced
  from tap_emaillogs.email_events
  group by all having bool_or(event_type = 'queued')
)
select provider, recipient_domain, count(*) as mails, round(100 * avg(bounced::int), 1) as bounced_percent
from mails group by all order by mails desc, recipient_domain limit 10"""


def url() -> str:
    """Return the sandbox's address."""
    ready = json.loads(Path(os.environ["SANDBOX_READY"]).read_text(encoding="utf-8"))
    return str(ready["url"])


def sandbox(path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask the sandbox itself, or tell it to do something."""
    request = Request(url() + path, None if body is None else json.dumps(body).encode())  # noqa: S310 - loopback
    with urlopen(request, timeout=30) as answer:  # noqa: S310 - likewise
        return json.load(answer)


def requests_so_far() -> dict[str, int]:
    """Return the number of requests that each vendor got."""
    counts = dict.fromkeys(sandbox("/truth")["vendors"], 0)
    for entry in sandbox("/_control/requests"):
        counts[entry["vendor"]] += 1
    return counts


def database() -> duckdb.DuckDBPyConnection:
    """Open the file that target-duckdb wrote."""
    return duckdb.connect(os.environ["DEMO_DUCKDB"], read_only=True)


def counted(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int]]:
    """Return rows and distinct primary keys of each table."""
    keys = connection.execute(
        "select table_name, constraint_column_names from duckdb_constraints() "
        "where schema_name = 'tap_emaillogs' and constraint_type = 'PRIMARY KEY'"
    ).fetchall()
    result = {}
    for name, columns in keys:
        key = ", ".join(f'"{column}"' for column in columns)
        row = connection.execute(
            f'select count(*), count(distinct ({key})) from tap_emaillogs."{name}"'  # noqa: S608 - the tap's own names
        ).fetchone()
        assert row
        result[name] = row
    return result


def between() -> int:
    """Note what the first run brought, then add late rows and change some."""
    truth = sandbox("/truth")
    with database() as connection:
        rows = {table: rows for table, (rows, _) in counted(connection).items()}
    notes = {"rows": rows, "truth": truth, "requests": requests_so_far()}
    Path(os.environ["DEMO_NOTES"]).write_text(json.dumps(notes), encoding="utf-8")
    done = []
    for what, counts in (("late", LATE), ("change", CHANGED)):
        for vendor, count in counts.items():
            if vendor in truth["vendors"]:
                answer = sandbox(f"/_control/{what}", {"vendor": vendor, "count": count, "minutes_ago": 30})
                done.append(f"{answer['rows']} {'late' if what == 'late' else 'changed'} rows at {vendor}")
    print(f"==> Between the runs: {', '.join(done)}", file=sys.stderr)
    return 0


def table(head: list[str], rows: list[list[Any]]) -> None:
    """Print a table; numbers to the right."""
    texts = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    right = [isinstance(cell, int) for cell in (rows[0] if rows else head)]
    for line in texts:
        cells = zip(line, widths, right, strict=True)
        padded = [text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in cells]
        print(f"  {'  '.join(padded)}".rstrip())
    print()


def streams(connection: duckdb.DuckDBPyConnection, truth: dict[str, Any], before: dict[str, int]) -> int:
    """Print the rows of each stream; return how many streams are not as they should be."""
    found = counted(connection)
    rows, wrong = [], 0
    for stream, expected in truth["streams"].items():
        if stream in NOT_SELECTED:
            continue
        distinct = sum(
            account["distinct_keys"].get(stream, 0)
            for vendor in truth["vendors"].values()
            for account in vendor.values()
        )
        here, keys = found.get(stream, (0, 0))
        verdict = "ok"
        if (here, keys) != (distinct, distinct):
            verdict = f"{distinct - here:,} MISSING" if here < distinct else f"{here - distinct:,} TOO MANY"
            wrong += 1
        rows.append([stream, before.get(stream, 0), here, keys, expected, verdict])
    print("Rows in DuckDB beside the truth")
    table(["stream", "run 1", "run 2", "keys", "truth", ""], rows)
    return wrong


def events(connection: duckdb.DuckDBPyConnection, truth: dict[str, Any]) -> int:
    """Print the events by type and provider; return how many counts are wrong."""
    found = {
        (provider, kind): count
        for provider, kind, count in connection.execute(
            "select provider, event_type, count(*) from tap_emaillogs.email_events group by all"
        ).fetchall()
    }
    expected = {
        (provider, kind): sum(account["email_events"].get(kind, 0) for account in accounts.values())
        for provider, accounts in truth["vendors"].items()
        for kind in truth["email_events"]
    }
    providers = list(truth["vendors"])
    wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key, 0) != found.get(key, 0))
    kinds = sorted({kind for _, kind in expected.keys() | found.keys()})
    print("email_events by type")
    table(
        ["event_type", *providers, "all", "truth"],
        [
            [
                kind,
                *(found.get((provider, kind), 0) for provider in providers),
                sum(found.get((provider, kind), 0) for provider in providers),
                truth["email_events"].get(kind, 0),
            ]
            for kind in kinds
        ],
    )
    for provider, kind in wrong:
        print(f"  WRONG: {provider} {kind}: {found.get((provider, kind), 0)}, not {expected.get((provider, kind), 0)}")
    if wrong:
        print()
    return len(wrong)


def models(connection: duckdb.DuckDBPyConnection, truth: dict[str, Any]) -> int:
    """Compare what the models add up to with the truth, and print the health; return how many counts are wrong."""
    wrong = 0
    found = dict(
        connection.execute("select event_type, count(*) from email_analytics.fct_email_events group by all").fetchall()
    )
    expected = truth["email_events"]
    for kind in sorted(expected.keys() | found.keys()):
        counts = {found.get(kind, 0)}
        if kind not in {"subscribed", "unknown"}:  # those are in no rate
            total = f"select sum({kind}_events)::bigint from email_analytics.agg_deliverability_daily"  # noqa: S608 - a type
            counts.add((connection.execute(total).fetchone() or (0,))[0] or 0)
        if counts != {expected.get(kind, 0)}:
            print(f"  WRONG: the models add up to {counts} {kind}, not {expected.get(kind, 0)}")
            wrong += 1
    if not wrong:
        print(f"The models add up to the truth: {sum(found.values()):,} events in {len(found)} types\n")
    print("Health of the senders, by the models (the sandbox's readers complain a lot)")
    rows = connection.execute(
        "select provider, sender_domain, grade, queued::bigint, round(100 * hard_bounce_rate, 1) || ' %', "
        "round(100 * complaint_rate, 2) || ' %' from email_analytics.health order by all"
    ).fetchall()
    table(["provider", "sender", "grade", "mails", "hard bounces", "complaints"], [list(row) for row in rows])
    return wrong


def newest(connection: duckdb.DuckDBPyConnection) -> None:
    """Print each vendor's newest event, as it lies in the file."""
    rows = connection.execute(
        "select provider, event_at::varchar, event_type, recipient, subject from tap_emaillogs.email_events "
        "qualify row_number() over (partition by provider order by event_at desc, event_id) = 1 order by provider"
    ).fetchall()
    print("The newest event of each vendor")
    table(
        ["provider", "event_at", "event_type", "recipient", "subject"],
        [[str(cell or "")[:40] for cell in row] for row in rows],
    )


def ledger(connection: duckdb.DuckDBPyConnection) -> int:
    """Print what the ledger calls incomplete; return how many windows."""
    incomplete = connection.execute(LEDGER).fetchall()
    whole = connection.execute(
        "select count(*), sum(records)::bigint, sum(splits)::bigint from tap_emaillogs.sync_windows"
    ).fetchone()
    assert whole
    print("Is anything missing? The ledger says:")
    print("  " + LEDGER.replace("\n", "\n  "))
    for row in incomplete:
        print("  ->", *row)
    if not incomplete:
        print(f"  -> no row: all {whole[0]:,} windows are complete")
    print()
    return len(incomplete)


def requests(truth: dict[str, Any], notes: dict[str, Any]) -> None:
    """Print the number of requests."""
    total = requests_so_far()
    least = {
        provider: sum(account["requests_minimum"] for account in accounts.values())
        for provider, accounts in notes["truth"]["vendors"].items()
    }
    print("Requests")
    rows: list[list[Any]] = [
        [provider, notes["requests"][provider], least[provider], total[provider] - notes["requests"][provider]]
        for provider in truth["vendors"]
    ]
    table(["vendor", "run 1", "of which needed", "run 2"], rows)


def report() -> int:
    """Print everything; return the exit status."""
    truth = sandbox("/truth")
    notes = json.loads(Path(os.environ["DEMO_NOTES"]).read_text(encoding="utf-8"))
    print()
    with database() as connection:
        wrong = streams(connection, truth, notes["rows"])
        wrong += events(connection, truth)
        wrong += models(connection, truth)
        newest(connection)
        wrong += ledger(connection)
        requests(truth, notes)
    print(f"The DuckDB file: {os.environ['DEMO_DUCKDB']}. A query to try:\n")
    print(f"{TRY};\n")
    print(f"The page about deliverability: {Path(os.environ['DEMO_DUCKDB']).with_suffix('.html')}\n")
    if wrong:
        print(
            f"NOT AS IT SHOULD BE: {wrong} numbers above differ from the truth. What to do: look for the first ERROR "
            "or WARNING in output/demo-run-1.log and output/demo-run-2.log; report it with these files and the commit"
        )
    else:
        print("Every row is there, once.")
    return 1 if wrong else 0


def main(arguments: list[str]) -> int:
    """Run the command line."""
    match arguments:
        case ["url"]:
            print(url())
            return 0
        case ["between"]:
            return between()
        case ["report"]:
            return report()
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

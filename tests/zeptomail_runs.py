"""What the tests of ZeptoMail share."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from general import config_of
from harness import Ticking, catalog, run
from outcome import Run, upserted
from tap_emaillogs.files.tables import column_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

NAME = "zeptomail"
LOGS = "zeptomail_mail_logs"
EXPORTS = ("zeptomail_mail_logs", "zeptomail_activity_logs", "zeptomail_suppression_list")
OWN = {"account", "row_id", "event_at", "extra_fields"}


def player(play: Play) -> Play:
    """Return what starts a sandbox of this vendor alone; keywords are its options."""

    def start(size: int = 120, **options: Any) -> Sandbox:
        moment = {"now": options.pop("now")} if "now" in options else {}
        return play(vendors=[NAME], size=size, options={NAME: options}, **moment)

    return start


def settings(box: Sandbox, **changes: Any) -> dict[str, Any]:
    return config_of(box, NAME, **changes)


def row(record: dict[str, Any]) -> str:
    """Write a record as the file had it: empty cells left out."""
    cells = {key: value for key, value in record.items() if key not in OWN and value is not None}
    return json.dumps(cells | json.loads(record["extra_fields"] or "{}"), sort_keys=True)


def assert_all_rows(box: Sandbox, runs: Run | list[Run], streams: tuple[str, ...] = EXPORTS) -> None:
    """Check that an upserting target has exactly the sandbox's rows, twins counted."""
    for stream in streams:
        rows = box.vendor(NAME).rows(stream=stream)
        names = column_names(list(rows[0]))
        cells = ({name: cell for name, cell in zip(names, one.values(), strict=True) if cell} for one in rows)
        expected = Counter(json.dumps(one, sort_keys=True) for one in cells)
        assert Counter(row(record) for record in upserted(runs, stream).values()) == expected, stream


def asked(found: Run, method: str, part: str = "") -> list[Any]:
    return [one for one in found.requests if one.method == method and part in one.path]


def tokens(box: Sandbox) -> int:
    return int(box.vendor(NAME).tokens.issued.total())


def read(box: Sandbox, *streams: str, state: Any = None, clock: Ticking | None = None, **changes: Any) -> Run:
    given = config_of(box, NAME, **changes)
    select = catalog(given, [*(streams or (LOGS,)), "sync_windows"])
    return run(given, catalog=select, state=state, box=box, clock=clock)


def change(box: Sandbox, **options: Any) -> None:
    for account in box.vendor(NAME).accounts.values():
        account.options.update(options)


def warnings(found: Run, part: str) -> list[str]:
    return [line for line in found.lines("WARNING") if part in line]

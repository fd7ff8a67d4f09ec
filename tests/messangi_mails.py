"""What tests of Messangi's report by e-mail share: a vendor that sends mails, a mailbox, and a tap that looks there."""

from __future__ import annotations

from collections import Counter
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from general import config_of
from harness import catalog, run
from messangi_checks import REPORTS as STREAM
from outcome import upserted
from tap_emaillogs.formats import timestamps

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from harness import Ticking
    from outcome import Run
    from sandbox.messangi.mailbox import Mailbox
    from sandbox.server import Sandbox


class World:
    """A vendor that sends reports into a mailbox or a folder, and a tap that looks there; all by one clock."""

    def __init__(
        self, play: Callable[..., Sandbox], mailbox: Mailbox | None, clock: Ticking, folder: Path | None = None
    ) -> None:
        assert mailbox or folder
        self.play, self.clock = play, clock
        if mailbox:
            self.mailbox = mailbox
        if folder:
            self.folder = folder
        self._way = {"smtp": mailbox.smtp()} if mailbox else {"directory": str(folder)}
        self._place = {"mailbox": mailbox.config()} if mailbox else {"directory": str(folder)}

    def start(self, size: int = 120, **options: Any) -> Sandbox:
        given = {**self._way, **options}
        self.box = self.play(
            size=size, now=self.clock.now, live=False, vendors=["messangi"], options={"messangi": given}
        )
        self.post = self.box.vendor("messangi").post()
        return self.box

    def config(self, settings: dict[str, Any] | None = None, **report: Any) -> dict[str, Any]:
        if report.keys().isdisjoint({"directory", "mailbox"}):
            report = {**self._place, **report}
        asked = {"emails": ["reports@example.com"], "from": "billing@shop.example", "wait_minutes": 1, **report}
        return config_of(self.box, report=asked, **(settings or {}))

    def run(self, config: dict[str, Any], state: dict[str, Any] | None = None) -> Run:
        return run(
            config, state=state, catalog=catalog(config, [STREAM, "sync_windows"]), clock=self.clock, box=self.box
        )


def lines_of(box: Sandbox) -> Counter[tuple[str, ...]]:
    """Count the rows that the vendor knows, by what CSV and JSON have in common."""
    return Counter(
        (row["id"], row["status"], row["recipient"], row["subject"], row["date"])
        for row in box.vendor("messangi").rows()
    )


def assert_whole(box: Sandbox, found: Run | list[Run]) -> None:
    records = upserted(found, STREAM).values()
    have = Counter(
        (row["message_id"], row["status"], row["recipient"], row["subject"] or "", row["event_at"]) for row in records
    )
    assert have == lines_of(box)


def notes(found: Run) -> list[dict[str, Any]]:
    """Return the requests for reports that STATE holds."""
    parts = found.state.get("bookmarks", {}).get("sync_windows", {}).get("partitions", [])
    return [note for part in parts for note in part.get("notes", {}).get("reports", [])]


def forged(subject: str, table: str, *, sender: str, when: datetime, name: str = "report.csv") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, "reports@example.com", subject
    mail["Date"] = format_datetime(when)
    mail.set_content("Attached.\n")
    mail.add_attachment(table.encode(), maintype="text", subtype="csv", filename=name)
    return mail


def table(*moments: datetime) -> str:
    return "Message ID,Date,Status\n" + "".join(f"m{n},{timestamps.millis(at)},SENT\n" for n, at in enumerate(moments))

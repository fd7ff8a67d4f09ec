"""Messangi's report by e-mail: the CSV, the mail around it, and its way by SMTP or into a directory."""

from __future__ import annotations

import csv
import gzip
import io
import smtplib
import threading
import zipfile
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.base.strange import spoiled
from sandbox.messangi.log import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sandbox.base.faults import Fault
    from sandbox.messangi.log import Entry, Messages


class Post:
    """Sends the reports of one account; `sent` are those on their way or there, `held` those that wait."""

    def __init__(self, options: Mapping[str, Any], now: Callable[[], datetime]) -> None:
        self._options = options
        self._now = now
        self.requests: list[dict[str, Any]] = []
        """The bodies of all requests for a report, under the keys that the vendor's page suggests."""
        self.held: list[EmailMessage] = []
        self.sent: list[EmailMessage] = []
        self.failures: list[Exception] = []
        """What went wrong while a delayed report was sent."""

    def order(
        self, body: dict[str, Any], log: Messages, entries: list[Entry], minutes: int, fault: Fault | None = None
    ) -> None:
        """Write a report and send it at once, later, on `release()` or never, as the options say.

        A fault of the request for it may be in one of its rows.
        """
        number = len(self.requests)
        self.requests.append(body)
        mail = self._mail(body, spoiled(_csv(log, entries, minutes, self._options), fault))
        lost, delay = self._options["lost_reports"], self._options["report_delay"]
        if lost < 0 or number < lost:
            return
        if delay is None:
            self.held.append(mail)
        elif delay == 0:
            self._send(mail)
        else:
            timer = threading.Timer(delay, self._send_later, [mail])
            timer.daemon = True
            timer.start()

    def release(self) -> int:
        """Send every report that is held (`report_delay: None`); return how many."""
        held, self.held = self.held, []
        for mail in held:
            self._send(mail)
        return len(held)

    def _send_later(self, mail: EmailMessage) -> None:
        try:
            self._send(mail)
        except (OSError, smtplib.SMTPException) as error:
            self.failures.append(error)

    def _send(self, mail: EmailMessage) -> None:
        if smtp := self._options["smtp"]:
            with smtplib.SMTP(smtp["host"], smtp["port"], timeout=30) as client:
                client.send_message(mail)
        if directory := self._options["directory"]:
            path = Path(directory) / f"report-{len(self.sent):04d}.eml"
            path.with_suffix(".part").write_bytes(mail.as_bytes())
            path.with_suffix(".part").rename(path)
        self.sent.append(mail)

    def _mail(self, body: dict[str, Any], table: bytes) -> EmailMessage:
        place, ident = self._options["id_in"], body.get("id", "")
        mail = EmailMessage()
        mail["From"] = self._options["report_sender"]
        mail["To"] = ", ".join(body["emails"])
        mail["Date"] = format_datetime(self._now())
        mail["Message-ID"] = make_msgid(domain="messangi.example")
        mail["Subject"] = f"Messangi report {ident}" if place == "subject" else "Messangi: su reporte está listo"
        text = "Your report is attached. Trouble? https://messangi.example/download?do=not&follow=me\n"
        mail.set_content(f"{text}Report id: {ident}\n" if place == "body" else text)
        name = f"report-{ident}" if place == "filename" else "report"
        match self._options["attachment"]:
            case "csv.gz":
                mail.add_attachment(
                    gzip.compress(table, mtime=0), maintype="application", subtype="gzip", filename=f"{name}.csv.gz"
                )
            case "zip":
                packed = io.BytesIO()
                with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                    archive.writestr(f"{name}.csv", table)
                mail.add_attachment(packed.getvalue(), maintype="application", subtype="zip", filename=f"{name}.zip")
            case _:
                mail.add_attachment(table, maintype="text", subtype="csv", filename=f"{name}.csv")
        return mail


def _csv(log: Messages, entries: list[Entry], minutes: int, options: Mapping[str, Any]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=options["csv_delimiter"])
    writer.writerow([column for name, column in COLUMNS.items() if name not in options["hide_fields"]])
    writer.writerows(log.cells(entry, minutes) for entry in entries)
    return text.getvalue().encode(options["csv_encoding"])

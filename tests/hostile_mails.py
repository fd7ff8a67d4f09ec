"""Mails that no honest sender makes, each with a name, and random ones; all may lie beside an honest report."""

from __future__ import annotations

import base64
import gzip
import io
import random
import zipfile
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

SENDER = "no-reply@messangi.example"
_SPAN = "Message ID,Date,Status\n"


def zipped(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def mail(
    content: bytes = b"a,b\n1,2\n", *, when: datetime, name: str = "report.csv", subject: str = "Report"
) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, "reports@example.com", subject
    message["Date"] = format_datetime(when)
    message.set_content("Attached.\n")
    message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message


def headed(*lines: str, body: bytes = b"Hello.\r\n") -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def nested(depth: int, kind: str) -> bytes:
    if kind == "message":
        return b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Subject: inside\r\n\r\nHello.\r\n"
    head = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(depth)
    )
    return (
        head
        + b"Content-Type: text/csv\r\n\r\na,b\n1,2\n\r\n"
        + b"".join(b"--b%d--\r\n" % level for level in reversed(range(depth)))
    )


def tables(day: str) -> Iterator[tuple[str, bytes, str]]:
    """Yield (what it is, a file, its name); `day` lies in the time that is asked for."""
    row = f"m,{day},SENT\n".encode()
    head = _SPAN.encode()
    yield "60,000 equal names", zipped(("a.csv", b"date," + b"a," * 60_000 + b"\n" + row)), "a.zip"
    yield "a row wider than its header", zipped(("a.csv", head + row + b"," * 60_000 + b"\n")), "a.zip"
    yield "many rows that are wider", zipped(("a.csv", head + (row[:-1] + b"," * 400 + b"\n") * 500)), "a.zip"
    yield "a bomb", gzip.compress(head + row * 2_000_000, 9), "a.csv.gz"
    yield "a bomb of one line", zipped(("a.csv", head + b"x" * 30_000_000)), "a.zip"
    yield "a bomb of blanks", zipped(("a.csv", b"\n" * 30_000_000 + head + row)), "a.zip"
    yield "a quote without end", head + b'"' + (b"x" * 100 + b"\n") * 20_000, "a.csv"
    yield "quotes", head + b'"' * 500_000 + b"\n", "a.csv"
    yield "a zip in a zip", zipped(("a.csv", zipped(("b.csv", head + row)))), "a.zip"
    yield "2,000 members", zipped(*((f"{number}.csv", head + row) for number in range(2_000))), "a.zip"
    yield "a member with a path", zipped(("../../../etc/passwd.csv", head + row)), "a.zip"
    yield "NULs", head.replace(b",", b"\0,\0") + row + b"\0" * 100_000, "a.csv"
    yield "UTF-16 without its second half", (head + row).decode().encode("utf-16")[:-1], "a.csv"
    yield "a long date", head + b"m," + b"2026-02-27 " * 20_000 + b",SENT\n", "a.csv"
    yield "the calendar's edge", head + b"m,0001-01-01 00:00:00,SENT\nm,9999-12-31 23:59:59,SENT\n", "a.csv"
    yield "200,000 digits", head + b"m," + b"9" * 200_000 + b",SENT\n", "a.csv"
    yield "a gzip whose name is long", b"\x1f\x8b\x08\x08\0\0\0\0\0\0" + b"n" * 2_000_000, "a.csv.gz"
    yield "many small gzips", gzip.compress(b"") * 50_000, "a.csv.gz"
    yield "nothing", b"", "a.csv"
    yield "a cut zip", zipped(("a.csv", head + row))[:-9], "a.zip"


def mails(when: datetime, day: str) -> Iterator[tuple[str, bytes]]:
    """Yield (what it is, a mail)."""
    for what, content, name in tables(day):
        yield what, mail(content, when=when, name=name).as_bytes()
    date = f"Date: {format_datetime(when)}"
    sender = f"From: {SENDER}"
    mixed = 'Content-Type: multipart/mixed; boundary="b"'
    for depth in (30, 1_000, 20_000):
        yield f"{depth} parts inside of each other", headed(sender, date, body=b"")[:-2] + nested(depth, "multipart")
        yield f"{depth} mails inside of each other", headed(sender, date, body=b"")[:-2] + nested(depth, "message")
    part = b"--b\r\nContent-Type: text/csv; name=a.csv\r\n\r\na,b\n1,2\n\r\n"
    yield "5,000 parts", headed(sender, date, mixed, body=part * 5_000 + b"--b--\r\n")
    yield "no last boundary", headed(sender, date, mixed, body=part * 3)
    yield "only boundaries", headed(sender, date, mixed, body=b"--b\r\n" * 100_000)
    yield "a giant header line", headed(sender, date, "Subject: " + "x" * 3_000_000)
    yield "many header lines", headed(sender, date, *("X-Y: z" for _ in range(50_000)))
    yield "a header of semicolons", headed(sender, date, "Content-Type: text/csv" + ';"' * 60_000)
    yield "encoded words", headed(sender, date, "Subject: " + "=?a?q?" * 20_000)
    yield "Punycode", headed(sender, date, "Subject: =?punycode?q?" + "a" * 30_000 + "-" + "b" * 30_000 + "?=")
    yield "brackets", headed("From: " + "(" * 60_000, date)
    yield (
        "a charset that there is not",
        headed(sender, date, "Content-Type: text/plain; charset=no-such", body=b"\xff\xfe r" + b"0" * 24),
    )
    for charset in ("punycode", "idna", "utf-7", "unicode_escape", "zlib_codec", "rot13"):
        body = b"a" * 100_000 + b"-" + b"b" * 100_000
        yield f"the charset {charset}", headed(sender, date, f"Content-Type: text/plain; charset={charset}", body=body)
    encoded = ["Content-Type: text/csv; name=a.csv", "Content-Transfer-Encoding: base64"]
    yield "base64 that is none", headed(sender, date, *encoded, body=b"!?%&" * 50_000)
    yield "cut base64", headed(sender, date, *encoded, body=base64.encodebytes(b"a,b\n" * 900)[:-7])
    for day_ in ("Mon, 1 Jan 0001 00:00:00 +1400", "Fri, 31 Dec 9999 23:59:59 -1400", "x" * 50_000, "1" * 5_000):
        yield f"dated {day_[:20]}", headed(sender, f"Date: {day_}", "Subject: Report")
    disposition = "Content-Disposition: attachment; filename"
    for name in (
        '="../../../../etc/passwd.csv"',
        '="C:\\\\windows\\\\x.csv"',
        '="\x1b]0;title\x07\x1b[2J.csv"',
        "*0*=UTF-8''%1B%5B2J; filename*1*=%00.csv",
        "*0=a; filename*9999999999999999999999=b.csv",
        "*=punycode''" + "a" * 3_000 + "-b.csv",
        '="' + "a" * 300_000 + '.csv"',
        '="\udcff\udcfe.csv"',
    ):
        yield (
            f"a file{name[:20]!r}",
            headed(sender, date, "Subject: \x1b[31mred\u202e", disposition + name, body=b"a,b\n1,2\n"),
        )
    yield "no mail at all", b"\xff\xfe not a mail"
    yield "an empty one", b""
    yield "NULs only", b"\0" * 100_000
    yield "line ends only", b"\r\n" * 100_000


def mangled(original: bytes, seed: int) -> bytes:
    """Return a mail with random damage."""
    chance = random.Random(seed)
    raw = bytearray(original)
    for _ in range(chance.randint(1, 12)):
        place = chance.randrange(len(raw) + 1)
        other = chance.randrange(len(raw) + 1)
        match chance.randrange(6):
            case 0:
                raw[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del raw[place : place + chance.randint(1, 80)]
            case 2:
                raw[place:place] = raw[other : other + chance.randint(1, 400)]
            case 3:
                raw[place:place] = b"\r\n" * chance.randint(1, 3)
            case 4:
                raw[place:place] = chance.choice((b"--", b"=?", b'"', b"(", b"\0", b";", b"Content-Type: multipart/x"))
            case _:
                raw[place:place] = chance.randbytes(chance.randint(1, 40))
    return bytes(raw)

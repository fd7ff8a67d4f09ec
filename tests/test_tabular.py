"""Files of rows: every dialect, every packing, and nothing of a file that is not whole."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pyzipper

from sandbox.zeptomail.files import Shape, build
from tap_emaillogs.files.archives import BrokenFile, Limits, WrongPassword
from tap_emaillogs.files.tables import column_names, open_table
from tap_emaillogs.formats import dates
from tap_emaillogs.formats.names import snake_case

COLUMNS = ("From", "To", "Subject", "Status")
ROWS = [(f"a{number}@x.example", "b@x.example", f"Größe {number}", "delivered") for number in range(40)]
PASSWORD = "geheim"
SHAPES = [
    Shape(),
    Shape(encryption="zipcrypto"),
    Shape(encryption="none"),
    Shape(container="csv"),
    Shape(parts=3),
    Shape(bom=True),
    Shape(encoding="latin-1"),
    Shape(encoding="utf-16"),
    Shape(delimiter=";", newlines=True),
    Shape(delimiter="\t"),
    Shape(nul=True, newlines=True),
    Shape(wide=200, extra_column="Überraschung", colliding=True),
    Shape(member_prefix="../../etc/"),
]


def read(data: bytes, **arguments: Any) -> list[dict[str, str]]:
    return list(open_table(io.BytesIO(data), **{"password": PASSWORD, **arguments}).rows())


def csv_file(text: str, **arguments: Any) -> list[dict[str, str]]:
    return read(text.encode(), **arguments)


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize("broken", [b"\xff", b"\xed\xa0\xbd", b"\xc3"])
@pytest.mark.parametrize("place", [0, 39])
def test_a_broken_letter_changes_no_other(broken: bytes, place: int) -> None:
    """A cut or foreign byte is no sign that the whole file is in Latin-1."""
    lines = ["name,note", *(f"Größe {number},Zoë Ünal" for number in range(40))]
    data = [line.encode() for line in lines]
    data[place + 1] += broken
    rows = read(b"\n".join([*data, b""]))
    assert rows.pop(place)["note"].rstrip("\ufffd") == "Zoë Ünal"
    assert {row["note"] for row in rows} == {"Zoë Ünal"}
    assert all(row["name"].startswith("Größe ") for row in rows)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_gives_the_same_rows(shape: Shape) -> None:
    data = build(shape, "report", COLUMNS, ROWS, PASSWORD)
    table = open_table(io.BytesIO(data), password=PASSWORD)
    rows = list(table.rows())
    assert table.count == len(rows) == len(ROWS)
    assert list(table.rows()) == rows, "a table can be read twice"
    for row, (sender, to, subject, status) in zip(rows, ROWS, strict=True):
        assert (row["from"], row["to"], row["status"]) == (sender, to, status)
        assert row["subject"].startswith(subject)
        assert not any("\x00" in value for value in row.values())
    assert table.encrypted == (shape.container == "zip" and shape.encryption != "none")
    if shape.newlines:
        assert rows[0]["subject"].startswith('Größe 0\r\nsecond "line",\n third; line')
    if shape.wide:
        assert len(rows[0]) == shape.wide
        assert rows[0]["überraschung"] == "surprise"
        assert (rows[0]["from_2"], rows[0]["from_3"]) == ("first twin", "second twin")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_cut_file_gives_no_row_at_all(shape: Shape) -> None:
    data = build(shape, "report", COLUMNS, ROWS, PASSWORD)
    for kept in {0, 1, 3, 30, len(data) // 3, len(data) // 2, len(data) - 9, len(data) - 1}:
        with pytest.raises(BrokenFile):
            read(data[:kept], announced=len(data))


@pytest.mark.parametrize("shape", [one for one in SHAPES if one.container == "zip"], ids=str)
def test_a_damaged_zip_gives_all_rows_or_none(shape: Shape) -> None:
    data = build(shape, "report", COLUMNS, ROWS, PASSWORD)
    whole = read(data)
    for place in range(0, len(data), max(1, len(data) // 150)):
        damaged = bytearray(data)
        damaged[place] ^= 0x5A
        try:
            rows = read(bytes(damaged))
        except BrokenFile:
            continue
        assert rows == whole, f"byte {place}"


def test_bare_csv_is_whole_by_its_size_or_its_last_line_end() -> None:
    assert csv_file("a,b\n1,2\n") == [{"a": "1", "b": "2"}]
    assert csv_file("a,b\n1,2", announced=7) == [{"a": "1", "b": "2"}]
    for text, announced in (("a,b\n1,2", None), ("a,b\n1,2\n", 20), ("", None), ("\n \n", None), ('a,b\n1,"2\n', None)):
        with pytest.raises(BrokenFile):
            csv_file(text, announced=announced)


def test_gzip() -> None:
    data = gzip.compress(b"a;b\n1;2\n")
    assert read(data) == [{"a": "1", "b": "2"}]
    with pytest.raises(BrokenFile):
        read(data[:-4])


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp437"])
def test_a_password_with_other_letters(encoding: str) -> None:
    file = io.BytesIO()
    with pyzipper.AESZipFile(file, "w", encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword("Schlüssel".encode(encoding))
        archive.writestr("x.csv", "a\n1\n")
    assert read(file.getvalue(), password="Schlüssel") == [{"a": "1"}]


@pytest.mark.parametrize("encryption", ["aes", "zipcrypto"])
@pytest.mark.parametrize("password", [None, "", "wrong", "日本"])
def test_a_wrong_password(encryption: str, password: str | None) -> None:
    data = build(Shape(encryption=encryption), "report", COLUMNS, ROWS, PASSWORD)
    with pytest.raises(BrokenFile) as caught:
        read(data, password=password)
    if encryption == "aes":
        assert isinstance(caught.value, WrongPassword)
    assert PASSWORD not in str(caught.value)


def test_what_is_no_table_is_refused() -> None:
    for data in (b"<html><body>Sorry</body></html>\n", b'{"error": 1}\n', b"\x89PNG\r\n\x1a\n\x00\x01", b"PK\x05\x06"):
        with pytest.raises(BrokenFile):
            read(data)
    with pytest.raises(BrokenFile, match="empty"):
        read(zipped())
    with pytest.raises(BrokenFile, match="not known"):
        read(zipped(("x.csv", b"a\n1\n"), method=zipfile.ZIP_LZMA))


def test_bombs() -> None:
    small = Limits(harmless=1 << 20)
    bomb = build(Shape(bomb_bytes=4 << 20), "report", COLUMNS, ROWS, PASSWORD)
    with pytest.raises(BrokenFile, match="bomb"):
        read(bomb, limits=small)
    with pytest.raises(BrokenFile, match="bomb"):
        read(gzip.compress(b"a\n" + b"1\n" * 1_000_000), limits=small)
    with pytest.raises(BrokenFile, match="members"):
        read(zipped(*((f"{number}.csv", b"a\n1\n") for number in range(20))), limits=Limits(members=10))
    with pytest.raises(BrokenFile, match="bomb"):
        read(zipped(("x.csv", b"a\n" + b"12345\n" * 1000)), limits=Limits(unpacked=5000))
    with pytest.raises(BrokenFile, match="line without end"):
        read(zipped(("x.csv", b"a\n" + b"x" * (2 << 20))))
    with pytest.raises(BrokenFile, match="field without end"):
        read(zipped(("x.csv", b'a\n"' + (b"x" * (1 << 19) + b"\n") * 40)))


def test_other_files_in_a_zip_are_left_alone() -> None:
    data = zipped(("readme.txt", b"hello"), ("a.csv", b"x\n1\n"), ("__MACOSX/._a.csv", b"\x00"), ("d/B.CSV", b"x\n2\n"))
    table = open_table(io.BytesIO(data))
    assert [row["x"] for row in table.rows()] == ["1", "2"]
    assert table.ignored == 2
    assert read(zipped(("report", b"x\n1\n"))) == [{"x": "1"}]


def test_a_declared_size_is_a_limit() -> None:
    data = bytearray(zipped(("x.csv", b"a\n" + b"1\n" * 5000)))
    place = data.index(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<I", 100)
    with pytest.raises(BrokenFile):
        read(bytes(data))


def test_rows_that_do_not_fit_their_header() -> None:
    assert csv_file("a,b\n1\n1,2,3\n\n   \n,\n") == [{"a": "1"}, {"a": "1", "b": "2", "column_3": "3"}, {}]
    assert csv_file("only\n1\n2\n") == [{"only": "1"}, {"only": "2"}]
    assert csv_file("a,b\n", announced=4) == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_separator_is_found(delimiter: str) -> None:
    def line(*cells: str) -> str:
        return delimiter.join(cells) + "\n"

    wanted = [{"id": "1", "date": "2026-02-03 04:05:06", "status": "SENT"}, {"id": "2"}]
    body = line("1", "2026-02-03 04:05:06", "SENT") + line("2", "", "")
    assert csv_file(line("ID", "Date", "Status") + body) == wanted
    assert list(csv_file(line("ID", '"Date, time; zone | hour"', "Status") + body)[0].values()) == [*wanted[0].values()]
    trailing = line("1", "2026-02-03 04:05:06", "SENT", "") * 3  # one separator more than in the header
    assert csv_file(line("ID", "Date", "Status") + trailing) == [wanted[0]] * 3


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("Date (dd/mm/yyyy, hh:mm);Status\n2026-02-03 04:05;SENT\n", [("2026-02-03 04:05", "SENT")]),
        ("Name|Status\nDoe, Ann|SENT\nRoe, Jo|OPEN\n", [("Doe, Ann", "SENT"), ("Roe, Jo", "OPEN")]),
        ("Date, UTC|A|B\n1|2|3|\n", [("1", "2", "3")]),
        ("A|B,C|D\nx|1,2|y\n", [("x", "1,2", "y")]),
        ('A;"B,C,D,E,F"\n1;"2,3"\n', [("1", "2,3")]),
        ("only\n1;2|3\n", [("1;2|3",)]),
        ("a,b;c\n", []),
    ],
)
def test_the_separator_is_the_one_that_the_first_lines_fit(text: str, rows: list[tuple[str, ...]]) -> None:
    assert [tuple(row.values()) for row in csv_file(text)] == rows


def test_a_long_field_in_the_first_lines_is_read_on() -> None:
    inside = "x\n" * 200
    text = f'A|B\n1|"{inside}"\n2|y\n'
    assert csv_file(text) == [{"a": "1", "b": inside}, {"a": "2", "b": "y"}]


def test_a_table_tells_its_columns_and_parts() -> None:
    data = zipped(("a.csv", b"X,Y\n1,2\n"), ("b.csv", b"Y|Z\n3|4\n"), ("c.csv", b""))
    table = open_table(io.BytesIO(data))
    assert table.columns == ("x", "y", "z")
    assert [(part.columns, part.count) for part in table.parts()] == [(("x", "y"), 1), (("y", "z"), 1), ((), 0)]
    assert [list(part.rows()) for part in table.parts()][:2] == [[{"x": "1", "y": "2"}], [{"y": "3", "z": "4"}]]


def test_names() -> None:
    names = {
        "Mail Agent": "mail_agent",
        "mailAgentKey": "mail_agent_key",
        "IP Address": "ip_address",
        "messageID": "message_id",
        "HTTPStatus": "http_status",
        " dnd-Type ": "dnd_type",
        "from_2": "from_2",
        "Größe (KB)": "größe_kb",
    }
    assert {name: snake_case(name) for name in names} == names
    assert column_names(["A", "a", "", "a_2", "a", "%"]) == ["a", "a_2", "column_3", "a_2_2", "a_3", "column_6"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("19 Jul 2025 09:00 AM", "2025-07-19T07:00:00Z"),
        ("19 Jul 2025 12:30 am", "2025-07-18T22:30:00Z"),
        ("19/02/2025, 01:00 PM", "2025-02-19T12:00:00Z"),
        ("19/02/2025;10 AM", "2025-02-19T09:00:00Z"),
        ("Jul 19, 2025 21:05:07", "2025-07-19T19:05:07Z"),
        ("Sat, 19 July 2025 09:00:00 +0530", "2025-07-19T03:30:00Z"),
        ("19-Jul-2025 09:00", "2025-07-19T07:00:00Z"),
        ("2025/07/19 09:00", "2025-07-19T07:00:00Z"),
        ("2025-07-19T09:00:00.120Z", "2025-07-19T09:00:00.120Z"),
        ("2025-07-19 09:00", "2025-07-19T07:00:00Z"),
        ("1752915600", "2025-07-19T09:00:00Z"),
        ("1752915600123", "2025-07-19T09:00:00.123Z"),
        ("19 Jul 2025", "2025-07-18T22:00:00Z"),
        ("19 Jul 2025 13:00 PM", None),
        ("31 Feb 2025 09:00 AM", None),
        ("19 Foo 2025", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(text: str, moment: str | None) -> None:
    assert dates.utc_text(text, ZoneInfo("Europe/Berlin")) == moment

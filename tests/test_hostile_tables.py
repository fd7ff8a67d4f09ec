"""Tables that are made to hurt: refused, or read, in time that grows with their length and within bounded memory."""

from __future__ import annotations

import contextlib
import gzip
import io
import random
import tracemalloc
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hostile_mails import zipped
from tap_emaillogs.files.archives import BrokenFile, Limits, TooLong
from tap_emaillogs.files.tables import column_names, open_table

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = Limits(
    unpacked=1 << 22, ratio=100, harmless=1 << 20, members=20, columns=500, name=200, row=1 << 16, rows=5_000
)


def read(data: bytes, limits: Limits | None = None, **more: Any) -> list[dict[str, str]]:
    return list(open_table(io.BytesIO(data), announced=len(data), limits=limits, **more).rows())


@pytest.mark.parametrize("limits", [None, SMALL], ids=["download", "mail"])
@pytest.mark.parametrize(
    "text",
    [
        b"a," * 60_000 + b"\n1\n",
        b"a,b\n" + b"," * 60_000 + b"\n",
        b"a" * 600 + b",b\n1,2\n",
        b"a\n" + b"\n" * 200_000,
        b"\n" * 200_000 + b"a\n1\n",
        b'a\n"' + b"x" * 20 + b"\n" * (1 << 20),
    ],
    ids=["equal names", "a wide row", "a long name", "blanks", "blanks first", "a quote"],
)
def test_a_table_that_no_vendor_writes_is_refused(text: bytes, limits: Limits | None) -> None:
    with pytest.raises(BrokenFile):
        read(text, limits)


def test_rows_that_widen_the_table_keep_their_names() -> None:
    rows = read(b"a,column_3\n1,2,3\n1,2,3,4\n")
    assert rows == [
        {"a": "1", "column_3": "2", "column_3_2": "3"},
        {"a": "1", "column_3": "2", "column_3_2": "3", "column_4": "4"},
    ]


def test_names_are_numbered_as_ever() -> None:
    def slowly(header: list[str]) -> list[str]:
        names: list[str] = []
        for number, title in enumerate(header, 1):
            name = base = title or f"column_{number}"
            place = 1
            while name in names:
                place += 1
                name = f"{base}_{place}"
            names.append(name)
        return names

    chance = random.Random(1)
    for _ in range(300):
        header = chance.choices(("a", "b", "a_2", "a_3", "a_2_2", "", "column_2"), k=chance.randrange(20))
        assert column_names(header) == slowly(header)


@pytest.mark.thorough
def test_an_honest_table_that_is_too_long_is_told_from_a_bomb() -> None:
    chance = random.Random(1)
    rows = b"a,b\n" + b"".join(b"%x,%x\n" % (chance.getrandbits(64), chance.getrandbits(64)) for _ in range(40_000))
    for data in (gzip.compress(rows), zipped(("a.csv", rows))):
        with pytest.raises(TooLong):
            read(data, SMALL)
    with pytest.raises(TooLong, match="rows"):
        read(b"a\n" + b"1\n" * 6_000, SMALL)
    with pytest.raises(BrokenFile, match="bomb") as caught:
        read(gzip.compress(b"a\n" + b"1\n" * 1_000_000), replace(SMALL, rows=600_000))
    assert not isinstance(caught.value, TooLong)


def test_a_glance_reads_no_more_than_it_needs() -> None:
    data = zipped(("a.csv", b"a\n" + b"1\n" * 1_500_000))
    table = open_table(io.BytesIO(data), limits=Limits(), most=7)
    assert (table.count, len(list(table.rows()))) == (7, 7)


def test_gzip_of_any_shape() -> None:
    first, second = gzip.compress(b"a\n1\n"), gzip.compress(b"2\n")
    assert read(first + second) == [{"a": "1"}, {"a": "2"}]
    assert read(first + b"\0" * 600) == [{"a": "1"}]
    assert read(gzip.compress(b"") * 500 + first) == [{"a": "1"}]
    for data in (first + b"rubbish", first + second[:-3], first[:9], b"\x1f\x8b"):
        with pytest.raises(BrokenFile):
            read(data)
    with pytest.raises(BrokenFile, match="pieces"):
        read(gzip.compress(b"") * 100_001)
    chance = random.Random(2)
    for size in (1, 65_535, 65_536, 65_537, 300_000):
        text = b"a\n" + b"\n".join(b"%d" % chance.getrandbits(30) for _ in range(size // 10)) + b"\n"
        assert [row["a"] for row in read(gzip.compress(text))] == text.decode().split()[1:]


@pytest.mark.thorough
def test_a_long_line_costs_little_memory() -> None:
    data = zipped(("a.csv", b"a,b\n" + b"x" * (100 << 20)))
    tracemalloc.start()
    try:
        with pytest.raises(BrokenFile):
            read(data, Limits(ratio=10_000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20


@pytest.mark.parametrize("seed", range(40))
def test_random_files_are_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    text = bytearray(b"Message ID,Date,Status\n" + b"m1,2026-02-03,SENT\n" * 50)
    for _ in range(chance.randrange(40)):
        place = chance.randrange(len(text) + 1)
        text[place:place] = chance.choice((b'"', b"\n", b"\r", b",", b";", b"\0", b"\xff", b"\xef\xbb\xbf", b'"",'))
    for data in (bytes(text), gzip.compress(text), zipped(("a.csv", bytes(text)))):
        damaged = bytearray(data)
        if chance.random() < 0.5:
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        try:
            rows = read(bytes(damaged), SMALL)
        except BrokenFile:
            continue
        assert len(rows) <= 120


_LONG: dict[str, Callable[[int], bytes]] = {
    "names": lambda size: b"a," * min(size // 2, 3_900) + b"\n" + b"1\n" * (size // 2),
    "wide rows": lambda size: b"a\n" + (b"," * 3_000 + b"\n") * (size // 3_000),
    "quotes": lambda size: b'a,b\n"1","' + b'""' * (size // 2) + b'"\n',
    "fields of lines": lambda size: b'a\n"' + b"x\n" * (size // 2) + b'"\n',
    "separators": lambda size: b"a;b,c|d\te\n" + b";,|\t\n" * (size // 5),
    "a header of quotes": lambda size: b'"' * min(size, 1_000_000) + b"\n1\n",
    "gzip": lambda size: gzip.compress(b"a\n" + b"12345\n" * (size // 6), 1),
    "a gzip's name": lambda size: b"\x1f\x8b\x08\x08\0\0\0\0\0\0" + b"n" * (size * 10),
    "small gzips": lambda size: gzip.compress(b"") * (size // 100),
}


@pytest.mark.thorough
@pytest.mark.parametrize("what", _LONG)
def test_the_time_grows_with_the_length(what: str, measured: Callable[[Callable[[int], Any]], float]) -> None:
    def tried(size: int) -> None:
        with contextlib.suppress(BrokenFile):
            read(_LONG[what](size))

    assert measured(tried) <= 3


def test_a_zip_that_names_more_than_it_has() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(30):
            archive.writestr(f"{number}.csv", b"a\n1\n")
    with pytest.raises(BrokenFile, match="members"):
        read(file.getvalue(), SMALL)

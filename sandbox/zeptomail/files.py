"""The files that ZeptoMail's exports hand out: CSV in every dialect, in a zip of every kind."""

from __future__ import annotations

import csv
import io
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import pyzipper

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass(frozen=True)
class Shape:
    """How a file looks; every field is an option of the ZeptoMail vendor of the same name."""

    encryption: str = "aes"
    """aes, zipcrypto or none; without a password in the request the zip is plain whatever this says."""
    container: str = "zip"
    """zip, or csv: the bare file."""
    parts: int = 1
    """So many CSV files in one zip, each with a header."""
    encoding: str = "utf-8"
    bom: bool = False
    delimiter: str = ","
    newlines: bool = False
    """Line ends inside of quoted fields."""
    nul: bool = False
    """A NUL in a field."""
    wide: int = 0
    """Pad to so many columns."""
    extra_column: str = ""
    """The name of a column nobody expects."""
    colliding: bool = False
    """Two more columns whose snake case is that of `From`."""
    member_prefix: str = ""
    """Put before the names inside of the zip: `../../` for a path that leaves the directory."""
    bomb_bytes: int = 0
    """So many spaces after the last row: a ratio no report has."""


def dress(shape: Shape, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> tuple[list[str], Iterator[list[str]]]:
    """Add what the shape adds to the columns and to the values of each row."""
    head = list(columns)
    added: list[str] = []
    if shape.colliding:
        head += ["from", "FROM "]
        added += ["first twin", "second twin"]
    if shape.extra_column:
        head.append(shape.extra_column)
        added.append("surprise")
    padding = max(0, shape.wide - len(head))
    head += [f"Custom Field {number}" for number in range(1, padding + 1)]
    added += [str(number) for number in range(1, padding + 1)]

    def values() -> Iterator[list[str]]:
        subject = columns.index("Subject") if "Subject" in columns else len(columns) - 1
        for number, row in enumerate(rows):
            cells = list(row) + added
            if shape.newlines and number % 3 == 0:
                cells[subject] += '\r\nsecond "line",\n third; line'
            if shape.nul and number % 5 == 0:
                cells[subject] += "\0!"
            yield cells

    return head, values()


def build(shape: Shape, name: str, columns: Sequence[str], rows: Iterable[Sequence[str]], password: str) -> bytes:
    """Make the file of one export; rows are taken one by one, only the packed bytes are held."""
    head, values = dress(shape, columns, rows)
    target = io.BytesIO()
    if shape.container == "csv":
        _write_csv(target, shape, head, values)
    elif shape.encryption == "zipcrypto" and password:
        members = [(member, _csv_bytes(shape, head, part)) for member, part in _members(shape, name, values)]
        return zipcrypto(members, password.encode())
    else:
        with _archive(target, password if shape.encryption == "aes" else "") as archive:
            for member, part in _members(shape, name, values):
                with archive.open(member, "w") as file:
                    _write_csv(file, shape, head, part)
    return target.getvalue()


def _archive(target: IO[bytes], password: str) -> Any:
    if not password:
        return zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED)
    archive = pyzipper.AESZipFile(target, "w", compression=zipfile.ZIP_DEFLATED, encryption=pyzipper.WZ_AES)
    archive.setpassword(password.encode())
    return archive


def _members(shape: Shape, name: str, rows: Iterator[list[str]]) -> Iterator[tuple[str, Iterable[list[str]]]]:
    if shape.parts == 1:
        yield f"{shape.member_prefix}{name}.csv", rows
        return
    kept = list(rows)
    size = -(-len(kept) // shape.parts)
    for part in range(shape.parts):
        yield f"{shape.member_prefix}{name} {part + 1}.csv", kept[part * size : (part + 1) * size]


def _write_csv(target: IO[bytes], shape: Shape, head: list[str], rows: Iterable[list[str]]) -> None:
    text = io.TextIOWrapper(target, encoding=shape.encoding, errors="replace", newline="", write_through=False)
    if shape.bom:
        text.write("\ufeff")
    writer = csv.writer(text, delimiter=shape.delimiter)
    writer.writerow(head)
    writer.writerows(rows)
    left = shape.bomb_bytes
    while left > 0:
        left -= text.write(" " * min(left, 1 << 20))
    text.flush()
    text.detach()


def _csv_bytes(shape: Shape, head: list[str], rows: Iterable[list[str]]) -> bytes:
    buffer = io.BytesIO()
    _write_csv(buffer, shape, head, rows)
    return buffer.getvalue()


_CRC = [zlib.crc32(bytes([byte]), 0xFFFFFFFF) ^ 0xFFFFFFFF for byte in range(256)]


def zipcrypto(members: Iterable[tuple[str, bytes]], password: bytes) -> bytes:
    """Write a zip with the old encryption that pyzipper reads and cannot write (APPNOTE 6.1)."""
    body, directory, count = io.BytesIO(), io.BytesIO(), 0
    for member, content in members:
        checksum = zlib.crc32(content)
        deflate = zlib.compressobj(wbits=-15)
        packed = deflate.compress(content) + deflate.flush()
        data = _scramble(os.urandom(11) + bytes([checksum >> 24]) + packed, password)
        name = member.encode()
        common = struct.pack(
            "<HHHHHIIIHH", 20, 0x801, zipfile.ZIP_DEFLATED, 0, 0x21, checksum, len(data), len(content), len(name), 0
        )
        directory.write(b"PK\x01\x02" + struct.pack("<H", 20) + common)
        directory.write(struct.pack("<HHHII", 0, 0, 0, 0, body.tell()) + name)
        body.write(b"PK\x03\x04" + common + name + data)
        count += 1
    start = body.tell()
    body.write(directory.getvalue())
    body.write(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, directory.tell(), start, 0))
    return body.getvalue()


def _scramble(data: bytes, password: bytes) -> bytes:
    first, second, third = 0x12345678, 0x23456789, 0x34567890

    def turn(byte: int) -> None:
        nonlocal first, second, third
        first = (first >> 8) ^ _CRC[(first ^ byte) & 0xFF]
        second = ((second + (first & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        third = (third >> 8) ^ _CRC[(third ^ (second >> 24)) & 0xFF]

    for byte in password:
        turn(byte)
    out = bytearray()
    for byte in data:
        key = (third | 2) & 0xFFFF
        out.append(byte ^ (((key * (key ^ 1)) >> 8) & 0xFF))
        turn(byte)
    return bytes(out)

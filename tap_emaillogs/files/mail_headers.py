"""What the header of a mail, or of a part of it, says; any bytes may come.

The standard library understands it; here it is kept from what it cannot bear: long values, and charsets that are traps.
"""

from __future__ import annotations

import re
from email.errors import MessageError
from email.header import decode_header
from email.parser import BytesParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email.message import Message

LONGEST_VALUE = 1 << 12
"""Characters of a header line that are looked into; what the library does with them takes quadratic time."""
_CHARSETS = re.compile(
    r"(?i)utf-?8|us-ascii|ascii|iso-?8859-\d{1,2}|latin-?1|(?:windows|cp)-?12\d\d|koi8-[ru]|gbk|big5"
)
"""Those in which names and subjects are read; there are others that take quadratic time, such as Punycode."""
HEADER_FAULTS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, MessageError)
"""What the library raises on a malformed header."""


def parsed(header: bytes | bytearray) -> Message:
    """Read the lines of a header."""
    return BytesParser().parsebytes(bytes(header), headersonly=True)


def value(header: Message, name: str) -> str:
    """Return the first header line of a name, or its beginning where it is too long; empty: there is none."""
    try:
        return str(header.get(name, ""))[:LONGEST_VALUE]
    except HEADER_FAULTS:
        return ""


def content_type(header: Message) -> str:
    """Return the type that a header names, in lower case."""
    given = value(header, "Content-Type").partition(";")[0].strip().lower()
    return given if given.count("/") == 1 else "text/plain"


def words(text: str) -> str:
    """Decode the encoded words (`=?utf-8?Q?…?=`) of a header's value, as far as that is possible."""
    text = text[:LONGEST_VALUE]
    try:
        return "".join(
            piece if isinstance(piece, str) else piece.decode(_codec(charset), "replace")
            for piece, charset in decode_header(text)
        )
    except HEADER_FAULTS:
        return text


def _codec(charset: str | None) -> str:
    return charset if charset and _CHARSETS.fullmatch(charset) else "utf-8"


def file_name(header: Message) -> str:
    """Return the name of an attachment, however it is encoded (RFC 2047, RFC 2231); empty: it has none."""
    try:
        name = header.get_filename("") if _is_short(header) else ""
    except HEADER_FAULTS:
        return ""
    return words(str(name))


def boundary(header: Message) -> bytes | None:
    """Return what stands between the parts; None: the header does not say."""
    try:
        given = header.get_boundary() if _is_short(header) else None
    except HEADER_FAULTS:
        return None
    return None if given is None else given.encode("utf-8", "surrogateescape")


def _is_short(header: Message) -> bool:
    return all(len(str(header.get(name, ""))) <= LONGEST_VALUE for name in ("Content-Type", "Content-Disposition"))

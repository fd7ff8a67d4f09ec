"""In which encoding a text is written that does not say so."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

_PIECE = 1 << 16
_BROKEN = re.compile("\ufffd+")
_OTHER = re.compile(r"[^\x00-\x7f\ufffd]")


class Encoding(NamedTuple):
    """How bytes become text."""

    name: str
    errors: str = "strict"


def encodings(opener: Callable[[], BinaryIO]) -> Iterator[Encoding]:
    """Yield the encodings that a text may have, each to be tried when the one before it does not fit.

    A text in UTF-8 of which a few bytes are broken stays one: each of these becomes U+FFFD, and no other letter
    changes.
    """
    with opener() as start:
        marks = start.read(2)
    if marks in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        yield Encoding("utf-16")
        return
    yield Encoding("utf-8-sig")
    yield Encoding("utf-8-sig", "replace") if _is_mostly_utf8(opener) else Encoding("latin-1")


def _is_mostly_utf8(opener: Callable[[], BinaryIO]) -> bool:
    """Whether more letters beyond ASCII are whole in UTF-8 than places are broken: chance makes few of them whole."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    whole = broken = 0
    with opener() as file:
        while piece := file.read(_PIECE):
            text = decoder.decode(piece)
            broken += sum(1 for _ in _BROKEN.finditer(text))
            whole += sum(1 for _ in _OTHER.finditer(text))
    return whole > broken

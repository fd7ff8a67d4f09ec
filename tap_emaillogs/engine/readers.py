"""Which reader an endpoint has."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

from tap_emaillogs.engine.paged_reader import PagedReader
from tap_emaillogs.engine.walk import WalkReader

if TYPE_CHECKING:
    from tap_emaillogs.engine.reader import Reader
    from tap_emaillogs.streams.base import LogStream


def reader_of(stream: LogStream) -> Reader:
    """Return what reads a stream that is bound to an account: its own reader, or the one that its facts ask for."""
    kind: type[Reader] = PagedReader if stream.time_filter else WalkReader
    if stream.reader is not None:
        kind = resolve_name(stream.reader)
    return kind(stream)

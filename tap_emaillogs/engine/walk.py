"""Reading a log that cannot be asked for a range of time: one walk from its newest rows back to the oldest needed.

How many rows that takes is not known before, so they are packed into a file without a name once they are many.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from tap_emaillogs.engine.attempt import Attempt
from tap_emaillogs.engine.bounds import PageBounds
from tap_emaillogs.engine.paged_reader import ATTEMPTS, PagedReader
from tap_emaillogs.engine.reading import Outcome
from tap_emaillogs.http.errors import PageRefused, PagingLoop
from tap_emaillogs.streams.records import encode, twin_key
from tap_emaillogs.streams.twins import Counts, Ranks, identity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_emaillogs.engine.reading import Reading
    from tap_emaillogs.streams.prepared import PreparedRow
    from tap_emaillogs.streams.records import Record
    from tap_emaillogs.streams.window import Window

_IN_MEMORY = 8 << 20
"""Bytes of packed rows that are held in memory; from the next one on they are in a file."""


class WalkReader(PagedReader):
    """Reads the one window of a run; rows outside it are left out."""

    def read(self, reading: Reading) -> Outcome:
        """Walk through the log once, or again where the vendor loses the thread."""
        for number in range(1, ATTEMPTS + 1):
            rows = Rows(self.stream.twin_key)
            try:
                reason = self._walk(reading, rows, last_try=number == ATTEMPTS)
            except (PageRefused, PagingLoop):
                rows.close()
                if number == ATTEMPTS:
                    raise
            except BaseException:
                rows.close()
                raise
            else:
                return Outcome(rows, "truncated" if reason else "complete", reason=reason or None, close=rows.close)
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _walk(self, reading: Reading, rows: Rows, *, last_try: bool) -> str:
        """Add the window's rows; return why they may not be all, each once.

        Raises:
            PagingLoop: Pages shifted while they were read; not on the last try.
        """
        paginator = self.stream.get_new_paginator()
        # A token stands for a place between rows; a number of rows to skip shifts when others come.
        by_number, before, bounds = True, Attempt(self.mark), PageBounds.of(self.stream)
        while not paginator.finished:
            page = self.follow(reading, paginator)
            seen = paginator.count
            paginator.advance(page)
            if paginator.count == seen:
                continue
            by_number = by_number and page.token is None
            taken = self.take(reading, reading.window, page)
            if by_number and not self.stream.row_key:
                before.rows = []
                before.add(taken)
                if before.common and not last_try:
                    raise PagingLoop("a row came on two pages")
            rows.add(taken)
            if self._is_past(reading.window, page.rows):
                break
            first = taken[0].identity if taken else None
            if bounds.see(page, first, rows.count, page.total):
                break
            if page.capped:
                return f"the vendor shows no more than {rows.count} rows of this time"
        return "a row came on two pages" if before.common else ""

    def _is_past(self, window: Window, rows: Sequence[object]) -> bool:
        """Whether no row of the window can follow."""
        times = self.stream.times(rows)
        beyond = all(moment < window.start for moment in times)
        if self.stream.order == "oldest":
            beyond = all(moment >= window.end for moment in times)
        return self.stream.order is not None and bool(times) and len(times) == len(rows) and beyond


class Rows:
    """The packed rows of a walk, in their order, in bounded memory; iterating gives the records, as often as wanted.

    Args:
        key: The column for the key of rows that the vendor gives none; None: the vendor's own key tells them apart,
            and of a row that comes twice the first is kept.
    """

    def __init__(self, key: str | None) -> None:
        self.count = 0
        self._key = key
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, prefix="tap-emaillogs-")  # noqa: SIM115
        self._open = ExitStack()
        self._open.callback(self._file.close)
        self._seen: Counts = self._open.enter_context(Counts())
        self._ranks: Ranks = self._open.enter_context(Ranks())

    def add(self, rows: Sequence[PreparedRow]) -> None:
        """Add rows."""
        for row in rows:
            if row.beside:
                continue
            if self._key is not None:
                self._ranks.add(row.identity, row.order + b"\0" + identity_of(row.line))
            elif self._seen.place(identity_of(encode(row.identity))):
                continue
            self._file.write(row.line + b"\n")
            self.count += 1

    def __iter__(self) -> Iterator[Record]:
        self._file.seek(0)
        decode: Callable[[bytes], Record] = msgspec.json.decode
        if self._key is None:
            yield from map(decode, self._file)
            return
        for line, (identity, place) in zip(self._file, self._ranks, strict=True):
            yield {**decode(line), self._key: twin_key(identity, place)}

    def close(self) -> None:
        """Give memory and disk back."""
        self._open.close()

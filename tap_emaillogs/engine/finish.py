"""From the rows of a window to finished lines for everybody whom its endpoint feeds; done by the worker that read it.

Events are derived, personal data is hidden, the user's selection and maps are applied, and the lines are spooled: what
is left for the writer is to write them. Whatever goes wrong here is this endpoint's failure, and nobody else's.
"""

from __future__ import annotations

import copy
import threading
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk import Stream

from tap_emaillogs.engine.spool import Block, Spool
from tap_emaillogs.streams.records import Packed, digest, encode
from tap_emaillogs.streams.schemas import columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_emaillogs.engine.reading import Outcome
    from tap_emaillogs.engine.state import Bookmark
    from tap_emaillogs.privacy.plan import Privacy
    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.events import Derive, Deriving
    from tap_emaillogs.streams.output import RecordLines
    from tap_emaillogs.streams.records import Record
    from tap_emaillogs.streams.window import Window

_CHUNK = 512
"""So many rows are finished at once, and written between two looks at whether the run is ending."""
_decode_all = msgspec.json.Decoder(list[dict[str, Any]]).decode


@dataclass
class Consumer:
    """A stream that is fed by an endpoint: the raw stream itself, or `email_events`."""

    stream: Stream
    bookmark: Bookmark
    deriving: Deriving
    """What the consumer writes for the records of a window of the endpoint."""
    output: RecordLines
    """What makes lines of that."""
    remark: Callable[[Record], str | None] | None = None
    """Says what a record tells that the consumer makes nothing of."""
    note_remarks: Callable[[Mapping[str, int]], None] | None = None
    """Called with how often each remark was made, once the window is out."""


@dataclass
class Finished:
    """What is to be written of one window; to be closed."""

    rows: int = 0
    spool: Spool = field(default_factory=Spool)
    at_start: list[tuple[str, list[Block], str | None]] = field(default_factory=list)
    """Rows at the window's start, which the window before may have shown: (digest, lines, remark) of each."""
    at_end: set[str] = field(default_factory=set)
    """Digests of the rows at its end, which the next window may show again."""
    remarks: Counter[str] = field(default_factory=Counter)
    """How often what was remarked of the rows that are written."""

    def blocks(self, shown: set[str]) -> Iterator[Block]:
        """Yield all lines, without those of rows that were `shown` by the window before, and count the rows."""
        for mark, blocks, remark in self.at_start:
            if mark not in shown:
                self.rows += 1
                self.remarks.update([remark] if remark else [])
                yield from blocks
        yield from self.spool

    def close(self) -> None:
        """Give memory and disk back."""
        self.spool.close()


class Finisher:
    """Finishes the windows of one endpoint, one at a time."""

    def __init__(
        self,
        stream: LogStream,
        consumers: Sequence[Consumer],
        privacy: Privacy,
        check: Callable[[], None],
    ) -> None:
        self._stream, self._consumers, self._check = stream, consumers, check
        self._plan = privacy.plan(columns(type(stream)), *(columns(type(consumer.stream)) for consumer in consumers))
        self._lock = threading.Lock()
        self._remark = next((consumer.remark for consumer in consumers if consumer.remark), None)
        self._edges = bool(stream.time_columns) and stream.time_filter and not stream.exact_bounds
        clean = not (privacy.hides or self._edges)
        self._as_they_are = {
            place
            for place, consumer in enumerate(consumers)
            if clean and consumer.deriving is as_it_is and consumer.output.takes_lines
        }
        """Consumers that get records just as the reader encoded them."""

    def finish(self, window: Window, outcome: Outcome) -> Finished:
        """Finish the records of a window, which are gone after that.

        Raises:
            Abandoned: Nobody waits for the window any more.
            Stopped: The run is ending.
        """
        finished = Finished()
        try:
            with self._lock, ExitStack() as stack:
                derives = [stack.enter_context(consumer.deriving()) for consumer in self._consumers]
                for lines, records in _chunks(outcome.records):
                    self._check()
                    if lines is None:
                        self._add(finished, window, records, derives)
                        continue
                    for place in self._as_they_are:
                        finished.spool.add(Block(place, *self._consumers[place].output.of_lines(lines)))
                    if len(self._as_they_are) == len(derives):
                        finished.rows += len(lines)
                    else:
                        rest = [_nothing if place in self._as_they_are else one for place, one in enumerate(derives)]
                        self._add(finished, window, _decoded(lines), rest)
        except BaseException:
            finished.close()
            raise
        return finished

    def _add(
        self,
        finished: Finished,
        window: Window,
        records: Sequence[Record],
        derives: Sequence[Derive],
    ) -> None:
        usual: list[list[Record]] = [[] for _ in derives]
        for record in records:
            remark = self._remark(record) if self._remark else None  # before anything is hidden
            if not isinstance(remark, str | None):
                raise TypeError(f"a remark must be a text, not {type(remark).__name__}")
            derived = self._derived(record, derives)
            mark = self._mark(finished, window, record) if self._edges else None
            if mark is None:
                finished.rows += 1
                finished.remarks.update([remark] if remark else [])
                for place, items in enumerate(derived):
                    usual[place].extend(items)
            else:
                finished.at_start.append((mark, self._blocks(derived), remark))
        for block in self._blocks(usual):
            finished.spool.add(block)

    def _derived(self, record: Record, derives: Sequence[Derive]) -> list[list[Record]]:
        """Return what each consumer writes of a record, personal data hidden."""
        # All are derived before anything is hidden or left out.
        return self._plan.hide(record, [list(derive(record)) for derive in derives])

    def _blocks(self, derived: Sequence[list[Record]]) -> list[Block]:
        return [
            Block(place, *self._consumers[place].output.of_records(items))
            for place, items in enumerate(derived)
            if items
        ]

    def _mark(self, finished: Finished, window: Window, record: Record) -> str | None:
        """Return a digest of a row where the window before may have shown it; note it where the next one may."""
        moments = list(self._stream.moments_of(record))
        at_start = any(abs(moment - window.start) <= inexact for moment, inexact in moments)
        at_end = any(abs(moment - window.end) <= inexact for moment, inexact in moments)
        mark = digest(encode(record)) if at_start or at_end else ""
        if at_end:
            finished.at_end.add(mark)
        return mark if at_start else None


def _nothing(_: Record) -> Iterable[Record]:
    """Make nothing of a record: for a consumer that has it already."""
    return ()


@contextmanager
def as_it_is() -> Iterator[Derive]:
    """Make no other record of a record than itself: what a raw stream does in each window."""
    yield lambda record: (record,)


def processed_by(stream: LogStream) -> Deriving:
    """Return what makes a raw stream's records: what its `post_process` makes of them, where a subclass has one."""
    if type(stream).post_process is Stream.post_process:
        return as_it_is

    @contextmanager
    def window() -> Iterator[Derive]:
        def derive(record: Record) -> Iterable[Record]:
            made = stream.post_process(copy.deepcopy(record), {"account": record["account"]})
            return () if made is None else (made,)

        yield derive

    return window


def _chunks(records: Iterable[Record]) -> Iterator[tuple[list[bytes] | None, list[Record]]]:
    """Yield records in chunks, encoded where they are so already."""
    if isinstance(records, Packed):
        for lines in records.chunks(_CHUNK):
            yield lines, []
        return
    chunk: list[Record] = []
    for record in records:
        chunk.append(record)
        if len(chunk) >= _CHUNK:
            yield None, chunk
            chunk = []
    yield None, chunk


def _decoded(lines: Sequence[bytes]) -> list[Record]:
    return _decode_all(b"[" + b",".join(lines) + b"]")

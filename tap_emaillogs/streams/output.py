"""Finished lines: what becomes of a stream's records on their way to stdout.

Workers make blocks of whole lines, through the SDK's selection and stream maps where these change anything; the writer
only hands blocks on.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.batch import Batcher
from singer_sdk.contrib.msgspec import MsgSpecWriter, enc_hook
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib import Message, StateMessage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from singer_sdk import Stream
    from singer_sdk.helpers._batch import BatchConfig

    from tap_emaillogs.streams.records import Record

_FLUSH_BYTES = 1 << 18
_PIPE_BYTES = 1 << 16
"""What a pipe holds: handed over piece by piece, so that one can tell a slow reader from a dead one."""
_BATCH_RECORDS = 10_000
_encoder = msgspec.json.Encoder(enc_hook=enc_hook, decimal_format="number")
_decode = msgspec.json.Decoder().decode


class LineWriter(MsgSpecWriter):
    """Writes to stdout line by line, or in blocks of whole lines while `buffered`."""

    def __init__(self) -> None:
        super().__init__()
        self.buffered = False
        self.written = 0
        """Bytes so far."""
        self.taken = 0
        """Bytes that stdout has taken."""
        self._buffer = bytearray()

    def write_message(self, message: Message) -> None:
        """Write any message."""
        self.write_lines(encoded(message) + b"\n")
        if isinstance(message, StateMessage):
            self.flush()

    def write_lines(self, lines: bytes) -> None:
        """Write encoded messages, each with its line break."""
        self._buffer += lines
        self.written += len(lines)
        if not self.buffered or len(self._buffer) >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the reader of stdout."""
        left, self._buffer = memoryview(bytes(self._buffer)), bytearray()
        while left:  # unbuffered (PYTHONUNBUFFERED), stdout may take a part of it, or for a moment nothing
            taken = sys.stdout.buffer.write(left[:_PIPE_BYTES]) or 0
            left = left[taken:]
            self.taken += taken
        sys.stdout.buffer.flush()


def encoded(message: Message) -> bytes:
    """Return a message as one line, without its break."""
    return _encoder.encode(message.to_dict())


class RecordLines:
    """Records of a stream as plain JSON lines: what BATCH files and the SDK's own `Stream.sync` are made of."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    takes_lines = True
    """Whether a record that is encoded already is written as it is."""

    def of_lines(self, lines: Sequence[bytes]) -> tuple[bytes, int]:
        """Return the block of records already encoded, where `takes_lines`, and how many lines it has."""
        return b"".join(line + b"\n" for line in lines), len(lines)

    def of_records(self, records: Sequence[Record]) -> tuple[bytes, int]:
        """Return the block of these records, and how many lines it has."""
        return _encoder.encode_lines(records), len(records)


class RecordMessages(RecordLines):
    """Records of a stream as RECORD messages.

    Args:
        stream: The stream, whose selection and maps apply.
        extracted: What the messages say of when they were read.
    """

    def __init__(self, stream: Stream, extracted: datetime) -> None:
        super().__init__(stream)
        self._left_out = _left_out(stream)
        self.takes_lines = self._left_out == frozenset()
        self._lock = threading.Lock()
        version = {} if stream._stream_version is None else {"version": stream._stream_version}  # noqa: SLF001 - see `activate_version`
        shell = _encoder.encode(
            {"type": "RECORD", "stream": stream.name, "record": 0, **version, "time_extracted": extracted.isoformat()}
        )
        before, after = shell.split(b'"record":0')
        self._before, self._after = before + b'"record":', after + b"\n"

    def of_lines(self, lines: Sequence[bytes]) -> tuple[bytes, int]:
        """Return the block of records already encoded, where `takes_lines`, and how many lines it has."""
        between = self._after + self._before
        return self._before + between.join(lines) + self._after if lines else b"", len(lines)

    def of_records(self, records: Sequence[Record]) -> tuple[bytes, int]:
        """Return the block of these records, and how many lines it has."""
        if self._left_out is not None:
            if self._left_out:
                records = [{k: v for k, v in record.items() if k not in self._left_out} for record in records]
            return self.of_lines(_encoder.encode_lines(records).split(b"\n")[:-1])
        lines = [encoded(message) for message in self._mapped(records)]
        return b"".join(line + b"\n" for line in lines), len(lines)

    def _mapped(self, records: Iterable[Record]) -> list[Any]:
        # Stream maps keep what they compute with in themselves: one thread at a time.
        with self._lock:
            return [message for record in records for message in self.stream._generate_record_messages(record)]  # noqa: SLF001 - selection and maps live there


class MappedRecordLines(RecordMessages):
    """Records of a stream as JSON lines, after selection and maps: for BATCH files."""

    def __init__(self, stream: Stream, extracted: datetime) -> None:
        super().__init__(stream, extracted)
        self.takes_lines = False

    def of_records(self, records: Sequence[Record]) -> tuple[bytes, int]:
        """Return the block of these records, and how many lines it has."""
        mapped = [message.record for message in self._mapped(records)]
        return _encoder.encode_lines(mapped), len(mapped)


def activate_version(stream: Stream) -> None:
    """Say of a stream that is read whole that the records to come replace all others, where the SDK would."""
    if stream.replication_method == "FULL_TABLE" and stream.emit_activate_version_messages:
        stream._stream_version = stream._initialized_at // 1000  # noqa: SLF001 - `Stream.sync` does so
        stream._write_activate_version_message(stream._stream_version)  # noqa: SLF001 - likewise


def output_of(stream: Stream, extracted: datetime) -> RecordLines:
    """Return what makes lines of a stream's records in a run that began when `extracted` says."""
    kind = MappedRecordLines if stream.get_batch_config(stream.config) else RecordMessages
    return kind(stream, extracted)


class BatchFiles:
    """Gathers the records of a stream in BATCH files, of windows that are being written."""

    def __init__(self, stream: Stream, config: BatchConfig) -> None:
        self._stream, self._config = stream, config
        self._records: list[Record] = []

    def add(self, lines: bytes) -> None:
        """Add records, as lines of JSON."""
        self._records.extend(map(_decode, lines.splitlines()))
        if len(self._records) >= _BATCH_RECORDS:
            self.end_window()

    def end_window(self) -> None:
        """Write what is gathered to a file, and the message that names it."""
        if self._records:
            batcher = Batcher(self._stream.tap_name, self._stream.name, self._config)
            for manifest in batcher.get_batches(iter(self._records)):
                self._stream._write_batch_message(self._config.encoding, manifest)  # noqa: SLF001 - the SDK's affair
            self._records = []


def _left_out(stream: Stream) -> frozenset[str] | None:
    """Return the columns that the catalog leaves out; None: maps, flattening or nested selection change more."""
    maps: Any = stream.stream_maps
    same = len(maps) == 1 and type(maps[0]) is SameRecordTransform and not maps[0].flattening_enabled
    left_out = {path for path, selected in stream.mask.items() if not selected and path}
    columns = {path[1] for path in left_out if len(path) == 2}
    if not same or maps[0].stream_alias != stream.name or any(path[1] not in columns for path in left_out):
        return None
    shown: set[str] = set(stream.effective_schema.get("properties", ()))
    return frozenset(columns | (set(stream.schema["properties"]) - shown))

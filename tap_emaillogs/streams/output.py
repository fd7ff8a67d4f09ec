"""Writing Singer messages: whole lines, gathered in a buffer that each STATE flushes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.batch import Batcher
from singer_sdk.contrib.msgspec import MsgSpecWriter, enc_hook
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib import Message, StateMessage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from singer_sdk import Stream
    from singer_sdk.helpers._batch import BatchConfig

    from tap_emaillogs.streams.records import Record

_FLUSH_BYTES = 1 << 18
_BATCH_RECORDS = 10_000
_encode = msgspec.json.Encoder(enc_hook=enc_hook, decimal_format="number").encode


class LineWriter(MsgSpecWriter):
    """Writes to stdout line by line, or in blocks of whole lines while `buffered`."""

    def __init__(self) -> None:
        super().__init__()
        self.buffered = False
        self._buffer = bytearray()

    def write_message(self, message: Message) -> None:
        """Write any message."""
        self.write_line(_encode(message.to_dict()))
        if isinstance(message, StateMessage):
            self.flush()

    def write_line(self, line: bytes) -> None:
        """Write one encoded message."""
        self._buffer += line
        self._buffer += b"\n"
        if not self.buffered or len(self._buffer) >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the reader of stdout."""
        block, self._buffer = bytes(self._buffer), bytearray()
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()


class Emitter:
    """Writes the records of one stream, through the SDK's selection and stream maps where these change anything."""

    def __init__(self, stream: Stream, writer: LineWriter, extracted: datetime) -> None:
        self._stream, self._writer = stream, writer
        self._batch_config: BatchConfig | None = stream.get_batch_config(stream.config)
        self._batch: list[Record] = []
        self.plain = self._batch_config is None and _unchanged(stream)
        """Whether records are written just as they are."""
        shell = _encode({"type": "RECORD", "stream": stream.name, "record": 0, "time_extracted": extracted.isoformat()})
        self._before, self._after = (
            part + mark for part, mark in zip(shell.split(b'"record":0'), (b'"record":', b""), strict=True)
        )

    def write_encoded(self, lines: Iterable[bytes]) -> None:
        """Write records that are JSON already, where records are `plain`."""
        for line in lines:
            self._writer.write_line(self._before + line + self._after)

    def write(self, record: Record) -> None:
        """Write a record that has the stream's schema already."""
        if self.plain:
            self._writer.write_line(self._before + _encode(record) + self._after)
            return
        for mapped in self._stream._generate_record_messages(record):  # noqa: SLF001 - selection and maps live there
            if self._batch_config is None:
                self._writer.write_message(mapped)
            else:
                self._batch.append(mapped.record)
        if len(self._batch) >= _BATCH_RECORDS:
            self.end_window()

    def write_all(self, records: Iterable[Record]) -> None:
        """Write records."""
        for record in records:
            self.write(record)

    def end_window(self) -> None:
        """Hand out the batch file of a window, where batches are configured."""
        if self._batch and self._batch_config is not None:
            batcher = Batcher(self._stream.tap_name, self._stream.name, self._batch_config)
            for manifest in batcher.get_batches(iter(self._batch)):
                self._stream._write_batch_message(self._batch_config.encoding, manifest)  # noqa: SLF001 - likewise
            self._batch = []


def _unchanged(stream: Stream) -> bool:
    """Whether neither selection, nor maps, nor flattening touch the stream's records."""
    maps: Any = stream.stream_maps
    same = len(maps) == 1 and type(maps[0]) is SameRecordTransform and not maps[0].flattening_enabled
    whole = set(stream.effective_schema.get("properties", ())) == set(stream.schema["properties"])
    return same and whole and maps[0].stream_alias == stream.name and all(stream.mask.values())

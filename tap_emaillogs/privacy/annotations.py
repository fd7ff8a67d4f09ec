"""What each text of a stream holds, as its schema says: `{"type": "string", "x-holds": "recipient"}`.

Every text of `schemas/*.json` says it, at every depth, items of arrays and objects without declared fields included;
dates need not. `MEANINGS` is the whole vocabulary. Privacy follows from these words alone, never from a column's name.
They are written neither into SCHEMA messages nor into catalogs.

Where no page of the vendor names the columns, nobody knows whose address they hold: such a schema has `text` where a
documented one has `sender`, and neither it nor the events made of it keep any address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

HOLDS = "x-holds"
MEANINGS = {
    "recipient": "Addresses of recipients, with or without their names. Hidden as a whole; in a primary key hashed.",
    "recipient_domain": "The domain of a recipient. Kept, but under `privacy.recipient: drop`.",
    "sender": "An address of the sending side. Kept, but for what the record's other columns hide.",
    "subject": "A subject. Hidden as a whole.",
    "body": "The body of a mail. Hidden as a whole.",
    "reader_ip": "An IP address of the recipient's side. Hidden as a whole.",
    "reader": "What tells of the recipient's side (client, link, place): a text, or an object whose fields no schema "
    "declares. Cleared like `text`, and of every IP address.",
    "headers": "Headers of a mail: a text of lines, or an object. Those that name recipients and subjects are hidden.",
    "undeclared": "A JSON object, written as text, of fields that no schema declares. Cleared by the names of "
    "its keys.",
    "text": "Any other text of the vendor, its own ids and hosts included. Cleared of every address, and of all that "
    "the record's other columns hide; the IP addresses of servers stay.",
    "event_text": "Like `text`; but where the record's `event_type` is the recipient's doing (opened, clicked, "
    "complained, …), the IP addresses in it are his.",
    "word": "A word of the vendor's vocabulary. Like `text`, but a subject that is such a word hides nothing here.",
    "id": "An id that may look like an address, as a Message-ID does. Kept, but for this record's recipients in it.",
    "none": "Nothing of a person: what the tap itself writes.",
}
"""What `x-holds` may say, and what becomes of it."""
_OF_OBJECTS = frozenset({"recipient", "reader", "headers", "text", "none"})


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a stream, as far as privacy must know them: its annotated schema and its primary key."""

    stream: str
    schema: Mapping[str, Any]
    keys: Collection[str]


def kind_of(spec: Mapping[str, Any]) -> str:
    """Return a property's one type beside null; of a text that is a date, `date-time`."""
    types = [spec["type"]] if isinstance(spec["type"], str) else spec["type"]
    kind: str = next(name for name in types if name != "null")
    return "date-time" if kind == "string" and spec.get("format") == "date-time" else kind


def items_of(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an array holds; one that does not say is of free objects, and is annotated itself."""
    return spec.get("items") or {"type": "object", HOLDS: spec.get(HOLDS)}


def word_of(spec: Mapping[str, Any], path: str) -> str:
    """Return what a text or a free object holds.

    Raises:
        ValueError: It does not say, or has a word that `MEANINGS` has not: rather no run than a leak.
    """
    word, known = spec.get(HOLDS), MEANINGS if kind_of(spec) == "string" else _OF_OBJECTS
    if word not in known:
        raise ValueError(f"{path}: {HOLDS!r} must be one of {', '.join(sorted(known))}; it is {word!r}")
    return str(word)


def words_of(columns: Columns) -> Iterator[tuple[str, str]]:
    """Yield (path, what it holds) for every text and free object of a stream, `opens[].country` for example.

    Raises:
        ValueError: One of them does not say what it holds.
    """

    def below(path: str, spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        kind = kind_of(spec)
        if kind == "array":
            yield from below(f"{path}[]", items_of(spec))
        elif kind == "object" and spec.get("properties"):
            for name, inner in spec["properties"].items():
                yield from below(f"{path}.{name}", inner)
        elif kind in {"string", "object"}:
            yield path, word_of(spec, f"{columns.stream}: {path}")

    for name, spec in columns.schema["properties"].items():
        yield from below(name, spec)


def recipient_keys(columns: Columns) -> list[str]:
    """Return the columns of the primary key that hold a recipient: these are always hashed, never cut."""
    properties = columns.schema["properties"]
    return sorted(name for name in columns.keys if properties.get(name, {}).get(HOLDS) == "recipient")


def without_annotations(schema: Any) -> Any:
    """Return a copy of a schema, or of a part of one, as the outside sees it."""
    if isinstance(schema, dict):
        return {key: without_annotations(item) for key, item in schema.items() if key != HOLDS}
    return [without_annotations(item) for item in schema] if isinstance(schema, list) else schema

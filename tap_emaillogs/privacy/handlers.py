"""What is done with the value of each column, from what its schema says that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tap_emaillogs.privacy.annotations import HOLDS, items_of, kind_of, word_of, words_of
from tap_emaillogs.privacy.undeclared import UndeclaredFields, add_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_emaillogs.privacy.annotations import Columns
    from tap_emaillogs.privacy.hiding import Hider
    from tap_emaillogs.privacy.personal import PersonalValues

    Handler = Callable[[Any, PersonalValues], Any]
    """Turns a value that is not null into what may be written."""


class Column(NamedTuple):
    """A column of a stream."""

    word: str
    """What a plain text holds: a word of `MEANINGS`, or `recipient_key` and `key` for what is in the primary key."""
    handler: Handler | None
    """None: it is written as it is."""
    shows: list[tuple[str, tuple[str, ...]]]
    """What it shows of persons further down: (word, way of keys)."""


class Handlers:
    """Makes the handlers of a stream's columns; its records are made of rows of `raw`."""

    def __init__(self, columns: Columns, raw: Columns, hider: Hider) -> None:
        self._columns, self._hider, self._undeclared = columns, hider, UndeclaredFields(hider)
        # Where the raw stream has no column for a sender, nobody knows whose address its events have as the sender's.
        self._senders_known = any(word == "sender" for _, word in words_of(raw))
        self._by_word = self._by_words()

    def column(self, name: str, spec: Mapping[str, Any]) -> Column:
        """Return what is done with one column."""
        shows: list[tuple[str, tuple[str, ...]]] = []
        handler = self._handler((name,), spec, shows)
        return Column(self._word((name,), spec) if kind_of(spec) == "string" else "", handler, shows)

    def undeclared(self, name: str, value: Any, known: PersonalValues) -> Any:
        """Clear a column that the schema does not have; a setting declares it."""
        return self._undeclared.clear(value, known, name)

    def _word(self, path: tuple[str, ...], spec: Mapping[str, Any]) -> str:
        word = word_of(spec, f"{self._columns.stream}: {'.'.join(path)}")
        if word == "sender" and not self._senders_known:
            word = "text"
        if len(path) == 1 and path[0] in self._columns.keys:
            return {**dict.fromkeys(("id", "text", "word", "sender"), "key"), "recipient": "recipient_key"}.get(
                word, word
            )
        return word

    def _handler(
        self, path: tuple[str, ...], spec: Mapping[str, Any], shows: list[tuple[str, tuple[str, ...]]]
    ) -> Handler | None:
        kind = kind_of(spec)
        if kind == "array":
            return self._array(path, items_of(spec), shows)
        if kind == "object" and spec.get("properties"):
            found = {name: self._handler((*path, name), inner, shows) for name, inner in spec["properties"].items()}
            return _object({name: handler for name, handler in found.items() if handler is not None})
        if kind not in {"string", "object"}:
            return None
        word = self._word(path, spec)
        shows.append((word, path[1:]))
        return self._by_word[word] if kind == "string" else self._free_object(word)

    def _array(
        self, path: tuple[str, ...], items: Mapping[str, Any], shows: list[tuple[str, tuple[str, ...]]]
    ) -> Handler | None:
        handler = self._handler(path, items, shows)
        if handler is None:
            return None
        if items.get(HOLDS) == "recipient" and self._hider.recipient == "drop":
            return lambda _value, _known: None
        return lambda value, known: [None if item is None else handler(item, known) for item in value]

    def _free_object(self, word: str) -> Handler | None:
        undeclared = self._undeclared
        if word == "recipient":
            return (lambda value, _: undeclared.recipient(value)) if self._hider.recipients_hidden else None
        return None if word == "none" else lambda value, known: undeclared.clear(value, known, ips=word == "reader")

    def _by_words(self) -> dict[str, Handler | None]:
        hider, undeclared = self._hider, self._undeclared

        def text(value: str, known: PersonalValues) -> str | None:
            return undeclared.json(value, known, ips=False) if value[:1] in {"{", "["} else hider.text(value, known)

        return {
            "recipient": (lambda value, _: hider.hide_recipients(value)) if hider.recipients_hidden else None,
            "recipient_key": (lambda value, _: hider.hash_recipients(value)) if hider.recipients_hidden else None,
            "recipient_domain": (lambda _value, _known: None) if hider.recipient == "drop" else None,
            "sender": hider.sender,
            "subject": (lambda value, _: hider.hide_subject(value)) if hider.subject_hidden else hider.text,
            "body": (lambda _value, _known: None) if hider.body_hidden else hider.text,
            "reader_ip": lambda value, known: undeclared.clear(value, known, "ip"),
            "reader": undeclared.clear,
            "headers": hider.text,
            "undeclared": undeclared.json,
            "text": text,
            "event_text": text,
            "word": lambda value, known: hider.text(value, known, words=True),
            "id": hider.identifier,
            "key": hider.only_known if hider.recipients_hidden else None,
            "none": None,
        }


def _object(handlers: Mapping[str, Handler]) -> Handler | None:
    if not handlers:
        return None
    return lambda value, known: {
        key: handlers[key](item, known) if item is not None and key in handlers else item for key, item in value.items()
    }


def add_texts_below(value: Any, way: tuple[str, ...], found: list[str]) -> None:
    """Add every string at the end of a way of keys; lists on the way are gone through."""
    if not way or isinstance(value, str):
        add_texts(value, found)
    elif isinstance(value, list):
        for item in value:
            add_texts_below(item, way, found)
    elif isinstance(value, dict):
        add_texts_below(value.get(way[0]), way[1:], found)

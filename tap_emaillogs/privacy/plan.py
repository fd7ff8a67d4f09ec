"""How the records of one endpoint are cleared: a plan made once from the annotations of its streams' schemas.

A record is read for what it hides, then it and the events made of it are cleared of that. What becomes of each kind
of column is in `annotations.MEANINGS`.

Most texts hold nothing to be hidden, so those of a record are searched as one (`Hider.may_change`), and only where
something is found does each column go through its handler.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from tap_emaillogs.formats import addresses
from tap_emaillogs.privacy.annotations import HOLDS, items_of, kind_of, word_of, words_of
from tap_emaillogs.privacy.hiding import Hider
from tap_emaillogs.privacy.personal import PersonalValues
from tap_emaillogs.privacy.replacing import cached
from tap_emaillogs.privacy.undeclared import UndeclaredFields, reader_texts, texts_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_emaillogs.privacy.annotations import Columns

    Record = dict[str, Any]
    Handler = Callable[[Any, PersonalValues], Any]
    """Turns a value that is not null into what may be written."""

_BY_READER = frozenset({"opened", "clicked", "complained", "unsubscribed", "subscribed"})
"""Values of `event_type` that are the recipient's doing."""
_SEARCHED = frozenset({"text", "event_text", "word", "reader"})
_ips_in = cached(addresses.ip_addresses)


class Privacy:
    """The `privacy` setting: makes the plans by which records are cleared."""

    hides: ClassVar[bool] = False
    """Whether anything is hidden at all."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Privacy:
        """Read the configuration."""
        privacy = config.get("privacy") or {}
        hidden = any(privacy.get(name, "keep") != "keep" for name in ("recipient", "subject", "body", "ip"))
        return _Hiding(Hider(privacy)) if hidden else cls()

    def plan(self, raw: Columns, *consumers: Columns) -> Plan:  # noqa: ARG002 - nothing is hidden
        """Return how records of the raw stream are cleared, and what each consumer makes of them."""
        return Plan()


class Plan:
    """Clears a raw record and what was made of it; any number of threads may use one. This one hides nothing."""

    def hide(self, record: Record, derived: Sequence[Iterable[Record]]) -> list[list[Record]]:  # noqa: ARG002 - likewise
        """Return what may be written of `derived`: for each consumer its records, of which `record` may be one.

        The records given stay as they are.
        """
        return [list(records) for records in derived]


class _Hiding(Privacy):
    hides = True

    def __init__(self, hider: Hider) -> None:
        self._plans = cache(lambda raw, *consumers: _HidingPlan(hider, raw, consumers))

    def plan(self, raw: Columns, *consumers: Columns) -> Plan:
        return self._plans(raw, *consumers)


class _HidingPlan(Plan):
    def __init__(self, hider: Hider, raw: Columns, consumers: Sequence[Columns]) -> None:
        streams = {columns: _StreamPlan(columns, raw, hider) for columns in (raw, *consumers)}
        self._raw = streams[raw]
        self._consumers = [streams[columns] for columns in consumers]

    def hide(self, record: Record, derived: Sequence[Iterable[Record]]) -> list[list[Record]]:
        shown = self._raw.known(record)
        cleared = []
        for plan, records in zip(self._consumers, derived, strict=True):
            found = []
            for one in records:
                known = shown
                if one is not record:
                    known = plan.known(one)
                    known.add(shown)
                found.append(plan.clear(one, known))
            cleared.append(found)
        return cleared


class _StreamPlan:
    """How the records of one stream are cleared that were made of rows of the stream `raw`."""

    def __init__(self, columns: Columns, raw: Columns, hider: Hider) -> None:
        self._hider, self._undeclared = hider, UndeclaredFields(hider)
        self._columns = columns
        # Where the raw stream has no column of a sender, whose address its events have as the sender's nobody knows.
        self._senders_known = "sender" in dict(words_of(raw)).values()
        self._shown: dict[str, list[tuple[str, tuple[str, ...]]]] = {
            word: [] for word in ("recipient", "subject", "body", "reader", "undeclared", "event_text")
        }
        """By what they hold: the columns, and the way down from each, in which a record shows what it hides."""
        properties = columns.schema["properties"]
        found = {name: self._handler((name,), spec) for name, spec in properties.items()}
        self._handlers = {name: handler for name, handler in found.items() if handler is not None}
        self._declared = frozenset(found)
        texts = {name: self._word((name,), properties[name]) for name in found if kind_of(properties[name]) == "string"}
        self._searched = [name for name in self._handlers if texts.get(name) in _SEARCHED]
        self._ids = [name for name in self._handlers if texts.get(name) == "id"]
        self._kept = [name for name in self._handlers if texts.get(name) in {"sender", "key"}]
        apart = {*self._searched, *self._ids, *self._kept}
        self._always = [(name, handler) for name, handler in self._handlers.items() if name not in apart]

    # Clearing.

    def clear(self, record: Record, known: PersonalValues) -> Record:
        """Return a copy without what is to be hidden."""
        result, get = dict(record), record.get
        for name, handler in self._always:
            value = get(name)
            if value is not None:
                result[name] = handler(value, known)
        texts = "\0".join(["", *filter(None, map(get, self._searched))])
        if texts and ("\0{" in texts or "\0[" in texts or self._hider.may_change(texts, known)):
            self._clear_each(self._searched, record, result, known)
        ids = "\0".join(filter(None, map(get, self._ids)))
        kept = "\0".join([ids, *filter(None, map(get, self._kept))])
        if " " in ids or known.may_be_in_ids(kept):
            self._clear_each(self._ids + self._kept, record, result, known)
        if not self._declared.issuperset(record):
            for name in record.keys() - self._declared:  # columns that a setting adds
                result[name] = self._undeclared.clear(record[name], known, name)
        return result

    def _clear_each(self, names: Iterable[str], record: Record, result: Record, known: PersonalValues) -> None:
        for name in names:
            value = record.get(name)
            if value is not None:
                result[name] = self._handlers[name](value, known)

    # What a record shows, to be hidden in all its columns.

    def known(self, record: Record) -> PersonalValues:
        """Gather what the record hides."""
        known, hider = PersonalValues(), self._hider
        if hider.recipients_hidden:
            for text in self._texts(record, "recipient"):
                found = hider.recipients_in(text)
                known.recipients |= found.bare
                known.texts |= found.names
        if hider.subject_hidden:
            for text in self._texts(record, "subject"):
                if text:
                    known.texts[text] = hider.hide_subject(text) or ""
        if hider.body_hidden:
            known.texts.update((text, "") for text in self._texts(record, "body") if text)
        if hider.ip_hidden:
            texts = self._texts(record, "reader")
            if record.get("event_type") in _BY_READER:
                texts += self._texts(record, "event_text")
            for extra in self._texts(record, "undeclared"):
                texts += reader_texts(extra)
            known.ips.update((ip, None) for text in texts for ip in _ips_in(text))
        return known

    def _texts(self, record: Record, word: str) -> list[str]:
        found: list[str] = []
        for name, way in self._shown[word]:
            value = record.get(name)
            if isinstance(value, str):
                found.append(value)
            elif value is not None:
                found += _texts_below(value, way)
        return found

    # Making the plan.

    def _word(self, path: Sequence[str], spec: Mapping[str, Any]) -> str:
        """Return what a text holds, for this plan."""
        word = word_of(spec, f"{self._columns.stream}: {'.'.join(path)}")
        if word == "sender" and not self._senders_known:
            return "text"
        in_key = len(path) == 1 and path[0] in self._columns.keys
        return "key" if in_key and word in {"id", "text", "word", "sender"} else word

    def _handler(self, path: tuple[str, ...], spec: Mapping[str, Any]) -> Handler | None:
        kind = kind_of(spec)
        if kind == "array":
            return self._array(path, items_of(spec))
        if kind == "object" and spec.get("properties"):
            return self._object(path, spec["properties"])
        if kind not in {"string", "object"}:
            return None
        word = self._word(path, spec)
        shown = "reader" if word == "reader_ip" else word
        if shown in self._shown:
            self._shown[shown].append((path[0], path[1:]))
        return self._free_object(word) if kind == "object" else self._text(word, path)

    def _array(self, path: tuple[str, ...], items: Mapping[str, Any]) -> Handler | None:
        handler = self._handler(path, items)
        if handler is None:
            return None
        if items.get(HOLDS) == "recipient" and self._hider.recipient == "drop":
            return lambda _value, _known: None
        return lambda value, known: [None if item is None else handler(item, known) for item in value]

    def _object(self, path: tuple[str, ...], properties: Mapping[str, Any]) -> Handler | None:
        found = {name: self._handler((*path, name), spec) for name, spec in properties.items()}
        handlers = {name: handler for name, handler in found.items() if handler is not None}
        if not handlers:
            return None
        return lambda value, known: {
            key: handlers[key](item, known) if item is not None and key in handlers else item
            for key, item in value.items()
        }

    def _free_object(self, word: str) -> Handler | None:
        clear, hider = self._undeclared.clear, self._hider
        if word == "recipient":
            return (lambda value, _: self._undeclared.recipient(value)) if hider.recipients_hidden else None
        return None if word == "none" else lambda value, known: clear(value, known, ips=word == "reader")

    def _text(self, word: str, path: tuple[str, ...]) -> Handler | None:
        hider, undeclared = self._hider, self._undeclared
        hashed = len(path) == 1 and path[0] in self._columns.keys

        def text(value: str, known: PersonalValues) -> str | None:
            if value[:1] in {"{", "["}:
                return undeclared.json(value, known, ips=False)
            return hider.text(value, known)

        handlers: dict[str, Handler | None] = {
            "recipient": (lambda value, _: hider.hide_recipients(value, hashed)) if hider.recipients_hidden else None,
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
        return handlers[word]


def _texts_below(value: Any, way: Sequence[str]) -> Iterator[str]:
    """Yield every string at the end of a way of keys; lists on the way are gone through."""
    if not way or isinstance(value, str):
        yield from texts_in(value)
    elif isinstance(value, list):
        for item in value:
            yield from _texts_below(item, way)
    elif isinstance(value, dict):
        yield from _texts_below(value.get(way[0]), way[1:])

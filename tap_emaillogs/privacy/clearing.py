"""Clearing the records of one stream of what they, and the record that they were made of, hide.

Most texts hold nothing to be hidden. So those of a record are searched as one, and only where something may be found
does each go through its handler.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats.caching import CACHED_LENGTH
from tap_emaillogs.privacy.handlers import Handlers, add_texts_below
from tap_emaillogs.privacy.hiding import ips_in
from tap_emaillogs.privacy.personal import NOTHING, PersonalValues
from tap_emaillogs.privacy.undeclared import add_reader_texts, add_subjects

if TYPE_CHECKING:
    from tap_emaillogs.privacy.annotations import Columns
    from tap_emaillogs.privacy.hiding import Hider

    Record = dict[str, Any]
    Values = tuple[Any, ...]
    """The values of a record's declared columns, group by group."""

_GROUPS = {
    "recipient": "recipient",
    "recipient_key": "recipient",
    "subject": "subject",
    "event_text": "event_text",
    "reader": "reader",
    "text": "text",
    "word": "text",
    "id": "id",
    "sender": "kept",
    "key": "kept",
}
"""By what they hold: the groups of texts that are handled together, in the order of `Values`."""
_SHOWN = {
    **{word: word for word in ("recipient", "subject", "body", "reader", "event_text")},
    "recipient_key": "recipient",
    "reader_ip": "reader",
}
"""By what a text holds: what it shows of a person."""
_BY_READER = frozenset({"opened", "clicked", "complained", "unsubscribed", "subscribed"})
"""Values of `event_type` that are the recipient's doing."""
_FEW = 8
"""What a record with more recipients, or longer ones, hides is not cached."""
_PARTIAL = object()
"""Ends the values of a record that lacks a column."""


def _as_it_is(value: Any, _: PersonalValues) -> Any:
    return value


class StreamClearing:
    """Clears the records of a stream that were made of rows of the stream `raw`."""

    def __init__(self, columns: Columns, raw: Columns, hider: Hider) -> None:
        self._hider, self._handlers = hider, Handlers(columns, raw, hider)
        self._people = lru_cache(maxsize=1 << 11)(self._new_people)  # rows of one mail follow one another
        found = {name: self._handlers.column(name, spec) for name, spec in columns.schema["properties"].items()}
        groups: dict[str, list[str]] = {group: [] for group in (*_GROUPS.values(), "other", "untouched")}
        for name, column in found.items():
            group = "untouched" if column.handler is None else _GROUPS.get(column.word, "other")
            groups["other" if group == "subject" and not hider.subject_hidden else group].append(name)
        self._names = [name for names in groups.values() for name in names]
        # The first column comes twice, for of one alone itemgetter makes no tuple.
        self._values = itemgetter(*self._names, self._names[0])
        ends = accumulate(map(len, groups.values()))
        parts = {group: slice(end - len(groups[group]), end) for group, end in zip(groups, ends, strict=True)}
        self._ids, self._kept, self._others = parts["id"], parts["kept"], parts["other"]
        self._searched = slice(parts["event_text"].start, parts["text"].stop)
        self._columns = [(name, found[name].handler or _as_it_is) for name in self._names]
        self._other_columns = self._columns[self._others]
        alone = {
            "recipient": hider.hide_recipients,
            "recipient_key": hider.hash_recipients,
            "subject": hider.hide_subject,
        }
        self._alone = [(name, alone[found[name].word]) for name in self._names[: parts["subject"].stop]]
        apart = [*groups["other"], *groups["untouched"]]
        self._shown = {
            word: (
                parts.get(word, slice(0)),
                [(name, way) for name in apart for holds, way in found[name].shows if _SHOWN.get(holds) == word],
            )
            for word in _SHOWN.values()
        }
        """Where a record shows what it hides: a part of the values, and other columns with the way further down."""
        self._undeclared = [name for name, column in found.items() if column.word == "undeclared"]

    def values(self, record: Record) -> Values:
        """Return the values of a record's columns, in the order in which this plan wants them."""
        try:
            return self._values(record)  # type: ignore[no-any-return] # of several
        except KeyError:
            return (*map(record.get, self._names), _PARTIAL)

    # What a record shows.

    def known(self, record: Record, values: Values, more: PersonalValues = NOTHING) -> PersonalValues:
        """Gather what a record hides, beside what the record that it was made of hides."""
        hider = self._hider
        named = self._texts("recipient", record, values) if hider.recipients_hidden else ()
        subjects = self._subjects(record, values) if hider.subject_hidden else ()
        bodies = self._texts("body", record, values) if hider.body_hidden else ()
        ips = dict.fromkeys(self._ips(record, values)) if hider.ip_hidden else {}
        if more is NOTHING:
            few = len(named) <= _FEW and not bodies and sum(map(len, (*named, *subjects))) <= CACHED_LENGTH
            people = (self._people if few else self._new_people)((*named,), (*subjects,), (*bodies,))
            return people.with_ips(ips) if ips else people
        if more.named.issuperset(named) and more.texts.keys() >= {*subjects, *bodies} and more.ips.keys() >= ips.keys():
            return more
        own = self._new_people((*named,), (*subjects,), (*bodies,))
        return PersonalValues(
            own.recipients | more.recipients, own.texts | more.texts, ips | more.ips, own.named | more.named
        )

    def _new_people(self, named: tuple[str, ...], subjects: tuple[str, ...], bodies: tuple[str, ...]) -> PersonalValues:
        recipients: dict[str, None] = {}
        texts: dict[str, str] = {}
        for text in named:
            found = self._hider.recipients_in(text)
            recipients |= found.bare
            texts |= found.names
        texts |= {text: self._hider.hide_subject(text) or "" for text in subjects}
        texts |= dict.fromkeys(bodies, "")
        return PersonalValues(recipients, texts, {}, frozenset(named))

    def _subjects(self, record: Record, values: Values) -> list[str]:
        found = self._texts("subject", record, values)
        for name in self._undeclared:
            if record.get(name):
                add_subjects(record[name], found)
        return found

    def _ips(self, record: Record, values: Values) -> list[str]:
        texts = self._texts("reader", record, values)
        if record.get("event_type") in _BY_READER:
            texts += self._texts("event_text", record, values)
        for name in self._undeclared:
            if record.get(name):
                add_reader_texts(record[name], texts)
        return [ip for text in texts if text.count(".") >= 3 or text.count(":") >= 2 for ip in ips_in(text)]

    def _texts(self, word: str, record: Record, values: Values) -> list[str]:
        part, ways = self._shown[word]
        found = [*filter(None, values[part])]
        for name, way in ways:
            value = record.get(name)
            if value:
                add_texts_below(value, way, found)
        return found

    # Clearing.

    def clear(self, record: Record, values: Values, known: PersonalValues) -> Record:
        """Return a copy of a record without what is to be hidden."""
        result = dict(record)
        for (name, hide), value in zip(self._alone, values, strict=False):
            if value is not None:
                result[name] = hide(value)
        texts = "\0".join(["", *filter(None, values[self._searched])])
        if texts and ("\0{" in texts or "\0[" in texts or self._hider.may_change(texts, known)):
            self._clear_each(self._searched, result, values, known)
        ids = "\0".join(filter(None, values[self._ids]))
        if " " in ids or known.may_be_in_ids("\0".join([ids, *filter(None, values[self._kept])])):
            self._clear_each(self._ids, result, values, known)
            self._clear_each(self._kept, result, values, known)
        for (name, handler), value in zip(self._other_columns, values[self._others], strict=True):
            if value is not None:
                result[name] = handler(value, known)
        if len(record) != len(self._names) or values[-1] is _PARTIAL:
            for name in record.keys() - set(self._names):
                result[name] = self._handlers.undeclared(name, record[name], known)
        return result

    def _clear_each(self, part: slice, result: Record, values: Values, known: PersonalValues) -> None:
        for (name, handler), value in zip(self._columns[part], values[part], strict=True):
            if value is not None:
                result[name] = handler(value, known)

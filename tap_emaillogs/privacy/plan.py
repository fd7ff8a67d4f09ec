"""What happens to personal data before anything is written.

Per stream a plan is made once, from its schema: which columns hold recipients, subjects, bodies or the recipient's
side's IP addresses, and which could carry what those hide. A record is then read for what it hides, and cleared of it.

- A recipient's property is hidden as a whole, names included; other texts keep what is no address.
- A sender's column and an id keep their addresses, but for those of this record's recipients.
- What no schema documents (free objects, headers, `extra_fields`, columns of a setting) keeps no address at all.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from tap_emaillogs.formats import addresses
from tap_emaillogs.privacy.hiding import RECIPIENTS, SERVERS, Hider, Known
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.base import SCHEMAS
from tap_emaillogs.streams.records import EXTRA
from tap_emaillogs.streams.undocumented import UndocumentedStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_emaillogs.streams.records import Record

    Handler = Callable[[Any, Known], Any]
    """Turns a value that is not null into what may be written."""

EVENTS = "email_events"
_SENDERS = frozenset(
    {"from", "sender", "sender_full", "reply_to", "from_address", "headerFrom", "user", "username", "bounce_address"}
)
_IDS = frozenset({"message_id", "messageId", "provider_event_id"})
"""A Message-ID looks like an address and is none."""
_OURS = frozenset({"account", "provider", "stream"})
_OUR_WORDS = frozenset(
    {"event_id", "event_type", "bounce_class", "reject_reason", "smtp_enhanced_code", "window_id", "status"}
)
_WORDS = frozenset(
    {
        "event",
        "status",
        "action",
        "type",
        "channel",
        "direction",
        "provider_event",
        "country",
        "groupName",
        "name",
        "category",
        "bounce_category",
        "transtype",
        "delivery_status",
        "mail_type",
        "protocol",
        "final_protocol",
        "entity",
        "currency",
    }
)
"""Columns of a vendor's vocabulary: a subject that is such a word hides nothing there."""
_SUBJECT, _BODY = "subject", "text"
_READER = frozenset(
    {
        "opens",
        "clicks",
        "email_client",
        "metadata",
        "email_tracking_details",
        "details",
        "user_agent",
        "url",
        "original_url",
    }
)
"""Columns that tell of the recipient's side, so that no IP address in them is a mail server's."""
_BY_READER = frozenset({"opened", "clicked", "complained", "unsubscribed", "subscribed"})
_LEDGER_FILTERS = "filter"


class Privacy:
    """Applies the `privacy` setting to records of any stream."""

    hides: ClassVar[bool] = False
    """Whether anything is hidden at all."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Privacy:
        """Read the configuration."""
        privacy = config.get("privacy") or {}
        hidden = any(privacy.get(name, "keep") != "keep" for name in ("recipient", "subject", "body", "ip"))
        return _Hiding(Hider(privacy)) if hidden else cls()

    def apply(self, stream: str, record: Record, source: tuple[str, Record] | None = None) -> Record:  # noqa: ARG002
        """Return the record as it may be written; `source` is the raw record, after its stream, that it was made of."""
        return record


class _Hiding(Privacy):
    hides = True

    def __init__(self, hider: Hider) -> None:
        self._plan = cache(lambda stream, origin: _Plan(stream, origin, hider))
        self._last: tuple[Record, Known] | None = None

    def apply(self, stream: str, record: Record, source: tuple[str, Record] | None = None) -> Record:
        """Return a copy of the record without what is to be hidden."""
        origin = source[0] if source else stream
        plan: _Plan = self._plan(stream, origin)
        if source is None:
            return plan.apply(record, plan.known(record))
        if self._last is None or self._last[0] is not source[1]:  # a row and its events follow one another
            self._last = source[1], self._plan(origin, origin).known(source[1])
        known = self._last[1]
        if source[1] is not record:
            known = plan.known(record)
            known.add(self._last[1])
        return plan.apply(record, known)


class _Plan:
    """How the records of one stream are cleared, that were made of rows of `origin`."""

    def __init__(self, stream: str, origin: str, hider: Hider) -> None:
        self._hider = hider
        kinds = [kind for provider in PROVIDERS for kind in provider.streams]
        # Of columns that no vendor's page names, nobody knows whose address they hold: all count as recipients'.
        self._undocumented = any(vars(k)["name"] == origin and issubclass(k, UndocumentedStream) for k in kinds)
        self._events = stream == EVENTS
        keys: dict[str, Any] = {vars(kind)["name"]: kind.primary_keys for kind in kinds}
        self._raw = stream in keys
        self._keys = frozenset(keys.get(stream) or ())
        self._paths: dict[str, list[tuple[str, ...]]] = {"recipient": [], "subject": [], "body": [], "ip": []}
        properties = SCHEMAS.get_schema(stream)["properties"]
        self._declared = frozenset(properties)
        handlers = {name: self._handler((name,), spec) for name, spec in properties.items()}
        self._handlers = {name: handler for name, handler in handlers.items() if handler is not None}

    def apply(self, record: Record, known: Known) -> Record:
        """Return a copy without what is to be hidden."""
        result = dict(record)
        for name, handler in self._handlers.items():
            value = record.get(name)
            if value is not None:
                result[name] = handler(value, known)
        if not self._declared.issuperset(record):
            for name in record.keys() - self._declared:  # columns that a setting adds
                result[name] = self._hider.free(record[name], known, name)
        return result

    def known(self, record: Record) -> Known:
        """Gather what the record hides."""
        known, hider = Known(), self._hider
        if hider.recipients_hidden:
            for text in self._values(record, "recipient"):
                known.recipients.update((one.lower(), None) for one in hider.in_recipients(text) if one)
                # A name of one plain word may be anything: "Mail", "Support".
                known.texts.update((name, "") for name in addresses.names(text) if " " in name or not name.isascii())
        if hider.subject_hidden:
            for text in self._values(record, "subject"):
                if text:
                    known.texts[text] = hider.hide_subject(text) or ""
        if hider.body_hidden:
            known.texts.update((text, "") for text in self._values(record, "body") if text)
        if hider.ip_hidden:
            texts = list(self._values(record, "ip"))
            if self._events and record.get("event_type") in _BY_READER:
                texts += [record[name] for name in ("reason", "smtp_response") if record.get(name)]
            if record.get(EXTRA):
                texts += _reader_texts(record[EXTRA])
            known.ips.update((ip, None) for text in texts for ip in addresses.ip_addresses(text))
        return known

    def _values(self, record: Record, kind: str) -> Iterator[str]:
        for name, *rest in self._paths[kind]:
            value = record.get(name)
            if value is not None:
                yield from _texts(value, rest)

    # Making the plan.

    def _handler(self, path: tuple[str, ...], spec: Mapping[str, Any]) -> Handler | None:
        kinds = spec["type"] if isinstance(spec["type"], list) else [spec["type"]]
        kind = next(name for name in kinds if name != "null")
        if kind == "array":
            return self._array(path, spec.get("items") or {"type": "object"})
        if kind == "object":
            return self._object(path, spec.get("properties"))
        return self._string(path) if kind == "string" and spec.get("format") != "date-time" else None

    def _array(self, path: tuple[str, ...], items: Mapping[str, Any]) -> Handler | None:
        handler = self._handler(path, items)
        if handler is None:
            return None
        dropped = path[-1] in RECIPIENTS and self._hider.recipient == "drop"
        return lambda value, known: (
            None if dropped else [None if item is None else handler(item, known) for item in value]
        )

    def _object(self, path: tuple[str, ...], properties: Mapping[str, Any] | None) -> Handler | None:
        if properties is None:
            name, free = path[-1], self._hider.free
            ips = not name.endswith("headers")
            if ips:
                self._paths["ip"].append(path)
            return lambda value, known: free(value, known, name, ips=ips)
        found = {name: self._handler((*path, name), spec) for name, spec in properties.items()}
        handlers = {name: handler for name, handler in found.items() if handler is not None}
        if not handlers:
            return None
        return lambda value, known: {
            key: handlers[key](item, known) if item is not None and key in handlers else item
            for key, item in value.items()
        }

    def _string(self, path: tuple[str, ...]) -> Handler | None:
        hider, kind, name = self._hider, self._kind(path), path[-1]
        if kind in self._paths:
            self._paths[kind].append(path)
        handlers: dict[str, Handler | None] = {
            "recipient": (lambda text, _: hider.hide_recipients(text)) if hider.recipients_hidden else None,
            "key": (lambda text, _: hider.hide_recipients(text, key=True)) if hider.recipients_hidden else None,
            "subject": (lambda text, _: hider.hide_subject(text)) if hider.subject_hidden else hider.text,
            "body": (lambda _text, _known: None) if hider.body_hidden else hider.text,
            "domain": (lambda _text, _known: None) if hider.recipient == "drop" else None,
            "ours": None,
            "sender": hider.sender,
            "identity": hider.only_known if hider.recipients_hidden else None,
            "id": hider.identifier,
            "json": hider.json,
            "ip": lambda text, known: hider.free(text, known, name),
            "headers": hider.text,
            "word": lambda text, known: hider.text(text, known, words=True),
            "text": lambda text, known: (
                hider.json(text, known, ips=False) if text[:1] in {"{", "["} else hider.text(text, known)
            ),
        }
        if kind == "key":
            self._paths["recipient"].append(path)
        return handlers[kind]

    def _kind(self, path: tuple[str, ...]) -> str:
        """Tell what a column of text is; the first that holds."""
        name, top = path[-1], len(path) == 1
        in_key = top and name in self._keys
        kinds = (
            ("key", name in RECIPIENTS and in_key),
            ("recipient", name in RECIPIENTS),
            ("subject", name == _SUBJECT),
            ("body", name == _BODY),
            ("ours", top and (name in _OURS or (not self._raw and name in _OUR_WORDS))),
            ("domain", self._events and name == "recipient_domain"),
            ("identity", in_key),
            ("id", top and name in _IDS),
            ("sender", top and name in _SENDERS and not self._undocumented),
            ("json", name == EXTRA or (not self._raw and name == _LEDGER_FILTERS)),
            ("ip", bool(_READER.intersection(path)) or (self._events and name == "ip")),
            ("headers", name.endswith("headers")),
            ("word", name in _WORDS),
        )
        return next((kind for kind, holds in kinds if holds), "text")


def _texts(value: Any, path: list[str]) -> Iterator[str]:
    """Yield every string below a path; lists on the way are gone through."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, path)
    elif isinstance(value, dict):
        for item in [value.get(path[0])] if path else value.values():
            yield from _texts(item, path[1:])


def _reader_texts(extra: str) -> Iterator[str]:
    """Yield the strings of `extra_fields` that are not about a mail server."""
    for name, value in msgspec.json.decode(extra).items():
        if not name.startswith(SERVERS):
            yield from _texts(value, [])

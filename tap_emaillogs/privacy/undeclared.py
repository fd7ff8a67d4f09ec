"""Fields that no schema declares: what they hold is guessed from their names, and no address in them is kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tap_emaillogs.formats import addresses
from tap_emaillogs.formats.caching import cached
from tap_emaillogs.formats.nesting import is_too_deep, may_be_too_deep
from tap_emaillogs.formats.values import json_text
from tap_emaillogs.privacy import encoded
from tap_emaillogs.privacy.hiding import ips_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_emaillogs.privacy.hiding import Hider
    from tap_emaillogs.privacy.personal import PersonalValues

_RECIPIENTS = frozenset(
    {
        "recipient",
        "recipients",
        "to",
        "cc",
        "bcc",
        "toaddress",
        "receiver",
        "destination",
        "rcpt",
        "rcptto",
        "recipientaddress",
        "deliveredto",
        "envelopeto",
        "xenvelopeto",
        "xoriginalto",
        "originalrecipient",
        "finalrecipient",
        "resentto",
        "resentcc",
        "resentbcc",
        "apparentlyto",
    }
)
_SUBJECT, _TOPIC = "subject", "threadtopic"
"""A key that has the first of these words somewhere in it is a subject's: `email_subject`, `subjectLine`."""
_BODIES = frozenset({"text", "html", "body", "textbody", "htmlbody", "bodytext", "bodyhtml"})
_IPS = frozenset({"ip", "ipaddress", "ipaddr", "clientip", "remoteip", "remoteaddr", "userip", "openip", "clickip"})
_SERVERS = "delivery_attempts"
"""Below this key an IP address is a mail server's."""


class _Key(NamedTuple):
    """What a key of an undocumented object tells."""

    holds: str
    """What its value is guessed to hold: recipient, subject, body, ip; "" for anything else."""
    plain: bool
    """Whether the key itself can be nothing but a name."""
    server: bool
    """Whether IP addresses below it are mail servers'."""


class UndeclaredFields:
    """Clears objects whose keys nobody documents, JSON in texts, and columns that only a setting declares."""

    def __init__(self, hider: Hider) -> None:
        self._hider = hider
        self._guesses = {
            **dict.fromkeys(_RECIPIENTS if hider.recipients_hidden else (), "recipient"),
            **({_TOPIC: "subject"} if hider.subject_hidden else {}),
            **dict.fromkeys(_BODIES if hider.body_hidden else (), "body"),
            **dict.fromkeys(_IPS if hider.ip_hidden else (), "ip"),
        }
        self._key = cached(self._read_key, 1 << 10)

    def _read_key(self, key: str) -> _Key:
        folded = _folded(key)
        guess = "subject" if self._hider.subject_hidden and _SUBJECT in folded else self._guesses.get(folded, "")
        return _Key(guess, key.isidentifier() and not encoded.may_be_packed(key), key.startswith(_SERVERS))

    def clear(self, value: Any, known: PersonalValues, key: str = "", *, ips: bool = True) -> Any:
        """Clear an object, a list or a value below `key`; with `ips` of every IP address too."""
        return self._clear(value, known, self._key(key).holds, ips)

    def _clear(self, value: Any, known: PersonalValues, holds: str, ips: bool) -> Any:
        if isinstance(value, str):
            return self._text(value, known, holds, ips)
        if holds == "recipient":
            return self.recipient(value)
        if holds == "body":
            return None
        if isinstance(value, dict):
            return self._object(value, known, ips)
        if isinstance(value, list):
            return [self._clear(item, known, holds, ips) for item in value]
        return value

    def _text(self, text: str, known: PersonalValues, holds: str, ips: bool) -> str | None:
        hider = self._hider
        if text[:1] in {"{", "["} and may_be_too_deep(text) and _read(text) is None:
            return None  # what was nested too deep to be read: nobody knows what its keys hold
        if holds == "recipient" or ("@" in text and hider.recipients_hidden and addresses.is_list(text)):
            return hider.hide_recipients(text)
        if holds == "body":
            return None
        if holds == "subject":
            return hider.hide_subject(text)
        if holds == "ip" and ips and not ips_in(text):
            return hider.hide_ip(text) or None
        return hider.text(text, known, ips=ips)

    def _object(self, value: Mapping[str, Any], known: PersonalValues, ips: bool) -> dict[str, Any]:
        label = value.get("name", value.get("key"))
        if isinstance(label, str) and "value" in value:  # a header written as a pair
            rest = {name: item for name, item in value.items() if name != "value"}
            return self._object(rest, known, ips) | {"value": self.clear(value["value"], known, label, ips=ips)}
        cleared = {}
        for name, item in value.items():
            key = self._key(name)
            shown = name if key.plain else self._hider.text(name, known, ips=ips, words=True) or ""
            cleared[shown] = self._clear(item, known, key.holds, ips and not key.server)
        return cleared

    def recipient(self, value: Any) -> Any:
        """Hide what stands for a recipient: addresses, and the names beside them."""
        if isinstance(value, dict):
            return {key: self.recipient(item) if _holds_address(item) else None for key, item in value.items()}
        if isinstance(value, list):
            return [self.recipient(item) for item in value]
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return self._hider.hide_recipients(str(value))
        return None

    def json(self, text: str, known: PersonalValues, *, ips: bool = True) -> str | None:
        """Clear a JSON object written as a string; a text that is none like any text, one too deep to nothing."""
        if may_be_too_deep(text) and _read(text) is None:
            return None
        value = _read(text)
        return self._hider.text(text, known, ips=ips) if value is None else json_text(self.clear(value, known, ips=ips))


def _read(text: str) -> Any:
    """Read JSON; None: it is none, or nested too deep."""
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None
    return None if may_be_too_deep(text) and is_too_deep(value) else value


def add_texts(value: Any, found: list[str]) -> None:
    """Add every string in a value, at every depth; keys are none, and neither are empty strings."""
    if isinstance(value, str):
        if value:
            found.append(value)
    elif isinstance(value, list):
        for item in value:
            add_texts(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            add_texts(item, found)


def add_reader_texts(extra: str, found: list[str]) -> None:
    """Add the strings of undeclared fields, JSON as text, that are not about a mail server."""
    fields = _read(extra) or extra
    if isinstance(fields, dict):
        fields = [item for name, item in fields.items() if not name.startswith(_SERVERS)]
    add_texts(fields, found)


def add_subjects(extra: str, found: list[str]) -> None:
    """Add the subjects among undeclared fields, JSON as text."""
    if _SUBJECT in extra.lower():
        _add_subjects(_read(extra), found)


def _add_subjects(value: Any, found: list[str]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str):
                if _SUBJECT in _folded(key):
                    found.append(item)
            else:
                _add_subjects(item, found)
    elif isinstance(value, list):
        for item in value:
            _add_subjects(item, found)


def _folded(key: str) -> str:
    """Fold a key or a path: of `opens.0.Client-IP` what counts is `clientip`."""
    words = [word for word in key.split(".") if not word.isdigit()]
    return re.sub(r"[\s_-]+", "", words[-1]).lower() if words else ""


def _holds_address(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_address, value.values()))
    if isinstance(value, list):
        return any(map(_holds_address, value))
    return isinstance(value, str) and "@" in value

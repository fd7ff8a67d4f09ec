"""Fields that no schema declares: what they hold is guessed from their names, and no address in them is kept."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from tap_emaillogs.formats import addresses
from tap_emaillogs.formats.values import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
_SUBJECTS = frozenset({"subject", "emailsubject", "mailsubject", "threadtopic", "xsubject"})
_BODIES = frozenset({"text", "html", "body", "textbody", "htmlbody", "bodytext", "bodyhtml"})
_IPS = frozenset({"ip", "ipaddress", "ipaddr", "clientip", "remoteip", "remoteaddr", "userip", "openip", "clickip"})
_SERVERS = "delivery_attempts"
"""Below this key an IP address is a mail server's."""


@lru_cache(maxsize=1 << 10)
def _folded(key: str) -> str:
    """Return the last word of a path, `opens.0.Client-IP` as `clientip`."""
    words = [word for word in key.split(".") if not word.isdigit()]
    return re.sub(r"[\s_-]+", "", words[-1]).lower() if words else ""


class UndeclaredFields:
    """Clears objects whose keys nobody documents, JSON in texts, and columns that only a setting declares."""

    def __init__(self, hider: Hider) -> None:
        self._hider = hider
        self._recipients = _RECIPIENTS if hider.recipients_hidden else frozenset[str]()
        self._subjects = _SUBJECTS if hider.subject_hidden else frozenset[str]()
        self._bodies = _BODIES if hider.body_hidden else frozenset[str]()
        self._ips = _IPS if hider.ip_hidden else frozenset[str]()

    def clear(self, value: Any, known: PersonalValues, key: str = "", *, ips: bool = True) -> Any:  # noqa: PLR0911 - one per kind of value
        """Clear an object, a list or a value below `key`; with `ips` of every IP address too."""
        hider, name = self._hider, _folded(key)
        if name in self._recipients or (hider.recipients_hidden and addresses.is_list(value)):
            return self.recipient(value)
        if name in self._bodies:
            return None
        if isinstance(value, dict):
            return self._object(value, known, ips=ips)
        if isinstance(value, list):
            return [self.clear(item, known, key, ips=ips) for item in value]
        if not isinstance(value, str):
            return value
        if name in self._subjects:
            return hider.hide_subject(value)
        if name in self._ips and ips and not addresses.ip_addresses(value):
            return hider.hide_ip(value) or None
        return hider.text(value, known, ips=ips)

    def _object(self, value: Mapping[str, Any], known: PersonalValues, *, ips: bool) -> dict[str, Any]:
        label = value.get("name", value.get("key"))
        if isinstance(label, str) and "value" in value:  # a header written as a pair
            return {**self._object({k: v for k, v in value.items() if k != "value"}, known, ips=ips)} | {
                "value": self.clear(value["value"], known, label, ips=ips)
            }
        return {
            key if key.isidentifier() else self._hider.text(key, known, ips=ips, words=True) or "": self.clear(
                item, known, key, ips=ips and not key.startswith(_SERVERS)
            )
            for key, item in value.items()
        }

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
        """Clear a JSON object written as a string; a text that is none like any text."""
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return self._hider.text(text, known, ips=ips)
        return json_text(self.clear(value, known, ips=ips))


def texts_in(value: Any) -> Iterator[str]:
    """Yield every string in a value, at every depth; keys are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts_in(item)


def reader_texts(extra: str) -> Iterator[str]:
    """Yield the strings of undeclared fields, JSON as text, that are not about a mail server."""
    try:
        fields = msgspec.json.decode(extra)
    except msgspec.DecodeError:
        fields = extra
    if isinstance(fields, dict):
        fields = [item for name, item in fields.items() if not name.startswith(_SERVERS)]
    yield from texts_in(fields)


def _holds_address(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_address, value.values()))
    if isinstance(value, list):
        return any(map(_holds_address, value))
    return isinstance(value, str) and "@" in value

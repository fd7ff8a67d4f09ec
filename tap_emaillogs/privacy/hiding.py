"""How one value is hidden: hashes, domains, nothing; and how a text is cleared of what is hidden elsewhere."""

from __future__ import annotations

import hmac
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import msgspec

from tap_emaillogs.formats import addresses
from tap_emaillogs.streams.records import NO_KEY, json_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from re import Match

RECIPIENTS = frozenset({"recipient", "recipients", "to", "cc", "bcc", "to_address", "receiver", "destination"})
"""Properties that hold a recipient, in every stream and at every depth."""
SERVERS = "delivery_attempts"
"""Below this key an IP address is a mail server's."""
_FREE_RECIPIENTS = frozenset(
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
_FREE_SUBJECTS = frozenset({"subject", "emailsubject", "mailsubject", "threadtopic", "xsubject"})
_FREE_BODIES = frozenset({"text", "html", "body", "textbody", "htmlbody", "bodytext", "bodyhtml"})
_FREE_IPS = frozenset(
    {"ip", "ipaddress", "ipaddr", "clientip", "remoteip", "remoteaddr", "userip", "openip", "clickip"}
)
_HEADER = re.compile(
    r"^(?P<name>(?:Resent-)?(?:To|Cc|Bcc)|Subject|Thread-Topic|Delivered-To|(?:X-)?Envelope-To|X-Original-To"
    r"|(?:Original|Final)-Recipient)(?P<gap>[ \t]*:[ \t]*)(?P<value>[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_NOT_BARE = re.compile(r'[<,; "]')
_SHORT = 4
"""A shorter subject is hidden where it is a whole value, not inside words."""


class Known:
    """What one record hides, so that it cannot come back in another of its columns, or in an event made of it."""

    __slots__ = ("ips", "recipients", "texts")

    def __init__(self) -> None:
        self.recipients: dict[str, None] = {}
        """Bare, in lower case."""
        self.ips: dict[str, None] = {}
        self.texts: dict[str, str] = {}
        """Subjects, bodies and recipients' names, and what stands for them."""

    def add(self, other: Known) -> None:
        """Learn what another record hides."""
        self.recipients |= other.recipients
        self.ips |= other.ips
        self.texts |= other.texts


@lru_cache(maxsize=1 << 10)
def folded(key: str) -> str:
    """Return the last word of a path, `opens.0.Client-IP` as `clientip`."""
    words = [word for word in key.split(".") if not word.isdigit()]
    return re.sub(r"[\s_-]+", "", words[-1]).lower() if words else ""


class Hider:
    """Hides values as the `privacy` setting says."""

    def __init__(self, privacy: Mapping[str, Any]) -> None:
        def mode(name: str) -> str:
            return privacy.get(name) or "keep"

        self.recipient, self.subject, self.ip = mode("recipient"), mode("subject"), mode("ip")
        self.recipients_hidden, self.subject_hidden = self.recipient != "keep", self.subject != "keep"
        self.ip_hidden, self.body_hidden = self.ip != "keep", mode("body") != "keep"
        key = str(privacy.get("salt") or "").encode()
        self._without_any_address = lru_cache(maxsize=1 << 12)(self._without_every_address)
        self.token = lru_cache(maxsize=1 << 14)(lambda text: hmac.digest(key, text.encode(), "sha256").hex()[:32])

    # Whole values.

    def hide_address(self, address: str, *, key: bool = False) -> str:
        """Return what stands for a bare address; in a key always a hash."""
        if key or self.recipient == "hash":
            return str(self.token(addresses.canonical(address)))
        name = addresses.domain(address) if self.recipient == "domain" else None
        return f"@{name}" if name else ""

    def hide_recipients(self, text: str, *, key: bool = False) -> str | None:
        """Hide a property that holds one recipient or several, with or without their names."""
        if not text.strip() or (key and text == NO_KEY):
            return text
        found = self.in_recipients(text)
        return ", ".join(filter(None, (self.hide_address(one, key=key) for one in found))) or None

    @staticmethod
    def in_recipients(text: str) -> list[str]:
        """Return the bare addresses of a recipient property; a text that holds none is one itself."""
        text = text.strip()
        if _NOT_BARE.search(text) is None:
            return [text.removeprefix("mailto:")]
        return addresses.split(text) or [text]

    def hide_subject(self, text: str) -> str | None:
        """Hide a subject."""
        if not text:
            return text
        return str(self.token(text)) if self.subject == "hash" else None

    def hide_ip(self, text: str) -> str:
        """Return what stands for an IP address."""
        return str(self.token(text.lower())) if self.ip == "hash" else ""

    # Texts.

    def text(self, text: str, known: Known, *, ips: bool = False, words: bool = False) -> str | None:
        """Clear a text of everything hidden: every address, and what the record's other columns hide.

        `ips` clears it of every IP address too; `words` says that it is one of a vendor's words. None: nothing is left.
        """
        clear = text
        if known.texts:
            clear = _without_texts(clear, known.texts, words=words)
        if not words and ":" in clear and ("\n" in clear or _HEADER.match(clear)):
            clear = _HEADER.sub(self._header, clear)
        if self.recipients_hidden:
            clear = self._without_addresses(clear, known.recipients)
        if self.ip_hidden:
            clear = self._without_ips(clear, {*known.ips, *(addresses.ip_addresses(clear) if ips else ())})
        return clear if clear == text or clear.strip(" <>\"',;") else None

    def sender(self, text: str, known: Known) -> str:
        """Clear a sender's column of what is hidden, but not of the sender."""
        return self.only_known(_without_texts(text, known.texts), known)

    def identifier(self, text: str, known: Known) -> str | None:
        """Clear an id, which may look like an address; with blanks in it, it is a text."""
        return self.text(text, known) if " " in text else self.only_known(text, known)

    def only_known(self, text: str, known: Known) -> str:
        """Clear a text of this record's recipients, and of nothing else; always by a hash."""
        encoded = "%" in text
        if not (encoded or "@" in text or "=" in text):
            return text
        lower = text.lower()
        for address in known.recipients:
            name, _, host = address.rpartition("@")
            for form in (address, f"{name}={host}", *([quote(address)] if encoded else ())) if name else ():
                if form in lower:
                    found = re.compile(rf"(?<![\w.-]){re.escape(form)}(?!\w)", re.IGNORECASE)
                    text = found.sub(self.hide_address(address, key=True), text)
        return text

    def _header(self, match: Match[str]) -> str:
        name, value = match["name"].lower(), match["value"]
        hidden: str | None = value
        if name in {"subject", "thread-topic"}:
            hidden = self.hide_subject(re.sub(r"\r?\n", "", value)) if self.subject_hidden else value
        elif self.recipients_hidden:
            hidden = self.hide_recipients(value.replace("rfc822;", ""))
        return f"{match['name']}{match['gap']}{hidden or ''}"

    def _without_addresses(self, text: str, recipients: Iterable[str]) -> str:
        lower = text.lower() if recipients else text
        hidden: list[str] = []
        for address in recipients:
            if address in lower and (len(address) > 5 or address == lower.strip()):
                # "@example.com" stands for it at the end, lest it be taken for a part of an address meanwhile.
                text = _whole(address).sub(f"\ue000{len(hidden)}\ue001", text)
                hidden.append(self.hide_address(address))
        if "@" in text or ("%" in text and "40" in text):
            text = self._without_any_address(text)
        for number, instead in enumerate(hidden):
            text = text.replace(f"\ue000{number}\ue001", instead)
        return text

    def _without_every_address(self, text: str) -> str:
        def hide(match: Match[str]) -> str:
            found = match.group()
            return self.hide_address(found if "@" in found else addresses.decoded(found))

        return (addresses.ANY_ENCODED if "%" in text else addresses.ANY).sub(hide, text)

    def _without_ips(self, text: str, ips: Iterable[str]) -> str:
        for ip in sorted(ips, key=len, reverse=True):  # ::ffff:192.0.2.1 before 192.0.2.1
            if ip in text:
                edge = "0-9A-Fa-f:" if ":" in ip else r"\d"
                text = re.sub(rf"(?<![{edge}]){re.escape(ip)}(?![{edge}]|\.\d)", self.hide_ip(ip), text)
        return text

    # Objects whose keys nobody documents.

    def free(self, value: Any, known: Known, key: str = "", *, ips: bool = True) -> Any:  # noqa: PLR0911 - one per kind of value
        """Clear an object, a list or a value below `key`."""
        name = folded(key)
        if self.recipients_hidden and (name in _FREE_RECIPIENTS or addresses.is_list(value)):
            return self._free_recipient(value)
        if self.body_hidden and name in _FREE_BODIES:
            return None
        if isinstance(value, dict):
            return self._free_object(value, known, ips=ips)
        if isinstance(value, list):
            return [self.free(item, known, key, ips=ips) for item in value]
        if not isinstance(value, str):
            return value
        if self.subject_hidden and name in _FREE_SUBJECTS:
            return self.hide_subject(value)
        if self.ip_hidden and ips and name in _FREE_IPS and not addresses.ip_addresses(value):
            return self.hide_ip(value) or None
        return self.text(value, known, ips=ips)

    def _free_object(self, value: Mapping[str, Any], known: Known, *, ips: bool) -> dict[str, Any]:
        label = value.get("name", value.get("key"))
        if isinstance(label, str) and "value" in value:  # a header written as a pair
            return {**self._free_object({k: v for k, v in value.items() if k != "value"}, known, ips=ips)} | {
                "value": self.free(value["value"], known, label, ips=ips)
            }
        return {
            key if key.isidentifier() else self.text(key, known, ips=ips, words=True) or "": self.free(
                item, known, key, ips=ips and not key.startswith(SERVERS)
            )
            for key, item in value.items()
        }

    def _free_recipient(self, value: Any) -> Any:
        """Hide what stands below a recipient's key: addresses, and the names beside them."""
        if isinstance(value, dict):
            return {key: self._free_recipient(item) if _holds_address(item) else None for key, item in value.items()}
        if isinstance(value, list):
            return [self._free_recipient(item) for item in value]
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return self.hide_recipients(str(value))
        return None

    def json(self, text: str, known: Known, *, ips: bool = True) -> str | None:
        """Clear a JSON object written as a string; a text that is none like any text."""
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return self.text(text, known, ips=ips)
        return json_text(self.free(value, known, ips=ips))


def _holds_address(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_address, value.values()))
    if isinstance(value, list):
        return any(map(_holds_address, value))
    return isinstance(value, str) and "@" in value


@lru_cache(maxsize=1 << 10)
def _encoded(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((quote(text), quote(text, safe=""), quote_plus(text))))


def _without_texts(text: str, hidden: Mapping[str, str], *, words: bool = False) -> str:
    in_link = "%" in text or "+" in text
    for whole, instead in hidden.items():
        if words and (text == whole or " " not in whole):  # a subject "delivered" is no secret in a status
            continue
        if text == whole:
            return instead
        plain = whole.strip()
        if len(plain) < _SHORT:
            continue
        for form in (plain, *(_encoded(plain) if in_link else ())):
            if form in text:
                before, after = (r"(?<!\w)" if form[0].isalnum() else ""), (r"(?!\w)" if form[-1].isalnum() else "")
                text = re.sub(before + re.escape(form) + after, lambda _: instead, text)  # noqa: B023 - used at once
    return text


@lru_cache(maxsize=1 << 10)
def _whole(form: str) -> re.Pattern[str]:
    """Match an address, and not the middle of a longer one."""
    return re.compile(rf"(?<![\w.+-]){re.escape(form)}(?![\w-]|\.\w)", re.IGNORECASE)

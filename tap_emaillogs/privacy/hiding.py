"""How one value is hidden: hashes, domains, nothing; and how a text is cleared of what is hidden elsewhere."""

from __future__ import annotations

import hmac
import re
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_emaillogs.formats import addresses
from tap_emaillogs.formats.caching import cached, cached_calls
from tap_emaillogs.formats.values import NO_KEY
from tap_emaillogs.privacy.finding import folded
from tap_emaillogs.privacy.personal import NOTHING, replaced

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from re import Match

    from tap_emaillogs.privacy.personal import PersonalValues

_NAMES = (
    r"(?P<name>(?:Resent-)?(?:To|Cc|Bcc)|Subject|Thread-Topic|Delivered-To|(?:X-)?Envelope-To|X-Original-To"
    r"|(?:Original|Final)-Recipient)(?P<gap>[ \t]*:[ \t]*)"
)
_HEADER = re.compile(rf"^{_NAMES}(?P<value>[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE | re.MULTILINE)
_HEADER_FIRST = re.compile(rf"\0{_NAMES}", re.IGNORECASE)
ips_in = cached(addresses.ip_addresses)
"""Return the IP addresses in a text."""
_IPV6 = re.compile(r"(?<![0-9A-Fa-f:])(?=[0-9A-Fa-f]*:)[0-9A-Fa-f:]+(?:\.\d[0-9A-Fa-f:]*)*")
_IPV4 = re.compile(r"(?<!\d)\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)")
_NOT_BARE = re.compile(r'[<,; "]')


class Recipients(NamedTuple):
    """The recipients that one text names."""

    bare: dict[str, None]
    """Their addresses, as `folded` writes them."""
    names: dict[str, str]
    """Their names, and what stands for each: nothing."""


class Hider:
    """Hides values as the `privacy` setting says; may be used by several threads."""

    def __init__(self, privacy: Mapping[str, Any]) -> None:
        def mode(name: str) -> str:
            return privacy.get(name) or "keep"

        self.recipient, self.subject, self.ip = mode("recipient"), mode("subject"), mode("ip")
        self.recipients_hidden, self.subject_hidden = self.recipient != "keep", self.subject != "keep"
        self.ip_hidden, self.body_hidden = self.ip != "keep", mode("body") != "keep"
        self._key = str(privacy.get("salt") or "").encode()
        self.token = cached(self._token, 1 << 13)
        self.recipients_in = cached(self._recipients_in, 1 << 11)
        self.hide_recipients = cached(self._hide_recipients, 1 << 11)
        self.hash_recipients = cached(partial(self._hide_recipients, key=True), 1 << 11)
        self.hide_subject = cached(self._hide_subject, 1 << 11)
        self.hide_ip = cached(self._hide_ip, 1 << 11)
        self._text_alone = cached_calls(self._cleared_alone)

    # Whole values.

    def _token(self, text: str) -> str:
        return hmac.digest(self._key, text.encode(), "sha256").hex()[:32]

    def hide_address(self, address: str, *, key: bool = False) -> str:
        """Return what stands for a bare address; in a key always a hash."""
        if key or self.recipient == "hash":
            return str(self.token(addresses.canonical(address)))
        name = addresses.domain(address) if self.recipient == "domain" else None
        return f"@{name}" if name else ""

    def _hide_recipients(self, text: str, *, key: bool = False) -> str | None:
        """Hide a property that holds one recipient or several, with or without their names."""
        if not text.strip() or (key and text == NO_KEY):
            return text
        found = _bare_recipients(text)
        return ", ".join(filter(None, (self.hide_address(one, key=key) for one in found))) or None

    @staticmethod
    def _recipients_in(text: str) -> Recipients:
        bare = {folded(one): None for one in _bare_recipients(text) if one}
        # A name of one plain word may be anything: "Mail", "Support".
        return Recipients(bare, {name: "" for name in addresses.names(text) if " " in name or not name.isascii()})

    def _hide_subject(self, text: str) -> str | None:
        """Hide a subject."""
        if not text:
            return text
        return str(self.token(text)) if self.subject == "hash" else None

    def _hide_ip(self, text: str) -> str:
        """Return what stands for an IP address."""
        return str(self.token(text.lower())) if self.ip == "hash" else ""

    # Texts.

    def may_change(self, texts: str, known: PersonalValues) -> bool:
        r"""Whether one of several texts, a `\0` before each, may have to be cleared; False is certain."""
        return (
            (self.recipients_hidden and ("@" in texts or ("%" in texts and "40" in texts)))
            or (":" in texts and ("\n" in texts or _HEADER_FIRST.search(texts) is not None))
            or known.may_be_in(texts)
            or known.may_show_ip(texts)
        )

    def text(self, text: str, known: PersonalValues, *, ips: bool = False, words: bool = False) -> str | None:
        """Clear a text of everything hidden: every address, and what the record's other columns hide.

        `ips` clears it of every IP address too; `words` says that it is one of a vendor's words. None: nothing is left.
        """
        if known.may_be_in(text):
            return self._cleared(text, known, ips=ips, words=words)
        if known.ips and known.may_show_ip(text):
            whole = text in known.ips
            return self.hide_ip(text) or None if whole else self._cleared(text, known, ips=ips, words=words)
        if "@" not in text and "%" not in text and ":" not in text and not (ips and text.count(".") >= 3):
            return text
        clear: str | None = self._text_alone(text, ips, words)
        if clear is text or clear is None or not (known.may_be_in(clear) or known.may_show_ip(clear)):
            return clear
        return self._cleared(text, known, ips=ips, words=words)

    def _cleared_alone(self, text: str, ips: bool, words: bool) -> str | None:
        return self._cleared(text, NOTHING, ips=ips, words=words)

    def _cleared(self, text: str, known: PersonalValues, *, ips: bool, words: bool) -> str | None:
        clear = text
        if known.texts:
            clear = known.without_texts(clear, words=words)
        if not words and ":" in clear and ("\n" in clear or _HEADER.match(clear)):
            clear = _HEADER.sub(self._header, clear)
        if self.recipients_hidden:
            clear = self._without_addresses(clear, known)
        if self.ip_hidden:
            clear = self._without_ips(clear, {*known.ips, *(addresses.ip_addresses(clear) if ips else ())})
        return clear if clear == text or clear.strip(" <>\"',;") else None

    def sender(self, text: str, known: PersonalValues) -> str:
        """Clear a sender's column of what is hidden, but not of the sender."""
        return self.only_known(known.without_texts(text), known)

    def identifier(self, text: str, known: PersonalValues) -> str | None:
        """Clear an id, which may look like an address; with blanks in it, it is a text."""
        return self.text(text, known) if " " in text else self.only_known(text, known)

    def only_known(self, text: str, known: PersonalValues) -> str:
        """Clear a text of this record's recipients, and of nothing else; always by a hash."""
        if known.recipients and known.may_be_in_ids(text):
            text = replaced(text, known.addresses_in_id(text), lambda one: self.hide_address(one, key=True))
        return text

    def _header(self, match: Match[str]) -> str:
        name, value = match["name"].lower(), match["value"]
        hidden: str | None = value
        if name in {"subject", "thread-topic"}:
            hidden = self.hide_subject(re.sub(r"\r?\n", "", value)) if self.subject_hidden else value
        elif self.recipients_hidden:
            hidden = self.hide_recipients(value.replace("rfc822;", ""))
        return f"{match['name']}{match['gap']}{hidden or ''}"

    def _without_addresses(self, text: str, known: PersonalValues) -> str:
        found = known.addresses_in(text) if known.recipients else []
        # What stands for an address is no part of one: the texts between are searched on their own.
        return replaced(text, found, self.hide_address, self._without_any)

    def _without_any(self, text: str) -> str:
        if "@" in text or ("%" in text and "40" in text):
            return (addresses.ANY_ENCODED if "%" in text else addresses.ANY).sub(self._address, text)
        return text

    def _address(self, match: Match[str]) -> str:
        found = match.group()
        return self.hide_address(found if "@" in found else addresses.decoded(found))

    def _without_ips(self, text: str, ips: Collection[str]) -> str:
        def hidden(match: Match[str]) -> str:
            return self.hide_ip(match.group()) if match.group() in ips else match.group()

        if ips:  # ::ffff:192.0.2.1 before 192.0.2.1
            text = _IPV4.sub(hidden, _IPV6.sub(hidden, text) if ":" in text else text)
        return text


def _bare_recipients(text: str) -> list[str]:
    """Return the bare addresses of a recipient property; a text that holds none is one itself."""
    text = text.strip()
    if _NOT_BARE.search(text) is None:
        return [text.removeprefix("mailto:")]
    return addresses.split(text) or [text]

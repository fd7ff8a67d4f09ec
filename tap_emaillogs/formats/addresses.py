"""E-mail and IP addresses inside what vendors write: bare, as `"Name" <a@b>`, in a list, somewhere in a text."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from typing import NamedTuple
from urllib.parse import unquote

import idna

from tap_emaillogs.formats.caching import cached

_OUT = r"\s<>()\[\]{},;:\"`|\\@=&?/\x00-\x1f\x7f\ue000\ue001"
_DOMAIN = r"(?:[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)*|\[[0-9A-Za-z.:]+\])"
_ADDRESS = rf"(?:\"(?:[^\"\\\r\n]|\\.){{1,64}}\"|[^'%{_OUT}][^{_OUT}]{{0,127}}+)@{_DOMAIN}"
ADDRESS = re.compile(_ADDRESS)
"""An address in a text, beyond ASCII too. `=`, `&`, `?` and `/` end it on the left: in links they are no part of it."""
_VERP = (
    rf"(?<![?&])(?<![^{_OUT}])(?!(?i:to|from|o?rcpt|recipient|receiver|e-?mail|address|user|sender)=)"
    rf"[^'{_OUT}][^{_OUT}]{{0,127}}+=[\w-]+(?:\.[\w-]+)+@{_DOMAIN}"
)
_SEPARATOR = "(?:2[026Ff]|3[AaBbCcDdEeFf])"
_BEHIND_SEPARATOR = "|".join(f"(?<=%{times}{_SEPARATOR})" for times in ("", "25", "2525", "252525"))
_ENCODED = (
    # Only where a name begins, and then all of it: no character is looked at twice.
    rf"(?:(?<![\w.!#$*^~'%-])|(?<=%)(?![0-9A-Fa-f]{{2}})|{_BEHIND_SEPARATOR})"
    rf"(?:[\w.!#$*^~'-]++|%(?!(?:25)*(?:{_SEPARATOR}|40))[0-9A-Fa-f]{{2}})++%(?:25){{0,3}}40"
    r"(?:[\w.-]|%[89A-Fa-f][0-9A-Fa-f])*[^\W_]"
)
ANY = re.compile(rf"{_VERP}|{_ADDRESS}")
"""An address, plain or in a return path that carries a recipient: `bounce+ann=example.com@sender.example`."""
ANY_ENCODED = re.compile(rf"{_VERP}|{_ADDRESS}|{_ENCODED}")
"""Likewise, or inside a link, its `@` written `%40`."""
_ANGLES = re.compile(r"<([^<>@]*@[^<>]*)>")
_MAILBOX = re.compile(r"\A(?:\s*\"(?:[^\"\\]|\\.)*\"\s*|[^<>\":=/]*)<[^<>\s][^<>\s@]*@[^<>\s]+>\s*")
# A longer name in quotes is taken apart, lest many quotes that none closes take a time that grows with their square.
_QUOTED = r"\"(?:[^\"\\]|\\.){0,256}\""
_PARTS = re.compile(rf"(?:{_QUOTED}|<[^<>]*>|[^,;\r\n])++")
_QUOTED_NAME = re.compile(rf"{_QUOTED}(?!@)")
_IP = re.compile(
    r"(?:(?<![\w.:])(?<![A-Za-z]/)|(?<=%[0-9A-Fa-f]{2}))(?:(?:[0-9A-Fa-f]{0,4}:){2,7}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4})|\d{1,3}(?:\.\d{1,3}){3})"
    r"(?![\w:]|\.\d)"
)
"""Candidates; `Chrome/120.0.0.0` is a version."""


class Mailbox(NamedTuple):
    """An address out of `"Name" <a@b>`."""

    address: str | None
    domain: str | None


@cached
def mailbox(text: str | None) -> Mailbox:
    """Return the first bare address of a header, and its domain."""
    address = bare(text)
    return Mailbox(address, domain(address))


def bare(text: str | None) -> str | None:
    """Take the address out of `"Name" <a@b>`; of a list the first one. A text without an address stays as it is."""
    if not text:
        return None
    if "<" not in text and "," not in text and ";" not in text and " " not in text:
        return text
    return next(iter(split(text)), text.strip() or None)


def domain(address: str | None) -> str | None:
    """Return the domain of a bare address in lower case and IDNA's ASCII form; None: it has none."""
    if not address:
        return None
    found = address.rpartition("@")
    return ascii_domain(found[2]) or None if found[1] else None


@cached
def ascii_domain(name: str) -> str:
    """Bring a domain to one form: lower case, `bücher.example` as `xn--bcher-kva.example`.

    A label that IDNA does not know stays as it is, in lower case.
    """
    return ".".join(map(_ascii_label, name.strip().rstrip(".").replace("\u3002", ".").split(".")))


def _ascii_label(label: str) -> str:
    if not label.isascii():
        with contextlib.suppress(idna.IDNAError, UnicodeError):
            return idna.encode(label, uts46=True).decode()
    return label.lower()


def canonical(address: str) -> str:
    """Bring a bare address to one form: lower case, its domain in IDNA's ASCII form."""
    name, sign, host = address.rpartition("@")
    return f"{name.lower()}@{ascii_domain(host)}" if sign else address.lower()


def split(text: str) -> list[str]:
    """Return the bare addresses of a header such as `"Doe, Ann" <a@b>, c@d`; what is no address is left out."""
    found = []
    for part in _PARTS.findall(text):
        angles = _ANGLES.search(part)
        if angles is not None:
            found.append(angles.group(1).strip())
        elif "@" in part:
            plain = _QUOTED_NAME.sub("", part).strip().removeprefix("mailto:")
            inside = [plain] if " " not in plain else ADDRESS.findall(plain)
            found.extend(address for address in inside if address)
    return found


def is_list(value: object) -> bool:
    """Tell whether a value is nothing but `"Name" <a@b>`, once or more."""
    return (
        isinstance(value, str) and value.rstrip().endswith(">") and all(map(_MAILBOX.fullmatch, _PARTS.findall(value)))
    )


def names(text: str) -> list[str]:
    """Return the names beside the addresses of a header."""
    found = [(part, _ANGLES.search(part)) for part in _PARTS.findall(text)] if "<" in text else []
    beside = (part[: angles.start()].strip().strip('"').strip() for part, angles in found if angles)
    return [name for name in beside if name]


def decoded(text: str) -> str:
    """Undo the encoding of an address inside a link, however often it was done."""
    while "%" in text and (plain := unquote(text)) != text:
        text = plain
    return text


def ip_addresses(text: str) -> list[str]:
    """Return the IP addresses in a text."""
    if text.count(".") < 3 and text.count(":") < 2:
        return []
    return [match.group() for match in _IP.finditer(text) if _is_ip(match.group())]


@cached
def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

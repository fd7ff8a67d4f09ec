"""Whom a mail is really from, as far as the user's own mail server tells (RFC 8601, `Authentication-Results`).

`From` can be written by anybody. A mail server that takes a mail in checks DKIM, SPF and DMARC, and writes what it
found on top of the mail, under a name of its own. A sender can write such a line too, but only further down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_emaillogs.providers.messangi.mails import Mail

_DOMAIN = re.compile(r"(?!-)[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_PIECES = re.compile(r'\\.|[()"\\]|[^()"\\]+', re.DOTALL)
_WORDS = re.compile(r'(?:"(?:\\.|[^"\\])*+"?|[^\s;="])+|[;=]', re.DOTALL)
_QUOTES = re.compile(r'"((?:\\.|[^"\\])*+)"?', re.DOTALL)


@dataclass
class Check:
    """What a mail server found by one method: `dkim=pass header.d=example.com`."""

    method: str
    result: str
    properties: dict[str, str] = field(default_factory=dict)

    def domain(self) -> str:
        """Return the domain that was found to be genuine; empty: none."""
        if self.result != "pass":
            return ""
        match self.method:
            case "dmarc":
                named = self.properties.get("header.from", "")
            case "dkim":
                named = self.properties.get("header.d") or self.properties.get("header.i", "")
            case "spf":
                named = self.properties.get("smtp.mailfrom", "")
            case _:
                named = ""
        domain = named.rpartition("@")[2].lower().rstrip(".")
        return domain if _DOMAIN.fullmatch(domain) else ""


@dataclass(frozen=True)
class Trust:
    """Whose mails are taken for reports although they do not hold a request's id.

    Args:
        sender: An address, or a domain that stands for those below it, too; None: nobody's.
        authserv_id: The name under which the user's own mail server writes what it found; None: `From` is believed.
    """

    sender: str | None
    authserv_id: str | None = None

    def allows(self, mail: Mail) -> bool:
        """Whether a mail is from the trusted sender, and the user's mail server vouches for that."""
        return self.is_named(mail) and self.is_vouched_for(mail)

    def is_named(self, mail: Mail) -> bool:
        """Whether a mail says that it is from the trusted sender."""
        return bool(self.sender) and mail.is_from(self.sender or "")

    def is_vouched_for(self, mail: Mail) -> bool:
        """Whether the user's mail server found the domain of a mail's sender to be genuine, where it is asked."""
        if not self.authserv_id:
            return True
        checks = own_checks(mail.traces, self.authserv_id)
        if any(check.method == "dmarc" and check.result == "fail" for check in checks):
            return False
        domain = mail.sender.rpartition("@")[2]
        return any(_aligned(check.domain(), domain) for check in checks)


def own_checks(traces: Sequence[tuple[str, str]], authserv_id: str) -> list[Check]:
    """Return what the mail server of that name found.

    Its topmost line counts. Further ones count only where they follow at the very top, above all `Received` lines:
    there no sender can write. (Where a `Received` line stands above, what follows the topmost may be the sender's.)
    """
    found: list[Check] = []
    is_found = below_received = False
    for name, text in traces:
        if name == "received":
            if is_found:
                break
            below_received = True
            continue
        statements = _statements(text)
        if not statements[0] or statements[0][0].lower() != authserv_id.strip().lower():
            continue
        is_found = True
        found.extend(_checks(statements[1:]))
        if below_received:
            break
    return found


def _aligned(found: str, claimed: str) -> bool:
    """Whether two domains are the same, or one lies below the other, as DMARC's relaxed mode has it."""
    if not found or "." not in claimed:
        return False
    return found == claimed or found.endswith(f".{claimed}") or claimed.endswith(f".{found}")


def _checks(statements: list[list[str]]) -> Iterator[Check]:
    for statement in statements:
        pairs = [
            (statement[place - 1].lower(), statement[place + 1])
            for place in range(1, len(statement) - 1)
            if statement[place] == "="
        ]
        if pairs and statement[1] == "=":
            (method, result), *properties = pairs
            # The first of two properties of a name counts.
            yield Check(method.partition("/")[0], result.lower(), dict(reversed(properties)))


def _statements(text: str) -> list[list[str]]:
    """Take a value apart: at `;` into statements, those into words and `=`; none where it is malformed.

    Comments in brackets are left out, quotes are taken off.
    """
    statements: list[list[str]] = [[]]
    for word in _WORDS.findall(_without_comments(text)):
        if word == ";":
            statements.append([])
        else:
            statements[-1].append(_QUOTES.sub(r"\1", word))
    return statements


def _without_comments(text: str) -> str:
    """Put a space in the place of each comment; nothing is left where brackets or quotes are not closed."""
    kept: list[str] = []
    depth, quoted = 0, False
    for piece in _PIECES.findall(text):
        if piece == "(" and not quoted:
            depth += 1
            kept.append(" ")
        elif piece == ")" and not quoted:
            depth -= 1
            if depth < 0:
                return ""
        elif not depth:
            quoted ^= piece == '"'
            kept.append(piece)
    return "" if depth or quoted else "".join(kept)

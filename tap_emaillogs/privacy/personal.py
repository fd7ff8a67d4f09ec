"""The personal values of one record, to be removed from its other columns and from the events made of it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from tap_emaillogs.formats import escapes
from tap_emaillogs.privacy import encoded, finding
from tap_emaillogs.privacy.finding import FEW, Finder, Found, folded, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_emaillogs.privacy.finding import Fits

_SHORT = 4
"""A shorter subject is hidden where it is a whole value, not inside words."""
_SHORT_NAME = 5
"""A recipient without an `@` that is not longer is hidden likewise."""
_DIGITS = 5
"""A recipient without an `@` that has so many is a telephone number, which is none of the vendor's own ids."""


class PersonalValues:
    """What one record hides.

    Args:
        recipients: Their addresses, bare, as `folded` writes them.
        texts: Subjects, bodies and recipients' names, and what stands for each.
        ips: IP addresses of the recipient's side.
        named: The texts in which the recipients were found.
    """

    __slots__ = (
        *("_all_have_at", "_exact", "_few", "_finders", "_has_short", "_ids", "_marks"),
        *("ips", "named", "recipients", "texts"),
    )

    def __init__(
        self, recipients: dict[str, None], texts: dict[str, str], ips: dict[str, None], named: frozenset[str]
    ) -> None:
        self.recipients, self.texts, self.ips, self.named = recipients, texts, ips, named
        self._exact = [text.strip() for text in texts]
        self._ids: list[str] | None = None
        self._finders: dict[str, Finder] = {}
        self._few = len(texts) <= FEW and len(recipients) <= FEW
        self._has_short = not self._few and min(map(len, self._exact), default=_SHORT) < _SHORT
        self._marks = encoded.marks(recipients) if self._few else ()
        self._all_have_at = True
        for address in recipients:
            if "@" not in address:
                self._all_have_at = False

    def with_ips(self, ips: dict[str, None]) -> PersonalValues:
        """Return the same values, and these IP addresses."""
        more = PersonalValues.__new__(PersonalValues)
        more.recipients, more.texts, more.ips, more.named = self.recipients, self.texts, ips, self.named
        more._exact, more._ids, more._marks = self._exact, self._ids, self._marks  # noqa: SLF001 - its own
        more._few, more._has_short = self._few, self._has_short  # noqa: SLF001 - likewise
        more._finders, more._all_have_at = self._finders, self._all_have_at  # noqa: SLF001 - likewise
        return more

    # Whether a text shows anything.

    def may_be_in(self, text: str) -> bool:
        """Whether a text may hold one of the values, but for IP addresses; False is certain."""
        if not self._few:
            return self._has_short or bool(self._texts_in(text) or self.addresses_in(text))
        for plain in self._exact:
            if plain in text:
                return True
        if "@" in text or not self._all_have_at:
            lower = text.lower() if text.isascii() else folded(text)
            for address in self.recipients:
                if address in lower:
                    return True
        return self._is_encoded_in(text, self.addresses_in)

    def may_be_in_ids(self, text: str) -> bool:
        """Whether an id or a sender's column may hold a text or a recipient; False is certain."""
        if not self._few:
            return self._has_short or bool(self._texts_in(text) or self.addresses_in_id(text))
        for plain in self._exact:
            if plain in text:
                return True
        if "@" in text or "=" in text or not self._all_have_at:
            if self._ids is None:
                self._ids = list(self._forms_in_ids())
            lower = text.lower() if text.isascii() else folded(text)
            for form in self._ids:
                if form in lower:
                    return True
        return self._is_encoded_in(text, self.addresses_in_id)

    def _is_encoded_in(self, text: str, addresses_in: Callable[[str], list[Found]]) -> bool:
        if encoded.has_one(text, self._marks):
            return bool(addresses_in(text)) or bool(self._texts_in(text))
        escaped = escapes.may_be_escaped(text)
        if not escaped and "+" not in text:
            return False
        return (bool(self._exact) and bool(self._texts_in(text))) or (
            escaped and self._may_be_escaped(text) and bool(addresses_in(text))
        )

    def _may_be_escaped(self, text: str) -> bool:
        return bool(self.recipients) and ("@" in text or not self._all_have_at or encoded.may_hold_at(text))

    def _may_be_packed(self, text: str) -> bool:
        return encoded.has_one(text, self._marks) if self._few else encoded.may_be_packed(text)

    def may_show_ip(self, text: str) -> bool:
        """Whether a text may hold one of the IP addresses; False is certain."""
        if len(self.ips) > FEW:
            return text.count(".") >= 3 or text.count(":") >= 2
        return any(ip in text for ip in self.ips)

    # Where.

    def addresses_in(self, text: str) -> list[Found]:
        """Return where recipients stand in a text, plainly or encoded."""
        lower = folded(text)
        if (whole := lower.strip()) in self.recipients:
            start = lower.index(whole)
            return [Found(start, start + len(whole), whole)]
        return self._addresses_in(text, lower, self._finder("addresses", self._plain_addresses, finding.ADDRESS))

    def addresses_in_id(self, text: str) -> list[Found]:
        """Return where recipients stand in an id, a sender, or a return path."""
        return self._addresses_in(text, folded(text), self._finder("ids", self._forms_in_ids, finding.in_id))

    def _addresses_in(self, text: str, lower: str, finder: Finder) -> list[Found]:
        found: Iterable[Found] = finder.find(lower)
        if escapes.may_be_escaped(text) and self._may_be_escaped(text):
            found = chain(found, encoded.escaped(text, lambda plain: finder.find(folded(plain))))
        if self._may_be_packed(text):
            inside = self._finder("ids", self._forms_in_ids, finding.in_id)
            found = chain(found, encoded.packed(text, lambda plain: inside.find(folded(plain))))
        return merged(found)

    def _texts_in(self, text: str, *, words: bool = False) -> list[Found]:
        """Return where subjects, bodies and names stand in a text; with `words` only those of several words."""
        find = self._finder("texts", self._plain_texts, finding.words).find
        found: Iterable[Found] = find(text)
        if "+" in text or escapes.may_be_escaped(text):
            found = chain(found, encoded.escaped(text, find, blanks=True))
        return merged(one for one in found if not words or (" " in one.value and one.value != text))

    def without_texts(self, text: str, *, words: bool = False) -> str:
        """Clear a text of subjects, bodies and names; `words` says that it is one of a vendor's words."""
        if not words and text in self.texts:
            return self.texts[text]
        return replaced(text, self._texts_in(text, words=words), self.texts.__getitem__)

    # What is looked for.

    def _finder(self, kind: str, values: Callable[[], dict[str, str]], fits: Fits) -> Finder:
        found = self._finders.get(kind)
        if found is None:
            found = self._finders[kind] = Finder(values(), fits)
        return found

    def _plain_addresses(self) -> dict[str, str]:
        return {one: one for one in self.recipients if len(one) > _SHORT_NAME or _has_at(one)}

    def _forms_in_ids(self) -> dict[str, str]:
        forms = {}
        for address in self.recipients:
            name, _, host = address.rpartition("@")
            if name and host:
                forms[address] = forms[f"{name}={host}"] = address
            elif len(address) > _SHORT_NAME and sum(map(str.isdigit, address)) >= _DIGITS:
                forms[address] = address
        return forms

    def _plain_texts(self) -> dict[str, str]:
        return {plain: text for text in self.texts if len(plain := text.strip()) >= _SHORT}


def replaced(text: str, found: list[Found], instead: Callable[[str], str], rest: Callable[[str], str] = str) -> str:
    """Return a text with something instead of what was found in it, and what `rest` makes of the parts between."""
    pieces: list[str] = []
    done = 0
    for one in found:
        pieces += rest(text[done : one.start]), instead(one.value)
        done = one.end
    return "".join([*pieces, rest(text[done:])]) if found else rest(text)


def _has_at(text: str) -> bool:
    name, _, host = text.rpartition("@")
    return bool(name and host)


NOTHING = PersonalValues({}, {}, {}, frozenset())
"""No values at all."""

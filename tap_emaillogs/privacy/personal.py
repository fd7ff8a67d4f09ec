"""The personal values of one record, to be removed from its other columns and from the events made of it."""

from __future__ import annotations

from tap_emaillogs.privacy.replacing import in_ids, in_links, replace_words

_SHORT = 4
"""A shorter subject is hidden where it is a whole value, not inside words."""


class PersonalValues:
    """What one record hides."""

    __slots__ = ("ips", "recipients", "texts")

    def __init__(self) -> None:
        self.recipients: dict[str, None] = {}
        """Bare, in lower case."""
        self.ips: dict[str, None] = {}
        self.texts: dict[str, str] = {}
        """Subjects, bodies and recipients' names, and what stands for them."""

    def add(self, other: PersonalValues) -> None:
        """Take over what another record hides."""
        self.recipients |= other.recipients
        self.ips |= other.ips
        self.texts |= other.texts

    def may_be_in(self, text: str) -> bool:
        """Whether a text may hold one of the values; False is certain."""
        if self._texts_may_be_in(text):
            return True
        if self.recipients:
            lower = text.lower()
            for address in self.recipients:
                if address in lower:
                    return True
        return any(ip in text for ip in self.ips) if self.ips else False

    def may_be_in_ids(self, text: str) -> bool:
        """Whether an id or a sender's column may hold a text or a recipient; False is certain."""
        if self._texts_may_be_in(text):
            return True
        if self.recipients:
            lower = text.lower()
            for address in self.recipients:
                for form in in_ids(address):
                    if form in lower:
                        return True
        return False

    def _texts_may_be_in(self, text: str) -> bool:
        if not self.texts:
            return False
        linked = "%" in text or "+" in text
        for whole in self.texts:
            plain = whole.strip()
            if len(plain) <= len(text) and (plain in text or (linked and _is_in_link(plain, text))):
                return True
        return False

    def without_texts(self, text: str, *, words: bool = False) -> str:
        """Clear a text of subjects, bodies and names; `words` says that it is one of a vendor's words."""
        linked = "%" in text or "+" in text
        for whole, instead in self.texts.items():
            if words and (text == whole or " " not in whole):  # a subject "delivered" is no secret in a status
                continue
            if text == whole:
                return instead
            plain = whole.strip()
            if not _SHORT <= len(plain) <= len(text):
                continue
            for form in (plain, *(in_links(plain) if linked else ())):
                if form in text:
                    text = replace_words(text, form, instead)
        return text


def _is_in_link(plain: str, text: str) -> bool:
    return any(form in text for form in in_links(plain))


NOTHING = PersonalValues()
"""No values at all; never added to."""

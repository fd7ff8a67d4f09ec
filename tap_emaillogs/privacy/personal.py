"""The personal values of one record, to be removed from its other columns and from the events made of it."""

from __future__ import annotations

from tap_emaillogs.privacy.replacing import cached, in_ids, in_links, replace_words

_SHORT = 4
"""A shorter subject is hidden where it is a whole value, not inside words."""


class PersonalValues:
    """What one record hides.

    Args:
        recipients: Their addresses, bare, in lower case.
        texts: Subjects, bodies and recipients' names, and what stands for each.
        ips: IP addresses of the recipient's side.
        named: The texts in which the recipients were found.
    """

    __slots__ = ("_all_have_at", "_exact", "_in_ids", "ips", "named", "recipients", "texts")

    def __init__(
        self, recipients: dict[str, None], texts: dict[str, str], ips: dict[str, None], named: frozenset[str]
    ) -> None:
        self.recipients, self.texts, self.ips, self.named = recipients, texts, ips, named
        self._exact = [text.strip() for text in texts]
        self._in_ids: list[str] | None = None
        self._all_have_at = True
        for address in recipients:
            if "@" not in address:
                self._all_have_at = False

    def with_ips(self, ips: dict[str, None]) -> PersonalValues:
        """Return the same values, and these IP addresses."""
        more = PersonalValues.__new__(PersonalValues)
        more.recipients, more.texts, more.ips, more.named = self.recipients, self.texts, ips, self.named
        more._exact, more._in_ids, more._all_have_at = self._exact, self._in_ids, self._all_have_at  # noqa: SLF001 - its own
        return more

    def may_be_in(self, text: str, *, ips: bool = True) -> bool:
        """Whether a text may hold one of the values, without `ips` one that is no IP address; False is certain."""
        for plain in self._exact:
            if plain in text:
                return True
        if ("%" in text or "+" in text) and self._may_be_in_link(text):
            return True
        if "@" in text or not self._all_have_at:
            lower = text.lower()
            for address in self.recipients:
                if address in lower:
                    return True
        if ips:
            for ip in self.ips:
                if ip in text:
                    return True
        return False

    def may_be_in_ids(self, text: str) -> bool:
        """Whether an id or a sender's column may hold a text or a recipient; False is certain."""
        for plain in self._exact:
            if plain in text:
                return True
        if ("%" in text or "+" in text) and self._may_be_in_link(text):
            return True
        if "@" in text or "=" in text or "%" in text:
            if self._in_ids is None:
                self._in_ids = [form for address in self.recipients for form in in_ids(address)]
            lower = text.lower() if text.isascii() else _lower(text)
            for form in self._in_ids:
                if form in lower:
                    return True
        return False

    def _may_be_in_link(self, text: str) -> bool:
        fitting = (plain for plain in self._exact if len(plain) <= len(text))
        return any(form in text for plain in fitting for form in in_links(plain))

    def without_texts(self, text: str, *, words: bool = False) -> str:
        """Clear a text of subjects, bodies and names; `words` says that it is one of a vendor's words."""
        linked = "%" in text or "+" in text
        # The longest first: a subject may hold its recipient's name.
        for whole in sorted(self.texts, key=longest_first):
            instead = self.texts[whole]
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


_lower = cached(str.lower)  # takes long beyond ASCII, and senders repeat


def longest_first(text: str) -> tuple[int, str]:
    """Sort values so that none is broken by a part of it: by `sorted(values, key=longest_first)`."""
    return -len(text), text


NOTHING = PersonalValues({}, {}, {}, frozenset())
"""No values at all."""

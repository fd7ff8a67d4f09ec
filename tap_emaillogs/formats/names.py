"""Names of columns, however a vendor writes them."""

from __future__ import annotations

import re

from tap_emaillogs.formats.caching import cached

_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_WORD = re.compile(r"\W+|_+")


@cached
def snake_case(name: str) -> str:
    """Return a column's name as the tap writes it: `Mail Agent`, `mailAgent` and `MAIL-AGENT` are `mail_agent`."""
    parted = _WORD_ENDS.sub("_", name.replace("\x00", "").strip())
    return _NO_WORD.sub("_", parted).strip("_").lower()

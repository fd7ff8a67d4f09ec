"""Reply codes in what mail servers answered; nothing is guessed from words."""

from __future__ import annotations

import re
from typing import NamedTuple

from tap_emaillogs.formats.caching import cached_calls

_CODE = r"(?P<code>[2-5][0-5]\d)"
_ENHANCED = r"(?P<enhanced>[245]\.[0-7]\.\d{1,3})(?![\w-]|\.\d)"
_LINE = re.compile(rf"\A\s*(?:smtp;\s*)?{_CODE}(?:[ \t-]+[#(\[]?{_ENHANCED}|(?=[ \t-])|[ \t-]*$)", re.IGNORECASE)
_INSIDE = re.compile(rf"(?<![\w.-]){_CODE}[ -][#(\[]?{_ENHANCED}")
_SAID = re.compile(rf"\bsaid:\s+{_CODE}[ -](?:[#(\[]?{_ENHANCED})?", re.IGNORECASE)
_ALONE = re.compile(rf"\A\s*[#(\[]?{_ENHANCED}")
_MARKED = re.compile(rf"[#(\[]{_ENHANCED}")
_BREAKS = re.compile(r"\r\n|\r|\n|\\r\\n|\\n")


class Reply(NamedTuple):
    """The codes of a server's answer, as far as it has them."""

    code: int | None = None
    enhanced: str | None = None


NO_REPLY = Reply()


@cached_calls
def parse(text: str | None, *, certain: bool = False) -> Reply:
    r"""Read `550-5.1.1 …`, `550 5.7.1 …`, `5.1.1`, several lines (their breaks real ones or a literal `\n`).

    With `certain`, for texts that may be something else than a server's answer, a reply code counts only beside its
    enhanced code: "250 mails are the limit" has none.
    """
    if not text:
        return NO_REPLY
    lines = _BREAKS.split(text) if "\n" in text or "\r" in text or "\\" in text else [text]
    code = enhanced = None
    for line in () if certain else lines:
        match = _LINE.match(line)
        if match is None:
            continue
        if code is None or match["code"] == code:
            code = match["code"]
            enhanced = enhanced or _fitting(code, match["enhanced"])
    if code is None:
        match = _INSIDE.search(text) or _SAID.search(text)
        if match is not None:
            code, enhanced = match["code"], _fitting(match["code"], match["enhanced"])
    if enhanced is None and (marked := (_ALONE.match(lines[0]) if code is None else _MARKED.search(text))):
        enhanced = _fitting(code, marked["enhanced"])
    return Reply(int(code) if code else None, enhanced)


def _fitting(code: str | None, enhanced: str | None) -> str | None:
    """Return the enhanced code unless its class contradicts the reply code: then it is something else."""
    return enhanced if enhanced is None or code is None or code[0] == enhanced[0] else None

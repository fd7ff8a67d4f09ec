"""Why mails did not arrive, in words that are about no single person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.private import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.database import Rows

MOST_ROWS = 15
_NAMES = ("event_type", "bounce_class", "code", "reason")
_Cause = tuple[str, str, str, str]


def named(rows: Rows, fewest: int, kinds: Rows, together: Callable[[Rows], int]) -> Rows:
    """Return the commonest reasons, each with its mails, and those of few mails as one.

    Args:
        rows: Reasons as the model has them, each with `mails`: how many different mails it was said of.
        fewest: A reason of fewer mails is not named.
        kinds: `mails` of each event type and class of bounces, over all reasons.
        together: Counts the different mails of some of the rows; what is not shown makes one reason of several, and
            a mail of which more than one of them was said counts once.
    """
    alike: dict[_Cause, Rows] = {}
    for row in rows:
        key: _Cause = (row["event_type"], row["bounce_class"] or "", shown(row["code"]), shown(row["reason"]))
        alike.setdefault(key, []).append(row)
    many: list[tuple[_Cause, int]] = []
    few: dict[tuple[str, str], int] = {}
    for cause, same in alike.items():
        mails = sum(int(row["mails"]) for row in same)
        if len(same) > 1 and mails >= fewest:
            mails = together(same)
        if mails >= fewest:
            many.append((cause, mails))
        else:
            few[cause[:2]] = few.get(cause[:2], 0) + mails
    many.sort(key=lambda one: (-one[1], one[0]))
    most = {(row["event_type"], row["bounce_class"] or ""): int(row["mails"]) for row in kinds}
    other = [
        ((*kind, "", f"other, fewer than {fewest} mails each"), min(mails, most[kind]))
        for kind, mails in sorted(few.items())
    ]
    return [{**dict(zip(_NAMES, cause, strict=True)), "mails": mails} for cause, mails in (*many[:MOST_ROWS], *other)]

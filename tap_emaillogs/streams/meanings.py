"""The vocabulary of `email_events`, and what each vendor's values become in it.

A vendor's mapping is data: a `MappingTable` per field that tells what happened, one `Meaning` for each value that the
vendor documents. `why` goes into `docs/email_events.md`. Values are looked up without regard to case, and `_`, `-` and
blanks are the same, so `Soft bounce` and `soft_bounce` are one.

    STATUSES = MappingTable("`status`", {
        "Hard bounce": Meaning("bounced", "The receiving server refuses for good.", bounce_class="hard"),
        "Process failed": Meaning("failed", "…", reject_reason="other"),
    }, streams=("zeptomail_mail_logs",), at="the row's own date")

The provider names its tables, `mappings = (STATUSES,)`: documentation, tests and warnings go by them. A value that no
table has becomes `unknown`, stays verbatim in `provider_event`, and the stream warns of it once per run: yield it like
any other. How events are made of rows: `events.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EventType = Literal[
    "queued",
    "sent",
    "delivered",
    "deferred",
    "bounced",
    "rejected",
    "failed",
    "opened",
    "clicked",
    "complained",
    "unsubscribed",
    "subscribed",
    "unknown",
]
BounceClass = Literal["hard", "soft", "undetermined"]
RejectReason = Literal["invalid", "bounced", "timed_out", "blocked", "spam", "virus", "unsubscribed", "other"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a vendor's value becomes, and why."""

    event_type: EventType
    why: str
    bounce_class: BounceClass | None = None
    reject_reason: RejectReason | None = None

    def __post_init__(self) -> None:
        if (self.bounce_class is not None) != (self.event_type == "bounced"):
            raise ValueError(f"{self.event_type} with bounce_class {self.bounce_class}")
        if (self.reject_reason is not None) != (self.event_type in {"rejected", "failed"}):
            raise ValueError(f"{self.event_type} with reject_reason {self.reject_reason}")


UNKNOWN = Meaning("unknown", "No table of this vendor has the value.")


class MappingTable:
    """What each value of one field of a vendor becomes.

    Args:
        field: The field, in words for the documentation.
        meanings: The vendor's values, in the order of its documentation.
        streams: The streams that have the field.
        at: Where `event_at` comes from, in words for the documentation.
        cases: What has a meaning without a value of the field, in words for the documentation.
    """

    def __init__(
        self,
        field: str,
        meanings: Mapping[str, Meaning],
        *,
        streams: Sequence[str],
        at: str,
        cases: Mapping[str, Meaning] | None = None,
    ) -> None:
        self.field, self.meanings, self.streams, self.at = field, dict(meanings), tuple(streams), at
        self.cases = dict(cases or {})
        self._folded = {_fold(value): meaning for value, meaning in meanings.items()}

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and _fold(value) in self._folded

    def __getitem__(self, value: str | None) -> Meaning:
        """Return what a value becomes; `UNKNOWN` when the table does not have it."""
        if value is None:
            return UNKNOWN
        return self.meanings.get(value) or self._folded.get(_fold(value), UNKNOWN)


def _fold(value: str) -> str:
    return re.sub(r"[\s_-]+", " ", value).strip().casefold()

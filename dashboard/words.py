"""Words and signs that the page's parts share."""

from __future__ import annotations

from typing import Any

from dashboard.private import shown

NAMES = {
    "smtp2go": "SMTP2GO",
    "jetemail": "JetEmail",
    "infobip": "Infobip",
    "zeptomail": "ZeptoMail",
    "messangi": "Messangi",
}
LOST = frozenset({"truncated", "never read", "unavailable"})
"""What no later run can bring."""
BADNESS = ("complete", "not read yet", "pending", "failed", "truncated", "never read", "unavailable")
"""What an hour may be, from what is well to what is lost for good."""
NOTHING = "\N{EN DASH}"


def named(provider: str) -> str:
    """Return a provider's name as it is written."""
    return NAMES.get(provider) or shown(provider) or "unknown"


def endpoint(row: dict[str, Any]) -> str:
    """Return a stream, and its account where that has a name."""
    return (shown(row["stream"]) or "unknown") + (
        "" if row["account"] in {"default", None} else f" {shown(row['account'])}"
    )


def percent(part: float, whole: float) -> str:
    """Return a share in words; a dash where there is nothing to share among."""
    if not whole:
        return NOTHING
    share = 100 * part / whole
    return f"{share:.2f} %" if 0.005 < share < 1 else f"{share:.1f} %"


def interval(row: dict[str, Any], name: str) -> str:
    """Return a rate of `health`, and where it surely is."""
    rate, low, high = (row[f"{name}_rate{part}"] for part in ("", "_low", "_high"))
    if rate is None:
        return NOTHING
    return f"{percent(rate, 1)} (surely between {percent(low, 1)} and {percent(high, 1)})"

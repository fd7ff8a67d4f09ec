"""Writes docs/email_events.md from the mapping tables of the providers.

python scripts/generate_events_doc.py            write
python scripts/generate_events_doc.py --check    change nothing; status 1 when the page is not as it should be
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.meanings import BounceClass, EventType, RejectReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_emaillogs.streams.meanings import MappingTable, Meaning
    from tap_emaillogs.streams.provider import Provider

PAGE = Path(__file__).resolve().parent.parent / "docs" / "email_events.md"

INTRODUCTION = f"""\
# `email_events`

<!-- Written by scripts/generate_events_doc.py from the providers' mapping tables. -->

One row per thing that happened to an e-mail, in the same words for every vendor, made from the rows of the raw streams
as they are read: selecting it costs no further request. What a vendor does not say is null.

- `event_type` is one of {", ".join(f"`{word}`" for word in get_args(EventType))}.
- `bounce_class` is {", ".join(f"`{word}`" for word in get_args(BounceClass))}, and null unless `event_type` is \
`bounced`.
- `reject_reason` is {", ".join(f"`{word}`" for word in get_args(RejectReason))}, and null unless `event_type` is \
`rejected` or `failed`.
- `provider_event` holds the vendor's own word, verbatim. A word that no table below has becomes `unknown`, and the tap
  warns of it once per run. Capitals, blanks, `-` and `_` make no difference.
- Every mail has one `queued` event per recipient, at the moment the vendor took it, whatever became of it: the
  denominator of every rate, the same at every vendor. Statuses that only say that a mail waits make no further event.
- `event_id` is made from provider, account, the message's key and the event's own fields, and numbered among exact
  twins. So a row that is read again gives the same ids, one that gained an open gives one more, and what an older
  version of a row gave, every newer one gives too. Where a vendor keeps one status per mail and overwrites it, the
  events of statuses that were read before stay: they happened.
- `smtp_code` and `smtp_enhanced_code` are read from the answer in `smtp_response`, and from Infobip's error names and
  texts where these hold a code. They are never guessed from words.
"""


def cell(text: str) -> str:
    """Return text as a table's cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def row(value: str, meaning: Meaning) -> str:
    """Return one line of a table."""
    words = (meaning.event_type, meaning.bounce_class, meaning.reject_reason)
    return f"| {value} | " + " | ".join(f"`{word}`" if word else "" for word in words) + f" | {cell(meaning.why)} |"


def section(table: MappingTable) -> Iterator[str]:
    """Yield the lines of one table."""
    yield f"By {table.field}; `event_at` is {table.at}."
    yield ""
    yield "| value | `event_type` | `bounce_class` | `reject_reason` | why |"
    yield "| --- | --- | --- | --- | --- |"
    yield from (row(f"`{value}`", meaning) for value, meaning in table.meanings.items())
    yield from (row(value, meaning) for value, meaning in table.cases.items())
    yield ""


def chapter(provider: Provider) -> Iterator[str]:
    """Yield the lines about one vendor."""
    streams = list(dict.fromkeys(stream for table in provider.mappings for stream in table.streams))
    yield f"## {provider.title}"
    yield ""
    sources = ", or ".join(f"`{stream}`" for stream in streams)
    yield f"From {sources}; see [the vendor's page](providers/{provider.name}.md)."
    yield ""
    for table in provider.mappings:
        yield from section(table)


def page() -> str:
    """Return the whole page."""
    lines = [line for provider in PROVIDERS if provider.mappings for line in chapter(provider)]
    return f"{INTRODUCTION}\n" + "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    text = page()
    if arguments == ["--check"]:
        same = PAGE.exists() and PAGE.read_text("utf-8") == text
        print(f"{PAGE.name} is {'as it should be' if same else 'not up to date: run scripts/generate_events_doc.py'}")
        return 0 if same else 1
    PAGE.write_text(text, "utf-8")
    print(f"wrote {PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

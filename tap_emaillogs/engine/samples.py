"""What a single page tells of the time that it was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_emaillogs.engine.reading import Sample

if TYPE_CHECKING:
    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.paginators import Page
    from tap_emaillogs.streams.window import Window


def sample_of(stream: LogStream, window: Window, page: Page, *, last: bool) -> Sample:
    """Judge the first page of a window; `last` says that no page follows."""
    times = stream.times(page.rows)
    shown = len(stream.inside(window, page.rows))
    whole = not page.capped and (last or not stream.is_full(len(page.rows)))
    if not stream.time_filter and stream.order == "newest" and times:
        whole = whole or min(times) < window.start
    newest_first = stream.order == "newest" or (
        len(set(times)) > 1 and all(times[at] >= times[at + 1] for at in range(len(times) - 1))
    )
    counted = stream.time_filter and page.total is not None and page.total >= shown
    return Sample(
        rows=page.total if counted else shown,
        at_least=not (whole or counted) or page.capped,
        newest=max(times, default=None),
        newest_is_sure=whole or newest_first,
    )

"""What a run tells whoever watches it; nothing in the run depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_emaillogs.engine.endpoint import Endpoint
    from tap_emaillogs.engine.failure import Failure
    from tap_emaillogs.engine.reading import Outcome, Reading


class Observer:
    """Is told what happens in a run; does nothing. Whatever it does must neither raise nor take long."""

    def run_begins(self, endpoints: Sequence[Endpoint], failures: Sequence[Failure]) -> None:
        """The run is planned; some endpoints may have failed in that."""

    def window_begins(self, endpoint: Endpoint, reading: Reading) -> None:
        """A worker begins to read a window; told in its thread."""

    def window_is_split(self, endpoint: Endpoint, reading: Reading, parts: int) -> None:
        """A window is read in parts instead; told in the worker's thread."""

    def window_ends(self, endpoint: Endpoint, reading: Reading, outcome: Outcome, rows: int | None) -> None:
        """A window is written (`rows` of them), pending or failed."""

    def run_ends(self, failures: Sequence[Failure]) -> None:
        """Everything is read and written; what failed is told after this."""

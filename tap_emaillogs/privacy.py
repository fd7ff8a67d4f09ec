"""What happens to personal data before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_emaillogs.records import Record


class Privacy:
    """Applies the `privacy` setting to records of any stream."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Privacy:  # noqa: ARG003
        """Read the configuration."""
        return cls()

    def apply(self, stream: str, record: Record) -> Record:  # noqa: ARG002
        """Return the record as it may be written."""
        return record

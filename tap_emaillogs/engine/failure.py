"""What failed, and where: one endpoint each, whatever its vendor's code did."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_emaillogs.http.errors import ReadError
from tap_emaillogs.http.local import fault_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_emaillogs.streams.provider import Account

_logger = logging.getLogger("tap-emaillogs.engine")


@dataclass
class Failure:
    """An endpoint that could not be read to the end, or not even be planned."""

    where: str
    """Provider, account, stream and, where one failed, the window."""
    error: ReadError
    said: str
    """What it says, redacted."""
    streams: list[str]
    """The streams that it was to feed."""

    @classmethod
    def of(cls, where: str, error: BaseException, account: Account, streams: Iterable[str]) -> Failure:
        """Tell of an error; one that is no `ReadError` is this machine's, or the tap's own."""
        if not isinstance(error, ReadError):
            _logger.debug("%s", where, exc_info=error)
            kind = error.kind if isinstance(error, ForeignError) else type(error).__name__
            own = f"an error inside the tap ({kind})"
            said, hint, _ = fault_of(error) or (own, "report it, with the log of LOGLEVEL=DEBUG", False)
            error = ReadError(said, hint)
        try:
            said = account.client.redact(str(error))
        except Exception:  # noqa: BLE001 - a vendor's own class may fail at that too
            said = f"an error of the kind {type(error).__name__}"
        return cls(where, error, said, [*streams])


class ForeignError(Exception):
    """A vendor's code raised what is no `Exception`, such as `SystemExit`: it ends its endpoint, and not the run."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind

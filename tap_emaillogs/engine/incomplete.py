"""Windows that are not complete, as STATE remembers them until one that covers them is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_emaillogs.engine.windows import union
from tap_emaillogs.streams.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_emaillogs.engine.reading import Status

TO_BE_READ = frozenset({"failed", "pending"})
"""What a window is until a later run has read it; a bookmark never passes it."""


@dataclass
class Incomplete:
    """A window that some run could not read completely, and what of it is still uncovered."""

    window: Window
    status: Status
    left: list[Window] = field(default_factory=list)
    identity: Window | None = None
    """The window that its row in the ledger was written for, where that was a longer one."""

    def holds_up(self, window: Window) -> bool:
        """Whether it is yet to be read, and `window`, no window of its own row in the ledger, touches it."""
        touches = self.window.start <= window.end and window.start <= self.window.end
        return self.status in TO_BE_READ and touches and self.identity != window

    def grown(self, window: Window, status: Status) -> Incomplete:
        """Return it with a window that could not be read either; it keeps its id in the ledger."""
        both = Window(min(self.window.start, window.start), max(self.window.end, window.end))
        identity = self.identity if both == self.window else self.identity or self.window
        return Incomplete(both, status, union([*self.left, window]), identity)

    @classmethod
    def load(cls, entry: Mapping[str, Any]) -> Incomplete:
        """Read it from STATE."""
        left = [Window.load(part) for part in entry.get("left", [entry])]
        return cls(Window.load(entry), entry["status"], left, Window.load(entry["of"]) if "of" in entry else None)

    def dump(self) -> dict[str, Any]:
        """Write it for STATE."""
        entry: dict[str, Any] = {**self.window.dump(), "status": self.status}
        if self.identity is not None:
            entry["of"] = self.identity.dump()
        if self.left != [self.window]:
            entry["left"] = [part.dump() for part in self.left]
        return entry

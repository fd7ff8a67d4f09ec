"""Requests a minute, as vendors publish them; enforced on demand."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sandbox.base.vendor import Vendor
    from sandbox.base.web import Request, Response


class Budgets:
    """Requests a minute per vendor and account, with each vendor's penalty."""

    def __init__(self, now: Callable[[], datetime] | None) -> None:
        self._now = now
        self._served: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._blocked: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def refusal(self, vendor: Vendor[Any], request: Request) -> Response | None:
        """Count a request; return the vendor's 429 when it is one too many."""
        limit = vendor.limit_of(request)
        if limit is None:
            return None
        who, now = (vendor.name, limit[0]), self._now().timestamp() if self._now else time.monotonic()
        with self._lock:
            served = self._served[who]
            while served and served[0] <= now - 60:
                served.popleft()
            if self._blocked.get(who, 0) <= now:
                if len(served) < limit[1]:
                    served.append(now)
                    return None
                self._blocked[who] = now + vendor.penalty if vendor.penalty else served[0] + 60
            return vendor.too_many(self._blocked[who] - now)

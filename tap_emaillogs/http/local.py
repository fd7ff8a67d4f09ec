"""Faults of this machine, which no vendor is to be blamed for: a full disk, no file handles, no permission."""

from __future__ import annotations

import errno
import os
import tempfile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class LocalFault(NamedTuple):
    """What this machine lacks, and what to do about it."""

    said: str
    hint: str
    passes: bool = False
    """Whether it may pass while the run goes on."""


_HANDLES = "raise the limit of open files (ulimit -n), or lower max_concurrency"
_DISK = "free space in {place}, or name another directory in TMPDIR"
_MEMORY = "give the process more memory, or lower max_concurrency and page_size"
_PERMISSION = "permit it: look at the permissions of {place} (TMPDIR names another), and at this machine's firewall"

_FAULTS: dict[int | str, tuple[str, bool]] = {
    errno.EMFILE: (_HANDLES, True),
    errno.ENFILE: (_HANDLES, True),
    errno.ENOBUFS: (_MEMORY, True),
    errno.ENOMEM: (_MEMORY, True),
    errno.ENOSPC: (_DISK, False),
    errno.EDQUOT: (_DISK, False),
    errno.EROFS: (_DISK, False),
    errno.EFBIG: ("raise the limit of file sizes (ulimit -f)", False),
    errno.EIO: ("look at this machine's disk", False),
    errno.EACCES: (_PERMISSION, False),
    errno.EPERM: (_PERMISSION, False),
    "SQLITE_FULL": (_DISK, False),
    "SQLITE_CANTOPEN": (_DISK, False),
    "SQLITE_IOERR": (_DISK, False),
    "SQLITE_READONLY": (_DISK, False),
    "SQLITE_NOMEM": (_MEMORY, True),
}
"""By `errno`, or by the beginning of SQLite's own name: what to do, and whether it may pass meanwhile."""


def fault_of(error: BaseException) -> LocalFault | None:
    """Return the fault of this machine that an exception comes from; None: it comes from none."""
    for one in causes(error):
        if (number := _number(one)) in _FAULTS:
            hint, passes = _FAULTS[number]
            said = os.strerror(number) if isinstance(number, int) else str(one)
            return LocalFault(f"a fault of this machine ({said})", hint.format(place=_place()), passes)
    return None


def _number(error: BaseException) -> int | str:
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, OSError):
        return error.errno or 0
    name = str(getattr(error, "sqlite_errorname", ""))
    return next((known for known in _FAULTS if isinstance(known, str) and name.startswith(known)), 0)


def _place() -> str:
    """Return the directory of temporary files; where none can be written that is the fault itself."""
    try:
        return tempfile.gettempdir()
    except OSError:
        return "the directory of temporary files"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, what it came from, and so on to the innermost."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)

"""One run: the tap's stdout is the loader's stdin, two processes as a shell would start them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import IO

    from emaillogs_dagster.settings import Settings

_GUARD = str(Path(__file__).with_name("guard.py"))
_COUNT = re.compile(r'METRIC: (\{.*"metric": ?"record_count".*\})')
_LAST = 20
"""So many lines of each process are kept."""


@dataclass
class Outcome:
    """What became of one run of tap and loader."""

    tap: int = 0
    loader: int = 0
    records: dict[str, int] = field(default_factory=dict)
    """Per stream, as the tap counted."""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST))
    """The last lines of both, without METRIC lines; the tap hides keys and addresses in its own."""
    said: dict[str, str] = field(default_factory=dict)
    """The very last line of `tap` and `loader`: where one failed, what and why."""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether everything was read and loaded."""
        return self.tap == self.loader == 0


def loader_config(settings: Settings) -> tuple[dict[str, Any], set[str]]:
    """Return the loader's configuration for the warehouse, as docs/loaders.md has it, and the secrets in it."""
    parts = urlsplit(settings.warehouse)
    if parts.scheme == "duckdb":
        file = settings.warehouse.removeprefix("duckdb:///")
        more: dict[str, Any] = {"filepath": file, "batch_size_rows": 2000, "flush_all_streams": True}
        return {**more, "default_target_schema": settings.schema, "add_metadata_columns": True}, set()
    password = unquote(parts.password or "")
    config = {
        "host": parts.hostname,
        "port": parts.port or 5432,
        "user": unquote(parts.username or ""),
        "password": password or "unused",
        "database": parts.path.removeprefix("/"),
        "default_target_schema": settings.schema,
        "load_method": "upsert",
        "sanitize_null_text_characters": True,
        "add_record_metadata": True,
    }
    return config, {password} - {""}


def run(
    settings: Settings,
    config: Mapping[str, Any],
    secrets: Iterable[str],
    state: Mapping[str, Any] | None,
    on_state: Callable[[dict[str, Any]], None],
) -> Outcome:
    """Run the tap into the loader until both have ended.

    Args:
        settings: Commands and warehouse.
        config: The tap's configuration, secrets and all; it goes through a file without a name.
        secrets: What must stand in no line.
        state: STATE to begin from.
        on_state: Is given each STATE that the loader confirms, at once, in the order they come.
    """
    outcome, began = Outcome(), time.monotonic()
    target, more = loader_config(settings)
    hidden = sorted({one for one in {*secrets, *more} if len(one) > 3}, key=len, reverse=True)
    with ExitStack() as stack:
        lifeline, ours = _lifeline(stack)
        _end_with_parent(stack)
        tap_files = {"--config": _file(stack, config)} | ({"--state": _file(stack, state)} if state else {})
        target_file = _file(stack, target)
        arguments = [part for name, fd in tap_files.items() for part in (name, f"/dev/fd/{fd}")]
        guarded = [sys.executable, "-I", "-S", _GUARD, str(lifeline), *settings.tap, *arguments]
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        tap = stack.enter_context(subprocess.Popen(guarded, pass_fds=(lifeline, *tap_files.values()), **pipes))
        stack.callback(ours.close)  # whatever happens here, the tap ends, and the loader after it
        loader = stack.enter_context(
            subprocess.Popen(
                [*settings.loader, "--config", f"/dev/fd/{target_file}"],
                stdin=tap.stdout,
                pass_fds=(target_file,),
                env={**os.environ, "PGTZ": "UTC"},
                **pipes,
            )
        )
        assert tap.stdout
        assert tap.stderr
        assert loader.stdout
        assert loader.stderr
        tap.stdout.close()  # the loader's alone, so that the tap notices when it is gone
        watchers = [
            threading.Thread(target=_listen, args=(name, lines, outcome, hidden), daemon=True)
            for name, lines in {"tap": tap.stderr, "loader": loader.stderr}.items()
        ]
        for watcher in watchers:
            watcher.start()
        try:
            _confirm(loader.stdout, on_state)
            outcome.loader = loader.wait()
            if outcome.loader:
                ours.close()  # nobody takes what the tap would still read
            outcome.tap = tap.wait()
        except BaseException:
            ours.close()  # somebody stops the run: the tap ends with a last STATE, which counts when it is loaded
            with suppress(Exception):
                _confirm(loader.stdout, on_state)
            raise
        finally:
            for watcher in watchers:
                watcher.join()
    outcome.seconds = time.monotonic() - began
    return outcome


def _lifeline(stack: ExitStack) -> tuple[int, IO[bytes]]:
    """Return both ends of a pipe: the guard's, and ours, which ends with this process."""
    theirs, ours = os.pipe()
    stack.callback(os.close, theirs)
    return theirs, stack.enter_context(os.fdopen(ours, "wb"))


def _end_with_parent(stack: ExitStack) -> None:
    """End this process when the one that started it is gone: a step must not go on when its run is no more."""
    parent, over = os.getppid(), threading.Event()
    stack.callback(over.set)

    def watch() -> None:
        while not over.wait(1):
            if os.getppid() != parent:
                os._exit(1)  # and with it the pipe that `guard` listens to

    threading.Thread(target=watch, daemon=True).start()


def _file(stack: ExitStack, value: Mapping[str, Any]) -> int:
    """Return a descriptor of a file without a name that holds `value`: it is gone with the processes that have it."""
    file = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))  # noqa: SIM115 - the stack closes it
    json.dump(value, file)
    file.flush()
    file.seek(0)
    return file.fileno()


def _confirm(stream: IO[bytes], on_state: Callable[[dict[str, Any]], None]) -> None:
    """Pass on each STATE that the loader prints, until it ends."""
    for line in filter(bytes.strip, stream):
        on_state(json.loads(line))


def _listen(name: str, stream: IO[bytes], outcome: Outcome, hidden: list[str]) -> None:
    """Keep the last lines of a process and count records; all lines go to the step's own log."""
    for raw in stream:
        line = raw.decode("utf-8", "replace").rstrip()
        if found := _COUNT.search(line):
            metric = json.loads(found[1])
            table = metric["tags"].get("stream", "")
            outcome.records[table] = outcome.records.get(table, 0) + metric["value"]
        if not line or "METRIC: " in line:
            continue
        for secret in hidden:
            line = line.replace(secret, "***")
        outcome.lines.append(line)
        outcome.said[name] = line
        print(line, file=sys.stderr, flush=True)

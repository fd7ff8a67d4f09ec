"""What comes out is what came out before: keys, records, STATE and ledger of every stream, over many runs.

`golden_runs.py` says what is run and what of it is frozen. To freeze anew, after an intended change of what comes out
(say which in the commit's message):

    PYTHONPATH=. python tests/test_golden.py --write [scenario …]

`xzcat tests/golden/days.json.xz` shows a file, a line for each value: made for `diff`.
"""

from __future__ import annotations

import json
import lzma
import sys
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from general import LEDGER
from golden_runs import ALL, SCENARIOS, play
from tap_emaillogs.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FOLDER = Path(__file__).resolve().parent / "golden"
_SHOWN = 12
"""Examples of differences shown for each stream of a run."""
_ABSENT = "(absent)"
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS)


def _file(scenario: str) -> Path:
    return FOLDER / f"{scenario}.json.xz"


@cache
def golden(scenario: str) -> Any:
    return json.loads(lzma.decompress(_file(scenario).read_bytes()))


@cache
def played(scenario: str) -> Any:
    return play(scenario)


@every_scenario
def test_what_comes_out_is_unchanged(scenario: str) -> None:
    found = list(differences(golden(scenario), played(scenario)))
    assert not found, "\n".join([f"{scenario} differs from {_file(scenario).name}:", *found])


@every_scenario
def test_no_window_costs_more_or_fewer_requests(scenario: str) -> None:
    """Apart from the records, since fewer requests may be just what a change is for."""
    found = []
    for before, after in _same_runs(golden(scenario), played(scenario)):
        old, new = before["requests"], after["requests"]
        changed = [f"    {name}: {a} → {b}" for name, a, b in _changed(old, new)]
        if changed:
            sums = [sum(count or 0 for count in counts.values()) for counts in (old, new)]
            found += [f"  run {before['name']!r}, {sums[0]} → {sums[1]} requests in all:", *_cut(changed)]
    assert not found, "\n".join([f"{scenario}: the records apart, the number of requests differs:", *found])


def test_the_golden_files_show_everything() -> None:
    """All streams have rows, all windows' statuses occur, and no file is left from a scenario that is gone."""
    assert {path.name for path in FOLDER.iterdir()} == {_file(name).name for name in SCENARIOS}
    runs = [run for name in SCENARIOS for run in golden(name)["runs"]]
    streams = {vars(kind)["name"] for provider in PROVIDERS if provider.name in ALL for kind in provider.streams}
    assert {stream for run in runs for stream, rows in run["records"].items() if rows} >= streams | {"email_events"}
    statuses = {row["status"] for run in runs for row in run["records"].get(LEDGER, ())}
    assert statuses == {"complete", "failed", "pending", "truncated", "unavailable"}


# What differs.


def differences(before: Any, after: Any) -> Iterator[str]:
    """Yield a line for whatever differs in two answers of `play`, but for requests."""
    for stream, old, new in _changed(before["schemas"], after["schemas"]):
        yield from _cut(f"  SCHEMA of {stream}{path}: {a} → {b}" for path, a, b in _paths(old, new))
    for old, new in _same_runs(before, after):
        title = f"  run {old['name']!r}"
        if old["status"] != new["status"]:
            yield f"{title}: exit status {old['status']} → {new['status']}"
        for stream in sorted(old["records"].keys() | new["records"].keys()):
            keys = (before["schemas"] | after["schemas"])[stream]["key_properties"]
            rows = [run["records"].get(stream, []) for run in (old, new)]
            if found := list(_rows(keys, *rows)):
                yield f"{title}, {stream}: {len(rows[0])} → {len(rows[1])} records"
                yield from found
        if found := [f"    {path}: {a} → {b}" for path, a, b in _paths(old["state"], new["state"])]:
            yield f"{title}, STATE:"
            yield from _cut(found)


def _same_runs(before: Any, after: Any) -> Iterator[tuple[Any, Any]]:
    names = [[run["name"] for run in found["runs"]] for found in (before, after)]
    assert names[0] == names[1], "other runs than those frozen: write the golden file anew"
    yield from zip(before["runs"], after["runs"], strict=True)


def _rows(keys: list[str], before: list[Any], after: list[Any]) -> Iterator[str]:
    old, new = _by_key(keys, before), _by_key(keys, after)
    columns: Counter[str] = Counter()
    lines = []
    for key in sorted(old.keys() | new.keys()):
        versions = old.get(key, []), new.get(key, [])
        shown = key + _window(next(filter(None, versions))[0])
        if len(versions[0]) != len(versions[1]):
            columns["(number of records)"] += 1
            lines.append(f"    {shown}: {len(versions[0])} → {len(versions[1])} records")
        for one, two in zip(*versions, strict=False):
            for column, a, b in _changed(one, two):
                columns[column] += 1
                lines.append(f"    {shown}, {column}: {json.dumps(a)} → {json.dumps(b)}")
    if lines:
        yield f"    keys that differ, by column: {dict(columns.most_common())}"
        yield from _cut(lines)


def _window(row: Any) -> str:
    """Say which window a row of the ledger is about: its key is a digest."""
    parts = ("stream", "account", "window_start", "window_end")
    return f" ({' '.join(row[part] for part in parts)})" if "window_id" in row else ""


def _by_key(keys: list[str], rows: list[Any]) -> dict[str, list[Any]]:
    found = defaultdict(list)
    for row in rows:
        found[" ".join(f"{key}={row.get(key)}" for key in keys)].append(row)
    return found


def _changed(before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted(before.keys() | after.keys()):
        one, two = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if json.dumps(one, sort_keys=True) != json.dumps(two, sort_keys=True):  # 1, 1.0 and true are not the same
            yield name, one, two


def _paths(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name, one, two in _changed(before, after):
            yield from _paths(one, two, f"{path}/{name}")
    else:
        yield path, before, after


def _cut(lines: Iterable[str]) -> list[str]:
    whole = list(lines)
    return whole if len(whole) <= _SHOWN else [*whole[:_SHOWN], f"    … and {len(whole) - _SHOWN} more"]


def write(scenarios: Iterable[str]) -> None:
    """Freeze scenarios as they come out now, if twice in the same way."""
    for scenario in scenarios:
        found = play(scenario)
        if changing := [*differences(found, play(scenario))]:
            raise SystemExit("\n".join([f"{scenario} comes out differently each time:", *changing]))
        text = json.dumps(found, sort_keys=True, ensure_ascii=False, indent=0)
        _file(scenario).write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    if sys.argv[1:2] != ["--write"]:
        raise SystemExit(__doc__)
    write(sys.argv[2:] or SCENARIOS)

"""Writes the fault matrix into docs/reliability.md, from what the tests recorded in tests/fault_matrix.json.

python scripts/generate_reliability_doc.py            write
python scripts/generate_reliability_doc.py --check    change nothing; status 1 when the page is not as it should be

`TAP_EMAILLOGS_RECORD=1 pytest tests/test_fault_matrix.py` records anew; without it a cell is compared with the record.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PAGE, RECORD = ROOT / "docs" / "reliability.md", ROOT / "tests" / "fault_matrix.json"
_BLOCK = re.compile(
    r"(<!-- fault matrix: written by scripts/generate_reliability_doc\.py -->\n).*?(<!-- end -->\n)", re.DOTALL
)
SIGNS = {"same rows": "=", "named failure": "F", "pending": "P", "truncated": "T", "warning": "W"}

Matrix = dict[str, dict[str, dict[str, str]]]


def cell(found: dict[str, str]) -> str:
    """Return a cell: what a fault that passes comes to, and one that lasts."""
    if "unfit" in found:
        return "-"
    return " ".join(SIGNS[found[how]] for how in ("passing", "lasting") if how in found)


def lines(matrix: Matrix) -> Iterator[str]:
    """Yield the table, and why some cells are empty."""
    subjects = list(next(iter(matrix.values())))
    yield "| fault | " + " | ".join(f"`{name}`" for name in subjects) + " |"
    yield "| --- |" + " :-: |" * len(subjects)
    for fault, row in matrix.items():
        yield f"| {fault} | " + " | ".join(cell(row[name]) for name in subjects) + " |"
    yield ""
    yield "Where a stream cannot suffer a fault (`-`):"
    yield ""
    for name in subjects:
        reasons: dict[str, list[str]] = {}
        for fault, row in matrix.items():
            if why := row[name].get("unfit"):
                reasons.setdefault(why, []).append(fault)
        if reasons:
            told = "; ".join(f"{', '.join(faults)}: {why}" for why, faults in reasons.items())
            yield f"- `{name}`: {told}."


def page(old: str) -> str:
    """Return the whole page."""
    matrix: Matrix = json.loads(RECORD.read_text("utf-8"))
    table = "\n".join(lines(matrix))
    new, count = _BLOCK.subn(lambda found: f"{found[1]}\n{table}\n\n{found[2]}", old)
    if count != 1:
        raise ValueError(f"{PAGE.name} must hold the marks of the fault matrix once")
    return new


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    old = PAGE.read_text("utf-8")
    new = page(old)
    if arguments == ["--check"]:
        told = "as it should be" if old == new else f"not up to date: run scripts/{Path(__file__).name}"
        print(f"{PAGE.name} is {told}")
        return int(old != new)
    PAGE.write_text(new, "utf-8")
    print(f"wrote {PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

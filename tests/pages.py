"""The blocks of code in README, CONTRIBUTING and docs/, and what becomes of each.

| block | is |
| --- | --- |
| any, with `title="name"` | written to that file |
| `console` | run, the lines that begin with `$ `; in one shell, which stops at the first failure |
| `sql` | asked of `emaillogs.duckdb` |
| `json` | a configuration of the tap, and so checked; with a title too, unless it is another program's |
| `text` | shown only |

A comment before it, `<!-- not run: why -->`, exempts a block; the reason is for the reader of the page's source.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
KNOWN = {"console", "sql", "json", "yaml", "text"}
_FENCE = re.compile(
    r"(?:^[ ]*<!-- not run: (?P<reason>[^\n]+) -->\n)?"
    r"^(?P<indent>[ ]*)```(?P<language>\w*)(?:[ ]title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    title: str | None
    reason: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The commands of a console, without the prompt."""
        return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]


def blocks(page: Path) -> list[Block]:
    """Return a page's blocks in order."""
    text = page.read_text("utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, found.start("indent")) + 1,
            found["language"],
            found["title"],
            found["reason"],
            textwrap.dedent(found["text"]),
        )
        for found in _FENCE.finditer(text)
    ]


def runs(page: Path) -> bool:
    """Tell whether anything on a page is run."""
    return any(block.language in {"console", "sql"} and not block.reason for block in blocks(page))

"""What the linter is told to let pass has its reason."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_every_exception_from_a_security_rule_says_why() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("tap_emaillogs", "sandbox", "scripts", "benchmarks", "tests")
        for path in (ROOT / folder).rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"# noqa:[^#]*\bS\d{3}\b(?![^#]* - \w)", line)
    ]
    assert not found

"""What scripts/lib.sh sets for all scripts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

LIB = Path(__file__).resolve().parent.parent / "scripts" / "lib.sh"
CERTIFICATES = ("UV_SYSTEM_CERTS", "UV_NATIVE_TLS", "PIP_CERT")


def sourced(environment: Mapping[str, str]) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if name not in {*CERTIFICATES, "SSL_CERT_FILE"}}
    done = subprocess.run(
        ["bash", "-euc", f"source '{LIB}'; env -0"],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


def test_the_certificates_that_this_machine_trusts_are_trusted(tmp_path: Path) -> None:
    own = tmp_path / "own.pem"
    own.write_text("a certificate")
    found = sourced({"SSL_CERT_FILE": str(own)})
    assert [found[name] for name in CERTIFICATES] == ["true", "true", str(own)]


@pytest.mark.parametrize("name", CERTIFICATES)
def test_whoever_wants_others_has_the_last_word(name: str) -> None:
    assert sourced({name: "false"})[name] == "false"

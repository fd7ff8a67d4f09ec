"""Who takes part: the environment each lives in, its command, its configuration."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

ROOT = Path(__file__).parents[1]
TAPS = Path(__file__).parent / "taps"
HOME = Path(os.environ.get("TAP_EMAILLOGS_HOME") or ROOT / ".envs")
SCHEMA = json.loads((ROOT / "tap_emaillogs/schemas/smtp2go_activity.json").read_text(encoding="utf-8"))
RAW, EVENTS = "smtp2go_activity", "email_events"

_SDK = ("singer-sdk[msgspec]==0.54.9",)


@dataclass(frozen=True)
class Contestant:
    """A program that reads SMTP2GO's log."""

    name: str
    title: str
    environment: str
    """Its directory is `bench-<environment>` in `HOME`."""
    arguments: tuple[str, ...]
    """What stands between the Python and `--config FILE`."""
    requirements: tuple[str, ...] = ()


def _script(name: str) -> tuple[str, ...]:
    return (str(TAPS / f"{name}.py"),)


OURS = Contestant(
    "ours", "tap-emaillogs", "ours", ("-m", "tap_emaillogs"), ("-r", str(ROOT / "requirements/runtime.txt"))
)
FLOOR = Contestant("floor", "requests + msgspec", "floor", _script("floor"), ("requests==2.34.2", "msgspec==0.22.0"))
STOCK = Contestant("sdk", "stock singer-sdk tap", "sdk", _script("stock"), _SDK)
CLASSIC = Contestant(
    "classic", "singer-python", "classic", _script("classic"), ("singer-python==6.8.0", "requests==2.34.2")
)
AIRBYTE = Contestant("airbyte", "Airbyte CDK (declarative)", "airbyte", _script("airbyte"), ("airbyte-cdk==7.39.1",))
DLT = Contestant("dlt", "dlt rest_api (extract only)", "dlt", _script("dlt_rest"), ("dlt==1.31.0",))
CONTESTANTS = {one.name: one for one in (FLOOR, OURS, STOCK, CLASSIC, AIRBYTE, DLT)}


def python_of(contestant: Contestant) -> str:
    """Return the Python of a contestant's environment."""
    more = ("--no-deps", "--editable", str(ROOT)) if contestant is OURS else ()
    return environment(contestant.environment, contestant.requirements, more)


def environment(name: str, requirements: tuple[str, ...], more: tuple[str, ...] = ()) -> str:
    """Return the Python of an environment, which is made anew when other things are wanted in it; `more` comes last."""
    directory = HOME / f"bench-{name}"
    python = directory / "bin/python"
    base, uv = os.environ["BENCH_PYTHON"], os.environ["BENCH_UV"]
    files = [Path(word) for word in requirements if Path(word).is_file()]
    stamp = "\n".join([base, *requirements, *more, *(file.read_text(encoding="utf-8") for file in files)])
    stamped = directory / ".stamp"
    if not stamped.is_file() or stamped.read_text(encoding="utf-8") != stamp:
        print(f"==> Installing {directory.name}", flush=True)
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", base, str(directory)], check=True)
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
        for wanted in (requirements, more):
            if wanted:
                subprocess.run([*install, *wanted], check=True)
        stamped.write_text(stamp, encoding="utf-8")
    return str(python)


def configuration(contestant: Contestant, given: dict[str, Any]) -> dict[str, Any]:
    """Return a contestant's configuration; `given` is what all know: base_url, api_key, start_date, end_date."""
    if contestant.name != "ours":
        return {**given, "schema": SCHEMA} if contestant in (CLASSIC, AIRBYTE) else given
    provider = {"base_url": given["base_url"], "api_key": given["api_key"], "requests_per_minute": 0, "page_size": 1000}
    return {"start_date": given["start_date"], "smtp2go": provider}


def catalog(python: str, environ: dict[str, str], streams: Collection[str], config: Path | None = None) -> Any:
    """Return our catalogue with these streams selected and no other; none named: with all selected."""
    command = [python, "-m", "tap_emaillogs", "--discover", *(["--config", str(config)] if config else [])]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, env=environ).stdout)
    for stream in found["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] in streams or not streams
    return found

"""The floor: `requests` and `msgspec` in a loop, and nothing that a tap is for."""

import json
import sys
from pathlib import Path

import msgspec
import requests


def main() -> None:
    config = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    session = requests.Session()
    session.headers["X-Smtp2go-Api-Key"] = config["api_key"]
    url = config["base_url"] + "/activity/search"
    asked = {"start_date": config["start_date"], "end_date": config["end_date"], "limit": 1000}
    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
    write = sys.stdout.buffer.write
    while True:
        answer = session.post(url, json=asked, timeout=60)
        answer.raise_for_status()
        data = decode(answer.content)["data"]
        lines = [
            encode({"type": "RECORD", "stream": "smtp2go_activity", "record": record}) for record in data["events"]
        ]
        write(b"\n".join([*lines, b""]))
        if not data["continue_token"]:
            return
        asked["continue_token"] = data["continue_token"]


main()

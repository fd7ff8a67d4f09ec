"""A classic tap on singer-python: no schema validation and no Transformer, so at its fastest."""

import json
import sys
from pathlib import Path

import requests
import singer

STREAM = "smtp2go_activity"


def main() -> None:
    config = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    session = requests.Session()
    session.headers["X-Smtp2go-Api-Key"] = config["api_key"]
    asked = {"start_date": config["start_date"], "end_date": config["end_date"], "limit": 1000}
    singer.write_schema(STREAM, config["schema"], ["email_id", "date", "event", "recipient"], ["date"])
    while True:
        answer = session.post(config["base_url"] + "/activity/search", json=asked, timeout=60)
        answer.raise_for_status()
        data = answer.json()["data"]
        for record in data["events"]:
            singer.write_record(STREAM, record)
        if not data["continue_token"]:
            break
        asked["continue_token"] = data["continue_token"]
    singer.write_state({"bookmarks": {STREAM: {"date": config["end_date"]}}})


main()

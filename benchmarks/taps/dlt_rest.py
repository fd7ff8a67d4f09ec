"""dlt's declarative `rest_api` source; extraction only, into dlt's own JSON lines, not compressed."""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ |= {"DATA_WRITER__DISABLE_COMPRESSION": "true", "RUNTIME__DLTHUB_TELEMETRY": "false"}

import dlt
from dlt.sources.rest_api import rest_api_source


def main() -> None:
    config = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    source = rest_api_source(
        {
            "client": {
                "base_url": config["base_url"],
                "headers": {"X-Smtp2go-Api-Key": config["api_key"]},
                "paginator": {
                    "type": "cursor",
                    "cursor_path": "data.continue_token",
                    "cursor_body_path": "continue_token",
                },
            },
            "resources": [
                {
                    "name": "smtp2go_activity",
                    "primary_key": ["email_id", "date", "event", "recipient"],
                    "endpoint": {
                        "path": "activity/search",
                        "method": "POST",
                        "data_selector": "data.events",
                        "json": {
                            "start_date": config["start_date"],
                            "end_date": config["end_date"],
                            "limit": 1000,
                        },
                    },
                }
            ],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline("bench", pipelines_dir=folder)
        info = pipeline.extract(source)
        counts = [
            metrics.items_count
            for step in info.metrics.values()
            for part in step
            for name, metrics in part["table_metrics"].items()
            if name == "smtp2go_activity"
        ]
    print(json.dumps({"counted": sum(counts)}, separators=(",", ":")))


main()

"""A declarative source on Airbyte's CDK, as its connector builder makes it."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from airbyte_cdk.entrypoint import launch
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

STREAM = "smtp2go_activity"


def manifest(schema: dict[str, Any]) -> dict[str, Any]:
    options = "{{ config['%s'] }}"
    body = {"start_date": options % "start_date", "end_date": options % "end_date", "limit": 1000}
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": [STREAM]},
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
        "streams": [
            {
                "type": "DeclarativeStream",
                "name": STREAM,
                "primary_key": ["email_id", "date", "event", "recipient"],
                "schema_loader": {"type": "InlineSchemaLoader", "schema": schema},
                "retriever": {
                    "type": "SimpleRetriever",
                    "requester": {
                        "type": "HttpRequester",
                        "url_base": options % "base_url",
                        "path": "/activity/search",
                        "http_method": "POST",
                        "request_headers": {"X-Smtp2go-Api-Key": options % "api_key"},
                        "request_body_json": body,
                    },
                    "record_selector": {
                        "type": "RecordSelector",
                        "extractor": {"type": "DpathExtractor", "field_path": ["data", "events"]},
                    },
                    "paginator": {
                        "type": "DefaultPaginator",
                        "page_token_option": {
                            "type": "RequestOption",
                            "inject_into": "body_json",
                            "field_name": "continue_token",
                        },
                        "pagination_strategy": {
                            "type": "CursorPagination",
                            "cursor_value": "{{ response['data']['continue_token'] }}",
                            "stop_condition": "{{ not response['data']['continue_token'] }}",
                        },
                    },
                },
            }
        ],
    }


def main() -> None:
    config = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    schema = config.pop("schema")
    catalog = {
        "streams": [
            {
                "stream": {"name": STREAM, "json_schema": schema, "supported_sync_modes": ["full_refresh"]},
                "sync_mode": "full_refresh",
                "destination_sync_mode": "append",
            }
        ]
    }
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("config.json", "catalog.json")]
        for path, content in zip(paths, (config, catalog), strict=True):
            path.write_text(json.dumps(content), encoding="utf-8")
        source = ConcurrentDeclarativeSource(
            catalog=ConfiguredAirbyteCatalogSerializer.load(catalog),
            config=config,
            state=None,
            source_config=manifest(schema),
        )
        launch(source, ["read", "--config", str(paths[0]), "--catalog", str(paths[1])])


main()

"""A tap as the SDK's template makes it, with the SDK's fast message writer."""

from __future__ import annotations

from typing import Any, ClassVar

from singer_sdk import Stream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import APIKeyAuthenticator
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.helpers.jsonpath import extract_jsonpath
from singer_sdk.pagination import JSONPathPaginator
from singer_sdk.streams import RESTStream

_TEXTS = (
    *("event", "email_id", "from", "recipient", "to", "cc", "bcc", "reply_to", "sender", "sender_full", "subject"),
    *("username", "subaccount_name", "smtp_response", "reason", "error", "host", "originating_host", "outbound_ip"),
    *("url", "headers"),
)
_OBJECTS = ("email_client", "metadata", "custom_headers")


class Activity(RESTStream[str]):
    """The activity log."""

    name = "smtp2go_activity"
    path = "/activity/search"
    http_method = "POST"
    payload_as_json = True
    primary_keys = ("email_id", "date", "event", "recipient")
    replication_key = "date"
    records_jsonpath = "$.data.events[*]"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("date", th.DateTimeType),
        *(th.Property(name, th.StringType) for name in _TEXTS),
        th.Property("byte_size", th.IntegerType),
        th.Property("recipients", th.ArrayType(th.StringType)),
        th.Property("delivery_attempts", th.ArrayType(th.ObjectType(additional_properties=True))),
        *(th.Property(name, th.ObjectType(additional_properties=True)) for name in _OBJECTS),
    ).to_dict()

    @property
    def url_base(self) -> str:
        return str(self.config["base_url"])

    @property
    def authenticator(self) -> APIKeyAuthenticator:
        return APIKeyAuthenticator(key="X-Smtp2go-Api-Key", value=self.config["api_key"])

    def get_new_paginator(self) -> JSONPathPaginator:
        return JSONPathPaginator("$.data.continue_token")

    def prepare_request_payload(self, context: Any, next_page_token: str | None) -> dict[str, Any]:  # noqa: ARG002
        dates = {"start_date": self.config["start_date"], "end_date": self.config["end_date"]}
        return {**dates, "limit": 1000, **({"continue_token": next_page_token} if next_page_token else {})}

    def parse_response(self, response: Any) -> Any:
        yield from extract_jsonpath(self.records_jsonpath, response.json())


class Stock(Tap):
    """The tap."""

    name = "tap-stock"
    message_writer_class = MsgSpecWriter
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        *(th.Property(name, th.StringType) for name in ("base_url", "api_key", "start_date", "end_date"))
    ).to_dict()

    def discover_streams(self) -> list[Stream]:
        return [Activity(self)]


if __name__ == "__main__":
    Stock.cli()

"""The filters of JetEmail's request, with the types and limits of its page: the setting `filters`."""

from __future__ import annotations

from typing import Any

from singer_sdk import typing as th

_BYTE = "(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"
_ACTIONS = ["ACCEPTED", "REJECTED", "BOUNCED_HARD", "BOUNCED_SOFT", "DEFERRED", "SPAM", "VIRUS", "QUEUED"]


def _text(name: str, description: str, most: int) -> th.Property[Any]:
    return th.Property(name, th.StringType(max_length=most), description=description)


def _like(name: str, description: str, pattern: str) -> th.Property[Any]:
    return th.Property(name, th.StringType(pattern=pattern), description=description)


def _among(name: str, description: str, values: list[str]) -> th.Property[Any]:
    return th.Property(name, th.StringType, allowed_values=values, description=description)


def _address(name: str, description: str) -> th.Property[Any]:
    return th.Property(name, th.EmailType, description=description)


FILTERS: tuple[th.Property[Any], ...] = (
    _text("id", "Record id.", 100),
    _like("uid", "Unique identifier.", "^[A-Za-z0-9-_]{1,100}$"),
    _among("action", "What happened to the mail.", _ACTIONS),
    _text("zone", "Zone.", 50),
    _text("message_id", "Message-ID.", 100),
    _address("from_address", "Sender's address."),
    _address("to_address", "Recipient's address."),
    _text("mx", "MX server.", 100),
    _text("host", "Host server.", 100),
    _like("ip", "IPv4 address.", rf"^(?:{_BYTE}\.){{3}}{_BYTE}$"),
    _text("response", "Server's response.", 500),
    _address("user", "User name, which is an address."),
    _among("protocol", "Protocol of delivery.", ["smtp", "http", "https"]),
    _text("src", "Source.", 50),
    _text("subject", "Subject.", 500),
    _like("md5", "MD5 hash.", "^[a-fA-F0-9]{32}$"),
    _text("interface", "Interface.", 50),
    _text("originhost", "Origin host.", 100),
    _among("transtype", "How the mail was handed in.", ["smtp", "http", "api"]),
    _address("headerFrom", "Address in the From header."),
    _text("rule_id", "Rule id.", 100),
    _text("search", "Term searched for across the mail's fields.", 200),
)

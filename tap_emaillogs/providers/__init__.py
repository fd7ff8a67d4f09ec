"""The vendors, one module each; this tuple is the only place that lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_emaillogs.providers import infobip, jetemail, messangi, smtp2go, zeptomail

if TYPE_CHECKING:
    from tap_emaillogs.streams.provider import Provider

PROVIDERS: tuple[Provider, ...] = (
    smtp2go.PROVIDER,
    jetemail.PROVIDER,
    infobip.PROVIDER,
    zeptomail.PROVIDER,
    messangi.PROVIDER,
)

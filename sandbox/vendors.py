"""The vendors that the sandbox plays: one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.infobip import Infobip
from sandbox.jetemail import JetEmail
from sandbox.messangi import Messangi
from sandbox.smtp2go import Smtp2go
from sandbox.zeptomail import ZeptoMail

if TYPE_CHECKING:
    from sandbox.base import Vendor

VENDORS: tuple[type[Vendor], ...] = (
    Smtp2go,
    JetEmail,
    Infobip,
    ZeptoMail,
    Messangi,
)

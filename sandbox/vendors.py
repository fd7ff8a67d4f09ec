"""The registry of the vendors that the sandbox plays; a test may put a player of its own in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.infobip import Infobip
from sandbox.jetemail import JetEmail
from sandbox.messangi import Messangi
from sandbox.smtp2go import Smtp2go
from sandbox.zeptomail import ZeptoMail

if TYPE_CHECKING:
    from sandbox.base import Vendor

_PLAYERS: tuple[type[Vendor[Any]], ...] = (Smtp2go, JetEmail, Infobip, ZeptoMail, Messangi)
VENDORS: dict[str, type[Vendor[Any]]] = {player.name: player for player in _PLAYERS}

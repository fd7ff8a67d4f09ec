"""What every player of a vendor has in common: it plays rows strictly, and knows the whole truth about them.

`times` and `data` (people, subjects, moments) are at the bottom; `faults`, `web` (a request, a response, the socket)
and `paging` (tokens, pages, remembered answers) know nothing of vendors; `world` is what is given (seed, clock,
options), `log` one account's rows and what is still to happen to them, `vendor` the player itself. `checks` and
`tokens` are there for players to use. `facts` is what the general tests must know of a vendor.
"""

from sandbox.base.log import Log
from sandbox.base.times import DAY, HOUR, MINUTE, SECOND, from_ms, to_ms
from sandbox.base.vendor import Vendor
from sandbox.base.web import Refused, Request, Response, to_json
from sandbox.base.world import Account, Life, World

__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "SECOND",
    "Account",
    "Life",
    "Log",
    "Refused",
    "Request",
    "Response",
    "Vendor",
    "World",
    "from_ms",
    "to_json",
    "to_ms",
]

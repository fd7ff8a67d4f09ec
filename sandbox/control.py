"""The sandbox's own pages.

All JSON: GET `/truth` (or `/_control/truth`), GET `/_control/requests`, GET, POST (one fault or a list) and DELETE
`/_control/faults`, POST `/_control/late` and `/_control/change` `{vendor, …}` (the arguments of the vendor's methods),
POST `/_control/clock` `{now}`.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sandbox.base import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox


def control(sandbox: Sandbox, method: str, path: str, body: bytes) -> Response:
    """Answer a request to the sandbox itself."""
    action = _ACTIONS.get((method, path.removeprefix("/_control")))
    if action is None:
        return Response(404, {"error": "no such control"})
    try:
        return action(sandbox, json.loads(body) if body else {})
    except (KeyError, TypeError, ValueError) as error:
        return Response(400, {"error": repr(error)})


def _truth(sandbox: Sandbox, _: Any) -> Response:
    return Response(body=sandbox.truth())


def _requests(sandbox: Sandbox, _: Any) -> Response:
    log = [{**entry._asdict(), "body": entry.body.decode(errors="replace")} for entry in sandbox.requests]
    return Response(body=json.dumps(log, default=str).encode())


def _faults(sandbox: Sandbox, _: Any) -> Response:
    return Response(body=sandbox.faults.listed())


def _order(sandbox: Sandbox, given: Any) -> Response:
    for order in given if isinstance(given, list) else [given]:
        sandbox.fault(**order)
    return _faults(sandbox, given)


def _cancel(sandbox: Sandbox, given: Any) -> Response:
    sandbox.clear_faults()
    return _faults(sandbox, given)


def _late(sandbox: Sandbox, given: Any) -> Response:
    return Response(body={"rows": sandbox.late(**given)})


def _change(sandbox: Sandbox, given: Any) -> Response:
    return Response(body={"rows": sandbox.change(**given)})


def _clock(sandbox: Sandbox, given: Any) -> Response:
    if sandbox.fixed is None:
        return Response(409, {"error": "the sandbox was not started with a fixed time"})
    sandbox.fixed = datetime.fromisoformat(given["now"])
    return Response(body={"now": sandbox.fixed.isoformat()})


_ACTIONS: dict[tuple[str, str], Callable[[Sandbox, Any], Response]] = {
    ("GET", "/truth"): _truth,
    ("GET", "/requests"): _requests,
    ("GET", "/faults"): _faults,
    ("POST", "/faults"): _order,
    ("DELETE", "/faults"): _cancel,
    ("POST", "/late"): _late,
    ("POST", "/change"): _change,
    ("POST", "/clock"): _clock,
}

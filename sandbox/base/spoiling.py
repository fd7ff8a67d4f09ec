"""Answers as faults let them arrive, whatever vendor they come from."""

from __future__ import annotations

import gzip
from functools import cache
from typing import TYPE_CHECKING

from sandbox.base import strange
from sandbox.base.web import Response

if TYPE_CHECKING:
    from sandbox.base.faults import Fault

_FLOOD = 100_000_000
_DEPTH = 100_000


def whole(fault: Fault) -> Response | None:
    """Return an answer that is not the vendor's, if that is the fault."""
    match fault.kind:
        case "reset":
            return Response(0)
        case "html":
            return Response(200, b"<!doctype html><title>Maintenance</title>", {"Content-Type": "text/html"})
        case "garbage":
            return Response(200, {"unexpected": True})
        case "deep":
            return Response(200, b"[" * _DEPTH + b"]" * _DEPTH)
        case "redirect":
            return Response(302, b"", {"Location": fault.location})
    return None


def spoiled(fault: Fault, answer: Response) -> Response:
    """Return the vendor's answer as the fault lets it arrive."""
    body, headers = answer.encoded(), answer.headers
    match fault.kind:
        case "cut_json":
            answer.body = body[: len(body) // 2]
        case "cut":
            answer.cut = True
        case "drip":
            answer.pause = fault.seconds
        case "half_open":
            answer.last = True
        case "content_type":
            answer.headers = {**headers, "Content-Type": "image/png"}
        case "flood" if answer.status:
            answer.body = gzip.compress(body) + _flood()
            answer.headers = {**headers, "Content-Encoding": "gzip"}
        case "row" if answer.status == 200 and body[:1] in (b"{", b"["):
            answer.body = strange.in_json(body, fault.body, fault.column)
    return answer


@cache
def _flood() -> bytes:
    return gzip.compress(b" " * _FLOOD, 1)

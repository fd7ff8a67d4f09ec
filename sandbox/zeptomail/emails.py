"""ZeptoMail's GET /email in both of its shapes, and one e-mail with its opens, clicks and bounces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.base import MINUTE, data
from sandbox.zeptomail.mail import BOUNCES, FLAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.zeptomail.log import Book
    from sandbox.zeptomail.mail import Mail

EMAIL_PARAMETERS = {
    "date_from",
    "date_to",
    "offset",
    "limit",
    "mailagent_key",
    "request_id",
    "client_reference",
    *("from", "to", "cc", "bcc", "subject", "recipient"),
    *FLAGS,
}
_DETAILS = {
    "delivered": "delivered",
    "hard bounce": "hardbounce",
    "soft bounce": "softbounce",
    "process failed": "mailfailure",
}


def page(book: Book, query: Mapping[str, str], span: tuple[int, int], offset: int, limit: int) -> dict[str, Any]:
    """Return the answer to GET /email, newest first."""
    now, options = book.seen_ms(), book.options
    wanted = {status for name, status in FLAGS.items() if query.get(name) == "true"}

    def fits(mail: Mail) -> bool:
        texts = {
            "mailagent_key": mail.agent,
            "request_id": book.request_id(mail.number),
            "client_reference": mail.client_reference,
            "from": mail.sender,
            "to": ", ".join(person.address for person in mail.to),
            "recipient": ", ".join(person.address for person in mail.to),
            "cc": mail.copies,
            "bcc": "",
            "subject": mail.subject,
        }
        return (
            span[0] <= mail.at_ms < span[1]
            and (not wanted or mail.status(now) in wanted)
            and all(query[name].lower() in text.lower() for name, text in texts.items() if name in query)
        )

    found = [mail for mail in book.visible() if fits(mail)][::-1]
    hidden = options["email_status"] == "processed" and not wanted
    shown = [(mail, "processed" if hidden else mail.status(now)) for mail in found[offset : offset + limit]]
    if options["email_shape"] == "flat":
        return {"data": [flat(book, mail, status) for mail, status in shown]}
    logs = [nested(book, mail, status) for mail, status in shown]
    counts = {"offset": offset, "limit": limit, "count": len(found)}
    return {"data": {"logs": logs}, "metadata": counts, "message": "OK", "status": "success"}


def nested(book: Book, mail: Mail, status: str) -> dict[str, Any]:
    """Return a mail as an entry of GET /email, nested shape."""
    empty: Any = [] if book.options["empty_as_list"] else {}
    return {
        "email_info": {
            "email_reference": book.reference(mail.number),
            "subject": mail.subject,
            "from": {"address": mail.sender, "name": "Shop"},
            "to": [{"address": person.address, "name": person.name} for person in mail.to],
            "message_id": book.message_id(mail.number),
            "processed_time": book.iso(mail.at_ms),
            "mailagent_key": mail.agent,
            "status": status,
            "bounce_address": "bounce@bounce.shop.example",
            "client_reference": mail.client_reference or None,
        },
        "email_tracking_details": empty,
        "email_delivery_details": empty,
        "request_id": book.request_id(mail.number),
    }


def flat(book: Book, mail: Mail, status: str) -> dict[str, Any]:
    """Return a mail as an entry of GET /email, flat shape."""
    return {
        "status": status,
        "request_id": book.request_id(mail.number),
        "email_reference": book.reference(mail.number),
        "subject": mail.subject,
        "from": mail.sender,
        "to": mail.to[0].address if len(mail.to) == 1 else [person.address for person in mail.to],
        "mailagent_key": mail.agent,
        "message_id": book.message_id(mail.number),
        "processed_time": book.iso(mail.at_ms),
        "sent_time": _sent(book, mail),
    }


def detail(book: Book, reference: str) -> dict[str, Any] | None:
    """Return GET /email/email-reference/{reference}: a mail with its opens, clicks and bounces."""
    mail = next((mail for mail in book.visible() if book.reference(mail.number) == reference), None)
    if mail is None:
        return None
    now = book.seen_ms()
    found = nested(book, mail, mail.status(now))
    outcomes: dict[str, list[dict[str, str]]] = {}
    for place, person in enumerate(mail.to):
        for at, status in mail.history(now, place):
            if status in _DETAILS:
                category, reason = BOUNCES.get(status, ("", ""))
                why = {"category": category, "reason": reason} if status in BOUNCES else {}
                entry = {"recipient": person.address, "time": book.iso(at), **why}
                outcomes.setdefault(_DETAILS[status], []).append(entry)
    if outcomes:
        found["email_delivery_details"] = outcomes
    visits = _visits(book, mail)
    tracking = {
        name: {"event_count": len(shown), "event_data": shown}
        for name, shown in (("email_open", visits["opened"]), ("email_link_click", visits["clicked"]))
        if shown
    }
    if tracking:
        found["email_tracking_details"] = tracking
    return found


def _visits(book: Book, mail: Mail) -> dict[str, list[dict[str, Any]]]:
    """Return when a mail was opened and clicked."""
    since, status = mail.reached(book.seen_ms())
    if mail.visits is not None:
        times = [(at, what) for at, what in mail.visits if at <= book.seen_ms()]
    elif status != "delivered":
        times = []
    else:
        opens, clicks = (2 if mail.number % 6 == 0 else int(mail.number % 3 == 0)), int(mail.number % 6 == 0)
        times = [(since + (1 + step) * MINUTE, "opened") for step in range(opens)]
        times += [(since + 9 * MINUTE, "clicked")] * clicks
    client = {"name": "Gmail", "user_agent": data.AGENTS[mail.number % len(data.AGENTS)]}
    found: dict[str, list[dict[str, Any]]] = {"opened": [], "clicked": []}
    for at, what in times:
        link = {"clicked_link": data.LINKS[0]} if what == "clicked" else {}
        ip = f"203.0.113.{mail.number % 250}"
        found[what].append({"time": book.iso(at), "ip_address": ip, "email_client": client, **link})
    return found


def _sent(book: Book, mail: Mail) -> str | None:
    since, status = mail.reached(book.seen_ms())
    return book.iso(since) if status not in ("queued", "processed") else None

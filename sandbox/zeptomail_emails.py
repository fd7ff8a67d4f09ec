"""ZeptoMail's GET /email in both of its shapes, and one e-mail with its opens, clicks and bounces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox import data
from sandbox.base import MINUTE
from sandbox.zeptomail_data import BOUNCES, FLAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.zeptomail_data import Book, Mail

EMAIL_PARAMETERS = {
    "date_from",
    "date_to",
    "offset",
    "limit",
    "mailagent_key",
    "request_id",
    "client_reference",
    *FLAGS,
}
EMAIL_PARAMETERS |= {"from", "to", "cc", "bcc", "subject", "recipient"}


def page(book: Book, query: Mapping[str, str], span: tuple[int, int], offset: int, limit: int) -> dict[str, Any]:
    """Return the answer to GET /email, newest first."""
    now, options = book.seen_ms(), book.account.options
    wanted = {status for name, status in FLAGS.items() if query.get(name) == "true"}

    def fits(mail: Mail) -> bool:
        texts = {
            "mailagent_key": mail.agent,
            "request_id": book.request_id(mail.number),
            "client_reference": mail.client_reference,
            "from": mail.sender,
            "to": mail.to.address,
            "recipient": mail.to.address,
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
    empty: Any = [] if book.account.options["empty_as_list"] else {}
    return {
        "email_info": {
            "email_reference": book.reference(mail.number),
            "subject": mail.subject,
            "from": {"address": mail.sender, "name": "Shop"},
            "to": [{"address": mail.to.address, "name": mail.to.name}],
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
        "to": mail.to.address,
        "mailagent_key": mail.agent,
        "message_id": book.message_id(mail.number),
        "processed_time": book.iso(mail.at_ms),
        "sent_time": book.iso(mail.done_ms) if mail.status(book.seen_ms()) != "processed" else None,
    }


def detail(book: Book, reference: str) -> dict[str, Any] | None:
    """Return GET /email/email-reference/{reference}: a mail with its opens, clicks and bounces."""
    mail = next((mail for mail in book.visible() if book.reference(mail.number) == reference), None)
    if mail is None:
        return None
    status = mail.status(book.seen_ms())
    found = nested(book, mail, status)
    category, reason = BOUNCES.get(status, ("", ""))
    outcome = {"recipient": mail.to.address, "time": book.iso(mail.done_ms)}
    if status in BOUNCES:
        name = {"hard bounce": "hardbounce", "soft bounce": "softbounce", "process failed": "mailfailure"}[status]
        found["email_delivery_details"] = {name: [{**outcome, "category": category, "reason": reason}]}
    elif status == "delivered":
        found["email_delivery_details"] = {"delivered": [outcome]}
    opens, clicks = engagement(book, mail)
    tracking = {
        name: {"event_count": len(visits), "event_data": visits}
        for name, visits in (
            ("email_open", [_visit(book, mail, 1 + step) for step in range(opens)]),
            ("email_link_click", [{**_visit(book, mail, 9), "clicked_link": data.LINKS[0]}] * clicks),
        )
        if visits
    }
    if tracking:
        found["email_tracking_details"] = tracking
    return found


def engagement(book: Book, mail: Mail) -> tuple[int, int]:
    """Return how often a mail was opened and clicked."""
    if mail.status(book.seen_ms()) != "delivered":
        return 0, 0
    return (2 if mail.number % 6 == 0 else int(mail.number % 3 == 0)), int(mail.number % 6 == 0)


def _visit(book: Book, mail: Mail, minutes: int) -> dict[str, Any]:
    client = {"name": "Gmail", "user_agent": data.AGENTS[mail.number % len(data.AGENTS)]}
    time = book.iso(mail.done_ms + minutes * MINUTE)
    return {"time": time, "ip_address": f"203.0.113.{mail.number % 250}", "email_client": client}

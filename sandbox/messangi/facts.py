"""What the general tests must know of Messangi: of its JSON log, since the report by e-mail holds the same rows."""

from datetime import timedelta

from sandbox.base.facts import Endpoint, Facts

_EMPTY = {"empty_page": "an empty page is how a vendor without totals says that there are no more"}
_NUMBERS = {"repeat_token": "pages are asked for by number"}
_MAIL = dict.fromkeys(("empty_page", "repeat_token", "repeat_page"), "the report is one file")

FACTS = Facts(
    stream="messangi_message_logs",
    time="event_at",
    settle=timedelta(minutes=5),
    history=timedelta(days=30),
    most_rows=1000,
    hours=50,
    column="recipient",
    recipients=("recipient",),
    keys=("sandbox-one-key", "sandbox-two-key"),
    said=lambda words: {"code": "X", "explain": words},
    requests=2,
    youngest=10,
    unit=timedelta(milliseconds=1),
    size_of=lambda request: int(request.query["size"][0]),
    understood=([], {"data": []}, {"success": True, "data": []}, {"success": True, "data": [], "pagination": None}),
    endpoints={
        "messangi_message_logs": Endpoint("/v3/mlog", "size=", token={"login": True}, unfit=_EMPTY | _NUMBERS),
        "messangi_message_reports": Endpoint(
            "/v3/mlog/export",
            text="Subject",
            options=lambda directory: {"directory": directory},
            settings=lambda options: {
                "report": {
                    "emails": ["reports@example.com"],
                    "from": "billing@shop.example",
                    "directory": options["directory"],
                    "wait_minutes": 1,
                }
            },
            token={"login": True},
            unfit=_MAIL,
        ),
    },
    unfit={
        **dict.fromkeys(("expire_token", "repeat_token", "loop_token"), "pages are asked for by number"),
        "empty_page": "an empty page is how a vendor without totals says that there are no more",
        "one request": "nothing says that a page is the last one, but that the next is empty",
        "change": "statuses go by the clock, so a world that stands still shows no new one (test_convergence)",
        "end of history": "no page says how long the vendor keeps its messages, so no bookmark is too old",
        "edges": "no page says which of its dates a range is about: what changed within is kept, though sent before",
    },
    own=frozenset({"account", "record_id", "event_at", "extra_fields"}),
)

"""What the general tests must know of SMTP2GO."""

from datetime import timedelta

from sandbox.base.facts import Facts

FACTS = Facts(
    stream="smtp2go_activity",
    time="date",
    settle=timedelta(minutes=5),
    history=timedelta(days=30),
    most_rows=1000,
    hours=50,
    column="recipient",
    recipients=("recipient", "recipients"),
    named=("to",),
    keys=("api-ONEKEY0123456789", "api-TWOKEY0123456789"),
    said=lambda words: {"data": {"error": words, "error_code": "E_X"}},
    size_of=lambda request: int(request.json()["limit"]),
    own=frozenset({"account", "event_id", "extra_fields"}),
    unfit={
        "change": "its rows are events, which are final; attempts that grow have tests of their own in test_smtp2go",
    },
)

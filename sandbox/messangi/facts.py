"""What the general tests must know of Messangi: of its JSON log, since the report by e-mail holds the same rows."""

from datetime import timedelta

from sandbox.base.facts import Facts

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
    size_of=lambda request: int(request.query["size"][0]),
    own=frozenset({"account", "record_id", "event_at", "extra_fields"}),
)

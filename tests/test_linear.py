"""No text makes the tap's work grow faster than its length: every pattern, every scanner, and privacy as a whole."""

from __future__ import annotations

import base64
import importlib
import itertools
import json
import pkgutil
import re
from typing import TYPE_CHECKING, Any

import pytest

import tap_emaillogs.formats
import tap_emaillogs.privacy
import tap_emaillogs.streams
from tap_emaillogs.formats import addresses, dates, names, nesting, reading, smtp, timestamps
from tap_emaillogs.formats.caching import CACHED_LENGTH
from tap_emaillogs.privacy import encoded, finding
from tap_emaillogs.privacy.hiding import Hider
from tap_emaillogs.privacy.personal import PersonalValues
from tap_emaillogs.privacy.plan import Privacy
from tap_emaillogs.providers.smtp2go.activity import Activity
from tap_emaillogs.streams.events import EmailEvents
from tap_emaillogs.streams.schemas import columns
from timing import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_emaillogs.privacy.annotations import Columns

pytestmark = pytest.mark.thorough

ROOMS = (tap_emaillogs.formats, tap_emaillogs.privacy, tap_emaillogs.streams)
_DOUBLED = 2.5
"""So much longer may twice the text take."""
_QUICK = 0.02
"""CPU seconds that are too few to tell anything."""


def assert_linear(what: str, make: Callable[[int], Callable[[], object]], size: int) -> None:
    """Check that four times the text takes no longer than twice the doubling may; a busy machine is asked again."""
    large = cpu_seconds(make(4 * size))
    if large < _QUICK or large <= _DOUBLED**2 * cpu_seconds(make(size), 2):
        return
    for _ in range(3):
        small, large, huge = cpu_seconds(make(size), 3), cpu_seconds(make(4 * size), 2), cpu_seconds(make(8 * size))
        if huge <= _DOUBLED * large or large <= _DOUBLED**2 * small:
            return
    pytest.fail(f"{what}: {small:.4f} {large:.4f} {huge:.4f} s")


# Texts.

PIECES = (
    *(
        "<",
        ">",
        "@",
        '"',
        "\\",
        "a",
        "a@",
        "<a@",
        "a@b.c ",
        ";",
        ",",
        "(",
        "((a)",
        "[",
        "@[",
        "=",
        "a=b.c@",
        "a=b.",
        "/",
    ),
    *(
        "%40",
        "%25",
        "%2540",
        "a%40",
        "%",
        "%4",
        "25",
        "\n",
        "\r\n ",
        "\nTo: ",
        "To:",
        " ",
        "\t",
        ".",
        "a.",
        "1.",
        "1:",
        ":",
    ),
    *("::", "-", "@a-", "@a.", "é", "@é", "İ", "_", "0", "12 ", "250-", "said: ", "5.1.1 ", "\\n", "smtp;", "+", "?a="),
    *(
        '\\"',
        '"a\\',
        "\ue000",
        "\u200b",
        "\0",
        "&",
        "amp;",
        "&#64;",
        "=?",
        "?=",
        "=?a?q?",
        "=40",
        "\\u0040",
        "40",
        "QA",
    ),
    *("ann@x.example", "Ann Weber ", "1.2.3.4 ", "2001:db8::7 ", "[{", '{"a":', "]", "}", "x" * 40),
)


def texts(pairs: int) -> Iterator[tuple[str, Callable[[int], str]]]:
    """Yield texts of any length: each piece again and again, and some pairs, in halves and in turn."""
    for piece in PIECES:
        yield repr(piece), lambda size, piece=piece: piece * (size // len(piece))  # type: ignore[misc]
    several = list(itertools.permutations(PIECES, 2))
    for one, two in several[:: max(1, len(several) // pairs)]:
        yield f"{one!r} {two!r}", lambda size, a=one, b=two: (a + b) * (size // len(a + b))  # type: ignore[misc]
        yield (
            f"{one!r} … {two!r}",
            lambda size, a=one, b=two: a * (size // 2 // len(a)) + b * (size // 2 // len(b)),  # type: ignore[misc]
        )


# Patterns.


def _patterns() -> dict[str, re.Pattern[Any]]:
    found = {}
    for room in ROOMS:
        for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
            for name, value in vars(importlib.import_module(module.name)).items():
                several = value if isinstance(value, tuple) else (value,)
                for number, one in enumerate(several):
                    for part in one if isinstance(one, tuple) else (one,):
                        if isinstance(part, re.Pattern):
                            found[f"{module.name.removeprefix('tap_emaillogs.')}.{name}[{number}]"] = part
    return found


PATTERNS = _patterns()


@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_is_linear(name: str) -> None:
    pattern = PATTERNS[name]
    for text, make in texts(30):

        def work(size: int, make: Callable[[int], str] = make) -> Callable[[], object]:
            given: Any = make(size)
            if isinstance(pattern.pattern, bytes):
                given = given.encode()
            return lambda: (pattern.fullmatch(given), sum(1 for _ in pattern.finditer(given)))

        assert_linear(f"{name} of {text}", work, 4_000)


# Functions.

PRIVACY = {"recipient": "hash", "subject": "hash", "body": "drop", "ip": "hash", "salt": "pepper-and-salt-0"}
HIDER = Hider(PRIVACY)
KNOWN = PersonalValues(
    {"ann@x.example": None, "+4915112345678": None},
    {"Ann Weber": "", "aaaa": "x", "Secret offer": "y"},
    {"1.2.3.4": None, "2001:db8::7": None},
    frozenset(),
)
FINDER = finding.Finder(
    {"a." * 400: "1", "a a " * 200 + "b": "2", **{"a" * size + ".b a" * size: "3" for size in range(1, 40)}},
    finding.ADDRESS,
)


def _date(text: str) -> object:
    try:
        return timestamps.utc_text(text)
    except ValueError:
        return None


def _json(text: str) -> object:
    try:
        return reading.read_json(text.encode())
    except ValueError:
        return None


FUNCTIONS: dict[str, Callable[[str], object]] = {
    "bare": addresses.bare,
    "split": addresses.split,
    "is_list": addresses.is_list,
    "names": addresses.names,
    "decoded": addresses.decoded,
    "ascii_domain": addresses.ascii_domain,
    "ip_addresses": addresses.ip_addresses,
    "dates": dates.utc_text,
    "dates with blanks": lambda text: dates.utc_text(f"1 jan 2020 12{text}x"),
    "dates, month first": dates.month_first,
    "precision": dates.precision,
    "timestamps": _date,
    "snake_case": names.snake_case,
    "smtp": smtp.parse,
    "smtp, certain": lambda text: smtp.parse(text, certain=True),
    "escaped": lambda text: list(encoded.escaped(text, lambda _: (), blanks=True)),
    "packed": lambda text: list(encoded.packed(text, lambda _: ())),
    "finder": FINDER.find,
    "JSON": _json,
    "deep": nesting.may_be_too_deep,
    "a known text": lambda text: PersonalValues({}, {text: ""}, {}, frozenset()).without_texts(f"{text} {text}"),
    "a known address": lambda text: PersonalValues({f"{text.lower()}@b.c": None}, {}, {}, frozenset()).addresses_in(
        f"x {text} y {text}@b.c"
    ),
    "text": lambda text: HIDER.text(text, KNOWN, ips=True),
    "sender": lambda text: HIDER.sender(text, KNOWN),
    "identifier": lambda text: HIDER.identifier(text, KNOWN),
    "recipients": HIDER.hide_recipients,
    "recipients_in": HIDER.recipients_in,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_scanner_is_linear(name: str) -> None:
    function = FUNCTIONS[name]
    for text, make in texts(30):

        def work(size: int, make: Callable[[int], str] = make) -> Callable[[], object]:
            given = make(size)
            return lambda: function(given)

        assert_linear(f"{name} of {text}", work, 4_000)


# Privacy as a whole.

ACTIVITY, EVENTS = columns(Activity), columns(EmailEvents)
Rows = tuple[dict[str, Any], list[dict[str, Any]]]
OWN = "ann@x.example"


def _reader(make: Callable[[int], str]) -> Callable[[int], Rows]:
    """Return rows of a reader whose client, link and ids say what he likes."""

    def rows(size: int) -> Rows:
        text = make(size)
        event = dict.fromkeys(("user_agent", "url", "message_id", "sender", "reason"), text)
        return (
            {"recipient": OWN, "subject": "Your order 7", "email_client": {"agent": text}},
            [{"recipient": OWN, "event_type": "opened", **event}],
        )

    return rows


def _recipients(size: int) -> Rows:
    many = [f"user.{number}@host-{number % 50}.example" for number in range(size // 30)]
    shared = {"sender": "shop@s.example", "message_id": "<1@s.example>", "event_type": "queued"}
    row = {"recipients": many, "from": "shop@s.example", "headers": "\r\n".join(f"X: {one}" for one in many)}
    return row, [{"recipient": one, "reason": f"550 <{one}>: no", **shared} for one in many]


def _names(size: int) -> Rows:
    many = [f"Ann Weber{number} <u{number}@x.example>" for number in range(size // 30)]
    return {"recipients": many, "headers": " ".join(many)}, [{"recipient": one, "reason": "Ann Weber7"} for one in many]


def _extra(make: Callable[[int], Any]) -> Callable[[int], Rows]:
    return lambda size: ({"recipient": OWN, "extra_fields": json.dumps(make(size))}, [])


ROWS: dict[str, Callable[[int], Rows]] = {
    "cubic": _reader(lambda size: f"<a@b.c>;{' ' * size}=<a@b.c>"),
    **{
        f"{piece!r} again and again": _reader(lambda size, piece=piece: piece * (size // len(piece)))  # type: ignore[misc]
        for piece in (
            *(
                "<@",
                'a\\"',
                '("',
                f"{OWN} ",
                f"{OWN}.",
                OWN,
                OWN.encode().hex(),
                "%25",
                "=?a?q?ann=40x.example?= ",
                "=?a?q?",
            ),
            *(
                "=40ann@x.example",
                "ann@x.\r\n example ",
                "\nTo: ann@x.example,",
                "\u200b@",
                "Your+order+7+",
                "1.2.3.4 ",
            ),
            *(":", "1.", '{"a":', "[", "é@é.", "İ@x.example ", "@", "a", "\\u0040", "&amp;"),
        )
    },
    "one < and many @": _reader(lambda size: "<" + "@" * size),
    "an odd charset": _reader(lambda size: f"=?punycode?Q?{'a' * (size // 2)}-{'b' * (size // 2)}?= ann=40x.example"),
    "its own in base64": _reader(lambda size: base64.b64encode(f"{OWN} ".encode() * (size // 19)).decode()),
    "brackets in brackets": _reader(lambda size: "[" * (size // 2) + "]" * (size // 2)),
    "comments in comments": _reader(lambda size: "(" * (size // 2) + OWN + ")" * (size // 2)),
    "many IP addresses": _reader(
        lambda size: " ".join(f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(size // 11))
    ),
    "a long subject": lambda size: (
        {"subject": "a " * (size // 2), "headers": f"Subject: {'a ' * (size // 2)}"},
        [{"reason": "a " * size, "url": f"https://s.example/?s=%20{'a+' * (size // 2)}"}],
    ),
    "a subject that nearly is": lambda size: ({"subject": "a " * (size // 4) + "b"}, [{"reason": "a " * (size // 2)}]),
    "one header of many addresses": lambda size: (
        {"recipient": ", ".join(f'"User {n}, Ann" <user{n}@h{n % 50}.example>' for n in range(size // 40))},
        [],
    ),
    "addresses that begin alike": lambda size: (
        {"recipient": ",".join(f"{'a.' * 40}{n}@b.c" for n in range(size // 90)), "smtp_response": "a." * (size // 2)},
        [],
    ),
    "a long address": lambda size: ({"recipient": f"{'a.' * (size // 2)}b@c.d", "reason": "a." * size}, []),
    "many recipients": _recipients,
    "many names": _names,
    "telephone numbers": lambda size: (
        {"recipients": [f"+49{n:09}" for n in range(size // 12)], "headers": " ".join(map(str, range(size // 6)))},
        [],
    ),
    "many fields": _extra(lambda size: {f"field_{n}": n for n in range(size // 15)}),
    "fields named by addresses": _extra(lambda size: {f"user{n}@x.example": n for n in range(size // 20)}),
    "fields with subjects": _extra(lambda size: {f"subject{n}": f"Secret topic {n}" for n in range(size // 30)}),
    "fields with recipients": _extra(lambda size: {f"x{n}.to": f"Ann W <u{n}@x.example>" for n in range(size // 30)}),
    "fields with IP addresses": _extra(
        lambda size: {f"f{n}.ip": f"10.1.{n >> 8 & 255}.{n & 255}" for n in range(size // 20)}
    ),
    "a long field": _extra(lambda size: {"x": f"{OWN} " * (size // 14)}),
    "a long name of a field": _extra(lambda size: {"a." * (size // 2): 1, "-" * size: 2}),
}


def _blank(of: Columns) -> dict[str, Any]:
    return dict.fromkeys(of.schema["properties"])


@pytest.mark.parametrize("name", ROWS)
def test_hiding_a_row_is_linear(name: str) -> None:
    def work(size: int) -> Callable[[], object]:
        row, events = ROWS[name](size)
        row, events = _blank(ACTIVITY) | row, [_blank(EVENTS) | event for event in events]
        return lambda: Privacy.of({"privacy": PRIVACY}).plan(ACTIVITY, ACTIVITY, EVENTS).hide(row, [[row], events])

    assert_linear(name, work, 125_000 if name in {"many IP addresses", "addresses that begin alike"} else 15_000)


@pytest.mark.parametrize("name", ["cubic", "one < and many @", "'a' again and again", "'%25' again and again"])
def test_a_megabyte_takes_seconds(name: str) -> None:
    row, events = ROWS[name](1_000_000)
    assert cpu_seconds(lambda: Privacy.of({"privacy": PRIVACY}).plan(ACTIVITY, EVENTS).hide(row, [events])) < 30


def test_long_texts_are_cached_nowhere() -> None:
    hider = Hider(PRIVACY)
    plan = Privacy.of({"privacy": PRIVACY}).plan(ACTIVITY, ACTIVITY)
    long = "x" * (CACHED_LENGTH + 1)
    for function in (hider.hide_recipients, hider.hide_subject, hider.hide_ip, hider.recipients_in, hider.token):
        memory: Any = function.__self__  # type: ignore[attr-defined] # the dict whose look-up this is
        function(long)
        function("short")
        assert list(memory) == ["short"]
    assert plan.hide({"recipient": long}, [[{"recipient": long}]])

"""Local times without a zone: what has to be asked for so that nothing of a window is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_emaillogs.formats import dates
from tap_emaillogs.providers.zeptomail import answers, dateform
from tap_emaillogs.streams.window import Window

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ZONES = (
    *("UTC", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham", "America/St_Johns"),
    *("Europe/Berlin", "America/New_York", "Pacific/Apia", "Africa/Casablanca"),
)
FORMS = ("DD/MM/YYYY, hh:mm AM/PM", "19/02/2025;10 AM", "19/07/2025;10AM", "%d/%m/%Y %H:%M", "%d/%m/%Y %H")
CHANGES = (  # around the moments at which clocks change
    *("2025-04-05T15:00", "2025-10-04T15:30", "2025-10-26T01:00", "2025-03-30T01:00", "2025-11-02T06:00"),
    *("2025-04-05T14:00", "2025-11-02T04:30", "2025-02-23T02:00", "2025-07-01T00:00"),
)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    form=st.sampled_from(FORMS),
    near=st.sampled_from(CHANGES).map(moment),
    begin=st.integers(-48, 48),
    length=st.integers(1, 30),
    late=st.booleans(),
    inclusive=st.booleans(),
)
@example(
    zone=ZoneInfo("Australia/Lord_Howe"),
    form="19/02/2025;10 AM",
    near=moment("2025-04-05T15:00"),
    begin=-1,
    length=1,
    late=True,
    inclusive=True,
)
def test_neighbouring_windows_show_every_row_and_keep_it_once(
    *, zone: ZoneInfo, form: str, near: datetime, begin: int, length: int, late: bool, inclusive: bool
) -> None:
    unit = dateform.resolution(form) or MINUTE
    edges = [near + unit * (begin + length * place) for place in range(4)]
    rows = [edges[0] - 3 * HOUR + MINUTE * step for step in range(int((edges[-1] - edges[0] + 6 * HOUR) / MINUTE))]
    kept: dict[datetime, int] = {}
    for start, end in pairwise(edges):
        window = Window(start, end)
        question = answers.Question.of(window, zone, form)
        asked = [datetime.strptime(text, dateform.pattern(form)) for text in question.written]  # noqa: DTZ007
        assert asked == [question.start, question.end], "the form can write it"
        assert question.start.replace(tzinfo=zone).astimezone(UTC) >= start - 2 * HOUR - unit, "no more than needed"
        assert question.end.replace(tzinfo=zone).astimezone(UTC) <= end + 2 * HOUR + unit
        # A vendor takes a time that comes twice for either moment.
        first, last = (dates.moments(digits, zone)[late] for digits in asked)
        for row in rows:
            if first <= row < last or (inclusive and row == last):
                written = row.astimezone(zone).strftime("%d %b %Y %I:%M %p")
                belongs = answers.lies_in(window, written, zone)
                assert belongs or row not in window
                kept[row] = kept.get(row, 0) + (belongs if question.wider else row in window)
    for row in rows:
        clear = len(set(dates.moments(row.astimezone(zone).replace(tzinfo=None), zone))) == 1
        if edges[0] <= row < edges[-1]:
            assert kept.get(row), f"{row} is lost"
            assert kept[row] == 1 or not clear, f"{row} is in {kept[row]} windows"
        elif clear:
            assert not kept.get(row), f"{row} is of another window"


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    near=st.sampled_from(CHANGES).map(moment),
    minutes=st.integers(-3000, 3000),
    length=st.integers(1, 3000),
    hours=st.booleans(),
)
def test_a_vendor_that_compares_what_clocks_show_leaves_nothing_out(
    zone: ZoneInfo, near: datetime, minutes: int, length: int, hours: bool
) -> None:
    start = near + minutes * MINUTE
    window = Window(start, start + length * MINUTE)
    first, last = dates.outward(window.start, window.end, zone, HOUR if hours else MINUTE)
    for step in range(0, length, 7):
        shown = (start + step * MINUTE).astimezone(zone).replace(tzinfo=None)
        assert first <= shown < last


def test_an_hour_that_comes_twice_is_stepped_around_where_it_must_be() -> None:
    zone = ZoneInfo("Europe/Berlin")
    first, second = moment("2025-10-26T00:30"), moment("2025-10-26T01:30")  # both are 02:30
    shown = [str(edge.time())[:5] for edge in dates.outward(first, second, zone, MINUTE)]
    assert shown == ["01:59", "03:00"]
    assert [edge.hour for edge in dates.outward(first, second, zone, HOUR)] == [1, 3]
    plain = dates.outward(moment("2025-10-25T00:30"), moment("2025-10-25T01:30"), zone, MINUTE)
    assert plain == (datetime(2025, 10, 25, 2, 30), datetime(2025, 10, 25, 3, 30))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("19 Jul 2025 09:00 AM", "2025-07-19T09:00"),
        ("19/02/2025;10AM", "2025-02-19T10:00"),
        ("2025-07-19T09:00:00+05:30", "2025-07-19T05:30"),
        ("2025-07-19T09:00:00Z", "2025-07-19T11:00"),
        ("1752915600", "2025-07-19T11:00"),
        ("the day before", None),
    ],
)
def test_what_clocks_show(text: str, shown: str | None) -> None:
    found = dates.local(text, ZoneInfo("Europe/Berlin"))
    assert (found and found.isoformat(timespec="minutes")) == shown


def test_how_long_a_date_lasts() -> None:
    spans = {"19 Jul 2025": 24 * HOUR, "19/02/2025;10AM": HOUR, "19 Jul 2025 09:00 AM": MINUTE}
    assert {text: dates.precision(text) for text in spans} == spans
    assert dates.precision("2025-07-19T09:00:00Z") == dates.precision("1752915600") == timedelta(seconds=1)


def test_the_month_may_come_first() -> None:
    assert dates.month_first("07/19/2025, 10:00 AM") == "19/07/2025, 10:00 AM"
    assert dates.month_first("19 Jul 2025 10:00 AM") is None


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("01 Jan 0001 00:00 +0530", "UTC"),
        ("0001-01-01T00:00:00", "Asia/Tokyo"),
        ("01/01/0001", "Asia/Tokyo"),
        ("31/12/9999 23:59", "America/New_York"),
        ("9999-12-31T23:59:59", "America/New_York"),
        ("1 jan 2020 12" + " " * 100_000 + "x", "UTC"),
    ],
)
def test_what_lies_outside_the_calendar_is_no_date(text: str, zone: str) -> None:
    assert dates.utc_text(text, ZoneInfo(zone)) is None
    assert dates.parse(text, ZoneInfo(zone)) is None
    dates.local(text, ZoneInfo(zone))  # may well be one on a clock there
    assert dates.local("0001-01-01", ZoneInfo("UTC")) is None

"""Times: whatever form they come in, they leave as RFC 3339 UTC."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_emaillogs.formats.timestamps import (
    EPOCH,
    MILLISECOND,
    SECOND,
    ceil,
    epoch_text,
    floor,
    from_epoch,
    millis,
    parse,
    seconds,
    utc_text,
)

moments = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)).map(  # noqa: DTZ001 - made aware
    lambda moment: moment.replace(tzinfo=UTC)
)
units = st.sampled_from([MILLISECOND, SECOND, timedelta(minutes=1), timedelta(days=1)])
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("2026-03-01", "2026-03-01T00:00:00Z"),
        ("2026-03-01 12:30", "2026-03-01T12:30:00Z"),
        ("2026-03-01T12:30:05", "2026-03-01T12:30:05Z"),
        ("2026-03-01T12:30:05Z", "2026-03-01T12:30:05Z"),
        (" 2026-03-01T12:30:05z ", "2026-03-01T12:30:05Z"),
        ("2026-03-01 12:30:05 UTC", "2026-03-01T12:30:05Z"),
        ("2026-03-01T12:30:05.5+0000", "2026-03-01T12:30:05.5Z"),
        ("2026-03-01T12:30:05,123+00:00", "2026-03-01T12:30:05.123Z"),
        ("2026-03-01T01:30:05.123456789+02", "2026-02-28T23:30:05.123456789Z"),
        ("2026-03-01T22:30:05-0330", "2026-03-02T02:00:05Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ("0001-01-01T00:00:00", "0001-01-01T00:00:00Z"),
        ("0987-06-05T00:00:00+0100", "0987-06-04T23:00:00Z"),
    ],
)
def test_every_iso_form_comes_to_utc_with_its_precision(text: str, becomes: str) -> None:
    assert utc_text(text) == becomes
    assert parse(text) == parse(becomes)
    assert parse(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2026-13-01", "2026-02-29", "2026-03-01T25:00:00", "2026-03-01T12", "01/03/2026"),
        *("2026-03-01T12:30:05+", "20260301", "2026-03-01Tx", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"),
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    for read in (parse, utc_text):
        with pytest.raises(ValueError):  # noqa: PT011 - the caller only asks whether it is one
            read(text)


def test_a_time_without_offset_is_in_the_given_zone() -> None:
    assert parse("2026-07-01T12:00:00", ZoneInfo("Europe/Berlin")) == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert parse("2026-07-01T12:00:00Z", ZoneInfo("Europe/Berlin")) == datetime(2026, 7, 1, 12, tzinfo=UTC)


@given(moments, st.integers(-14 * 60, 14 * 60))
def test_a_time_is_the_same_in_every_offset(moment: datetime, minutes: int) -> None:
    if not 24 < (moment - EPOCH) / timedelta(hours=1) < 2_000_000:
        return
    text = moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
    assert parse(text) == moment
    assert parse(utc_text(text)) == moment


@given(
    st.text(max_size=25) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)", fullmatch=True)
)
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert RFC3339.fullmatch(utc_text(text))


@given(moments)
def test_state_texts_have_one_width_and_sort_as_time_does(moment: datetime) -> None:
    assert len(millis(moment)) == 24
    assert parse(millis(moment)) == floor(moment, MILLISECOND)
    assert parse(seconds(moment)) == floor(moment, SECOND)
    later = moment + timedelta(milliseconds=1)
    assert millis(moment) < millis(later)


def test_unix_times_are_seconds_or_from_1e11_on_milliseconds() -> None:
    assert from_epoch(1_700_000_000) == from_epoch(1_700_000_000_000)
    assert epoch_text(1_700_000_000) == "2023-11-14T22:13:20Z"
    assert epoch_text(1_700_000_000_000) == "2023-11-14T22:13:20.000Z"
    assert epoch_text(1_700_000_000.25) == "2023-11-14T22:13:20.250Z"
    assert epoch_text(0) == "1970-01-01T00:00:00Z"
    assert epoch_text(-1) == "1969-12-31T23:59:59Z"


@given(st.integers() | st.floats())
def test_any_number_is_a_unix_time_or_a_value_error(value: float) -> None:
    with contextlib.suppress(ValueError):
        assert RFC3339.fullmatch(epoch_text(value))


@given(moments, units)
def test_rounding_goes_to_multiples_of_the_unit(moment: datetime, unit: timedelta) -> None:
    low, high = floor(moment, unit), ceil(moment, unit)
    assert low <= moment <= high
    assert (low - EPOCH) % unit == (high - EPOCH) % unit == timedelta()
    assert high - low == (timedelta() if low == moment else unit)

"""ZeptoMail: what the tap reads of the sandbox, asked as strictly as the vendor's pages are."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from harness import NOW, Run, Ticking, catalog, command, config_of, run, upserted
from tap_emaillogs import dates
from tap_emaillogs.clock import Clock
from tap_emaillogs.tabular import column_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

pytestmark = pytest.mark.thorough

NAME = "zeptomail"
EXPORTS = ("zeptomail_mail_logs", "zeptomail_activity_logs", "zeptomail_suppression_list")
OWN = {"account", "row_id", "event_at", "extra_fields"}


@pytest.fixture
def zepto(play: Play) -> Play:
    """Start a sandbox of this vendor alone; keywords are its options."""

    def start(size: int = 120, **options: Any) -> Sandbox:
        moment = {"now": options.pop("now")} if "now" in options else {}
        return play(vendors=[NAME], size=size, options={NAME: options}, **moment)

    return start


def settings(box: Sandbox, **changes: Any) -> dict[str, Any]:
    return config_of(box, NAME, **changes)


def row(record: dict[str, Any]) -> str:
    """Write a record as the file had it: empty cells left out."""
    cells = {key: value for key, value in record.items() if key not in OWN and value is not None}
    return json.dumps(cells | json.loads(record["extra_fields"] or "{}"), sort_keys=True)


def assert_all_rows(box: Sandbox, runs: Run | list[Run], streams: tuple[str, ...] = EXPORTS) -> None:
    """Check that an upserting target has exactly the sandbox's rows, twins counted."""
    for stream in streams:
        rows = box.vendor(NAME).rows(stream=stream)
        names = column_names(list(rows[0]))
        cells = ({name: cell for name, cell in zip(names, one.values(), strict=True) if cell} for one in rows)
        expected = Counter(json.dumps(one, sort_keys=True) for one in cells)
        assert Counter(row(record) for record in upserted(runs, stream).values()) == expected, stream


def asked(found: Run, method: str, part: str = "") -> list[Any]:
    return [one for one in found.requests if one.method == method and part in one.path]


def tokens(box: Sandbox) -> int:
    return int(box.vendor(NAME).tokens.issued.total())


# Everything.


def test_all_three_exports_are_read_and_cleaned_up(zepto: Play) -> None:
    box = zepto()
    found = run(settings(box), box=box)
    assert found.status == 0, found.stderr
    assert_all_rows(box, found)
    assert tokens(box) == 1
    jobs = box.vendor(NAME).jobs()
    assert all(job.deleted for job in jobs)
    assert all(job.password.startswith("Tap-") for job in jobs)
    assert len({job.password for job in jobs}) == len(jobs)
    assert not any(job.password in found.stderr + json.dumps(found.state) for job in jobs)
    assert "notes" not in json.dumps(found.state), "nothing lives at the vendor any more"
    times = [record["event_at"] for record in found.records["zeptomail_mail_logs"]]
    assert all(one and one.endswith(":00Z") for one in times)


def test_the_three_logs_run_side_by_side(zepto: Play) -> None:
    box = zepto(size=40, polls=1, job_seconds=1.5, now=None)
    start = datetime.now(UTC) - timedelta(days=20)
    found = run(settings(box, poll_seconds=0.2, start_date=start.isoformat()), box=box, clock=Clock())
    posts = [place for place, one in enumerate(found.requests) if one.method == "POST" and "exports" in one.path]
    downloads = [place for place, one in enumerate(found.requests) if one.path.endswith("/download")]
    assert max(posts) < min(downloads), "every job was asked for before the first was fetched"
    lists = asked(found, "GET", "mail-logs/exports")
    assert len([one for one in lists if not one.path.endswith("download")]) <= 12, "windows share their looks"


def test_events_are_those_of_the_mail_logs(zepto: Play) -> None:
    box = zepto()
    found = run(settings(box), catalog=catalog(settings(box), ["email_events"]), box=box)
    truth = box.truth()["email_events"]
    assert Counter(event["event_type"] for event in found.records["email_events"]) == truth
    assert len(upserted(found, "email_events")) == sum(truth.values())
    assert not asked(found, "POST", "activity-logs"), "only the mail logs feed it"
    for event in found.records["email_events"]:
        assert (event["bounce_class"] is not None) == (event["event_type"] == "bounced")
        assert event["event_at"]


def test_a_second_run_comes_too_soon(zepto: Play) -> None:
    clock = Ticking()
    box = zepto(now=clock.now)
    first = run(settings(box), box=box, clock=clock)
    clock.pass_time(minutes=59)
    soon = run(settings(box), state=first.state, box=box, clock=clock)
    assert (soon.status, soon.requests, soon.records) == (0, [], {})
    clock.pass_time(minutes=3)
    later = run(settings(box), state=first.state, box=box, clock=clock)
    assert len(asked(later, "POST", "exports")) == 3
    assert {one["window_start"] for one in later.ledger} == {"2026-03-01T11:45:00.000Z"}
    eager = run(settings(box, export_interval_minutes=0), state=first.state, box=box, clock=clock)
    assert asked(eager, "POST", "exports")


def test_what_changed_is_seen_again_after_a_day(zepto: Play) -> None:
    clock = Ticking()
    box = zepto(now=clock.now)
    first = run(settings(box), box=box, clock=clock)
    box.late(NAME, count=3, minutes_ago=300)
    clock.pass_time(days=1, hours=8)
    second = run(settings(box), state=first.state, box=box, clock=clock)
    assert_all_rows(box, [first, second])
    revisits = [one for one in second.windows("zeptomail_mail_logs") if one["window_end"] < "2026-03-01T12"]
    assert revisits
    for stream in EXPORTS[1:]:
        begins = {one["window_start"] for one in second.windows(stream)}
        assert begins, "once, when a day old"
        assert min(begins) < "2026-03-01T11:45" < max(one["window_end"] for one in second.windows(stream))


# Files.


@pytest.mark.parametrize(
    "options",
    [
        {"encryption": "zipcrypto"},
        {"encryption": "none"},
        {"container": "csv"},
        {"parts": 3, "bom": True},
        {"encoding": "latin-1", "delimiter": ";"},
        {"delimiter": "\t", "member_prefix": "../../"},
        {"create_answer": "object"},
        {"date_to_inclusive": True},
        {"polls": 0},
        {"progress_text": "Queued for export"},
        {"list_answer": "object", "booleans": "string"},
        {"rows_per": "mail", "several_recipients": 3},
        {"rows_per": "recipient", "several_recipients": 3},
        {"rows_per": "event", "hide_columns": ()},
        {"hide_columns": ("Email Reference", "Message Id", "Request Id")},
        {"hide_columns": ("Email Reference", "Message Id", "Status Time")},
        {"file_dates": "iso"},
        {"file_dates": "numeric", "echo": "us"},
        {"file_dates": "none", "echo": "none"},
    ],
    ids=str,
)
def test_whatever_the_file_looks_like(zepto: Play, options: dict[str, Any]) -> None:
    box = zepto(size=60, **options)
    found = run(settings(box), box=box)
    assert found.status == 0, found.stderr
    assert Counter(event["event_type"] for event in found.records["email_events"]) == box.truth()["email_events"]
    assert len(upserted(found, "email_events")) == len(found.records["email_events"])
    if options.get("encoding") == "latin-1":
        assert len(upserted(found, "zeptomail_mail_logs")) == 60  # some names cannot be written in it
    else:
        assert_all_rows(box, found)
        assert all(len(found.records[stream]) == len(upserted(found, stream)) for stream in EXPORTS)


@pytest.mark.parametrize("encryption", ["aes", "zipcrypto"])
def test_a_password_with_other_letters(zepto: Play, encryption: str) -> None:
    box = zepto(size=20, encryption=encryption)
    found = run(settings(box, export_password="Schlüssel ✓"), box=box)
    assert found.status == 0
    assert_all_rows(box, found)
    assert {job.password for job in box.vendor(NAME).jobs()} == {"Schlüssel ✓"}


def test_an_empty_password_is_none(zepto: Play) -> None:
    box = zepto(size=20)
    found = run(settings(box, export_password=""), box=box)
    assert_all_rows(box, found)
    assert {job.password for job in box.vendor(NAME).jobs()} == {""}
    assert not any(b"password" in one.body for one in asked(found, "POST", "exports"))


def test_columns_nobody_expects(zepto: Play) -> None:
    box = zepto(size=30, wide=200, extra_column="Überraschung", nul=True, newlines=True, colliding=True)
    plain = run(settings(box), box=box)
    record = plain.records["zeptomail_mail_logs"][0]
    extra = json.loads(record["extra_fields"])
    assert extra["überraschung"] == "surprise"
    assert (extra["from_2"], extra["from_3"]) == ("first twin", "second twin")
    assert len(extra) + sum(record[key] is not None for key in record.keys() - OWN) > 190
    assert "\\u0000" not in json.dumps(plain.messages)
    columns = {"zeptomail_mail_logs": ["Überraschung", "from_2", "Mail Agent"]}
    declared = run(settings(box, columns=columns), box=box)
    schema = declared.schemas["zeptomail_mail_logs"]["properties"]
    assert {"überraschung", "from_2", "mail_agent"} <= schema.keys()
    assert "mail_agent" not in declared.schemas["zeptomail_activity_logs"]["properties"]
    found = upserted(declared, "zeptomail_mail_logs")
    assert found.keys() == upserted(plain, "zeptomail_mail_logs").keys(), "a column declared more changes no key"
    assert all(one["überraschung"] == "surprise" for one in found.values())
    assert "überraschung" not in json.loads(next(iter(found.values()))["extra_fields"])


def test_a_cut_file_is_fetched_again(zepto: Play) -> None:
    for container in ("zip", "csv"):
        box = zepto(size=40, cut_downloads=2, container=container)
        found = run(settings(box), box=box)
        assert found.status == 0, found.stderr
        assert_all_rows(box, found)
        assert "it is fetched again" in found.stderr
        assert {job.downloads for job in box.vendor(NAME).jobs()} == {3}


def test_a_file_that_stays_cut_fails_its_window_and_no_half_of_it_is_out(zepto: Play) -> None:
    box = zepto(size=40, cut_downloads=100)
    found = run(settings(box, start_date="2026-02-25"), box=box)
    assert found.status == 1
    assert not any(found.records[stream] for stream in EXPORTS)
    assert {one["status"] for one in found.ledger} == {"failed"}
    assert "cut" in found.stderr
    assert "notes" not in json.dumps(found.state), "the next run asks anew"
    for account in box.vendor(NAME).accounts.values():
        account.options["cut_downloads"] = 0
    again = run(settings(box, start_date="2026-02-25"), state=found.state, box=box)
    assert again.status == 0
    assert len(upserted(again, "zeptomail_mail_logs")) > 0


def test_what_comes_in_place_of_a_file(zepto: Play) -> None:
    box = zepto(size=40)
    for fault in ({"kind": "html"}, {"kind": "garbage"}, {"kind": "status"}, {"kind": "cut"}, {"kind": "reset"}):
        box.fault(vendor=NAME, path="/download", **fault)
    found = run(settings(box), box=box)
    assert found.status == 0, found.stderr
    assert_all_rows(box, found)


def test_a_bomb(zepto: Play) -> None:
    box = zepto(size=10, bomb_bytes=80 << 20, polls=0)
    found = run(settings(box, window_hours=1440), catalog=catalog(settings(box), [EXPORTS[0]]), box=box)
    assert found.status == 1
    assert "bomb" in found.stderr


# Deleting.


def test_files_are_kept_where_that_is_wanted(zepto: Play) -> None:
    box = zepto(size=20)
    found = run(settings(box, keep_exports=True), box=box)
    assert found.status == 0
    assert not asked(found, "DELETE")
    assert not any(job.deleted for job in box.vendor(NAME).jobs())


def test_a_refused_delete_is_a_warning(zepto: Play) -> None:
    box = zepto(size=20, refuse_delete=True)
    found = run(settings(box, start_date="2026-02-25"), box=box)
    assert found.status == 0
    assert_warned = found.lines("WARNING")
    assert len(assert_warned) == 3
    assert all("refuses to delete" in line for line in assert_warned)


# Requests.


def test_filters(zepto: Play) -> None:
    box = zepto()
    filters = {"is_delivered": True, "from": "billing@shop.example"}
    found = run(
        settings(
            box,
            mail_logs=filters,
            activity_logs={"entity": "Agent"},
            suppression_list={"dndType": "domain"},
            mailagent_key="1bc8a7c7c719f435",
        ),
        box=box,
    )
    assert found.status == 0, found.stderr
    rows = found.records["zeptomail_mail_logs"]
    assert rows
    assert {(one["status"], one["from"]) for one in rows} == {("delivered", "billing@shop.example")}
    assert {one["entity"] for one in found.records["zeptomail_activity_logs"]} == {"Agent"}
    assert len(found.records["zeptomail_suppression_list"]) > 0
    ledger = {one["stream"]: json.loads(one["filter"]) for one in found.ledger}
    assert ledger["zeptomail_mail_logs"] == {**filters, "mailagent_key": "1bc8a7c7c719f435"}
    assert ledger["zeptomail_suppression_list"] == {"dndType": "domain"}


@pytest.mark.parametrize(
    ("served", "form"),
    [
        ("comma", "19/02/2025, 01:00 AM"),
        ("comma", "%d/%m/%Y, %I:%M %p"),
        ("semicolon", "DD/MM/YYYY;hh:mm AM/PM"),
        ("hour", "19/02/2025;10 AM"),
        ("hour", "%d/%m/%Y;%I %p"),
        ("tight", "19/07/2025;10AM"),
        ("tight", "DD/MM/YYYY;hhAM/PM"),
    ],
)
def test_date_forms(zepto: Play, served: str, form: str) -> None:
    box = zepto(size=40, date_format=served, quiet_minutes=120)
    found = run(settings(box, export_date_format=form), box=box)
    assert found.status == 0, found.stderr
    assert_all_rows(box, found)


@pytest.mark.parametrize("inclusive", [True, False])
def test_times_are_local_even_where_an_hour_comes_twice(zepto: Play, inclusive: bool) -> None:
    now = datetime(2025, 10, 27, 3, 0, tzinfo=UTC)
    box = zepto(size=400, now=now, timezone="Europe/Berlin", span_days=2, date_to_inclusive=inclusive, quiet_minutes=60)
    given = settings(box, start_date="2025-10-25T12:00:00Z", window_hours=0.75)
    found = run(given, catalog=catalog(given, [EXPORTS[0], "sync_windows"]), box=box, clock=Ticking(now))
    assert found.status == 0, found.stderr
    table = upserted(found, EXPORTS[0])
    start = int(datetime(2025, 10, 25, 12, tzinfo=UTC).timestamp() * 1000)
    assert len(table) == sum(
        1 for _ in box.vendor(NAME).books["1000.sandbox-refresh.zeptomail"].table("mail-logs", start)
    )
    zones = {
        dates.parse(one["processed_time"], box.vendor(NAME).books["1000.sandbox-refresh.zeptomail"].zone)
        for one in table.values()
    }
    assert {dates.parse(one["event_at"]) for one in table.values()} == zones


# OAuth.


def test_a_token_that_ends_in_the_middle_is_replaced_once(zepto: Play) -> None:
    box = zepto()
    box.fault(vendor=NAME, kind="expire_token", path="/download", after=3)
    found = run(settings(box), box=box)
    assert found.status == 0, found.stderr
    assert_all_rows(box, found)
    assert tokens(box) == 2


def test_a_token_is_renewed_a_minute_before_it_ends(zepto: Play) -> None:
    clock = Ticking()
    box = zepto(size=40, now=clock.now, expires_in=300, polls=9)
    given = settings(box, poll_seconds=50, start_date="2026-02-25")
    found = run(given, catalog=catalog(given, [EXPORTS[0]]), box=box, clock=clock)
    assert found.status == 0, found.stderr
    assert tokens(box) >= 2
    assert not [one for one in found.requests if one.status == 401]


def test_more_than_ten_tokens_are_never_asked_for(zepto: Play) -> None:
    box = zepto(size=40, token_seconds=0)
    found = run(settings(box), box=box)
    assert found.status == 1
    assert len(asked(found, "POST", "token")) <= 10


def test_a_ready_access_token_is_enough(zepto: Play) -> None:
    box = zepto(size=40)
    given = settings(box)[NAME]
    form = {name: given.pop(name) for name in ("client_id", "client_secret", "refresh_token")}
    url = f"{given['accounts_url']}/oauth/v2/token"
    token = requests.post(url, data={"grant_type": "refresh_token", **form}, timeout=10).json()["access_token"]
    found = run({NAME: {**given, "access_token": token}}, box=box)
    assert found.status == 0, found.stderr
    assert_all_rows(box, found)
    assert tokens(box) == 1
    wrong = run({NAME: {**given, "access_token": "1000.wrong"}}, box=box)
    assert wrong.status == 1
    assert not asked(wrong, "POST", "token")


def test_a_token_is_taken_as_it_comes_under_any_error(zepto: Play) -> None:
    box = zepto(size=20)
    for fault in ({"kind": "status"}, {"kind": "cut_json"}, {"kind": "reset"}, {"kind": "html"}):
        box.fault(vendor=NAME, path="/oauth", **fault)
    found = run(settings(box), box=box)
    assert found.status == 0, found.stderr
    assert_all_rows(box, found)


# Bad input.


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"refresh_token": "1000.other"}, "invalid_code"),
        ({"client_secret": "another-secret"}, "invalid_client"),
    ],
)
def test_oauth_that_is_refused(play: Play, changes: dict[str, str], said: str) -> None:
    box = play(vendors=[NAME, "smtp2go"], size=40)
    given = box.config()
    given[NAME] |= changes
    found = run(given, box=box)
    assert found.status == 1
    errors = found.lines("ERROR")
    assert len(errors) == 3
    assert all(said in line and "What to do" in line for line in errors)
    assert len(asked(found, "POST", "/oauth")) == 1, "a refusal is not asked for again"
    assert len(found.records["smtp2go_activity"]) == 40


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("shape", ["error", "data"])
def test_a_scope_that_is_missing(zepto: Play, status: int, shape: str) -> None:
    box = zepto(size=20, scopes="Zeptomail.email.READ", scope_status=status, error_shape=shape)
    found = run(settings(box), box=box)
    assert found.status == 1
    errors = found.lines("ERROR")
    assert len(errors) == 3
    assert all("Invalid OAuth scope" in line and "Zeptomail.Exports.ALL" in line for line in errors)
    assert tokens(box) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"timezone": "Mars/Olympus"}, "zeptomail.timezone is no time zone"),
        ({"timezone": "../etc/passwd"}, "zeptomail.timezone is no time zone"),
        ({"timezone": "Europe"}, "zeptomail.timezone is no time zone"),
        ({"data_center": "moon"}, "zeptomail.data_center must be one of com, eu, in"),
        ({"export_date_format": "%d/%m/%Y"}, "zeptomail.export_date_format must tell day, month, year and hour"),
        ({"export_date_format": "nonsense"}, "zeptomail.export_date_format must tell"),
        ({"export_date_format": "%Q"}, "zeptomail.export_date_format must tell"),
        ({"poll_seconds": 0}, "zeptomail.poll_seconds must be greater than 0"),
        ({"refresh_token": None}, "zeptomail.refresh_token is missing (or give access_token)"),
        ({"columns": {"zeptomail_emails": ["x"]}}, "zeptomail.columns.zeptomail_emails is no setting"),
        ({"mail_logs": {"is_delivred": True}}, "did you mean is_delivered?"),
    ],
)
def test_settings_that_cannot_be(zepto: Play, changes: dict[str, Any], said: str) -> None:
    box = zepto(size=5)
    found = command(settings(box, **changes), box=box)
    assert found.status == 1
    assert said in found.stderr
    assert not found.requests
    assert not found.messages


# GET /email.


@pytest.mark.parametrize("shape", ["nested", "flat"])
@pytest.mark.parametrize("empty_as_list", [True, False])
def test_emails_in_both_shapes(zepto: Play, shape: str, empty_as_list: bool) -> None:
    box = zepto(size=250, email_shape=shape, empty_as_list=empty_as_list, span_days=5)
    given = settings(box)
    found = run(given, catalog=catalog(given, ["zeptomail_emails"]), box=box)
    assert found.status == 0, found.stderr
    mails = {one["email_info"]["email_reference"]: one for one in box.vendor(NAME).rows(stream="zeptomail_emails")}
    records = {one["email_reference"]: one for one in found.records["zeptomail_emails"]}
    assert records.keys() == mails.keys()
    assert len(found.records["zeptomail_emails"]) == 250
    for reference, record in records.items():
        info = mails[reference]["email_info"]
        assert record["to"] == [info["to"][0]["address"]]
        assert record["from"] == info["from"]["address"]
        assert (record["status"], record["message_id"]) == (info["status"], info["message_id"])
        assert dates.parse(record["processed_time"]) == datetime.fromisoformat(info["processed_time"])
        assert record["email_delivery_details"] is None or empty_as_list is False
        assert record["details"] is None
        if shape == "nested":
            assert json.loads(record["extra_fields"])["to.0.name"] == info["to"][0]["name"]
    assert not any("is_" in name for one in found.requests for name in one.query)


def test_emails_are_not_selected_by_default(zepto: Play) -> None:
    box = zepto(size=10)
    assert "zeptomail_emails" not in run(settings(box), box=box).schemas


def test_a_server_that_caps_pages_silently_loses_nothing(zepto: Play) -> None:
    box = zepto(size=55, span_days=2)
    given = settings(box, page_size=10)
    found = run(given, catalog=catalog(given, ["zeptomail_emails"]), box=box)
    assert len(upserted(found, "zeptomail_emails")) == 55


def test_emails_that_shift_while_paging_are_read_again(zepto: Play) -> None:
    box = zepto(size=230, span_days=2)
    given = settings(box)
    box.fault(vendor=NAME, path="/v1.1/email", contains="offset=100", kind="late", count=3, minutes_ago=600)
    found = run(given, catalog=catalog(given, ["zeptomail_emails", "sync_windows"]), box=box)
    assert found.status == 0, found.stderr
    assert len(upserted(found, "zeptomail_emails")) == 233
    assert sum(one["records"] for one in found.ledger) == len(found.records["zeptomail_emails"])


def test_details_bring_opens_clicks_and_bounces(zepto: Play) -> None:
    box = zepto(size=60, span_days=3)
    given = settings(box, details=True)
    found = run(given, catalog=catalog(given, ["zeptomail_emails", "email_events"]), box=box)
    assert found.status == 0, found.stderr
    assert len(asked(found, "GET", "email-reference")) == 60
    assert all(one["details"]["email_info"]["email_reference"] for one in found.records["zeptomail_emails"])
    kinds = Counter(event["event_type"] for event in found.records["email_events"])
    mails = found.records["zeptomail_emails"]
    tracked = [one["details"]["email_tracking_details"] or {} for one in mails]
    assert kinds["opened"] == sum(one["email_open"]["event_count"] for one in tracked if "email_open" in one) > 0
    assert kinds["clicked"] == sum(
        one["email_link_click"]["event_count"] for one in tracked if "email_link_click" in one
    )
    assert kinds["delivered"] == sum(one["status"] == "delivered" for one in mails)
    assert kinds["bounced"] == sum(one["status"].endswith("bounce") for one in mails)
    assert len(upserted(found, "email_events")) == len(found.records["email_events"])
    clicks = [event for event in found.records["email_events"] if event["event_type"] == "clicked"]
    assert all(event["url"] and event["ip"] and event["user_agent"] for event in clicks)


def test_emails_with_another_scope_only(zepto: Play) -> None:
    box = zepto(size=10, scopes="Zeptomail.Exports.ALL")
    given = settings(box)
    found = run(given, catalog=catalog(given, ["zeptomail_emails"]), box=box)
    assert found.status == 1
    assert "Zeptomail.email.READ" in found.stderr
    assert "Invalid OAuth scope" in found.stderr


def test_two_accounts_of_one_client(zepto: Play) -> None:
    box = zepto(size=30, accounts={"1000.one-refresh": {"label": "one"}, "1000.two-refresh": {"label": "two"}})
    found = run(settings(box, start_date=(NOW - timedelta(days=29)).isoformat()), box=box)
    assert found.status == 0, found.stderr
    counts = Counter(one["account"] for one in found.records["zeptomail_mail_logs"])
    assert counts == {"one": 30, "two": 30}
    assert box.vendor(NAME).tokens.issued == {"1000.one-refresh": 1, "1000.two-refresh": 1}

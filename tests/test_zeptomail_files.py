"""ZeptoMail's files: whatever they look like, whole or not at all, and deleted once read."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from harness import catalog, run
from outcome import upserted
from zeptomail_runs import EXPORTS, NAME, OWN, asked, assert_all_rows, player, settings

if TYPE_CHECKING:
    from zeptomail_runs import Play

pytestmark = pytest.mark.thorough


@pytest.fixture
def zepto(play: Play) -> Play:
    return player(play)


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

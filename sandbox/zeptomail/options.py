"""The options of the ZeptoMail vendor, with their defaults: what its page leaves open, and what can go wrong."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sandbox.zeptomail.files import Shape

DEFAULTS: dict[str, Any] = {
    "client_id": "1000.SANDBOXCLIENT",
    "client_secret": "sandbox-client-secret",
    "expires_in": 3600,  # what the token's answer says
    "token_seconds": None,  # how long it really lives, where that differs
    "token_limit": 10,  # in ten minutes
    "scopes": "Zeptomail.Exports.ALL,Zeptomail.email.READ",
    "scope_status": 401,  # of an answer to a token without the scope
    "history_days": 60,
    "span_days": 28,  # how far back the data goes
    "quiet_minutes": 20,  # age of the youngest row at the start
    "timezone": "UTC",  # of the account: every time in requests and files
    "date_format": "comma",  # of an export's dates: a name in zeptomail.jobs.FORMS, or any
    "email_date_format": "any",  # of GET /email
    "date_to_inclusive": False,  # the whole minute of date_to belongs to the result
    "booleans": "json",  # json, string or any
    "create_answer": "list",  # what data is in the answer to a new job: list or object
    "polls": 2,  # the n-th listing shows a job completed
    "job_seconds": 0,  # and not before it is so old
    "progress_text": "in-progress",
    "failed_text": "failed",
    "fail_jobs": 0,  # so many first jobs of the account fail; -1: all
    "endless_jobs": 0,  # likewise: stay in progress
    "file_days": 3,
    "cut_downloads": 0,  # the first n downloads of each file are cut in half (with the Content-Length of the half)
    "refuse_delete": False,
    "error_shape": "error",  # error: {error: {…}}; data: {data: {error_code, message}}
    "email_shape": "nested",  # nested or flat
    "email_status": "real",  # processed: what the list says unless it is filtered by an outcome
    "email_limit": 100,  # largest limit
    "empty_as_list": True,  # empty objects come as []
    "several_recipients": 0,  # every n-th mail has two, of which every other one's statuses differ
    "rows_per": "recipient",  # of a file: recipient, mail, or event (a row for each status a mail has had)
    "hide_columns": ("Status Time",),  # of the file
    "file_dates": "page",  # how files write times: page, iso, numeric or none
    "file_timezone": None,  # of the files' times, where that is not the account's
    "omitted_flags": "all",  # what a request without is_delivered, is_sb, … gets: all, or none of these kinds
    "list_answer": "list",  # what data is in the list of exports: list or object
    "echo": "page",  # how search_query repeats the dates: a name in zeptomail.jobs.ECHOES, or none
    "echo_filters": {},  # what else it shows
    "misread_minutes": 0,  # the dates of an export are understood so much later
    "ignore_dates": False,  # an export holds everything, whatever its dates
    "big_export_rows": 0,  # mail-logs has so many rows, made on the spot
    **{field.name: field.default for field in fields(Shape)},
}

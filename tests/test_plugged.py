"""A vendor of the tests is plugged in, and the general tests run for it as for any other."""

from __future__ import annotations

import pytest

from dummymail import PLUGGED
from harness import NOW
from sandbox.server import Sandbox
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.tap import TapEmailLogs
from test_completeness import test_late_rows_are_found, test_rows_around_the_end_of_a_run_come_once
from test_concurrency import test_max_concurrency_is_reached_and_kept
from test_contract import (
    test_a_second_run_costs_one_window_and_changes_nothing,
    test_end_date_is_exclusive_and_start_date_inclusive,
    test_keys_are_unique_and_every_other_property_is_nullable,
    test_many_windows_have_the_same_sums_and_a_state_each,
    test_two_accounts_inherit_what_they_leave_out,
    two_accounts,
    whole,
)
from test_events import test_an_endpoint_is_read_once_whatever_is_selected, test_counts_are_the_truth
from test_faults import (
    boxes,
    peace,
    test_paging_that_goes_astray_once_costs_no_row,
    test_trouble_that_lasts_fails_clearly_and_the_next_run_has_all,
)
from test_privacy import test_the_sandboxs_people_are_gone
from test_requests import test_a_quiet_account_costs_one_request_a_run_and_few_for_revisits
from test_resume import test_a_signal_ends_with_a_last_state, test_every_state_is_covered_by_what_is_out

__all__ = [
    "PLUGGED",
    "boxes",
    "peace",
    "test_a_quiet_account_costs_one_request_a_run_and_few_for_revisits",
    "test_a_second_run_costs_one_window_and_changes_nothing",
    "test_a_signal_ends_with_a_last_state",
    "test_an_endpoint_is_read_once_whatever_is_selected",
    "test_counts_are_the_truth",
    "test_end_date_is_exclusive_and_start_date_inclusive",
    "test_every_state_is_covered_by_what_is_out",
    "test_keys_are_unique_and_every_other_property_is_nullable",
    "test_late_rows_are_found",
    "test_many_windows_have_the_same_sums_and_a_state_each",
    "test_max_concurrency_is_reached_and_kept",
    "test_paging_that_goes_astray_once_costs_no_row",
    "test_rows_around_the_end_of_a_run_come_once",
    "test_the_sandboxs_people_are_gone",
    "test_trouble_that_lasts_fails_clearly_and_the_next_run_has_all",
    "test_two_accounts_inherit_what_they_leave_out",
    "two_accounts",
    "whole",
]

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("peace")]


def test_it_is_known_while_it_is_plugged_in() -> None:
    assert PROVIDERS[-1] is PLUGGED.provider
    assert PLUGGED.provider.name in TapEmailLogs.config_jsonschema["properties"]
    assert Sandbox(now=NOW, vendors=["dummymail"]).vendors.keys() == {"dummymail"}

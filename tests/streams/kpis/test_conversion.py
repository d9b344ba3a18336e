"""KPI 3: both readings of conversion, and the half that leaks."""

from __future__ import annotations

import pytest

from funnelwatch.streams.kpis.conversion import lead_figures, leak
from funnelwatch.streams.kpis.parts import Index


def leads(qualified=0, accepted=0, converted=0):
    milestones = {"qualified": qualified, "accepted": accepted, "converted": converted}
    return lead_figures(Index({("lead", what): count for what, count in milestones.items() if count}))


def test_the_period_counts_what_happened_in_it_and_the_cohort_whom_it_happened_to():
    found = leads(qualified=8, accepted=6, converted=3)

    assert (found.period, found.cohort, found.acceptance, found.closing) == (0.375, 0.0, 0.75, 0.5)


def test_a_cohort_may_convert_more_than_its_period():
    found = lead_figures(Index({("lead", "qualified"): 4, ("cohort", "converted"): 3, ("cohort", "accepted"): 4}))

    assert (found.period, found.cohort, found.cohort_accepted, found.cohort_converted) == (0.0, 0.75, 4, 3)


def test_nothing_is_a_share_of_nothing():
    found = leads(converted=2)

    assert (found.period, found.cohort, found.acceptance, found.closing) == (None, None, None, None)


TEAM = leads(qualified=100, accepted=80, converted=40)


@pytest.mark.parametrize(
    ("own", "half"),
    [
        (leads(10, 4, 2), "acceptance"),  # 0.4 of 0.8; closing 0.5 of 0.5
        (leads(10, 8, 2), "closing"),  # acceptance as the team's; 0.25 of 0.5
        (leads(20, 8, 2), "acceptance"),  # both half as good: the first
        (leads(10, 4, 0), "closing"),  # 0.5 and 0
        (leads(10, 0, 2), "acceptance"),  # nothing accepted: there is no closing
        (leads(100, 90, 39), "closing"),
    ],
)
def test_the_half_that_falls_furthest_behind_the_other_leaks(own, half):
    assert leak(own, 0.5, TEAM).half == half


def test_a_rate_as_expected_leaks_nowhere():
    assert leak(leads(10, 4, 2), 0.2, TEAM).half is None


def test_without_an_expectation_the_others_rate_is_the_measure():
    assert leak(leads(10, 4, 2), None, TEAM).half == "acceptance"
    assert leak(leads(10, 4, 4), None, TEAM).half is None


def test_a_low_rate_with_both_halves_as_good_as_the_others_has_no_leak():
    assert leak(leads(10, 8, 4), 0.9, TEAM).half is None


def test_a_half_that_the_other_has_none_of_is_left_out():
    nobody_accepts = leads(qualified=10, converted=5)

    assert leak(leads(10, 4, 2), 0.9, nobody_accepts).half is None


def test_with_nobody_to_compare_with_no_half_is_named():
    assert leak(leads(10, 4, 2), 0.9, None).half is None


def test_no_leads_no_leak():
    found = leak(leads(), 0.9, TEAM)

    assert (found.period, found.expected, found.half) == (None, 0.9, None)

"""KPI 2: the median of sojourns that may not be over, and the stage that holds a pipeline up."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.streams.kpis.bottleneck import StageTimes, bottleneck, median_bin
from funnelwatch.streams.sketch import bin_of, bin_seconds

HOUR_US = 3_600_000_000
HOUR = 3_600.0

bins = st.dictionaries(st.integers(-1, 30), st.integers(1, 40), max_size=12)


def literally(ended, present):
    """Kaplan and Meier as the page has it."""
    survival = Fraction(1)
    for number in sorted(ended.keys() | present.keys()):
        at_risk = sum(count for side in (ended, present) for other, count in side.items() if other >= number)
        survival *= 1 - Fraction(ended.get(number, 0), at_risk)
        if survival <= Fraction(1, 2):
            return number
    return max(ended.keys() | present.keys())


@given(bins, bins)
def test_the_median_is_kaplan_and_meiers(ended, present):
    if ended or present:
        assert median_bin(ended, present) == literally(ended, present)


def test_without_open_sojourns_it_is_the_lower_median():
    assert median_bin({1: 1, 2: 1, 3: 1, 4: 1}, {}) == 2


def test_what_is_still_open_pushes_the_median_up():
    # 5 ended at 1 and 5 at 4; with 6 open at 2: S(1) = 11/16, S(4) = 11/16 · 0.
    assert median_bin({1: 5, 4: 5}, {}) == 1
    assert median_bin({1: 5, 4: 5}, {2: 6}) == 4


def test_one_half_exactly_is_enough():
    assert median_bin({1: 1, 9: 1}, {}) == 1


def test_if_most_are_still_open_it_is_the_oldest_of_all():
    assert median_bin({3: 1}, {2: 4, 7: 5}) == 7


def times(stage, expected, ended=(), present=()):
    """A stage with sojourns of so many hours."""
    return StageTimes(
        stage, expected, *({bin_of(hours * HOUR_US): count for hours, count in side} for side in (ended, present))
    )


def test_the_bottleneck_is_the_longest_median_relative_to_what_is_expected():
    found = bottleneck([times("New", HOUR, [(3, 5)]), times("Offer", 10 * HOUR, [(20, 5)]), times("Deal", HOUR)])

    assert found is not None
    assert (found.stage, found.sojourns, found.expected_seconds) == ("New", 5, HOUR)
    assert found.median_seconds == bin_seconds(bin_of(3 * HOUR_US))
    assert found.ratio == found.median_seconds / HOUR


def test_four_sojourns_say_nothing_and_open_ones_count():
    assert bottleneck([times("New", HOUR, [(3, 4)])]) is None
    assert bottleneck([times("New", HOUR, [(3, 4)], [(1, 1)])]).sojourns == 5


def test_a_stage_without_an_expected_time_is_no_bottleneck():
    assert bottleneck([times("New", None, [(3, 9)]), times("Offer", 0.0, [(3, 9)])]) is None


def test_of_equal_stages_the_first_is_named():
    assert bottleneck([times("Offer", HOUR, [(3, 5)]), times("New", HOUR, [(3, 5)])]).stage == "Offer"

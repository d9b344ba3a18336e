"""What the sums of a period say: counts, amounts, ratios, losses, flow and durations."""

from __future__ import annotations

from datetime import date
from math import isclose

from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.schemas.document import Counted, Durations, Left
from funnelwatch.schemas.settings import Rate
from funnelwatch.streams.kpis import figures as kpis
from funnelwatch.streams.kpis.parts import Index, durations
from funnelwatch.streams.kpis.sales import Closed
from funnelwatch.streams.ledger import tagged
from funnelwatch.streams.rates import Exchange
from funnelwatch.streams.sketch import RELATIVE_ERROR, bin_of, bin_seconds, rank

DAY = date(2026, 11, 23).toordinal()
EUR = 10_000
HOUR_US = 3_600_000_000
EMPTY = Durations(0, None, None, None)


def figures(sums, exchange=None):
    index = Index(sums)
    return kpis.figures(index, Closed.of(index, exchange), exchange)


def lost(stage, reason, count, amount, *, currency="EUR", pipeline="default"):
    key = (pipeline, currency, stage, reason)
    return {("lost", *key): count} | ({("lost_amount", *key): amount * EUR} if amount else {})


def won(count, amount, currency="EUR", pipeline="default"):
    return {("won", pipeline, currency): count} | ({("won_amount", pipeline, currency): amount * EUR} if amount else {})


def test_of_nothing_there_are_counts_but_no_ratios():
    found = figures({})

    assert (found.created, found.won, found.lost, found.advances) == (0, 0, 0, 0)
    assert (found.win_rate, found.loss_rate, found.created_per_lost) == (None, None, None)
    assert (found.won_amount, found.lost_by_reason, found.flow, found.lead_flow) == ({}, {}, {}, {})
    assert (found.cycle, found.first_touch) == (EMPTY, EMPTY)


def test_pipelines_are_added_up_and_currencies_are_not():
    found = figures(won(1, 5) | won(2, 7, pipeline="partner") | won(1, 3, "USD") | {("created", "default"): 8})

    assert (found.won, found.won_amount, found.created) == (4, {"EUR": "12", "USD": "3"}, 8)


def test_a_currency_whose_deals_are_worth_nothing_is_there_with_zero():
    assert figures(won(1, 0)).won_amount == {"EUR": "0"}


def test_ratios_of_closes():
    found = figures(won(1, 5) | lost("New", "price", 3, 1) | {("created", "default"): 6})

    assert (found.win_rate, found.loss_rate, found.created_per_lost) == (0.25, 0.75, 2.0)


def test_losses_by_reason_and_by_stage_over_all_pipelines():
    sums = lost("New", "price", 1, 5) | lost("New", "", 2, 7) | lost("Offer", "price", 3, 0, currency="USD")
    found = figures(sums | lost("New", "price", 1, 2, pipeline="partner"))

    assert found.lost_by_reason == {"": Counted(2, {"EUR": "7"}), "price": Counted(5, {"EUR": "7", "USD": "0"})}
    assert found.lost_by_stage == {"New": Counted(4, {"EUR": "14"}), "Offer": Counted(3, {"USD": "0"})}
    assert found.lost_amount == {"EUR": "14", "USD": "0"}


def test_flow_of_deals_and_of_leads():
    stage = ("default", "New")
    found = figures(
        {
            ("entered", *stage): 3,
            ("left", *stage, "forward"): 1,
            ("left", *stage, "lost"): 1,
            ("work_us", *stage): 6 * HOUR_US,
            ("wall_us", *stage): 50 * HOUR_US,
            ("work", *stage, bin_of(2 * HOUR_US)): 1,
            ("work", *stage, bin_of(4 * HOUR_US)): 1,
            ("wall", *stage, bin_of(25 * HOUR_US)): 2,
            ("entered", "@leads", "new"): 1,
            ("advance", "default"): 1,
        }
    )
    flow = found.flow["default"]["New"]

    assert list(found.flow) == ["default"]
    assert (flow.entered, flow.left) == (3, Left(forward=1, lost=1))
    assert (flow.working.count, flow.working.mean_seconds) == (2, 3 * 3_600.0)
    assert flow.working.median_seconds == flow.working.p90_seconds == bin_seconds(bin_of(2 * HOUR_US))
    assert flow.wall.mean_seconds == 25 * 3_600.0
    assert found.lead_flow["new"].entered == 1
    assert (found.lead_flow["new"].working, found.advances) == (EMPTY, 1)


def test_cycle_and_first_touch():
    found = figures(
        {("cycle", bin_of(HOUR_US)): 1, ("cycle_us",): HOUR_US, ("touch", -1): 3, ("touch_us",): 600},
    )

    assert (found.cycle.count, found.cycle.mean_seconds) == (1, 3_600.0)
    assert found.first_touch == Durations(3, 0.0002, 0.0, 0.0)


@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=60))
def test_quantiles_are_off_by_the_sketchs_error_at_most(values):
    bins = {}
    for value in values:
        bins[bin_of(value)] = bins.get(bin_of(value), 0) + 1
    found = durations(bins, sum(values))

    assert (found.count, found.mean_seconds) == (len(values), sum(values) / (len(values) * 1_000_000))
    for quantile, seconds in ((0.5, found.median_seconds), (0.9, found.p90_seconds)):
        exact = sorted(values)[rank(quantile, len(values))] / 1_000_000
        assert isclose(seconds, exact, rel_tol=RELATIVE_ERROR + 1e-9) if exact >= 0.001 else seconds == 0.0


sums = st.dictionaries(
    st.sampled_from(
        [
            ("created", "default"),
            ("won", "default", "EUR"),
            ("work", "default", "New", 5),
            ("work", "default", "New", 6),
            ("wall", "default", "New", 5),
            ("lead", "created"),
        ]
    ),
    st.integers(1, 9),
)


@given(sums, sums, sums)
def test_an_index_plus_sums_is_the_index_of_all_and_stays_what_it_is(one, two, three):
    base = Index(one)
    more, again = base.plus(two), base.plus(three)
    whole = Index(one)
    whole.add(two)

    assert (more.names, more.bins) == (whole.names, whole.bins)
    assert (base.names, base.bins) == (Index(one).names, Index(one).bins)
    assert {name: again.total(name) for name in again.names} == {
        name: base.total(name) + Index(three).total(name) for name in again.names
    }


RATES = Exchange([Rate("2026-11-23", "USD", "0.5"), Rate("2026-11-24", "USD", "0.33335")], "EUR")


def test_with_rates_each_day_has_its_rate_and_counts_go_along():
    sums = tagged("ada", DAY, won(1, 10, "USD")) | tagged("ada", DAY + 1, won(2, 3, "USD") | won(1, 1))
    found = figures(sums | tagged("ada", DAY - 1, won(1, 7, "USD")), RATES)

    assert found.won == 5
    assert found.won_amount == {"USD": "7", "EUR": "7"}  # 5 + 1.00005 → 1 (half to even) + 1


def test_the_sum_of_a_rep_and_day_is_rounded_and_not_each_pipelines():
    each = won(1, 0, "USD") | won(1, 0, "USD", "partner")
    half = {("won_amount", "default", "USD"): 1, ("won_amount", "partner", "USD"): 1}

    assert figures(tagged("ada", DAY, each | half), RATES).won_amount == {"EUR": "0.0001"}
    assert figures(
        tagged("ada", DAY, won(1, 0, "USD") | {("won_amount", "default", "USD"): 1})
        | tagged("bob", DAY, won(1, 0, "USD") | {("won_amount", "default", "USD"): 1}),
        RATES,
    ).won_amount == {"EUR": "0"}

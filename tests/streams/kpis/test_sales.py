"""KPI 1: what was closed, the quota, and the split of a change."""

from __future__ import annotations

from decimal import Decimal
from math import log

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from funnelwatch.schemas.document import Change
from funnelwatch.streams.kpis.parts import Amount
from funnelwatch.streams.kpis.sales import Closed, Elapsed, Quota, Side, change, decompose, sales

EUR = 10_000
HOUR = 3_600_000_000
NOTHING = Side(0, 0, 0)
QUARTER = Elapsed(40 * HOUR, 160 * HOUR)


def closed(won=None, lost=None):
    """Closes as {currency: (deals, whole money)}."""
    return Closed(
        *(
            {currency: Amount(deals, amount * EUR) for currency, (deals, amount) in (side or {}).items()}
            for side in (won, lost)
        )
    )


def month(mtd, before, *, quota=None, elapsed=QUARTER):
    return sales(
        month="2026-11",
        elapsed=elapsed,
        quota=quota or Quota({}, None),
        mtd=mtd,
        prev_mtd=before,
        prev_month=closed(),
    )


def test_growth_is_relative_to_the_same_part_of_the_previous_month():
    found = month(closed({"EUR": (2, 150), "USD": (1, 7)}), closed({"EUR": (1, 100), "GBP": (1, 50)}))

    assert found.growth == {"EUR": 0.5, "GBP": -1.0}


def test_nothing_grows_from_deals_that_were_worth_nothing():
    assert month(closed({"EUR": (2, 150)}), closed({"EUR": (1, 0)})).growth == {}


def test_attainment_pace_and_projection_at_a_quarter_of_the_month():
    found = month(closed({"EUR": (2, 150), "USD": (1, 5)}), closed(), quota=Quota({"EUR": 400 * EUR}, 4))

    assert found.elapsed == 0.25
    assert found.attainment == {"EUR": 0.375}
    assert found.attainment_count == 0.75
    assert found.pace == {"EUR": 1.5}
    assert found.projection == {"EUR": "600", "USD": "20"}
    assert (found.quota, found.quota_count) == ({"EUR": "400"}, 4)


def test_a_quota_without_a_win_is_attained_by_nothing_of_it():
    found = month(closed(), closed(), quota=Quota({"EUR": 400 * EUR}, 4))

    assert (found.attainment, found.attainment_count, found.pace) == ({"EUR": 0.0}, 0.0, {"EUR": 0.0})


def test_a_quota_of_nothing_has_no_ratio():
    found = month(closed({"EUR": (1, 5)}), closed(), quota=Quota({"EUR": 0}, 0))

    assert (found.quota, found.attainment, found.attainment_count) == ({"EUR": "0"}, {}, None)


def test_before_the_first_working_instant_there_is_neither_pace_nor_projection():
    found = month(closed({"EUR": (1, 5)}), closed(), quota=Quota({"EUR": EUR}, 1), elapsed=Elapsed(0, 160 * HOUR))

    assert (found.elapsed, found.pace, found.projection) == (0.0, {}, {})


def test_a_month_without_working_time_has_no_share():
    found = month(closed({"EUR": (1, 5)}), closed(), elapsed=Elapsed(0, 0))

    assert (found.elapsed, found.projection) == (None, {})


def test_a_projection_is_rounded_to_money_units_half_to_even():
    found = month(Closed({"EUR": Amount(1, 1), "USD": Amount(1, 3)}, {}), closed(), elapsed=Elapsed(2, 5))

    assert found.projection == {"EUR": "0.0002", "USD": "0.0008"}  # 2.5 and 7.5 units


def test_a_currency_without_a_close_in_either_period_has_no_change():
    found = month(closed({"EUR": (1, 5)}), closed(None, {"USD": (1, 9)}))

    assert list(found.change) == ["EUR", "USD"]


def test_half_the_deals_at_the_same_rate_and_size_is_volume():
    assert change(Side(8, 4, 400 * EUR), Side(4, 2, 200 * EUR)) == Change("-200", "-200", "0", "0", "volume")


def test_half_the_win_rate_is_win_rate():
    assert change(Side(8, 4, 400 * EUR), Side(8, 2, 200 * EUR)) == Change("-200", "0", "-200", "0", "win_rate")


def test_half_the_size_is_deal_size():
    assert change(Side(8, 4, 400 * EUR), Side(8, 4, 200 * EUR)) == Change("-200", "0", "0", "-200", "deal_size")


def test_a_mixed_change_is_split_by_log_means():
    mean = (300 - 400) * EUR / log(300 / 400)
    volume, win_rate = round(mean * log(10 / 8)), round(mean * log((3 / 10) / (4 / 8)))

    assert decompose(Side(8, 4, 400 * EUR), Side(10, 3, 300 * EUR)) == (
        volume,
        win_rate,
        -100 * EUR - volume - win_rate,
    )


def test_without_a_change_the_parts_may_still_offset_each_other():
    volume, win_rate, size = decompose(Side(4, 2, 100 * EUR), Side(8, 2, 100 * EUR))

    assert volume == round(100 * EUR * log(2)) == -win_rate
    assert size == 0


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        (Side(4, 2, 7), NOTHING, (-7, 0, 0)),
        (NOTHING, Side(4, 2, 7), (7, 0, 0)),
        (Side(4, 2, 7), Side(3, 0, 0), (0, -7, 0)),
        (Side(3, 0, 0), Side(4, 2, 7), (0, 7, 0)),
        (Side(4, 2, 7), Side(3, 1, 0), (0, 0, -7)),
        (Side(3, 0, 0), Side(5, 0, 0), (0, 0, 0)),
        (Side(3, 1, -4), Side(5, 2, 6), (0, 0, 10)),
        (Side(3, 1, -4), NOTHING, (0, 0, 4)),
    ],
)
def test_where_a_side_is_nothing_the_whole_change_goes_to_what_made_it_so(before, after, parts):
    assert decompose(before, after) == parts


def test_of_parts_that_fell_alike_the_first_is_the_cause():
    found = change(Side(4, 4, 400 * EUR), Side(2, 1, 100 * EUR))

    assert (found.volume, found.win_rate, found.cause) == ("-150", "-150", "volume")


def test_what_did_not_fall_has_no_cause():
    assert change(NOTHING, Side(1, 1, 5)).cause is None


@st.composite
def sides(draw):
    closed_deals = draw(st.integers(0, 10**6))
    won = draw(st.integers(0, closed_deals))
    units = draw(st.integers(-(10**17), 10**17)) if won else 0
    return Side(closed_deals, won, units)


@given(sides(), sides())
@example(Side(1, 1, 10**17), Side(1, 1, 10**17 - 1))
@example(Side(10**6, 1, 1), Side(1, 1, 10**17))
def test_the_parts_add_up_to_the_change_exactly(before, after):
    parts = change(before, after)

    assert sum(map(Decimal, (parts.volume, parts.win_rate, parts.deal_size))) == Decimal(parts.amount)
    assert Decimal(parts.amount) * EUR == after.units - before.units


@given(sides(), sides())
def test_the_way_back_undoes_each_part(before, after):
    there, back = decompose(before, after), decompose(after, before)

    assert all(abs(one + other) <= max(2, abs(one) * 1e-9) for one, other in zip(there, back, strict=True))

"""Cells and values survive the way through Redis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.streams.cells import (
    AdvanceCell,
    CloseCell,
    DayCell,
    ItemCell,
    LostDeal,
    MinuteCell,
    decode_cell,
    decode_value,
    encode,
    encode_value,
)

CELLS = [
    DayCell("r", 739_000),
    MinuteCell("r", 29_000_000),
    CloseCell("r", 1),
    AdvanceCell("r"),
    ItemCell("r", "x", "1"),
]
measures = st.tuples(st.text(max_size=5), st.integers(-5, 5))


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_comes_back_as_it_went(cell):
    assert cell == decode_cell(encode(cell))


@given(st.dictionaries(measures, st.integers(-(10**30), 10**30), max_size=4))
def test_sums_of_any_size_come_back_exactly(sums):
    """Nineteen wins of the largest amount an event may carry are more than 64 bits hold."""
    assert sums == decode_value(CELLS[0], encode_value(sums))


def test_an_item_and_an_advance_come_back():
    lost = LostDeal(closed_at=1, pipeline="p", stage="s", reason="", currency="EUR", amount=-(10**18))

    assert lost == decode_value(CELLS[4], encode_value(lost))
    assert decode_value(CELLS[3], encode_value(7)) == 7

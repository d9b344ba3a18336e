"""Laws of every fold: the state is a function of the set of events, however and in what portions they came."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.organisation import CONTEXT
from support.strategies import START_US, SUBJECTS, events, histories, instants

from funnelwatch.schemas.events import TYPES, DealData, Event, Kind
from funnelwatch.streams import history
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.history import Refused
from funnelwatch.streams.links import TOUCH, WON, Link

few = settings(max_examples=20)
KINDS = pytest.mark.parametrize("kind", list(Kind))


def fold(kind, items):
    state = FOLDS[kind].empty()
    for item in items:
        FOLDS[kind].add_link(state, item) if isinstance(item, Link) else FOLDS[kind].add(state, item)
    return state


def row(kind, items):
    return FOLDS[kind].encode(fold(kind, items))


@st.composite
def links(draw, kind):
    """What others tell: of one origin and version always the same."""
    origin = draw(st.sampled_from([Kind.DEAL, Kind.CALL, Kind.EMAIL] if kind is Kind.LEAD else [Kind.CALL, Kind.EMAIL]))
    version = draw(st.integers(1, 3))
    at = draw(st.none() | instants())
    fact = WON if origin is Kind.DEAL else TOUCH
    return Link(kind, SUBJECTS[kind][0], origin, f"{origin}-{draw(st.integers(1, 3))}", fact, at, version)


def items(kind, max_size=12):
    """Events, and links for those that receive any."""
    if kind in {Kind.DEAL, Kind.LEAD}:
        return st.lists(events(kind) | links(kind), max_size=max_size)
    return histories(kind, max_size)


@KINDS
@few
@given(data=st.data())
def test_order_repetition_and_portions_do_not_matter(kind, data):
    some = data.draw(items(kind))
    again = data.draw(st.lists(st.sampled_from(some), max_size=4)) if some else []
    shuffled = data.draw(st.permutations(some + again))
    cut = data.draw(st.integers(0, len(shuffled)))
    whole = row(kind, some)
    left, right = row(kind, shuffled[:cut]), row(kind, shuffled[cut:])

    assert row(kind, shuffled) == whole
    assert FOLDS[kind].merge_rows(left, right) == whole
    assert FOLDS[kind].merge_rows(right, left) == whole


@KINDS
@few
@given(data=st.data())
def test_merging_is_associative_and_idempotent(kind, data):
    merge = FOLDS[kind].merge_rows
    a, b, c = (row(kind, data.draw(items(kind, 6))) for _ in range(3))

    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, a) is a
    assert merge(merge(a, b), b) == merge(a, b)


@KINDS
@few
@given(data=st.data())
def test_a_row_survives_being_written_and_read(kind, data):
    state = fold(kind, data.draw(items(kind)))
    written = FOLDS[kind].encode(state)

    assert FOLDS[kind].decode(written) == state
    assert FOLDS[kind].encode(FOLDS[kind].decode(written)) == written


@KINDS
@few
@given(data=st.data())
def test_a_repeat_changes_nothing(kind, data):
    some = data.draw(items(kind))
    state = fold(kind, some)
    before = FOLDS[kind].encode(state)
    for item in some:
        changed = FOLDS[kind].add_link(state, item) if isinstance(item, Link) else FOLDS[kind].add(state, item)

        assert changed is False
    assert FOLDS[kind].encode(state) == before


@KINDS
@few
@given(data=st.data())
def test_what_says_it_changed_the_state_did_and_only_that(kind, data):
    state = FOLDS[kind].empty()
    for item in data.draw(items(kind)):
        before = FOLDS[kind].encode(state)
        changed = FOLDS[kind].add_link(state, item) if isinstance(item, Link) else FOLDS[kind].add(state, item)

        assert changed == (FOLDS[kind].encode(state) != before)


@KINDS
@few
@given(data=st.data())
def test_a_merge_that_brings_nothing_new_gives_back_the_richer_row_itself(kind, data):
    some = data.draw(items(kind))
    rich, poor = row(kind, some), row(kind, some[: len(some) // 2])

    assert FOLDS[kind].merge_rows(rich, poor) in (rich, poor)
    assert FOLDS[kind].merge_rows(rich, poor) is rich or rich == poor
    assert FOLDS[kind].merge_rows(poor, rich) == rich


@KINDS
@few
@given(data=st.data())
def test_figures_never_hold_a_zero(kind, data):
    contribution = FOLDS[kind].contribution("x", fold(kind, data.draw(items(kind))), CONTEXT)

    assert 0 not in contribution.sums.values()


@KINDS
def test_codes_of_types_are_stored_and_stay(kind):
    assert FOLDS[kind].codes == TYPES[kind]


def test_of_one_identity_the_smallest_stands_whatever_came_first():
    variants = [
        Event(Kind.DEAL, "deal.created", "1", "crm", "d", START_US + 5, DealData(stage="Offer")),
        Event(Kind.DEAL, "deal.created", "1", "crm", "d", START_US, DealData(stage="Demo")),
        Event(Kind.DEAL, "deal.created", "1", "crm", "d", START_US, DealData(stage="Alpha")),
        Event(Kind.DEAL, "deal.updated", "1", "crm", "d", START_US, DealData(stage="Aaa")),
    ]
    standing = {
        FOLDS[Kind.DEAL].contribution("d", fold(Kind.DEAL, order), CONTEXT).items.popitem()[1].stage
        for order in permutations(variants)
    }

    assert standing == {"Alpha"}


def test_beyond_the_limit_an_event_is_refused_with_a_reason_and_repeats_are_not(monkeypatch):
    monkeypatch.setattr(history, "HISTORY_MAX", 2)
    first, second, third = (
        Event(Kind.DEAL, "deal.updated", str(number), "crm", "d", START_US, DealData()) for number in range(3)
    )
    state = fold(Kind.DEAL, [first, second])

    assert FOLDS[Kind.DEAL].add(state, first) is False
    with pytest.raises(Refused) as refused:
        FOLDS[Kind.DEAL].add(state, third)
    assert refused.value.refusal.reason == "history_full"
    assert "has 2 events already" in refused.value.refusal.detail

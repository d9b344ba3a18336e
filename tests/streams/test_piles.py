"""What is open is added up while it changes, and says the same as all of it counted anew."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.streams import piles as module
from funnelwatch.streams.cells import LEAD_PIPELINE, OpenDeal, OpenLead
from funnelwatch.streams.piles import Piles, total_worth

REPS = ("ada", "bob", "eve")
deals = st.builds(
    OpenDeal,
    pipeline=st.sampled_from("pq"),
    stage=st.sampled_from("st"),
    currency=st.sampled_from(("EUR", "IRR")),
    amount=st.none() | st.integers(0, 9),
    created_at=st.just(0),
    entered_at=st.integers(0, 6),
    owned_since=st.just(0),
    touched_at=st.just(0),
    snoozed_until=st.none(),
    customer=st.none(),
)
changes = st.lists(st.tuples(st.sampled_from(REPS), st.integers(0, 9), st.none() | deals), max_size=60)


@pytest.fixture(autouse=True, params=[1, 10_000])
def _both_ways(monkeypatch, request):
    """Changes put in their places one by one, as they come; or sorted in, when they are asked for."""
    monkeypatch.setattr(module, "ONE_BY_ONE_SHARE", -1 if request.param == 1 else request.param)
    monkeypatch.setattr(module, "WAITING_MAX", request.param)


def counted(open_deals, reps, by_rep):
    entered, worth = {}, {}
    for (rep, _), deal in open_deals.items():
        if rep in reps:
            key, of = (deal.pipeline, deal.stage), (rep if by_rep else "", deal.currency)
            entered.setdefault(key, []).append(deal.entered_at)
            before = worth.setdefault(key, {}).get(of, (0, 0))
            worth[key][of] = before[0] + 1, before[1] + (deal.amount or 0)
    return {key: (sorted(found), worth[key]) for key, found in entered.items()}


def said(stages):
    return {key: (list(pile.entered), pile.worth) for key, pile in stages.items()}


@given(changes, st.booleans(), st.sets(st.integers(0, 59), max_size=5))
def test_piles_say_what_all_open_deals_say(changes, by_rep, looked):
    piles, standing = Piles(by_rep=by_rep), {}
    for number, (rep, deal, item) in enumerate(changes):
        piles.put(rep, standing.pop((rep, deal), None), item)
        if item is not None:
            standing[rep, deal] = item
        if number in looked:
            assert said(piles.organisation) == counted(standing, REPS, by_rep)

    assert said(piles.organisation) == counted(standing, REPS, by_rep)
    for reps in (("ada",), ("ada", "bob"), (), REPS):
        assert said(piles.of(reps)) == counted(standing, reps, by_rep)
    assert Counter(len(pile) for pile in piles.organisation.values()) == Counter(
        len(entered) for entered, _ in counted(standing, REPS, by_rep).values()
    )
    for (rep, _), item in standing.items():
        piles.put(rep, item, None)
    assert not piles.reps
    assert not piles.organisation


def test_leads_are_a_pipeline_of_their_own_and_worth_nothing():
    piles = Piles()
    piles.put("ada", None, OpenLead("new", 1, 5, None, 5, None))

    assert said(piles.of(["ada"])) == {(LEAD_PIPELINE, "new"): ([5], {})}
    assert total_worth(piles.organisation.values()) == {}

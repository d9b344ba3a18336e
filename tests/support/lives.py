"""Strategies of whole histories as most are, and of what others tell their entities."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec.structs import replace

from funnelwatch.schemas.events import TYPES, Kind
from funnelwatch.streams.links import Link
from support import strategies


@st.composite
def lives(draw, kind):
    """Events of two entities as most are: with ids of their own, easy amounts, mostly in order, seldom ended."""
    subjects = strategies.SUBJECTS[kind]
    some = draw(st.lists(strategies.events(kind, subjects), min_size=1, max_size=30))
    ends = {"lead.converted", "lead.disqualified", "lead.deleted", "deal.deleted", "call.deleted", "email.deleted"}
    is_tame = draw(st.booleans())
    told = []
    for number, one in enumerate(some):
        easy = one.data
        if kind is Kind.DEAL and easy.amount is not None:
            easy = replace(easy, amount=abs(easy.amount))
        rare = draw(st.integers(0, 5)) == 0
        type_ = TYPES[kind][number % 2] if is_tame and not rare and one.type in ends else one.type
        told.append(one if rare else replace(one, id=str(number), type=type_, data=easy))
    if draw(st.integers(0, 3)):
        told.sort(key=lambda one: one.at)
    return told


@st.composite
def links(draw, kind):
    """A touch, or (of a lead) a win, from few origins, taken back at times, for the entities of `lives`."""
    origin = draw(st.sampled_from([Kind.CALL, Kind.EMAIL, Kind.DEAL] if kind is Kind.LEAD else [Kind.CALL, Kind.EMAIL]))
    return Link(
        draw(st.sampled_from([kind, kind, kind, Kind.LEAD, Kind.DEAL, Kind.CALL])),
        draw(st.sampled_from(strategies.SUBJECTS[kind])),
        origin,
        draw(st.sampled_from("abc")),
        "won" if origin is Kind.DEAL else "touch",
        draw(st.none() | strategies.instants()),
        draw(st.integers(1, 4)),
        draw(st.just(0) | strategies.instants()),
    )

"""The short way through the hot path comes to the same as the long way."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.organisation import CONTEXT
from support.stories import event, hour, touch, win
from support.strategies import events, histories

from funnelwatch.schemas.events import Kind
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.update import Update


def rows(kind, some):
    fold, state = FOLDS[kind], FOLDS[kind].empty()
    for one in some:
        fold.add(state, one)
    return fold.encode(state) if some else None


def change(before, after):
    """What is added to each sum."""
    changes = Counter(after.sums)
    changes.subtract(before.sums if before else {})
    return {key: amount for key, amount in changes.items() if amount}


def facts(links):
    return {(link.target, link.target_id, link.at) for link in links}


def received(kind):
    """A touch, or (of a lead) now and then a won deal; from few origins, taken back at times."""
    hours = st.none() | st.integers(0, 150)
    touches = st.builds(touch, st.just(kind), hours, st.sampled_from("abc"), st.integers(1, 3))
    return touches if kind is Kind.DEAL else st.one_of(touches, touches, touches, st.builds(win, hours))


def ordinary(one, number):
    """An event as nearly all are: with an id of its own, and not the end of a lead."""
    ends = {"lead.converted", "lead.disqualified", "lead.deleted", "deal.deleted"}
    return replace(one, id=str(number), type=f"{one.kind}.assigned" if one.type in ends and number % 4 else one.type)


@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=50)
@given(data=st.data())
def test_the_difference_is_that_of_the_contributions(kind, data):
    fold = FOLDS[kind]
    history = sorted(data.draw(histories(kind, 8)), key=lambda one: one.stamp)
    if data.draw(st.integers(0, 3)):
        history = [ordinary(one, number) for number, one in enumerate(history)]
    cut = data.draw(st.integers(0, len(history)))
    row = rows(kind, history[:cut])
    update = Update(fold, "x", row)
    taken = [update.take(one) for one in history[cut:]]
    if not any(taken):
        return
    told = update.finish(CONTEXT)
    old = None if row is None else fold.decode(row)
    new = fold.decode(told.row)
    before = None if old is None else fold.contribution("x", old, CONTEXT)
    after = fold.contribution("x", new, CONTEXT)
    if row is not None and fold.difference("x", new, len(old.history), CONTEXT) is not None:
        note("short")

    assert told.row == rows(kind, history)
    assert change(told.before, told.after) == change(before, after)
    assert (told.after.items, told.after.advances) == (after.items, after.advances)
    assert (told.before is None) == (before is None)
    if before is not None:
        assert (told.before.items, told.before.advances) == (before.items, before.advances)
    assert facts(told.links) == facts(fold.links("x", new)) - facts(fold.links("x", old) if old else [])
    assert told.newest == fold.newest(new)


@settings(max_examples=30)
@given(data=st.data())
def test_late_events_go_the_long_way_to_the_same_row(data):
    some = data.draw(histories(Kind.DEAL, 6))
    late = data.draw(events(Kind.DEAL))
    update = Update(FOLDS[Kind.DEAL], "x", rows(Kind.DEAL, some))
    if update.take(late):
        before = FOLDS[Kind.DEAL].decode(rows(Kind.DEAL, some)) if some else None
        told = update.finish(CONTEXT)

        assert told.row == rows(Kind.DEAL, [*some, late])
        assert change(told.before, told.after) == change(
            before and FOLDS[Kind.DEAL].contribution("x", before, CONTEXT),
            FOLDS[Kind.DEAL].contribution("x", update.state, CONTEXT),
        )


@pytest.mark.parametrize("kind", [Kind.DEAL, Kind.LEAD])
@settings(max_examples=100)
@given(data=st.data())
def test_links_alone_change_what_the_contributions_say(kind, data):
    fold = FOLDS[kind]
    old = fold.decode(rows(kind, data.draw(histories(kind, 8))) or fold.encode(fold.empty()))
    links = data.draw(st.lists(received(kind), min_size=2, max_size=8))
    cut = data.draw(st.integers(0, len(links) - 1))
    for link in links[:cut]:
        fold.add_link(old, link)
    update = Update(fold, "x", fold.encode(old))
    taken = [update.take(link) for link in links[cut:]]
    if not any(taken):
        return
    told = update.finish(CONTEXT)
    new = fold.decode(told.row)
    before, after = fold.contribution("x", old, CONTEXT), fold.contribution("x", new, CONTEXT)
    if fold.relinked("x", new, old.links, CONTEXT) is not None:
        note("short")

    assert new.history == old.history
    assert change(told.before, told.after) == change(before, after)
    assert told.after.items.items() ^ told.before.items.items() == after.items.items() ^ before.items.items()
    assert told.after.advances == told.before.advances
    assert before.advances == after.advances
    assert told.links == []
    assert told.newest == fold.newest(new)


def test_events_that_come_last_take_the_short_way():
    """If they did not, everything would still be right, but slow."""
    first = [event(Kind.DEAL, 0, "created", rep_id="ada", stage="Qualify", lead_id="l1")]
    update = Update(FOLDS[Kind.DEAL], "x", rows(Kind.DEAL, first))
    update.take(event(Kind.DEAL, 1, "stage_changed", stage="Demo"))
    told = update.finish(CONTEXT)

    assert ("created", "default") not in {measure for _, _, measure in told.after.sums}
    assert ("left", "default", "Qualify", "forward") in {measure for _, _, measure in told.after.sums}
    assert told.links == []


def test_a_link_is_taken_like_an_event():
    first = [event(Kind.LEAD, 0, "created", rep_id="ada")]
    update = Update(FOLDS[Kind.LEAD], "x", rows(Kind.LEAD, first))

    assert update.take(touch(Kind.LEAD, 1)) is True
    assert update.take(touch(Kind.LEAD, 1)) is False

    told = update.finish(CONTEXT)

    assert ("touch_us",) in {measure for _, _, measure in told.after.sums}
    assert told.newest == hour(0)


def test_what_is_told_again_after_a_crash_is_everything():
    first = [event(Kind.DEAL, 0, "created", rep_id="ada", lead_id="l1"), event(Kind.DEAL, 1, "won")]
    update = Update(FOLDS[Kind.DEAL], "x", rows(Kind.DEAL, first))

    assert update.take(first[1]) is False
    assert facts(update.links()) == {(Kind.LEAD, "l1", hour(1))}

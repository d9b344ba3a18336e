"""Links: whatever order and repetition they arrive in, the receiver ends as its origins stand now."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.strategies import histories

from funnelwatch.schemas.events import Kind
from funnelwatch.streams import links
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.links import TOUCH, WON, Link

ORIGINS = pytest.mark.parametrize("kind", [Kind.DEAL, Kind.CALL, Kind.EMAIL])


def received(*some):
    held = []
    for link in some:
        links.receive(held, link)
    return held


def touch(at, version=1, origin_id="c1"):
    return Link(Kind.LEAD, "l1", Kind.CALL, origin_id, TOUCH, at, version)


@ORIGINS
@settings(max_examples=25)
@given(data=st.data())
def test_links_of_all_past_states_in_any_order_end_as_the_last_state_says(kind, data):
    """Two workers that each saw a part, and one that saw all, leave the receivers with what is true of all."""
    fold = FOLDS[kind]
    events = data.draw(histories(kind, 8))
    cut = data.draw(st.integers(0, len(events)))
    told = []
    for portion in (events[:cut], events[cut:], data.draw(st.permutations(events))):
        state = fold.empty()
        for event in portion:
            fold.add(state, event)
            told += fold.links("o", state)
    last = fold.links("o", state)
    held = {}
    for link in data.draw(st.permutations(told)):
        links.receive(held.setdefault((link.target, link.target_id), []), link)

    assert {target: [at for *_, at in facts] for target, facts in held.items()} == {
        (link.target, link.target_id): [link.at] for link in last
    }


def test_the_higher_version_stands_whichever_comes_first():
    old, new = touch(5, 1), touch(None, 2)

    assert received(old, new) == received(new, old) == [(1, "c1", 2, None)]


def test_a_link_that_says_nothing_new_says_so():
    held = received(touch(5, 2))

    assert links.receive(held, touch(5, 2)) is False
    assert links.receive(held, touch(9, 1)) is False
    assert links.receive(held, touch(5, 3)) is True


def test_wins_and_touches_are_told_apart():
    won = Link(Kind.LEAD, "l1", Kind.DEAL, "d1", WON, 3, 1)
    held = received(touch(5), won, touch(None, origin_id="c2"), touch(7, origin_id="c3"))

    assert sorted(links.touches(held)) == [5, 7]
    assert links.earliest_win(held) == 3
    assert links.earliest_win(received(touch(5))) is None


def test_a_link_survives_being_written_and_read():
    link = Link(Kind.LEAD, "l1", Kind.DEAL, "d1", WON, None, 3)

    assert links.decode(links.encode(link)) == link


@settings(max_examples=25)
@given(data=st.data())
def test_beyond_the_limit_what_decides_is_kept_in_any_order(data):
    """The earliest and the latest ones stay; the list does not grow, and order does not matter."""
    ats = data.draw(st.lists(st.integers(0, 99), min_size=5, max_size=15))
    some = [touch(at, origin_id=f"c{number}") for number, at in enumerate(ats)]
    shuffled = data.draw(st.permutations(some))
    cut = data.draw(st.integers(0, len(some)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(links, "LINKS_MAX", 4)
        held = received(*shuffled)

        assert len(held) == 4
        assert held == received(*some)
        assert links.join(received(*shuffled[:cut]), received(*shuffled[cut:])) == held
    assert (min(links.touches(held)), max(links.touches(held))) == (min(ats), max(ats))


def test_a_link_that_is_dropped_at_once_changes_nothing(monkeypatch):
    monkeypatch.setattr(links, "LINKS_MAX", 2)
    held = received(touch(1, origin_id="a"), touch(9, origin_id="b"))

    assert links.receive(held, touch(5, origin_id="c")) is False
    assert [at for *_, at in held] == [1, 9]


def test_withdrawn_links_are_bounded_too(monkeypatch):
    monkeypatch.setattr(links, "LINKS_MAX", 2)
    held = received(*(touch(None, origin_id=f"c{number}") for number in range(9)), touch(4, origin_id="z"))

    assert held == [(1, "c0", 1, None), (1, "c1", 1, None), (1, "z", 1, 4)]


@pytest.mark.parametrize("kind", [Kind.LEAD, Kind.DEAL])
def test_what_was_taken_back_is_not_forgotten_before_the_retention_so_that_an_older_copy_does_not_count(kind):
    """A worker that slept tells the copy of its time after the sweep has passed."""
    fold = FOLDS[kind]
    told = Link(kind, "x", Kind.CALL, "c1", TOUCH, 50, 1, told_at=50)
    taken_back = Link(kind, "x", Kind.CALL, "c1", TOUCH, None, 2, told_at=100)
    state = fold.empty()
    fold.add_link(state, told)
    fold.add_link(state, taken_back)

    assert [fold.forgettable(state, before) for before in (60, 100, 101)] == [False, False, True]
    assert fold.add_link(state, told) is False
    assert links.touches(state.links) == []


@pytest.mark.parametrize("kind", [Kind.LEAD, Kind.DEAL])
@given(data=st.data())
def test_until_when_something_taken_back_is_kept_does_not_depend_on_the_order_it_was_told_in(kind, data):
    fold = FOLDS[kind]
    some = st.builds(
        lambda at, version, origin: Link(kind, "x", Kind.CALL, origin, TOUCH, at, version, told_at=version * 10),
        st.none() | st.integers(1, 9),
        st.integers(1, 5),
        st.sampled_from(["c1", "c2"]),
    )
    told = data.draw(st.lists(some, max_size=8))
    cut = data.draw(st.integers(0, len(told)))
    states = []
    for portion in (told, data.draw(st.permutations(told)), told[:cut], told[cut:], [*told, *told]):
        state = fold.empty()
        for link in portion:
            fold.add_link(state, link)
        states.append(state)
    whole, shuffled, left, right, twice = states

    assert whole == shuffled == twice == fold.merge(left, right) == fold.merge(right, left)


def test_a_link_of_a_worker_that_does_not_say_when_it_tells_is_read_all_the_same():
    old = links.encode(touch(5, 2))[:-1].replace(b"\x98", b"\x97", 1)

    assert links.decode(old) == touch(5, 2)

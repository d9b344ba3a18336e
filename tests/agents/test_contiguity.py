"""The known prefix of a changelog passes nothing that another worker wrote, until it is repaired."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.agents.engine.contiguity import Contiguity


def test_own_batches_without_a_gap_move_the_prefix():
    known = Contiguity(10)

    assert [known.own(10, 5), known.own(15, 1), known.through] == [None, None, 15]


def test_a_gap_is_anothers_and_holds_the_prefix():
    known = Contiguity(10)
    known.own(10, 5)

    assert known.own(18, 2) == (15, 18)
    assert known.through == 14


def test_a_repaired_gap_lets_the_prefix_pass_it_and_what_came_after():
    known = Contiguity(10)
    known.own(12, 3)
    known.own(15, 3)
    known.repaired((10, 12))

    assert known.through == 17


def test_gaps_may_be_repaired_in_any_order():
    known = Contiguity(0)
    gaps = [known.own(2, 1), known.own(5, 1)]

    assert gaps == [(0, 2), (3, 5)]
    known.repaired((3, 5))
    assert known.through == -1
    known.repaired((0, 2))
    assert known.through == 5


def test_what_recovery_has_read_back_already_changes_nothing():
    known = Contiguity(10)

    assert known.own(4, 3) is None
    assert known.own(-1, 1) is None  # a broker that knew the batch from before tells no offset
    assert known.through == 9


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=20), st.randoms(use_true_random=False))
def test_whatever_lies_between_own_batches_is_a_gap_and_all_repaired_is_all_known(steps, random):
    known, at, gaps, foreign = Contiguity(0), 0, [], 0
    for skipped, count in steps:
        at, foreign = at + skipped, foreign + skipped
        gap = known.own(at, count)
        assert gap == ((at - skipped, at) if skipped else None)
        gaps += [gap] if gap else []
        at += count
    random.shuffle(gaps)
    for gap in gaps:
        assert known.through < gap[1]
        known.repaired(gap)

    assert sum(end - begin for begin, end in gaps) == foreign
    assert known.through == at - 1

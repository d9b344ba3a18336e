"""A partition is stopped when most of it is refused for a minute, and by nothing less."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.streams.storm import Flow, Storm, StormRules

RULES = StormRules(share=0.5, seconds=60.0, events_min=100, probe_seconds=30.0)


def stopped_after(storm: Storm, per_second, seconds: int = 600) -> int | None:
    """The second in which the storm stops the partition; ``per_second`` gives (read, refused)."""
    return next((now for now in range(seconds) if storm.note(now, *per_second(now))), None)


def test_a_storm_that_lasts_a_minute_stops_the_partition_and_not_before():
    assert stopped_after(Storm(RULES), lambda _: (10, 9)) == 60


def test_a_share_up_to_the_limit_never_stops_it():
    assert stopped_after(Storm(RULES), lambda _: (10, 5)) is None


def test_a_burst_of_a_hundred_thousand_between_good_events_stops_nothing():
    assert stopped_after(Storm(RULES), lambda now: (50_000, 50_000) if now < 2 else (5, 0)) is None


def test_a_few_refused_ones_stop_nothing_however_long_they_last():
    """At one event a minute all of them refused is still too little to judge; silence ends what was counted."""
    assert stopped_after(Storm(RULES), lambda now: (1, 1) if now % 75 == 0 else (0, 0), 7_200) is None


def test_one_calm_slice_ends_the_storm_and_its_minute_begins_again():
    assert stopped_after(Storm(RULES), lambda now: (10, 0) if 40 <= now < 60 else (10, 10)) == 120


def test_a_storm_is_counted_from_its_first_refused_event():
    storm = Storm(RULES)
    stopped_after(storm, lambda _: (10, 9))

    assert (storm.flow, storm.read, storm.refused) == (Flow.STOPPED, 610, 549)


def test_a_probe_that_is_refused_stops_it_again_and_one_that_is_taken_lets_it_flow():
    storm = Storm(RULES)
    stopped_after(storm, lambda _: (10, 10))
    assert [storm.is_due(60), storm.is_due(89), storm.is_due(90)] == [False, False, True]
    storm.probe()

    assert storm.note(91, 20, 20) is True
    assert (storm.is_due(120), storm.is_due(121)) == (False, True)

    storm.probe()
    assert storm.note(122, 20, 0) is False
    assert storm.flow is Flow.FLOWING


def test_after_a_probe_that_was_taken_the_next_storm_has_its_whole_minute():
    storm = Storm(RULES)
    stopped_after(storm, lambda _: (10, 10))
    storm.probe()
    storm.note(90, 20, 0)

    assert next(now for now in range(91, 300) if storm.note(now, 10, 10)) == 151


def test_what_somebody_grants_is_read_whatever_is_refused_and_then_judged_anew():
    storm = Storm(RULES)
    stopped_after(storm, lambda _: (10, 10))
    storm.grant(400)

    assert storm.flow is Flow.FLOWING
    assert next(now for now in range(61, 600) if storm.note(now, 10, 10)) == 460


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 50), st.floats(0, 0.5)), max_size=60))
def test_no_order_or_pace_of_chunks_within_the_share_stops_it(chunks):
    storm, now = Storm(RULES), 0.0
    for wait, read, share in chunks:
        now += wait

        assert storm.note(now, read, int(read * share)) is False


@given(st.lists(st.tuples(st.floats(0, 9), st.integers(1, 50)), min_size=1, max_size=60))
def test_it_stops_exactly_when_the_minute_and_the_least_number_are_reached(chunks):
    storm, now, total = Storm(RULES), 0.0, 0
    began = chunks[0][0]
    for wait, refused in chunks:
        now += wait
        total += refused
        is_due = now - began >= RULES.seconds and total >= RULES.events_min

        assert storm.note(now, refused, refused) is is_due
        if is_due:
            break

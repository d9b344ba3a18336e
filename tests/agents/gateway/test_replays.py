from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.agents.gateway.replays import Replays, key_of

SECOND_US = 1_000_000
WINDOW_US = 300 * SECOND_US


def test_what_is_within_a_window_is_known_and_memory_is_bounded():
    replays = Replays(remembered_max=100)
    for number in range(1_000):
        replays.remember(number, number, WINDOW_US)

    assert replays.known(999)
    assert replays.known(950)
    assert not replays.known(500)
    assert len(replays._current) + len(replays._previous) <= 200


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=200))
def test_a_signature_is_known_for_as_long_as_it_could_be_sent_again(seconds):
    """A signed time may be a window ahead of the clock and is good for a window after it: two windows in all."""
    replays = Replays()
    now = 0
    accepted = {}
    for number, step in enumerate(seconds):
        now += step * SECOND_US
        replays.remember(number, now, WINDOW_US)
        accepted[number] = now
        for known, at in accepted.items():
            assert replays.known(known) or now - at > 2 * WINDOW_US


def test_the_key_is_of_source_moment_and_body():
    keys = {key_of(*one) for one in [("a", "1", b""), ("a", "2", b""), ("b", "1", b""), ("a", "1", b"x")]}

    assert len(keys) == 4
    assert key_of("a", "1", b"") in keys

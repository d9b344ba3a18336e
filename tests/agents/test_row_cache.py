"""What is cached is what the disk has, and not much of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from funnelwatch.agents.engine.row_cache import ENTRY_BYTES, RowCache

KEYS = st.sampled_from([b"a", b"b", b"c", b"d"])
STEPS = st.tuples(
    st.integers(0, 1), st.lists(KEYS, max_size=3) | st.dictionaries(KEYS, st.none() | st.binary(max_size=9))
)


@given(steps=st.lists(STEPS), bytes_max=st.integers(0, 2_000))
def test_a_row_is_the_one_written_last_or_unknown(steps, bytes_max):
    cache = RowCache(bytes_max)
    partitions = [cache.partition(), cache.partition()]
    disks = [{}, {}]
    for number, step in steps:
        partition, disk = partitions[number], disks[number]
        if isinstance(step, dict):
            partition.put(step)
            disk.update(step)
            continue
        rows, unknown = partition.find(step)
        for place, key in enumerate(step):
            assert rows[place] == (None if place in unknown else disk[key])


def test_what_was_read_or_written_lately_stays_and_memory_is_two_generations():
    cache = RowCache(bytes_max=10 * ENTRY_BYTES)
    partition = cache.partition()
    longest = 0
    for number in range(1_000):
        partition.put({b"%d" % number: None})
        assert partition.find([b"hot"]) == (([None], [0]) if number == 0 else ([b"row"], []))
        if number == 0:
            partition.put({b"hot": b"row"})
        longest = max(longest, len(partition))

    assert 10 < longest <= 22
    assert partition.find([b"0"]) == ([None], [0])


def test_another_opening_of_a_partition_knows_nothing():
    cache = RowCache()
    cache.partition().put({b"a": b"1"})

    assert cache.partition().find([b"a"]) == ([None], [0])

"""Our murmur2 is everybody's."""

from __future__ import annotations

from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as reference
from hypothesis import example, given
from hypothesis import strategies as st

from funnelwatch.agents.partitioning import murmur2, partition_of


@given(st.binary(max_size=70))
@example(b"")
@example(b"\xff" * 3)
@example(b"\xff" * 4)
@example(b"\xff" * 7)
def test_the_hash_is_that_of_other_clients(key):
    assert murmur2(key) == reference(key)


@given(st.text(max_size=40), st.integers(1, 64))
def test_the_partition_is_the_one_other_clients_choose(subject, partitions):
    assert partition_of(subject, partitions) == DefaultPartitioner()(subject.encode(), list(range(partitions)), [])


def test_hashes_known_from_kafkas_own_tests():
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}

    assert {key: murmur2(key) for key in known} == {key: signed & 0xFFFFFFFF for key, signed in known.items()}

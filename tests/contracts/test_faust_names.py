"""What the engine overrides in Faust and aiokafka is not public API: a new version must not move it unseen."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import aiokafka
import faust
import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from faust.assignor.partition_assignor import PartitionAssignor
from faust.stores import rocksdb
from faust.tables.recovery import RebalanceAgain, Recovery
from faust.transport.conductor import Conductor, ConductorCompiler
from faust.transport.drivers import aiokafka as driver

from funnelwatch.agents.engine.chunk_transport import ChunkConsumer, ConsumerThread, DurableConsumer, IdempotentProducer
from funnelwatch.agents.engine.entity_table import EntityTable
from funnelwatch.agents.engine.recovery import GenerationRecovery

OVERRIDDEN = [
    (driver.Consumer, DurableConsumer, "_new_consumer_thread"),
    (driver.Consumer, DurableConsumer, "_getmany"),
    (driver.Consumer, DurableConsumer, "_commit_offsets"),
    (driver.Consumer, DurableConsumer, "on_partitions_assigned"),
    (driver.Consumer, DurableConsumer, "on_partitions_revoked"),
    (driver.Consumer, DurableConsumer, "resume_partitions"),
    (driver.Consumer, DurableConsumer, "perform_seek"),
    (driver.Consumer, DurableConsumer, "resume_flow"),
    (driver.Consumer, DurableConsumer, "ack"),
    (driver.Consumer, ChunkConsumer, "getmany"),
    (driver.Consumer, ChunkConsumer, "_new_offset"),
    (driver.Consumer, ChunkConsumer, "_add_gap"),
    (driver.AIOKafkaConsumerThread, ConsumerThread, "_create_worker_consumer"),
    (driver.Producer, IdempotentProducer, "_settings_extra"),
    (faust.Table, EntityTable, "apply_changelog_batch"),
    (faust.Table, EntityTable, "on_rebalance"),
    (faust.Table, EntityTable, "on_recovery_completed"),
    (Recovery, GenerationRecovery, "on_recovery_completed"),
]


@pytest.mark.parametrize(("stock", "ours", "name"), OVERRIDDEN, ids=[name for _, _, name in OVERRIDDEN])
def test_an_overridden_method_is_there_and_takes_what_ours_takes(stock, ours, name):
    theirs, mine = getattr(stock, name), ours.__dict__[name]

    assert list(inspect.signature(theirs).parameters) == list(inspect.signature(mine).parameters)


@pytest.mark.parametrize(
    ("owner", "attributes"),
    [
        (driver.Consumer, ["_wait_next_records", "_to_message", "_is_changelog_tp", "commit", "highwater"]),
        (driver.AIOKafkaConsumerThread, ["seek_to_beginning"]),
        (driver.Producer, ["_ensure_producer"]),
        (Recovery, ["flush_buffers", "on_rebalance"]),
        (rocksdb.Store, ["_db_for_partition", "persisted_offset", "offset_key"]),
        (aiokafka.AIOKafkaProducer, ["create_batch", "send_batch"]),
        (BatchBuilder, ["append", "close", "record_count"]),
    ],
)
def test_what_is_called_is_there(owner, attributes):
    assert [name for name in attributes if not hasattr(owner, name)] == []


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (
            driver.Consumer.__mro__[2].__init__,
            [
                "_acked",
                "_acked_index",
                "_read_offset",
                "_committed_offset",
                "_unacked_messages",
                "_buffered_partitions",
                "self.callback = callback",
            ],
        ),
        (Recovery.__init__, ["active_highwaters"]),
        (Recovery.on_rebalance, ["_generation_id"]),
        (Recovery.on_recovery_completed, ["on_recovery_completed", "actives_for_table", "ensure_future"]),
        (driver.ConsumerRebalanceListener.on_partitions_assigned, ["consumer_generation_id"]),
        (aiokafka.AIOKafkaConsumer.__init__, ["_isolation_level", "_fetch_max_wait_ms"]),
        (aiokafka.AIOKafkaConsumer.start, ["_isolation_level", "_fetch_max_wait_ms"]),
        (rocksdb.Store.__init__, ["_dbs"]),
        (ConductorCompiler.build, ["queue.full()", "acquire_flow_control()", "wait_until_producer_ebb()"]),
        (Conductor._update_callback_map, ["_tp_index"]),
    ],
)
def test_attributes_that_are_read_or_set_are_still_used_by_stock(function, names):
    code = inspect.getsource(function)

    assert [name for name in names if name not in code] == []


def test_a_recovery_can_be_put_in_place_of_stocks_before_it_is_first_asked_for():
    code = inspect.getsource(faust.tables.manager.TableManager.recovery.fget)

    assert "if self._recovery is None" in code
    assert issubclass(RebalanceAgain, Exception)


def test_topics_with_the_same_number_of_partitions_are_assigned_as_one():
    """Partition N of inputs, links and changelogs then lands on the same worker."""
    topics = {"crm.deals", "crm.leads", "funnelwatch.links", "g-deal-changelog", "g-lead-changelog"}
    cluster = SimpleNamespace(partitions_for_topic=lambda _: set(range(4)))
    subscriptions = {f"worker-{number}": sorted(topics) for number in range(20)}
    groups = PartitionAssignor._get_copartitioned_groups(topics, cluster, subscriptions)

    assert [list(some) for some in groups.values()] == [[topics]]

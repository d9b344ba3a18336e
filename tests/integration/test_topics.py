"""Topics on a real Kafka: created as they must be, and refused when they are not."""

from __future__ import annotations

import msgspec
import pytest

from funnelwatch.agents import topics
from funnelwatch.agents.check import findings
from funnelwatch.agents.connections import kafka_admin
from funnelwatch.schemas.settings import Secrets

pytestmark = pytest.mark.integration


def with_partitions(settings, partitions: int):
    return msgspec.structs.replace(settings, kafka=msgspec.structs.replace(settings.kafka, partitions=partitions))


async def test_everything_is_created_once_and_then_found_in_order(settings):
    names = [topic.name for topic in topics.wanted(settings)]

    assert sorted(await topics.ensure(settings, Secrets())) == sorted(names)
    assert await topics.ensure(settings, Secrets()) == []
    assert await topics.check(settings, Secrets()) == []


async def test_a_check_creates_nothing_and_names_each_missing_topic(settings):
    first = await topics.check(settings, Secrets())

    assert first == [
        f"Topic {topic.name} does not exist: run `funnelwatch topics`." for topic in topics.wanted(settings)
    ]
    assert await topics.check(settings, Secrets()) == first


async def test_another_partition_count_is_refused_for_all_topics_keyed_by_entity_only(settings):
    await topics.ensure(settings, Secrets())

    with pytest.raises(topics.TopicsError) as refused:
        await topics.ensure(with_partitions(settings, 5), Secrets())

    keyed = [topic.name for topic in topics.wanted(settings) if topic.keyed_by_entity]
    assert len(keyed) == 11
    assert [line.split()[1] for line in str(refused.value).splitlines()] == keyed


async def test_a_changelog_that_is_not_compacted_is_refused(settings):
    from aiokafka.admin import NewTopic

    changelog = next(topic for topic in topics.wanted(settings) if topic.config)
    async with kafka_admin(settings, Secrets()) as admin:
        await admin.create_topics([NewTopic(changelog.name, changelog.partitions, 1)])

    with pytest.raises(topics.TopicsError, match=rf"Topic {changelog.name} has cleanup\.policy=delete"):
        await topics.ensure(settings, Secrets())


async def test_more_replicas_than_brokers_is_refused_with_the_brokers_reason(settings):
    three = msgspec.structs.replace(settings, kafka=msgspec.structs.replace(settings.kafka, replication=3))

    with pytest.raises(topics.TopicsError, match=r"cannot be created: .*replication.*kafka\.replication is 3"):
        await topics.ensure(three, Secrets())


async def test_the_check_of_a_complete_deployment_finds_nothing(settings):
    await topics.ensure(settings, Secrets())

    assert [problems for _, problems in await findings(settings, Secrets())] == [[], []]

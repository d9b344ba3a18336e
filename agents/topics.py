"""The topics: what they are called, what they must be like, and creating and checking them.

Everything that is keyed by an entity (inputs, links, changelogs) has the same number of partitions, so that an entity
has one home: one partition number that one worker owns.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from funnelwatch.agents.connections import kafka_admin, kafka_trouble
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.events import TOPICS, Kind
from funnelwatch.schemas.settings import FOLD_VERSION, Secrets, Settings

LINKS: Final = "funnelwatch.links"
REPS: Final = "kpi.reps"
ALERTS: Final = "kpi.alerts"
DEAD_LETTERS: Final = "crm.dead-letters"

COMPACTION_LAG_MS: Final = 24 * 3_600_000
"""How long changelogs stay uncompacted: longer than a worker can be paused, wake up, write and be repaired."""

VISIBLE_POLL_SECONDS: Final = 0.05
VISIBLE_POLLS_MAX: Final = 200

LETTER_WITH_HEADERS_BYTES_MAX: Final = 2_500_000
"""What the topic of dead letters takes: more than a broker's default, since a letter is a message with more headers."""
_LETTERS: Final = {"max.message.bytes": str(LETTER_WITH_HEADERS_BYTES_MAX)}
IN_SYNC: Final = "min.insync.replicas"
REPLICATED: Final = 3
"""From so many replicas on, what is acknowledged has to be on two of them: one broker may be lost, nothing with it."""
_IN_SYNC_MIN: Final = {IN_SYNC: "2"}
_COMPACT: Final = {"cleanup.policy": "compact"}
_CHANGELOG: Final = {"cleanup.policy": "compact", "min.compaction.lag.ms": str(COMPACTION_LAG_MS)}
_EXISTS_ALREADY: Final = 36


class Topic(msgspec.Struct, frozen=True):
    """One topic as it must be. ``config`` differs from the broker's defaults where the meaning depends on it.

    ``created_with`` is only what we create it with: of a topic that others made for their events, it is their choice.
    """

    name: str
    partitions: int
    keyed_by_entity: bool
    config: dict[str, str] = {}
    created_with: dict[str, str] = {}


class TopicsError(OperationError):
    """Topics are missing or unlike what they must be; the message lists all of them."""


def input_topic(settings: Settings, kind: Kind) -> str:
    """The topic that events of ``kind`` are published to."""
    return settings.kafka.prefix + TOPICS[kind]


def links_topic(settings: Settings) -> str:
    """The internal topic of links between entities, keyed by the receiving one."""
    return settings.kafka.prefix + LINKS


def reps_topic(settings: Settings) -> str:
    """The topic of KPI documents."""
    return settings.kafka.prefix + REPS


def alerts_topic(settings: Settings) -> str:
    """The topic of what the detectors say."""
    return settings.kafka.prefix + ALERTS


def dead_letters_topic(settings: Settings) -> str:
    """The topic of what was refused."""
    return settings.kafka.prefix + DEAD_LETTERS


def changelog_topic(settings: Settings, kind: Kind) -> str:
    """The changelog of the table of ``kind``, named as Faust names it."""
    version = f"-v{FOLD_VERSION}" if FOLD_VERSION > 1 else ""
    return f"{settings.kafka.prefix}{settings.kafka.group}{version}-{kind.value}-changelog"


def wanted(settings: Settings) -> tuple[Topic, ...]:
    """Every topic Funnelwatch needs."""
    partitions = settings.kafka.partitions
    safe = _IN_SYNC_MIN if settings.kafka.replication >= REPLICATED else {}
    changelog = _CHANGELOG | safe
    return (
        *(Topic(input_topic(settings, kind), partitions, keyed_by_entity=True, created_with=safe) for kind in Kind),
        Topic(links_topic(settings), partitions, keyed_by_entity=True, config=safe),
        *(Topic(changelog_topic(settings, kind), partitions, keyed_by_entity=True, config=changelog) for kind in Kind),
        Topic(reps_topic(settings), partitions, keyed_by_entity=False, config=_COMPACT, created_with=safe),
        Topic(alerts_topic(settings), partitions, keyed_by_entity=False, created_with=safe),
        Topic(dead_letters_topic(settings), partitions, keyed_by_entity=False, config=_LETTERS | safe),
    )


async def ensure(settings: Settings, secrets: Secrets) -> list[str]:
    """Create what is missing, then check everything.

    Returns:
        The names of the topics that were created.

    Raises:
        TopicsError: A topic cannot be created, or one that exists is unlike what it must be; all of them are listed.
        OperationError: Kafka does not answer.
    """
    async with kafka_admin(settings, secrets) as admin:
        try:
            existing = await _partition_counts(admin)
            missing = [topic for topic in wanted(settings) if topic.name not in existing]
            problems = await _create(admin, missing, settings.kafka.replication)
            if not problems:
                existing = await _visible(admin, settings)
            problems += await _problems(admin, settings, existing)
        except KafkaError as error:
            raise kafka_trouble(settings, error) from error
    if problems:
        raise TopicsError("\n".join(problems))
    return [topic.name for topic in missing]


async def check(settings: Settings, secrets: Secrets) -> list[str]:
    """What is wrong with the topics, one sentence each; nothing is created.

    Raises:
        OperationError: Kafka does not answer.
    """
    async with kafka_admin(settings, secrets) as admin:
        try:
            existing = await _partition_counts(admin)
            missing = [topic.name for topic in wanted(settings) if topic.name not in existing]
            problems = [f"Topic {name} does not exist: run `funnelwatch topics`." for name in missing]
            return problems + await _problems(admin, settings, existing)
        except KafkaError as error:
            raise kafka_trouble(settings, error) from error


async def _partition_counts(admin: Any) -> dict[str, int]:
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def _visible(admin: Any, settings: Settings) -> dict[str, int]:
    """Wait until every broker's answer would have the new topics and their leaders: creation is not at once."""
    names = [topic.name for topic in wanted(settings)]
    for _ in range(VISIBLE_POLLS_MAX):
        found = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
        if all(found.get(name) and all(part["leader"] >= 0 for part in found[name]) for name in names):
            break
        await asyncio.sleep(VISIBLE_POLL_SECONDS)
    else:
        raise TopicsError(
            f"Some topics have no leader after {VISIBLE_POLLS_MAX * VISIBLE_POLL_SECONDS:g} s: see Kafka's log."
        )
    return await _partition_counts(admin)


async def _create(admin: Any, missing: list[Topic], replication: int) -> list[str]:
    if not missing:
        return []
    new = [
        NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.config | topic.created_with)
        for topic in missing
    ]
    response = await admin.create_topics(new)
    return [
        f"Topic {name} cannot be created: {message or f'error {code}'} (kafka.replication is {replication})."
        for name, code, message in response.topic_errors
        if code not in (0, _EXISTS_ALREADY)  # somebody else may create it in the same moment
    ]


async def _problems(admin: Any, settings: Settings, existing: dict[str, int]) -> list[str]:
    known = [topic for topic in wanted(settings) if topic.name in existing]
    problems = [
        f"Topic {topic.name} has {existing[topic.name]} partitions, kafka.partitions is {topic.partitions}: entities "
        "would lose their home. Set kafka.partitions to what the input topics have (with a new kafka.group if links or "
        "changelogs exist already), or use another kafka.prefix."
        for topic in known
        if topic.keyed_by_entity and existing[topic.name] != topic.partitions
    ]
    configs = await _configs(admin, [topic for topic in known if topic.config])
    problems += [
        f"Topic {topic.name} has {name}={configs[topic.name].get(name)} and needs {value}: alter the topic "
        f"(kafka-configs --alter --entity-type topics --entity-name {topic.name} --add-config {name}={value})."
        for topic in known
        for name, value in topic.config.items()
        if not _satisfies(name, configs[topic.name].get(name, ""), value)
    ]
    return problems


def _satisfies(name: str, is_: str, wanted_: str) -> bool:
    if name in {"min.compaction.lag.ms", IN_SYNC}:
        return is_.isdecimal() and int(is_) >= int(wanted_)
    return is_ == wanted_


async def _configs(admin: Any, topics: list[Topic]) -> dict[str, dict[str, str]]:
    if not topics:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name, dict.fromkeys(topic.config)) for topic in topics]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(asked):
        for _code, _message, _type, name, entries in response.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found

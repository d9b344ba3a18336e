"""What tests share: a real Kafka and a real Redis for the whole run, and names of their own for each test."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from funnelwatch.agents.embedded import EmbeddedKafka, EmbeddedRedis, free_ports
from funnelwatch.agents.embedded.errors import EmbeddedError
from funnelwatch.schemas.settings import BoardSettings, KafkaSettings, RedisSettings, Settings, WorkerSettings

PARTITIONS = 4

# A busy machine is slow, not wrong. Where a change is judged the examples are always the same, so that it is judged by
# what it changed and not by what was drawn; everywhere else they are new ones each time.
IN_CI = os.environ.get("CI") == "true"
hypothesis_settings.register_profile("ours", deadline=None, derandomize=IN_CI)
hypothesis_settings.load_profile("ours")


def unavailable(error: EmbeddedError) -> None:
    """Skip with the reason; on the machine that judges a change, fail instead: a skip there would prove nothing."""
    if IN_CI:
        pytest.fail(f"the embedded servers must run here: {error}")
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory):
    """The bootstrap address of a Kafka that lives as long as the run."""
    broker = EmbeddedKafka(tmp_path_factory.mktemp("kafka"), *free_ports(2))
    try:
        broker.start()
    except EmbeddedError as error:
        unavailable(error)
    yield broker.bootstrap
    broker.stop()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    """A Redis that lives as long as the run; its ``port`` is what a client needs."""
    try:
        server = EmbeddedRedis(tmp_path_factory.mktemp("redis"), *free_ports(1))
        server.start()
    except EmbeddedError as error:
        unavailable(error)
    yield server
    server.stop()


@pytest.fixture
def prefix() -> str:
    """A text no other test has: in front of topics, groups and keys."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture
def settings(kafka, redis_server, prefix: str, tmp_path: Path) -> Settings:
    """Settings on the shared servers under names of this test's own; change what matters with `msgspec.structs`."""
    worker_port, board_port = free_ports(2)
    return Settings(
        kafka=KafkaSettings(bootstrap=(kafka,), prefix=prefix, group=f"{prefix}group", partitions=PARTITIONS),
        redis=RedisSettings(port=redis_server.port, prefix=prefix.rstrip(".")),
        worker=WorkerSettings(data_dir=str(tmp_path / "worker"), port=worker_port),
        board=BoardSettings(port=board_port),
    )

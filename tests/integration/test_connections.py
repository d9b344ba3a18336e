"""Connections with credentials, on a real Kafka that asks for them; a wrong password is told with its usual cause."""

from __future__ import annotations

import logging

import pytest

from funnelwatch.agents import topics
from funnelwatch.agents.check import findings
from funnelwatch.agents.embedded import EmbeddedKafka, EmbeddedRedis, free_ports
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.settings import KafkaSettings, RedisSettings, Secrets, Settings

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("kafka")]
PASSWORD = "only-for-this-test"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The address of a listener that takes Ann's password and nobody else's."""
    plain, controller, guarded_port = free_ports(3)
    properties = {
        "listeners": f"PLAINTEXT://127.0.0.1:{plain},SASL://127.0.0.1:{guarded_port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{plain},SASL://127.0.0.1:{guarded_port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl.plain.sasl.jaas.config": (
            f'org.apache.kafka.common.security.plain.PlainLoginModule required user_ann="{PASSWORD}";'
        ),
    }
    with EmbeddedKafka(tmp_path_factory.mktemp("guarded"), plain, controller, properties=properties):
        yield f"127.0.0.1:{guarded_port}"


@pytest.fixture(autouse=True)
def _quiet(caplog):
    caplog.set_level(logging.CRITICAL, "aiokafka")


def ann(bootstrap: str) -> Settings:
    return Settings(kafka=KafkaSettings(bootstrap=(bootstrap,), security="plain", username="ann"))


async def test_the_right_password_creates_topics(guarded):
    secrets = Secrets(kafka_password=PASSWORD)

    assert len(await topics.ensure(ann(guarded), secrets)) == len(topics.wanted(ann(guarded)))
    assert await topics.check(ann(guarded), secrets) == []


async def test_a_wrong_password_hints_at_the_variable_and_is_not_shown(guarded):
    with pytest.raises(OperationError, match="FUNNELWATCH_KAFKA_PASSWORD") as refused:
        await topics.check(ann(guarded), Secrets(kafka_password="wrong-one"))

    assert "wrong-one" not in str(refused.value)


async def test_a_redis_with_a_password_is_reached_with_it_and_refused_without(tmp_path):
    import redis

    with EmbeddedRedis(tmp_path, *free_ports(1)) as server:
        redis.Redis(port=server.port).config_set("requirepass", PASSWORD)
        settings = Settings(redis=RedisSettings(port=server.port))

        assert (await findings(settings, Secrets(redis_password=PASSWORD)))[1][1] == []
        (problem,) = (await findings(settings, Secrets(redis_password="wrong-one")))[1][1]

    assert "FUNNELWATCH_REDIS_PASSWORD" in problem
    assert "wrong-one" not in problem

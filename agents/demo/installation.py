"""A whole Funnelwatch on one machine: Kafka, Redis, topics, a worker and the board, each a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec
from aiokafka.errors import KafkaError
from rich.console import Console

from funnelwatch.agents import topics
from funnelwatch.agents.connections import kafka_admin
from funnelwatch.agents.demo.alerting import Alerting
from funnelwatch.agents.demo.options import PORT_MAX, PORTS
from funnelwatch.agents.demo.written import as_toml
from funnelwatch.agents.embedded import EmbeddedKafka, EmbeddedRedis
from funnelwatch.agents.embedded.ports import LOOPBACK, require_free
from funnelwatch.agents.embedded.process import ServerProcess
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.settings import Secrets, Settings

STOP_SECONDS: Final = 8.0
CONFIGURATION: Final = "funnelwatch.toml"


class Ports(msgspec.Struct, frozen=True):
    """The ports of an installation, one after the other from a base."""

    board: int
    worker: int
    kafka: int
    controller: int
    redis: int

    @classmethod
    def from_base(cls, base: int) -> Ports:
        """Five ports from ``base`` on.

        Raises:
            OperationError: There are no such ports.
        """
        if not 0 < base <= PORT_MAX - PORTS + 1:
            raise OperationError(f"--port-base {base}: choose one from 1024 to {PORT_MAX - PORTS + 1}.")
        return cls(*range(base, base + PORTS))


def placed(settings: Settings, data_dir: Path, ports: Ports) -> Settings:
    """The settings with Kafka, Redis, worker and board where the installation has them."""
    replace = msgspec.structs.replace
    return replace(
        settings,
        kafka=replace(
            settings.kafka,
            bootstrap=(f"{LOOPBACK}:{ports.kafka}",),
            replication=1,
            security="plaintext",
            username="",
            ca_file="",
        ),
        redis=replace(settings.redis, host=LOOPBACK, port=ports.redis, database=0, tls=False, username=""),
        worker=replace(settings.worker, data_dir=str(data_dir / "worker"), host=LOOPBACK, port=ports.worker),
        board=replace(settings.board, host=LOOPBACK, port=ports.board),
    )


def holds_data(data_dir: Path) -> bool:
    """Whether an installation lived in that folder before."""
    return (data_dir / "kafka").exists()


class Installation:
    """Starts everything, and stops what it started. The folder keeps data, logs and the configuration of all parts."""

    def __init__(
        self, data_dir: Path, settings: Settings, ports: Ports, console: Console, *, simulated: bool = False
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.ports = ports
        self.settings = placed(settings, self.data_dir, ports)
        self.alerting: Alerting | None = None
        """Prometheus and Alertmanager, where they are on the path."""
        if Alerting.is_possible():
            self.alerting = Alerting(self.data_dir, self.settings, simulated=simulated)
            self.settings = self.alerting.settings
        self.configuration = self.data_dir / CONFIGURATION
        self._kafka = EmbeddedKafka(self.data_dir / "kafka", ports.kafka, ports.controller, console=console)
        self._redis = EmbeddedRedis(self.data_dir / "redis", ports.redis)
        self._worker = self._part("worker")
        self._board = self._part("board")

    def launch(self) -> None:
        """Start Redis and begin to start Kafka.

        Raises:
            EmbeddedError: A port is taken, or a server cannot be had.
        """
        for what, port in msgspec.structs.asdict(self.ports).items():
            require_free(port, f"The demo's {what}")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.configuration.write_text(as_toml(self.settings), "utf-8")
        self._kafka.launch()
        self._redis.start()

    def complete(self) -> None:
        """Wait for Kafka, create the topics, start worker and board without waiting for them.

        Raises:
            OperationError: One of it did not work.
        """
        self._kafka.wait_ready()
        asyncio.run(topics.ensure(self.settings, Secrets()))
        self._worker.start()
        self._board.start()
        if self.alerting is not None:
            self.alerting.launch()
        asyncio.run(_wake_coordinator(self.settings))

    def require_alive(self) -> None:
        """Check that every part still runs.

        Raises:
            OperationError: One of them ended; the message has the end of its log.
        """
        for part in (self._worker, self._board):
            if not part.running:
                raise OperationError(f"The {part.name} ended with exit code {part.exit_code}. {part.last_lines()}")
        if self.alerting is not None:
            self.alerting.require_alive()
        for name, running in (("Kafka", self._kafka.running), ("Redis", self._redis.running)):
            if not running:
                raise OperationError(f"{name} ended: see the logs in {self.data_dir / name.lower()}.")

    def stop(self) -> None:
        """Stop everything that was started, readers before servers. Ctrl-C does not interrupt it; it takes seconds."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            if self.alerting is not None:
                self.alerting.stop()
            for part in (self._board, self._worker):
                part.terminate()
            for part in (self._board, self._worker):
                part.stop(STOP_SECONDS)
            self._redis.stop()
            self._kafka.stop()
        finally:
            signal.signal(signal.SIGINT, before)

    def _part(self, name: str) -> ServerProcess:
        """A command of ours, told by its configuration file alone: variables meant for others do not reach it."""
        command = [sys.executable, "-m", "funnelwatch", name, "--config", str(self.configuration)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FUNNELWATCH_")}
        return ServerProcess(name, command, self.data_dir / f"{name}.log", environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


async def _wake_coordinator(settings: Settings) -> None:
    """Let a new Kafka make its topic of offsets while the worker is still loading, rather than when it asks."""
    async with kafka_admin(settings, Secrets()) as admin:
        with contextlib.suppress(KafkaError):  # it is being made now: that is all that was wanted
            await admin.find_coordinator(settings.kafka.group)

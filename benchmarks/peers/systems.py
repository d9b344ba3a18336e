"""The systems of the comparison: how each is started, and where its figures can be read."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import msgspec

JOBS = Path(__file__).parent / "jobs"
HEAP = "-Xmx1g"
QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
OPENED = [f"--add-opens=java.base/java.{part}=ALL-UNNAMED" for part in ("util", "lang", "time")]


class System(msgspec.Struct, frozen=True):
    """One system.

    ``rows``: the topic that has its figures, by the application's id, or empty: it writes ``rows.json`` when it is
    stopped. ``topics`` are created before it starts. ``settle_seconds``: how long its figures may be on their way after
    all is counted. ``events_max``: it is given no more than that, since it would take too long.
    """

    name: str
    title: str
    install: str = ""
    command: Callable[[Path], list[str]] = lambda _: []
    variables: dict[str, str] = {}
    rows: str = "{app}-out"
    topics: tuple[str, ...] = ("{app}-out",)
    stop_signal: int = signal.SIGINT
    settle_seconds: float = 1.0
    events_max: int | None = None
    durable: bool = True
    ours: str = ""
    default: bool = True


def _python(job: str, *arguments: str) -> Callable[[Path], list[str]]:
    return lambda folder: [str(folder / "bin/python"), str(JOBS / f"{job}.py"), *arguments]


def _java(main: str, *options: str) -> Callable[[Path], list[str]]:
    def command(folder: Path) -> list[str]:
        classes = f"{folder / 'target/libs'}/*:{folder / 'target/classes'}"
        return ["java", *options, QUIET, "-cp", classes, main]

    return command


def _kafka_streams(name: str, title: str, *, default: bool = True, **variables: str) -> System:
    command = _java("KafkaStreamsJob", HEAP)
    return System(name, title, "kafka-streams", command, variables, stop_signal=signal.SIGTERM, default=default)


def _flink(name: str, title: str, backend: str) -> System:
    return System(
        name,
        title,
        "flink",
        _java("FlinkJob", "-Xmx2g", *OPENED),
        {"BACKEND": backend},
        stop_signal=signal.SIGTERM,
        settle_seconds=12.0,  # its sink is flushed by a checkpoint, every 10 s
    )


def _limit(name: str, title: str, install: str, command: Callable[[Path], list[str]]) -> System:
    return System(name, title, install, command, rows="", topics=(), settle_seconds=0.2, durable=False)


BOARD = System("board", "Funnelwatch, whole product, at the board's API", ours="shipped")
SYSTEMS = (
    System("reduced", "Funnelwatch, reduced to these outputs", "reduced_native", ours="reduced"),
    System("shipped", "Funnelwatch, whole product", ours="shipped"),
    BOARD,
    _kafka_streams("kafka-streams", "Kafka Streams 4.1, default cache"),
    _kafka_streams("kafka-streams-tuned", "Kafka Streams 4.1, no cache, linger 0", CACHE_BYTES="0", LINGER_MS="0"),
    _flink("flink-heap", "Flink 1.20, heap state", "hashmap"),
    _flink("flink-rocksdb", "Flink 1.20, RocksDB state", "rocksdb"),
    System("quix", "Quix Streams 3.28", "quix", _python("quix_job")),
    System("bytewax", "Bytewax 0.21", "bytewax", _python("bytewax_job")),
    System(
        "faust",
        "Faust 0.15 (stock), in batches",
        "faust",
        _python("faust_job", "worker", "-l", "warn", "--without-web"),
        rows="{app}-kpi-changelog",
        topics=("{app}-moves",),
        events_max=100_000,
    ),
    _limit("limit-aiokafka", "limit: Python, aiokafka, sums in a dict", "limit", _python("limit", "aiokafka")),
    _limit("limit-librdkafka", "limit: Python, librdkafka, sums in a dict", "limit", _python("limit", "librdkafka")),
    _limit("limit-go", "limit: Go, sums in a map", "go", lambda folder: [str(folder / "limit")]),
)
BY_NAME = {system.name: system for system in SYSTEMS}
CATCH_UP = tuple(system.name for system in SYSTEMS if system is not BOARD)
"""Who is seen catching up."""
LATENCY = ("reduced", "shipped", "board", "kafka-streams-tuned", "quix", "kafka-streams")
"""Whose latency is measured."""
TWO_WORKERS = ("reduced", "shipped", "kafka-streams", "quix")
"""Who is also seen with two workers."""

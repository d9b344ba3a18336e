"""What a worker says about itself. Process-local, from 0 at every start: figures about sales come from the board."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from funnelwatch import __version__
from funnelwatch.agents.clock import now_us
from funnelwatch.agents.engine.progress import Place, Position

AGE_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86400)
CHUNK_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
RECOVERY_BUCKETS: Final = (0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
REASON: Final = "dead_letters"
"""Why a partition is not read on: too much of it is refused."""

LATE_US: Final = 600_000_000
"""An event that came to Kafka so long after it happened is counted as late."""

Positions = Callable[[], Mapping[Place, Position]]


class _PositionCollector:
    """Asks where the partitions stand when it is scraped: nothing is measured per event, little per chunk."""

    def __init__(self, positions: Positions) -> None:
        self._positions = positions
        self._started = now_us()
        self._stood: dict[Place, tuple[int, int]] = {}
        self.folded_us: dict[Place, int] = {}
        """When the newest record that was folded came into its partition."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        labels = ("topic", "partition")
        records = GaugeMetricFamily(
            "funnelwatch_consumer_lag_records",
            "Records between the committed offset and the end of the partition. Rising: add workers.",
            labels=labels,
        )
        seconds = GaugeMetricFamily(
            "funnelwatch_consumer_lag_seconds", "Age of the newest record folded, 0 when nothing waits.", labels=labels
        )
        commits = GaugeMetricFamily(
            "funnelwatch_commit_age_seconds",
            "How long the committed offset stood still while records wait.",
            labels=labels,
        )
        now = now_us()
        positions = {at: position for at, position in self._positions().items() if position.end is not None}
        for at in sorted(positions):
            end, folded, _ = positions[at]
            lag = max(0, (end or 0) - folded)
            place = (at[0], str(at[1]))
            records.add_metric(place, lag)
            seconds.add_metric(place, self._age(self.folded_us.get(at, self._started), now) if lag else 0)
            commits.add_metric(place, self._age(self._since(at, folded, lag, now), now))
        self._stood = {at: stood for at, stood in self._stood.items() if at in positions}
        yield from (records, seconds, commits)

    def _since(self, at: Place, folded: int, lag: int, now: int) -> int:
        """Since when the offset has been where it is; only while something waits does that mean anything."""
        stood = self._stood.get(at)
        if stood is None or stood[0] != folded or not lag:
            stood = self._stood[at] = (folded, now)
        return stood[1]

    @staticmethod
    def _age(since: int, now: int) -> float:
        return max(0, now - since) / 1_000_000


class _MomentCollector:
    """The clock, and whether Redis answers, at the moment of the scrape."""

    def __init__(self, redis_up: Callable[[], bool]) -> None:
        self._redis_up = redis_up

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("funnelwatch_redis_up", "1 while Redis answers.", value=int(self._redis_up()))
        yield GaugeMetricFamily("funnelwatch_time_seconds", "The clock of the process.", value=now_us() / 1_000_000)


class _StopCollector:
    """Asks which partitions have stopped when it is scraped."""

    def __init__(self, stopped: Callable[[], list[tuple[str, int]]]) -> None:
        self._stopped = stopped

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "funnelwatch_partition_stopped",
            "1 while a partition of ours is not read on. A page: figures lack what waits in it.",
            labels=("topic", "partition", "reason"),
        )
        for topic, partition in self._stopped():
            family.add_metric((topic, str(partition), REASON), 1)
        yield family


class _RepairCollector:
    """Asks the tables when it is scraped."""

    def __init__(self, repaired: Callable[[], int]) -> None:
        self._repaired = repaired

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(
            "funnelwatch_changelog_repaired_records",
            "Changelog records of another worker that were merged and written again.",
            value=self._repaired(),
        )


class Metrics:
    """Operational metrics of one worker."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._events = Counter(
            "funnelwatch_events",
            "Events read, by what became of them: applied, unchanged (a repeat, or nothing new in it), refused.",
            ("topic", "result"),
            registry=self.registry,
        )
        self._refused = Counter(
            "funnelwatch_refused",
            "Events that went to the dead letters, by reason. Look at what was sent: kafka header dlq_detail.",
            ("reason",),
            registry=self.registry,
        )
        self._links = Counter(
            "funnelwatch_links", "Facts read that one entity tells another.", ("result",), registry=self.registry
        )
        self._forwarded = Counter(
            "funnelwatch_forwarded",
            "Events moved to the partition of their subject: their publisher's partitioner is not murmur2.",
            ("topic",),
            registry=self.registry,
        )
        self._late = Counter(
            "funnelwatch_late_events",
            "Events that came to Kafka more than 10 minutes after they happened.",
            ("topic",),
            registry=self.registry,
        )
        self._age = Histogram(
            "funnelwatch_event_age_seconds",
            "Newest event of a publication: from its time until its figure was visible.",
            buckets=AGE_BUCKETS,
            registry=self.registry,
        )
        self.chunk_seconds = Histogram(
            "funnelwatch_chunk_seconds", "Time to fold one chunk.", buckets=CHUNK_BUCKETS, registry=self.registry
        )
        self._recovery_seconds = Histogram(
            "funnelwatch_recovery_seconds",
            "From an assignment of partitions until they are folded again.",
            buckets=RECOVERY_BUCKETS,
            registry=self.registry,
        )
        self.fenced = Counter(
            "funnelwatch_fenced",
            "Claims and writes that Redis refused since a newer worker has the shard.",
            registry=self.registry,
        )
        self._rebalances = Counter("funnelwatch_rebalances", "Assignments of partitions.", registry=self.registry)
        build = Gauge("funnelwatch_build_info", "Always 1.", ("version", "process"), registry=self.registry)
        build.labels(__version__, "worker").set(1)
        self._newest_visible = 0
        self._positions: _PositionCollector | None = None

    def watch_positions(self, positions: Positions) -> None:
        """Expose lag and commit age of what ``positions`` says at every scrape."""
        self._positions = _PositionCollector(positions)
        self.registry.register(self._positions)

    def watch_moment(self, redis_up: Callable[[], bool]) -> None:
        """Expose the clock, and whether Redis answers, at every scrape."""
        self.registry.register(_MomentCollector(redis_up))

    def folded(self, topic: str, partition: int, came_us: int) -> None:
        """A chunk of a partition is folded whose last record came into Kafka at ``came_us``."""
        if self._positions is not None:
            self._positions.folded_us[topic, partition] = came_us

    def count_late(self, topic: str, events: int) -> None:
        """Count events that came more than `LATE_US` after they happened."""
        self._late.labels(topic).inc(events)

    def watch_room(self, free_bytes: Callable[[], int]) -> None:
        """Expose what ``free_bytes`` says at every scrape."""
        gauge = Gauge("funnelwatch_disk_free_bytes", "Free where the worker keeps its rows.", registry=self.registry)
        gauge.set_function(free_bytes)

    def watch_stops(self, stopped: Callable[[], list[tuple[str, int]]]) -> None:
        """Expose which partitions ``stopped`` names at every scrape."""
        self.registry.register(_StopCollector(stopped))

    def watch_repairs(self, repaired: Callable[[], int]) -> None:
        """Expose what ``repaired`` says at every scrape."""
        self.registry.register(_RepairCollector(repaired))

    def count_events(self, topic: str, applied: int, unchanged: int, reasons: list[str]) -> None:
        """Count what became of a chunk's events."""
        self._events.labels(topic, "applied").inc(applied)
        self._events.labels(topic, "unchanged").inc(unchanged)
        self._events.labels(topic, "refused").inc(len(reasons))
        for reason in reasons:
            self._refused.labels(reason).inc()

    def count_links(self, applied: int, unchanged: int, reasons: list[str]) -> None:
        """Count what became of a chunk's links."""
        self._links.labels("applied").inc(applied)
        self._links.labels("unchanged").inc(unchanged)
        self._links.labels("refused").inc(len(reasons))
        for reason in reasons:
            self._refused.labels(reason).inc()

    def count_forwarded(self, topic: str, events: int) -> None:
        """Count events that were sent on to their own partition."""
        self._forwarded.labels(topic).inc(events)

    def rebalanced(self, seconds: float) -> None:
        """Partitions were assigned, recovered and opened; nothing was folded for ``seconds``."""
        self._rebalances.inc()
        self._recovery_seconds.observe(seconds)

    def became_visible(self, newest_us: int | None, visible_us: int) -> None:
        """A publication is in Redis whose newest event happened at ``newest_us``."""
        if newest_us is not None and newest_us > self._newest_visible:
            self._newest_visible = newest_us
            self._age.observe(max(0, visible_us - newest_us) / 1_000_000)

    def page(self) -> bytes:
        """The exposition in Prometheus' text format."""
        return generate_latest(self.registry)

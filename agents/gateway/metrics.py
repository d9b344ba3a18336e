"""What the gateway says about itself and its sources."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from funnelwatch import __version__
from funnelwatch.streams.catalogue import CATALOGUE

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

Reading = tuple[tuple[str, ...], float]
"""Values of the labels, and what is read."""


class _Gauges:
    """Reads gauges when it is scraped."""

    def __init__(self) -> None:
        self.read: dict[str, Callable[[], Iterable[Reading]]] = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, read in self.read.items():
            family = GaugeMetricFamily(name, CATALOGUE[name].help, labels=CATALOGUE[name].labels)
            for labels, value in read():
                family.add_metric(labels, value)
            yield family


def _counter(name: str, registry: CollectorRegistry) -> Counter:
    metric = CATALOGUE[name]
    return Counter(name.removesuffix("_total"), metric.help, metric.labels, registry=registry)


class Metrics:
    """Metrics of one gateway."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._deliveries = _counter("funnelwatch_deliveries_total", self.registry)
        self._refused = _counter("funnelwatch_deliveries_refused_total", self.registry)
        self._events = _counter("funnelwatch_source_events_total", self.registry)
        self._passed = _counter("funnelwatch_source_passed_total", self.registry)
        self._matched = _counter("funnelwatch_calls_matched_total", self.registry)
        self._renamed = _counter("funnelwatch_calls_renamed_total", self.registry)
        self.seconds = Histogram(
            "funnelwatch_delivery_seconds",
            CATALOGUE["funnelwatch_delivery_seconds"].help,
            buckets=BUCKETS,
            registry=self.registry,
        )
        build = Gauge("funnelwatch_build_info", "Always 1.", ("version", "process"), registry=self.registry)
        build.labels(__version__, "gateway").set(1)
        self._gauges = _Gauges()
        self.registry.register(self._gauges)

    def watch(self, name: str, read: Callable[[], Iterable[Reading]]) -> None:
        """Expose what ``read`` says at every scrape as the gauge ``name`` of the catalogue."""
        self._gauges.read[name] = read

    def delivered(self, source: str, result: str, reason: str = "") -> None:
        """Count a request, and why it was not accepted."""
        self._deliveries.labels(source, result).inc()
        if reason:
            self._refused.labels(source, reason).inc()

    def took(self, source: str, *, published: int, kept: int, wanted: int, passed: Tally[str]) -> None:
        """Count what a delivery, or a poll, brought."""
        for result, count in (("published", published), ("kept", kept), ("wanted", wanted)):
            if count:
                self._events.labels(source, result).inc(count)
        for reason, count in passed.items():
            self._passed.labels(source, reason).inc(count)

    def matched(self, calls: Tally[tuple[str, str]], renamed: int) -> None:
        """Count calls that were found to be one, by the sources ``(other, source)``, and names that were deleted."""
        for (other, source), count in calls.items():
            self._matched.labels(source.rpartition("/")[2], other.rpartition("/")[2]).inc(count)
        self._renamed.inc(renamed)

    def page(self) -> bytes:
        """The exposition in Prometheus' text format."""
        return generate_latest(self.registry)

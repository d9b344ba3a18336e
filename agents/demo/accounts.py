"""What became of what was published, and what was detected: read from the worker's metrics and the board's API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from funnelwatch.schemas.document import Alert

EVENTS: Final = "funnelwatch_events_total"
LAG: Final = "funnelwatch_consumer_lag_records"


class Counts(msgspec.Struct, frozen=True):
    """A worker's counters: every event read is in exactly one of the first three. ``lag``: records not read yet."""

    applied: int = 0
    unchanged: int = 0
    refused: int = 0
    lag: int = 0

    @property
    def read(self) -> int:
        """Events that were read."""
        return self.applied + self.unchanged + self.refused


def counts(metrics: str, topics: Iterable[str]) -> Counts:
    """The counters of the given input topics from a worker's ``/metrics``."""
    wanted = frozenset(topics)
    found = {"applied": 0, "unchanged": 0, "refused": 0, "lag": 0}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.labels.get("topic") not in wanted:
                continue
            if sample.name == EVENTS:
                found[sample.labels["result"]] += int(sample.value)
            elif sample.name == LAG:
                found["lag"] += int(sample.value)
    return Counts(**found)


class Trouble(msgspec.Struct):
    """A trouble planted in the floor, and when it was seen. Seconds are those of the live run, µs simulated time."""

    detector: str
    rep: str
    name: str
    planted_seconds: float
    planted_at: int
    detected_seconds: float | None = None
    paged_seconds: float | None = None
    severity: str = ""
    text: str = ""

    def look_at(self, alerts: Iterable[Alert], lived_seconds: float) -> bool:
        """Note the alert that is about this trouble, if there is one. True when it is seen for the first time."""
        for alert in alerts:
            if alert.detector == self.detector and alert.level == "rep" and alert.subject == self.rep:
                first = self.detected_seconds is None
                if first:
                    self.detected_seconds = lived_seconds
                    self.text = alert.text
                self.severity = alert.severity
                return first
        return False

    def hear(self, detector: str, subject: str, lived_seconds: float) -> bool:
        """Note that somebody was paged; True when it is about this trouble, and for the first time."""
        first = self.paged_seconds is None and (detector, subject) == (self.detector, self.rep)
        if first:
            self.paged_seconds = lived_seconds
        return first


def accounted(published: int, found: Counts) -> bool:
    """Whether everything published was read and is in exactly one of the three counters."""
    return published == found.read and found.lag == 0


def verdict(
    published: int, found: Counts, troubles: Iterable[Trouble], lived: float, patience: float, *, paging: bool = False
) -> Mapping[str, bool]:
    """What the exit code rests on: name to whether it holds. A trouble counts once it is ``patience`` seconds old.

    ``paging``: whether there is an Alertmanager that pages.
    """
    checks = {"everything published is accounted for": accounted(published, found)}
    for trouble in troubles:
        if trouble.detected_seconds is not None or lived - trouble.planted_seconds >= patience:
            checks[f"{trouble.detector} of {trouble.rep} detected"] = trouble.detected_seconds is not None
        if paging and (trouble.paged_seconds is not None or lived - trouble.planted_seconds >= patience):
            checks[f"{trouble.detector} of {trouble.rep} arrived at the receiver"] = trouble.paged_seconds is not None
    return checks

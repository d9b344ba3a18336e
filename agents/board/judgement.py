"""Runs the detectors over the table and keeps what they say: evidence for Prometheus, alerts for everybody."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from funnelwatch.agents.board.figures import Figures, Key
from funnelwatch.schemas.document import Alert, Document, Evidence
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.detectors import Alerts, Detectors
from funnelwatch.streams.detectors.alerts import RESOLVED_BELOW, Subject
from funnelwatch.streams.ranking import worst_severity
from funnelwatch.streams.table import Table


class Judgement:
    """The detectors of one board. The functional core judges; this gives it the table and an instant."""

    def __init__(self, settings: Settings, table: Table, figures: Figures) -> None:
        self._table = table
        self._figures = figures
        self._base = settings.board.url
        self._detectors = Detectors(settings, table, self._document)
        self._alerts = Alerts(Calendar(settings.calendar), self._describe, settings.detectors)

    @property
    def active(self) -> list[Alert]:
        """The alerts that fire now, worst first."""
        return self._alerts.active

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Go on from what fired before this board was started."""
        self._alerts.restore(alerts)

    def step(self, now: int) -> list[Alert]:
        """Judge everybody as of now; the alerts that began, changed or ended."""
        evidence = self._detectors.evidence(now, self._figures.take_unjudged(), self._figures.judged_reps(now))
        changes = self._alerts.step(evidence, now)
        firing: dict[Key, list[Alert]] = {}
        for alert in self._alerts.active:
            firing.setdefault((alert.level, alert.subject), []).append(alert)
        severities = {key: worst for key, alerts in firing.items() if (worst := worst_severity(alerts))}
        self._figures.judged(strongest(evidence), severities, details(evidence), self._withheld())
        return changes

    def _withheld(self) -> dict[Key, frozenset[str]]:
        found: dict[Key, frozenset[str]] = {}
        for alert in self._alerts.active:
            if alert.withheld:
                key = (alert.level, alert.subject)
                found[key] = found.get(key, frozenset()) | {alert.detector}
        return found

    def _document(self, rep: str, now: int) -> Document:
        entry = self._figures.find(("rep", rep), now)
        assert entry is not None, f"{rep!r} is judged, so he or she is listed"
        return entry.document

    def _describe(self, level: str, subject: str) -> Subject:
        if level != "rep":
            return Subject(name=subject, team=subject, url=f"{self._base}/?team={quote(subject, safe='')}")
        record = self._table.record(subject)
        name = record.name if record is not None and record.name else subject
        return Subject(
            name=name,
            team=self._table.present_team(subject),
            url=f"{self._base}/reps/{quote(subject, safe='')}",
            manager=(record.manager or "") if record is not None else "",
        )


def strongest(evidence: Iterable[Evidence]) -> dict[Key, dict[str, float]]:
    """The largest evidence of each detector for each subject, over pipelines."""
    best: dict[Key, dict[str, float]] = {}
    for found in evidence:
        own = best.setdefault((found.level, found.subject), {})
        own[found.detector] = max(found.evidence, own.get(found.detector, 0.0))
    return best


def details(evidence: Iterable[Evidence]) -> dict[Key, dict[str, Evidence]]:
    """What the strongest evidence of each detector is made of, where it is enough to keep an alert alive."""
    found: dict[Key, dict[str, Evidence]] = {}
    for one in evidence:
        if one.evidence >= RESOLVED_BELOW:
            own = found.setdefault((one.level, one.subject), {})
            if one.detector not in own or one.evidence > own[one.detector].evidence:
                own[one.detector] = one
    return found

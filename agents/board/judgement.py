"""Runs the detectors over the table and keeps what they say: evidence for Prometheus, alerts for everybody."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from urllib.parse import quote

from funnelwatch.agents.board.figures import Figures
from funnelwatch.agents.board.pace import Pace
from funnelwatch.agents.board.roster import Key
from funnelwatch.schemas.document import Alert, Document, Evidence
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.detectors import Alerts, Detectors
from funnelwatch.streams.detectors.alerts import RESOLVED_BELOW, Subject
from funnelwatch.streams.ranking import worst_severity
from funnelwatch.streams.subjects import UnknownSubjectError
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

    async def step(self, now: int) -> list[Alert]:
        """Judge everybody as of now, somebody at a time; the alerts that began, changed or ended."""
        pace, seen = Pace(), Seen()
        firing = {(alert.detector, alert.level, alert.subject) for alert in self._alerts.active}
        for part in self._detectors.parts(now, self._figures.take_unjudged(now), self._figures.judged_reps(now)):
            seen.take(part, firing)
            await pace.rest()
        changes = self._alerts.step(seen.notable, now)
        severities: dict[Key, list[Alert]] = {}
        for alert in self._alerts.active:
            severities.setdefault((alert.level, alert.subject), []).append(alert)
        worst = {key: worst for key, alerts in severities.items() if (worst := worst_severity(alerts))}
        await self._figures.judged(seen.strongest, worst, details(seen.notable), self._withheld())
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
        if entry is None:
            raise UnknownSubjectError(f"rep {rep!r} is listed no more")
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


class Seen:
    """What the detectors saw in one round.

    ``strongest``: the largest evidence of each detector for each subject, over pipelines. ``notable``: what may begin,
    keep up or end an alert.
    """

    def __init__(self) -> None:
        self.strongest: dict[Key, dict[str, float]] = {}
        self.notable: list[Evidence] = []

    def take(self, part: Iterable[Evidence], firing: AbstractSet[tuple[str, str, str]]) -> None:
        """The evidence of one subject. ``firing``: (detector, level, subject) of the alerts there are."""
        for found in part:
            own = self.strongest.setdefault((found.level, found.subject), {})
            own[found.detector] = max(found.evidence, own.get(found.detector, 0.0))
            if found.evidence >= RESOLVED_BELOW or (found.detector, found.level, found.subject) in firing:
                self.notable.append(found)


def details(evidence: Iterable[Evidence]) -> dict[Key, dict[str, Evidence]]:
    """What the strongest evidence of each detector is made of, where it is enough to keep an alert alive."""
    found: dict[Key, dict[str, Evidence]] = {}
    for one in evidence:
        if one.evidence >= RESOLVED_BELOW:
            own = found.setdefault((one.level, one.subject), {})
            if one.detector not in own or one.evidence > own[one.detector].evidence:
                own[one.detector] = one
    return found

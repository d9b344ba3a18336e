"""When evidence becomes an alert, and when it stops being one.

Warning above 3, critical above what is configured (about 4), over below 2: between 2 and 3 an alert that fires keeps
firing and none begins. Only the loss spike and the stall can be critical, hence page; the slow detectors warn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from math import inf

import msgspec

from funnelwatch.schemas.document import Alert, Evidence
from funnelwatch.schemas.settings import DetectorSettings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.detectors.budget import PageBudget

WARNING_ABOVE, CRITICAL_ABOVE, RESOLVED_BELOW = 3.0, 4.0, 2.0
PAGING = frozenset({"loss_spike", "funnel_stalled"})
ACTIVE_ALERTS_MAX = 10_000
"""Alerts kept at a time; further ones wait until one is over."""

Key = tuple[str, str, str]


class Subject(msgspec.Struct, frozen=True):
    """Who an alert is about: what a person needs to recognise him, her or the team."""

    name: str
    team: str | None
    url: str
    manager: str = ""


def critical_above(settings: DetectorSettings) -> dict[str, float]:
    """The evidence above which each detector that can page does."""
    return {"loss_spike": settings.loss_critical, "funnel_stalled": settings.stall_critical}


class Alerts:
    """The alerts that fire, and what changes in them. ``describe(level, id)`` names a subject.

    A page is spent when an alert becomes critical, strongest first; what is withheld is tried again the next day.
    """

    def __init__(
        self,
        calendar: Calendar,
        describe: Callable[[str, str], Subject],
        settings: DetectorSettings = DetectorSettings(),  # noqa: B008  (frozen)
    ) -> None:
        self._calendar = calendar
        self._describe = describe
        self._critical_above = critical_above(settings)
        self._budget = PageBudget(settings.pages_per_manager_day)
        self._active: dict[Key, Alert] = {}

    @property
    def active(self) -> list[Alert]:
        """What fires now, critical first, then by evidence."""
        return sorted(
            self._active.values(), key=lambda alert: (alert.severity != "critical", -alert.evidence.evidence, alert.id)
        )

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Go on from alerts that fired before: they keep their begin, and firing on is no news.

        The pages of today that still fire are spent; those that are over are not remembered.
        """
        self._active = {_key(alert.evidence): alert for alert in alerts}
        for alert in self._active.values():
            if alert.severity == "critical" and alert.level == "rep":
                self._budget.begin(self._calendar.day(_instant(alert.at)))
                self._budget.spend(self._describe(alert.level, alert.subject).manager)

    def step(self, evidence: Iterable[Evidence], now: int) -> list[Alert]:
        """The alerts that began, changed severity or ended with this evidence.

        Whoever has no evidence any more has ended.
        """
        changes: list[Alert] = []
        seen: set[Key] = set()
        self._budget.begin(self._calendar.day(now))
        for found in sorted(_strongest(evidence), key=lambda found: -found.evidence):
            key = _key(found)
            seen.add(key)
            before = self._active.get(key)
            severity = self._severity(found, before)
            if severity is None:
                if before is not None:
                    changes.append(self._resolve(key, before, found, now))
                continue
            if before is None and len(self._active) >= ACTIVE_ALERTS_MAX:
                continue
            alert = self._alert(found, severity, before, now)
            self._active[key] = alert
            if before is None or (before.severity, before.withheld) != (alert.severity, alert.withheld):
                changes.append(alert)
        over = [(key, alert) for key, alert in self._active.items() if key not in seen]
        return changes + [self._resolve(key, alert, alert.evidence, now) for key, alert in over]

    def _alert(self, found: Evidence, severity: str, before: Alert | None, now: int) -> Alert:
        subject = self._describe(found.level, found.subject)
        withheld = severity == "critical" and not self._may_page(found, subject, before)
        if withheld:
            severity = "warning"
        at = self._calendar.text(now)
        return Alert(
            id="/".join(
                part for part in (*_key(found), found.pipeline if found.detector == "loss_spike" else "") if part
            ),
            detector=found.detector,
            level=found.level,
            subject=found.subject,
            name=subject.name,
            team=subject.team,
            severity=severity,
            state="firing",
            since=before.since if before else at,
            at=at,
            evidence=found,
            cause=found.pipeline if found.detector not in PAGING and found.pipeline else None,
            text=sentence(found, subject.name),
            url=subject.url,
            withheld=withheld,
        )

    def _may_page(self, found: Evidence, subject: Subject, before: Alert | None) -> bool:
        """Whether it pages already, or a page is left for the manager; a team's alert always does."""
        if found.level != "rep" or (before is not None and before.severity == "critical"):
            return True
        return self._budget.spend(subject.manager)

    def _severity(self, found: Evidence, before: Alert | None) -> str | None:
        """None: nothing fires. An alert keeps its severity until the evidence is under the level that ends it."""
        if found.evidence > self._critical_above.get(found.detector, inf):
            return "critical"
        if before is not None:
            return before.severity if found.evidence >= RESOLVED_BELOW else None
        return "warning" if found.evidence > WARNING_ABOVE else None

    def _resolve(self, key: Key, before: Alert, found: Evidence, now: int) -> Alert:
        del self._active[key]
        return msgspec.structs.replace(before, state="resolved", at=self._calendar.text(now), evidence=found)


def _key(found: Evidence) -> Key:
    return (found.detector, found.level, found.subject)


def _strongest(evidence: Iterable[Evidence]) -> Iterable[Evidence]:
    """One per detector and subject: a rep who loses in two pipelines is one page."""
    best: dict[Key, Evidence] = {}
    for found in evidence:
        known = best.get(_key(found))
        if known is None or found.evidence > known.evidence:
            best[_key(found)] = found
    return best.values()


def _instant(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp()) * 1_000_000


def sentence(found: Evidence, name: str) -> str:
    """What a manager reads: who, what, against which baseline."""
    who, observed, of, usual = name or found.subject, found.observed, found.of, found.baseline
    match found.detector:
        case "loss_spike":
            return (
                f"{who} lost {observed:.0f} of {of:.0f} deals decided within {found.window_days} working day(s)"
                f" in {found.pipeline}: {observed / of if of else 0:.0%}, where {usual:.0%} was to be expected."
            )
        case "funnel_stalled":
            return (
                f"No deal of {who} has advanced for {observed / 3600:.1f} working hours;"
                f" {of:.1f} advances were to be expected at {usual:.1f} a day."
            )
        case "sales_declining":
            return f"{who} has {observed:.0f} wins this month, {usual:.0f} at the same point of the last one."
        case "outreach_short":
            return f"{who} made {observed:.0f} contacts in 5 working days; the benchmark asks for {of:.0f}."
        case _:
            return f"{who} converted {observed:.0f} of {of:.0f} qualified leads; {usual:.0%} is expected."

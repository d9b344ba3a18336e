"""All detectors over the whole table: what is recomputed when, and for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from funnelwatch.schemas.document import Document, Evidence
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.detectors.days import Days, extract
from funnelwatch.streams.detectors.loss import Spans, first_day_needed, spans, strongest
from funnelwatch.streams.detectors.slow import Shortfall, conversion_low, outreach_short, sales_declining
from funnelwatch.streams.detectors.stall import pace, stall
from funnelwatch.streams.subjects import Subjects, UnknownSubjectError
from funnelwatch.streams.table import Table

LOSS, STALL = "loss_spike", "funnel_stalled"
SLOW = {"sales_declining": sales_declining, "outreach_short": outreach_short, "conversion_low": conversion_low}
EVIDENCE_DECIMALS = 3


class Today(msgspec.Struct, frozen=True):
    """What depends on the local day alone."""

    day: int
    first_day: int
    windows: list[Spans]


class Detectors:
    """Evidence for every rep and team.

    Days are extracted from the table once and again for the reps that changed, so a quiet second costs only the stall
    clocks. ``document_of(rep, now)`` gives the KPI document that the slow detectors judge.
    """

    def __init__(self, settings: Settings, table: Table, document_of: Callable[[str, int], Document]) -> None:
        self._calendar = Calendar(settings.calendar)
        self._table = table
        self._subjects = Subjects(settings, table)
        self._shape = settings.detectors.stall_shape
        self._document_of = document_of
        self._today: Today | None = None
        self._days: dict[tuple[str, str], Days] = {}
        self._losses: dict[tuple[str, str], list[Evidence]] = {}
        self._paces: dict[str, tuple[int, int]] = {}
        self._slow: dict[str, list[Evidence]] = {}

    def evidence(self, now: int, changed: set[str] | None = None, reps: Iterable[str] | None = None) -> list[Evidence]:
        """What every detector sees at ``now`` (µs).

        ``changed``: the reps whose cells changed since the last call; None takes all for changed. ``reps``: whom to
        judge; None judges everybody in the table. The slow detectors look at a rep once per local day.
        """
        return [found for part in self.parts(now, changed, reps) for found in part]

    def parts(
        self, now: int, changed: set[str] | None = None, reps: Iterable[str] | None = None
    ) -> Iterator[list[Evidence]]:
        """As `evidence`, subject by subject, so that others may have their turn in between.

        The table may change meanwhile, if the reps that did are among the changed ones of the next call; a rep who is
        listed no more when his or her turn comes is passed over.
        """
        self._forget(now, changed)
        for rep in self._table.reps() if reps is None else reps:
            try:
                yield list(self._rep(rep, now))
            except UnknownSubjectError:
                continue
        for team in self._table.teams():
            yield self._loss_spikes("team", team)

    def _forget(self, now: int, changed: set[str] | None) -> None:
        day = self._calendar.day(now)
        if self._today is None or self._today.day != day:
            self._today = Today(day, first_day_needed(self._calendar, day), spans(self._calendar, day))
            self._slow.clear()
            changed = None
        if changed is None:
            self._days.clear()
            self._losses.clear()
            self._paces.clear()
        elif changed:
            teams = {self._table.present_team(rep) for rep in changed}
            for key in [key for key in self._days if key[1] in changed or key[0] != "rep"]:
                del self._days[key]
            for key in [key for key in self._losses if key[1] in changed or key[0] != "rep"]:
                del self._losses[key]
            for rep in changed:
                self._paces.pop(rep, None)
            for team in teams:
                for member in self._table.members(team) if team else ():
                    self._losses.pop(("rep", member), None)

    def _of(self, level: str, subject: str) -> Days:
        key = (level, subject)
        if key not in self._days:
            first = self._today.first_day if self._today else 0
            self._days[key] = extract(self._table.days(level, subject), first)
        return self._days[key]

    def _rep(self, rep: str, now: int) -> Iterator[Evidence]:
        yield from self._loss_spikes("rep", rep)
        yield from self._stalled(rep, now)
        if rep not in self._slow:
            document = self._document_of(rep, now)
            self._slow[rep] = [_shortfall(name, rep, judge(document)) for name, judge in SLOW.items()]
        yield from self._slow[rep]

    def _loss_spikes(self, level: str, subject: str) -> list[Evidence]:
        key = (level, subject)
        if key not in self._losses:
            self._losses[key] = list(self._judge_losses(level, subject))
        return self._losses[key]

    def _judge_losses(self, level: str, subject: str) -> Iterator[Evidence]:
        own, organisation = self._of(level, subject), self._of("organisation", "")
        team = self._table.present_team(subject) if level == "rep" else None
        others = self._of("team", team) if team else organisation
        windows = self._today.windows if self._today else []
        for pipeline in sorted({name for figures in own.values() for name in figures.lost}):
            spike = strongest(own, others, organisation, pipeline, windows)
            yield Evidence(
                LOSS,
                level,
                subject,
                pipeline,
                round(spike.evidence, EVIDENCE_DECIMALS),
                spike.working_days,
                spike.lost,
                spike.decided,
                spike.baseline,
            )

    def _stalled(self, rep: str, now: int) -> Iterator[Evidence]:
        deals = self._table.open_deals(rep)
        found = stall(
            self._of("rep", rep),
            deals,
            self._table.last_advance(rep),
            self._others(rep),
            calendar=self._subjects.calendar(rep),
            now=now,
            shape=self._shape,
        )
        if found is not None:
            yield Evidence(
                STALL,
                "rep",
                rep,
                "",
                round(found.evidence, EVIDENCE_DECIMALS),
                0,
                found.waited_us / 1e6,
                found.expected,
                found.per_day,
            )

    def _others(self, rep: str) -> tuple[int, int]:
        """(advances, days worked) of the rep's team without the rep, over the last 20 working days."""
        team = self._table.present_team(rep)
        members = self._table.members(team) if team else ()
        paces = [self._pace(member) for member in members if member != rep]
        return sum(advances for advances, _ in paces), sum(days for _, days in paces)

    def _pace(self, rep: str) -> tuple[int, int]:
        if rep not in self._paces:
            today = self._today.day if self._today else 0
            self._paces[rep] = pace(self._of("rep", rep), self._subjects.calendar(rep), today)
        return self._paces[rep]


def _shortfall(detector: str, rep: str, found: Shortfall) -> Evidence:
    return Evidence(
        detector,
        "rep",
        rep,
        found.cause or "",
        round(found.evidence, EVIDENCE_DECIMALS),
        0,
        found.observed,
        found.of,
        found.baseline,
    )

"""KPI documents as Prometheus samples: which figure becomes which series. A figure that does not exist has none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from decimal import Decimal
from typing import Final

from funnelwatch.schemas.document import Document, Evidence, Figures
from funnelwatch.streams.catalogue import CATALOGUE, OTHER
from funnelwatch.streams.cells import LEAD_PIPELINE
from funnelwatch.streams.exposition import Exposition, Sample

_Figure = tuple[str, tuple[str, ...], object]
"""(name without ``sales_rep_``, values of the labels besides rep and team, value or None)."""

LEAD_STATES: Final = ("created", "qualified", "accepted", "converted", "disqualified")
OUTREACH_KINDS: Final = ("call", "email", "voicemail_drop")
ALL_KINDS: Final = "total"
"""The ``kind`` of the outreach attainment: the benchmark asks for the sum of the kinds."""
CAUSES: Final = ("volume", "win_rate", "deal_size")


def samples(document: Document, windows: Iterable[str]) -> Iterator[Sample]:
    """The series of a rep's or a team's document. Windows that the document does not have are left out."""
    level = document.level
    subject = _subject(document)
    for name, labels, value in _figures(document, windows):
        if value is not None:
            yield f"sales_{level}_{name}", (*subject, *labels), str(value)
    identity = (document.id, document.name) if level == "team" else (document.id, document.name, document.team or "")
    yield f"sales_{level}_info", (*identity, document.manager or ""), "1"


def evidence_samples(document: Document, evidence: Mapping[str, float]) -> Iterator[Sample]:
    """What the detectors see in the document's rep or team (detector → evidence): it moves while figures stand."""
    for detector, value in evidence.items():
        yield f"sales_{document.level}_evidence", (*_subject(document), detector), str(value)


def detail_samples(
    document: Document, details: Mapping[str, Evidence], withheld: AbstractSet[str] = frozenset()
) -> Iterator[Sample]:
    """What the evidence is made of (detector → evidence), for the texts of alerts, and whose page is withheld."""
    level, subject = document.level, _subject(document)
    for detector, found in details.items():
        labels = (*subject, detector)
        yield f"sales_{level}_evidence_observed", labels, str(found.observed)
        yield f"sales_{level}_evidence_of", labels, str(found.of)
        yield f"sales_{level}_evidence_baseline", labels, str(found.baseline)
        yield f"sales_{level}_evidence_window_workdays", labels, str(found.window_days)
        if detector in withheld:
            yield f"sales_{level}_evidence_withheld", labels, "1"


def _subject(document: Document) -> tuple[str, ...]:
    return (document.id,) if document.level == "team" else (document.id, document.team or "")


def _figures(document: Document, windows: Iterable[str]) -> Iterator[_Figure]:
    for window in windows:
        if figures := document.windows.get(window):
            yield from _window(window, figures)
        if pace := document.outreach.windows.get(window):
            yield "outreach_attainment_ratio", (ALL_KINDS, window), pace.attainment
    yield from _sales(document)
    yield from _funnel(document)


def _window(window: str, figures: Figures) -> Iterator[_Figure]:
    for currency, amount in figures.won_amount.items():
        yield "won_amount", (currency, window), amount
    for currency, amount in figures.lost_amount.items():
        yield "lost_amount", (currency, window), amount
    for outcome, count in (("created", figures.created), ("won", figures.won), ("lost", figures.lost)):
        yield "deals", (outcome, window), count
    yield "loss_ratio", (window,), figures.loss_rate
    yield "created_per_lost_ratio", (window,), figures.created_per_lost
    for state in LEAD_STATES:
        yield "leads", (state, window), getattr(figures.leads, state)
    yield "conversion_ratio", ("period", window), figures.leads.period
    yield "conversion_ratio", ("cohort", window), figures.leads.cohort
    for kind in OUTREACH_KINDS:
        yield "outreach", (kind, window), getattr(figures.outreach, kind)
    for pipeline, stages in (*figures.flow.items(), (LEAD_PIPELINE, figures.lead_flow)):
        for stage, flow in stages.items():
            yield "stage_seconds", (pipeline, stage, "0.5", window), flow.working.median_seconds
            yield "stage_seconds", (pipeline, stage, "0.9", window), flow.working.p90_seconds


def _sales(document: Document) -> Iterator[_Figure]:
    sales = document.sales
    by_currency: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("sales_growth_ratio", sales.growth),
        ("quota_attainment_ratio", sales.attainment),
        ("quota_pace_ratio", sales.pace),
        ("quota_amount", sales.quota),
        ("sales_projection_amount", sales.projection),
    )
    for name, values in by_currency:
        for currency, value in values.items():
            yield name, (currency,), value
    for currency, change in sales.change.items():
        for cause in CAUSES:
            yield "sales_change_amount", (currency, cause), getattr(change, cause)


def _funnel(document: Document) -> Iterator[_Figure]:
    funnel = document.funnel
    for pipeline, now in funnel.pipelines.items():
        for stage, standing in now.stages.items():
            yield "open_deals", (pipeline, stage), standing.open
            yield "overdue_deals", (pipeline, stage), standing.overdue
            for currency, amount in standing.amount.items():
                yield "open_amount", (pipeline, stage, currency), amount
    if funnel.last_advance is not None:
        instant = datetime.fromisoformat(funnel.last_advance).timestamp()
        yield "last_advance_timestamp_seconds", (), instant
    yield "idle_seconds", (), funnel.idle_seconds


class KpiSeries:
    """The KPI part of the page: reps up to a cap, the others added up under one name, and teams.

    A rep keeps its place under the cap for as long as it is there, so that series do not come and go.
    """

    def __init__(self, page: Exposition, windows: tuple[str, ...], reps_max: int) -> None:
        self._page = page
        self._windows = windows
        self._reps_max = reps_max
        self._admitted: set[str] = set()
        self._others: dict[str, tuple[Sample, ...]] = {}
        self._sums: dict[tuple[str, tuple[str, ...]], tuple[Decimal, int]] = {}
        self._sums_changed = False
        self._over = 0
        self.capped_total = 0
        """Reps that ever were put under `OTHER`."""

    @property
    def over_limit(self) -> int:
        """Reps that are counted under `OTHER` now, or will be: a flood of them is summed up by and by."""
        return max(self._over, len(self._others))

    def note_over(self, reps: int) -> None:
        """So many reps are listed that have no series of their own."""
        self._over = reps

    @property
    def own(self) -> int:
        """Reps with series of their own."""
        return len(self._admitted)

    def put(self, document: Document) -> None:
        """The series of a rep's or a team's document, in place of those of its last one."""
        if document.level == "rep" and not self.admit(document.id):
            self._put_other(document)
        else:
            self._page.put(f"{document.level}:{document.id}", samples(document, self._windows))

    def put_evidence(self, document: Document, evidence: Mapping[str, float]) -> None:
        """What the detectors see in the document's rep or team; reps over the cap have none."""
        if document.level != "rep" or document.id in self._admitted:
            self._page.put(f"evidence:{document.level}:{document.id}", evidence_samples(document, evidence))

    def put_details(
        self, document: Document, details: Mapping[str, Evidence], withheld: AbstractSet[str] = frozenset()
    ) -> None:
        """What the evidence that fires or may soon is made of; reps over the cap have none."""
        if document.level != "rep" or document.id in self._admitted:
            self._page.put(f"details:{document.level}:{document.id}", detail_samples(document, details, withheld))

    def remove(self, level: str, subject: str) -> None:
        """A rep or a team that is gone: its series end."""
        if subject in self._others and level == "rep":
            self._add(self._others.pop(subject), -1)
            return
        self._page.remove(f"{level}:{subject}")
        self._page.remove(f"evidence:{level}:{subject}")
        self._page.remove(f"details:{level}:{subject}")
        if level == "rep":
            self._admitted.discard(subject)

    def admit(self, rep: str) -> bool:
        """Whether the rep has series of his or her own; takes the next place under the cap if there is one."""
        if rep in self._admitted:
            return True
        if rep in self._others or len(self._admitted) >= self._reps_max:
            return False
        self._admitted.add(rep)
        return True

    def _put_other(self, document: Document) -> None:
        if document.id in self._others:
            self._add(self._others[document.id], -1)
        else:
            self.capped_total += 1
        own = tuple(
            (name, (OTHER, "", *labels[2:]), value)
            for name, labels, value in samples(document, self._windows)
            if CATALOGUE[name].additive
        )
        self._others[document.id] = own
        self._add(own, 1)

    def _add(self, own: tuple[Sample, ...], sign: int) -> None:
        """Add a rep's samples to the sums, or take them back; a sum that no rep is left in is none."""
        for name, labels, value in own:
            total, reps = self._sums.get((name, labels), (Decimal(0), 0))
            if reps + sign:
                self._sums[name, labels] = (total + sign * Decimal(value), reps + sign)
            else:
                del self._sums[name, labels]
        self._sums_changed = True

    def settle(self) -> None:
        """Bring the sums of the reps over the cap onto the page; to be called before it is read."""
        if self._sums_changed:
            sums = ((name, labels, f"{total:f}") for (name, labels), (total, _) in self._sums.items())
            self._page.put(OTHER, sums)
            self._sums_changed = False

"""The figures of a period: facts counted and added up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import floor
from typing import TypeVar

from funnelwatch.schemas.document import (
    Closes,
    Counted,
    Durations,
    Figures,
    LeadFigures,
    Left,
    OutreachFigures,
    StageFlow,
)
from funnelwatch.streams.oracle import facts as f
from funnelwatch.streams.oracle.leads import LEADS
from funnelwatch.streams.oracle.periods import Periods
from funnelwatch.streams.oracle.worth import Exchange, Part, Worth

F = TypeVar("F", bound=f.Fact)
SECOND_US = 1_000_000
RESOLUTION_US = 1_000


class Counting:
    """Adds up facts with the organisation's days and rates."""

    def __init__(self, periods: Periods, exchange: Exchange) -> None:
        self.periods = periods
        self.exchange = exchange

    def worth(self, facts: Iterable[f.Won | f.Lost]) -> Worth:
        """What closes are worth by currency."""
        day = self.periods.day
        return self.exchange.worth(Part(fact.rep, day(fact.at), fact.currency, fact.units) for fact in facts)

    def closes(self, facts: Sequence[f.Fact]) -> Closes:
        """Won and lost."""
        won, lost = self.worth(of(f.Won, facts)), self.worth(of(f.Lost, facts))
        return Closes(won=won.number, lost=lost.number, won_amount=won.money, lost_amount=lost.money)

    def figures(self, facts: Sequence[f.Fact]) -> Figures:
        """Everything that is a sum."""
        closes, lost = self.closes(facts), of(f.Lost, facts)
        created = len(of(f.Created, facts))
        flow = _flow(facts)
        return Figures(
            created=created,
            won=closes.won,
            lost=closes.lost,
            won_amount=closes.won_amount,
            lost_amount=closes.lost_amount,
            win_rate=ratio(closes.won, closes.won + closes.lost),
            loss_rate=ratio(closes.lost, closes.won + closes.lost),
            created_per_lost=ratio(created, closes.lost),
            lost_by_reason=self._counted(lost, lambda fact: fact.reason),
            lost_by_stage=self._counted(lost, lambda fact: fact.stage),
            advances=len(of(f.Advanced, facts)),
            cycle=durations([fact.cycle_us for fact in of(f.Won, facts)]),
            first_touch=durations([fact.working_us for fact in of(f.FirstTouch, facts)]),
            flow={pipeline: stages for pipeline, stages in flow.items() if pipeline != LEADS},
            leads=lead_figures(facts),
            lead_flow=flow.get(LEADS, {}),
            outreach=_outreach(facts),
        )

    def _counted(self, lost: Sequence[f.Lost], by: Callable[[f.Lost], str]) -> dict[str, Counted]:
        groups = {name: self.worth(fact for fact in lost if by(fact) == name) for name in set(map(by, lost))}
        return {name: Counted(count=worth.number, amount=worth.money) for name, worth in groups.items()}


def of(kind: type[F], facts: Iterable[f.Fact]) -> list[F]:
    """The facts of one kind."""
    return [fact for fact in facts if isinstance(fact, kind)]


def ratio(part: float, whole: float) -> float | None:
    """A ratio, which does not exist without a denominator."""
    return part / whole if whole else None


def quantile_seconds(values_us: Sequence[int], quantile: float) -> float | None:
    """The value at index ⌊q (n − 1)⌋ of the sorted values; what is under the sketch's resolution is 0."""
    if not values_us:
        return None
    value = sorted(values_us)[floor(quantile * (len(values_us) - 1))]
    return 0.0 if value < RESOLUTION_US else value / SECOND_US


def durations(values_us: Sequence[int]) -> Durations:
    """Count, mean, median and 90th percentile."""
    return Durations(
        count=len(values_us),
        mean_seconds=ratio(sum(values_us), len(values_us) * SECOND_US),
        median_seconds=quantile_seconds(values_us, 0.5),
        p90_seconds=quantile_seconds(values_us, 0.9),
    )


def _flow(facts: Sequence[f.Fact]) -> dict[str, dict[str, StageFlow]]:
    entered, left = of(f.Entered, facts), of(f.Left, facts)
    flow: dict[str, dict[str, StageFlow]] = {}
    places = {(fact.pipeline, fact.stage) for fact in entered} | {(fact.pipeline, fact.stage) for fact in left}
    for pipeline, stage in places:
        gone = [fact for fact in left if (fact.pipeline, fact.stage) == (pipeline, stage)]
        ways = [fact.how for fact in gone]
        flow.setdefault(pipeline, {})[stage] = StageFlow(
            entered=sum((fact.pipeline, fact.stage) == (pipeline, stage) for fact in entered),
            left=Left(**{how: ways.count(how) for how in ("forward", "back", "won", "lost", "other")}),
            working=durations([fact.working_us for fact in gone]),
            wall=durations([fact.wall_us for fact in gone]),
        )
    return flow


def lead_figures(facts: Sequence[f.Fact]) -> LeadFigures:
    """Leads by what happened to them."""
    reached = [fact.what for fact in of(f.Milestone, facts)]
    cohort = [fact.what for fact in of(f.Cohort, facts)]
    qualified, accepted, converted = map(reached.count, ("qualified", "accepted", "converted"))
    return LeadFigures(
        created=reached.count("created"),
        qualified=qualified,
        accepted=accepted,
        converted=converted,
        disqualified=reached.count("disqualified"),
        cohort_accepted=cohort.count("accepted"),
        cohort_converted=cohort.count("converted"),
        period=ratio(converted, qualified),
        cohort=ratio(cohort.count("converted"), qualified),
        acceptance=ratio(accepted, qualified),
        closing=ratio(converted, accepted),
    )


def _outreach(facts: Sequence[f.Fact]) -> OutreachFigures:
    calls, emails = of(f.Called, facts), of(f.Emailed, facts)
    outbound = [call for call in calls if call.direction == "outbound"]
    kinds = list(map(outreach_kind, facts))
    connected = sum(call.outcome == "connected" for call in outbound)
    return OutreachFigures(
        call=kinds.count("call"),
        email=kinds.count("email"),
        voicemail_drop=kinds.count("voicemail_drop"),
        total=outreach_done(facts),
        outbound_calls=len(outbound),
        inbound_calls=sum(call.direction == "inbound" for call in calls),
        connected_calls=connected,
        connect_rate=ratio(connected, len(outbound)),
        talk_seconds=sum(call.talk_ms for call in calls) / 1_000,
        emails=len(emails),
        replies=len(of(f.Replied, facts)),
    )


def outreach_kind(fact: f.Fact) -> str | None:
    """Which of the three kinds of outreach a fact is, if any."""
    if isinstance(fact, f.Emailed):
        return "email" if fact.cold else None
    if isinstance(fact, f.Called) and fact.direction == "outbound":
        if fact.outcome == "voicemail_drop":
            return "voicemail_drop"
        return "call" if fact.cold else None
    return None


def outreach_done(facts: Iterable[f.Fact]) -> int:
    """The outreach of all three kinds."""
    return sum(outreach_kind(fact) is not None for fact in facts)

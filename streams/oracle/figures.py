"""The figures of a period: facts counted and added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import floor

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

    def closes(self, facts: f.Facts) -> Closes:
        """Won and lost."""
        won, lost = self.worth(f.of(f.Won, facts)), self.worth(f.of(f.Lost, facts))
        return Closes(won=won.number, lost=lost.number, won_amount=won.money, lost_amount=lost.money)

    def figures(self, facts: f.Facts) -> Figures:
        """Everything that is a sum."""
        closes, lost = self.closes(facts), f.of(f.Lost, facts)
        created = len(f.of(f.Created, facts))
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
            advances=len(f.of(f.Advanced, facts)),
            cycle=durations([fact.cycle_us for fact in f.of(f.Won, facts)]),
            first_touch=durations([fact.working_us for fact in f.of(f.FirstTouch, facts)]),
            flow={pipeline: stages for pipeline, stages in flow.items() if pipeline != LEADS},
            leads=lead_figures(facts),
            lead_flow=flow.get(LEADS, {}),
            outreach=_outreach(facts),
        )

    def _counted(self, lost: Sequence[f.Lost], by: Callable[[f.Lost], str]) -> dict[str, Counted]:
        groups = {name: self.worth(fact for fact in lost if by(fact) == name) for name in set(map(by, lost))}
        return {name: Counted(count=worth.number, amount=worth.money) for name, worth in groups.items()}


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


def _flow(facts: f.Facts) -> dict[str, dict[str, StageFlow]]:
    entered = Counter((fact.pipeline, fact.stage) for fact in f.of(f.Entered, facts))
    left: dict[tuple[str, str], list[f.Left]] = {}
    for fact in f.of(f.Left, facts):
        left.setdefault((fact.pipeline, fact.stage), []).append(fact)
    flow: dict[str, dict[str, StageFlow]] = {}
    for pipeline, stage in {*entered, *left}:
        gone = left.get((pipeline, stage), [])
        ways = [fact.how for fact in gone]
        flow.setdefault(pipeline, {})[stage] = StageFlow(
            entered=entered[pipeline, stage],
            left=Left(**{how: ways.count(how) for how in ("forward", "back", "won", "lost", "other")}),
            working=durations([fact.working_us for fact in gone]),
            wall=durations([fact.wall_us for fact in gone]),
        )
    return flow


def lead_figures(facts: f.Facts) -> LeadFigures:
    """Leads by what happened to them."""
    reached = [fact.what for fact in f.of(f.Milestone, facts)]
    cohort = [fact.what for fact in f.of(f.Cohort, facts)]
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


def _outreach(facts: f.Facts) -> OutreachFigures:
    calls, emails = f.of(f.Called, facts), f.of(f.Emailed, facts)
    outbound = [call for call in calls if call.direction == "outbound"]
    kinds = outreach_kinds(facts)
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
        replies=len(f.of(f.Replied, facts)),
    )


def outreach_kind(fact: f.Called | f.Emailed) -> str | None:
    """Which of the three kinds of outreach a call or an email is, if any."""
    if isinstance(fact, f.Emailed):
        return "email" if fact.cold else None
    if fact.direction == "outbound":
        if fact.outcome == "voicemail_drop":
            return "voicemail_drop"
        return "call" if fact.cold else None
    return None


def outreach_kinds(facts: f.Facts) -> list[str | None]:
    """What each call and email is as outreach."""
    return [*map(outreach_kind, f.of(f.Called, facts)), *map(outreach_kind, f.of(f.Emailed, facts))]


def outreach_done(facts: f.Facts) -> int:
    """The outreach of all three kinds."""
    return sum(kind is not None for kind in outreach_kinds(facts))

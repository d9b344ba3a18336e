"""KPI documents for tests that show figures rather than compute them: plausible, and the same for the same seed."""

from __future__ import annotations

import random

from funnelwatch.schemas.document import (
    Bottleneck,
    Change,
    Closes,
    Counted,
    Document,
    Durations,
    Figures,
    Funnel,
    LeadFigures,
    Leak,
    Left,
    Outreach,
    OutreachFigures,
    OutreachPace,
    PipelineNow,
    Recording,
    Sales,
    StageFlow,
    StageNow,
)

AS_OF = "2026-11-20T15:30:00+00:00"
WINDOWS = ("1h", "24h", "today", "wtd", "7d", "30d", "90d", "mtd", "prev_month")
STAGES = ("discovery", "proposal", "negotiation")
LEAD_STAGES = ("new", "qualified", "accepted")
PIPELINES = ("new-business", "renewals")


def durations(dice: random.Random, count: int) -> Durations:
    if not count:
        return Durations(0, None, None, None)
    median = dice.uniform(3_000, 90_000)
    return Durations(count, round(median * 1.2, 1), round(median, 1), round(median * 2.4, 1))


def flow(dice: random.Random) -> StageFlow:
    left = Left(forward=dice.randint(0, 9), back=dice.randint(0, 2), won=dice.randint(0, 4), lost=dice.randint(0, 4))
    count = left.forward + left.back + left.won + left.lost
    return StageFlow(
        entered=dice.randint(0, 12), left=left, working=durations(dice, count), wall=durations(dice, count)
    )


def ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def figures(dice: random.Random, size: int) -> Figures:
    won, lost, created = dice.randint(0, size), dice.randint(0, size), dice.randint(0, 2 * size)
    qualified = dice.randint(0, 3 * size)
    accepted = dice.randint(0, qualified)
    converted = dice.randint(0, accepted)
    call, email, drop = dice.randint(0, 20 * size), dice.randint(0, 30 * size), dice.randint(0, 5 * size)
    outbound, connected = call + drop, (call + drop) // 3
    return Figures(
        created=created,
        won=won,
        lost=lost,
        won_amount={"EUR": str(won * 4_210)} if won else {},
        lost_amount={"EUR": f"{lost * 3_977}.5"} if lost else {},
        win_rate=ratio(won, won + lost),
        loss_rate=ratio(lost, won + lost),
        created_per_lost=ratio(created, lost),
        lost_by_reason={"price": Counted(lost, {"EUR": f"{lost * 3_977}.5"})} if lost else {},
        lost_by_stage={"proposal": Counted(lost, {"EUR": f"{lost * 3_977}.5"})} if lost else {},
        advances=dice.randint(0, 3 * size),
        cycle=durations(dice, won),
        first_touch=durations(dice, created),
        flow={pipeline: {stage: flow(dice) for stage in STAGES} for pipeline in PIPELINES},
        leads=LeadFigures(
            created=qualified * 2,
            qualified=qualified,
            accepted=accepted,
            converted=converted,
            disqualified=dice.randint(0, size),
            cohort_accepted=accepted,
            cohort_converted=converted,
            period=ratio(converted, qualified),
            cohort=ratio(converted, qualified),
            acceptance=ratio(accepted, qualified),
            closing=ratio(converted, accepted),
        ),
        lead_flow={stage: flow(dice) for stage in LEAD_STAGES},
        outreach=OutreachFigures(
            call=call,
            email=email,
            voicemail_drop=drop,
            total=call + email + drop,
            outbound_calls=outbound,
            inbound_calls=dice.randint(0, size),
            connected_calls=connected,
            connect_rate=ratio(connected, outbound),
            talk_seconds=connected * 210.5,
            emails=email + 3,
            replies=email // 9,
        ),
    )


def pipeline_now(dice: random.Random, stages: tuple[str, ...]) -> PipelineNow:
    now = {}
    for stage in stages:
        held = dice.randint(0, 9)
        now[stage] = StageNow(held, {"EUR": str(held * 5_000)} if held else {}, dice.randint(0, held), 57_600.0)
    slow = dice.uniform(0.4, 2.5)
    bottleneck = Bottleneck(dice.choice(stages), 57_600.0 * slow, 57_600.0, slow, 7) if dice.random() < 0.8 else None
    return PipelineNow(now, bottleneck)


def document(
    subject: str = "r1",
    *,
    level: str = "rep",
    name: str = "",
    team: str | None = "North",
    manager: str | None = "Mona Rahimi",
    seed: int = 1,
) -> Document:
    """A whole document; everything in it follows from the seed."""
    dice = random.Random(f"{level}/{subject}/{seed}")
    windows = {window: figures(dice, size) for size, window in enumerate(WINDOWS, 1)}
    won, before, quota = dice.randint(0, 150_000), dice.randint(1, 130_000), dice.randint(60, 140) * 1_000
    elapsed = 0.66
    pipelines = {pipeline: pipeline_now(dice, STAGES) for pipeline in PIPELINES}
    open_deals = sum(stage.open for pipeline in pipelines.values() for stage in pipeline.stages.values())
    change = won - before
    recent = dice.uniform(0.3, 1.4)
    leads = windows["30d"].leads
    return Document(
        level=level,
        id=subject,
        name=name or subject,
        team=team if level == "rep" else None,
        manager=manager,
        active=True,
        as_of=AS_OF,
        windows=windows,
        months={f"2026-{month:02d}": figures(dice, 12) for month in range(1, 12)},
        sales=Sales(
            month="2026-11",
            elapsed=elapsed,
            mtd=Closes(dice.randint(1, 20), dice.randint(0, 20), {"EUR": str(won)}, {}),
            prev_mtd=Closes(dice.randint(1, 20), dice.randint(0, 20), {"EUR": str(before)}, {}),
            prev_month=Closes(dice.randint(1, 30), dice.randint(0, 30), {"EUR": str(before + 20_000)}, {}),
            growth={"EUR": won / before - 1},
            quota={"EUR": str(quota)},
            quota_count=None,
            attainment={"EUR": won / quota},
            attainment_count=None,
            pace={"EUR": won / quota / elapsed},
            projection={"EUR": str(round(won / elapsed))},
            change={
                "EUR": Change(
                    amount=str(change),
                    volume=str(change // 2),
                    win_rate=str(change // 3),
                    deal_size=str(change - change // 2 - change // 3),
                    cause=dice.choice(("volume", "win_rate", "deal_size")) if change < 0 else None,
                )
            },
        ),
        funnel=Funnel(
            open_deals=open_deals,
            open_amount={"EUR": str(open_deals * 5_000)},
            overdue_deals=sum(stage.overdue for pipeline in pipelines.values() for stage in pipeline.stages.values()),
            pipelines=pipelines,
            leads=pipeline_now(dice, LEAD_STAGES),
            last_advance="2026-11-20T11:02:07+00:00",
            idle_seconds=dice.choice((600.0, 5_400.0, 21_600.0, 72_000.0)),
            idle_wall_seconds=16_073.0,
            velocity={"EUR": 1_250.75},
        ),
        conversion={
            window: Leak(leads.period, leads.cohort, leads.acceptance, leads.closing, 0.2, "acceptance")
            for window in ("7d", "30d", "90d", "mtd")
        },
        outreach=Outreach(
            per_day=40.0,
            windows={
                window: OutreachPace(round(expected * recent), expected, recent)
                for window, expected in (("today", 30.0), ("wtd", 190.0), ("30d", 800.0))
            },
            recent_attainment=recent,
            needs_support=recent < 0.7,
        ),
        coaching=[
            Recording(
                f"c{number}",
                AS_OF,
                f"https://pbx.example/recordings/{number}",
                subject,
                "d1",
                number < 2,
                "connected",
                312.0,
                0.62 if number % 2 else None,
            )
            for number in range(4)
        ],
    )

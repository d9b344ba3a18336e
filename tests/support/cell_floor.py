"""A sales floor as its workers publish it: cells of reps in teams, with some weeks behind them. Seeded."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import (
    BenchmarkSettings,
    LeadSettings,
    PipelineSettings,
    StageSettings,
)
from funnelwatch.streams.cells import (
    MINUTE_US,
    AdvanceCell,
    CallRecording,
    Cell,
    CellValue,
    CloseCell,
    DayCell,
    ItemCell,
    LostDeal,
    Measure,
    OpenDeal,
    RepRecord,
)
from funnelwatch.streams.sketch import bin_of

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
PIPELINES = (
    PipelineSettings(
        "new-business",
        (
            StageSettings("discovery", 16.0),
            StageSettings("proposal", 24.0),
            StageSettings("negotiation", 40.0),
        ),
    ),
    PipelineSettings("renewals", (StageSettings("offer", 16.0), StageSettings("signature", 24.0))),
)
LEADS = LeadSettings(4.0, 16.0, 40.0)
BENCHMARKS = BenchmarkSettings(outreach_per_day=30.0, conversion_rate=0.2)
TEAMS = ("North", "South", "Enterprise", "Partners", "Inside")
FIRST = ("Sara", "Ali", "Mona", "Jonas", "Lea", "Reza", "Aylin", "Tom", "Nils", "Parisa", "Ivo", "Hana", "Karim")
LAST = ("Karimi", "Weber", "Rossi", "Novak", "Ahmadi", "Keller", "Lindt", "Moradi", "Berg", "Silva", "Okafor")
STAGE_OF = {pipeline.name: tuple(stage.name for stage in pipeline.stages) for pipeline in PIPELINES}

Floor = dict[tuple[Kind, int], dict[Cell, CellValue]]


def at(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


class Rep:
    """One rep's cells in the making."""

    def __init__(self, floor: Floor, number: int, dice: random.Random, partitions: int) -> None:
        self.id = f"crm:{number + 1}"
        self.name = f"{FIRST[number % len(FIRST)]} {LAST[(number * 7) % len(LAST)]}"
        self.dice = dice
        self.floor = floor
        self.partitions = partitions
        self.skill = dice.uniform(0.25, 0.6)
        self.effort = dice.uniform(0.5, 1.3)

    def shard(self, kind: Kind) -> dict[Cell, CellValue]:
        return self.floor.setdefault((kind, self.dice.randrange(self.partitions)), {})

    def add(self, kind: Kind, moment: datetime, measure: Measure, amount: int = 1) -> None:
        day = moment.date().toordinal()
        cells: list[Cell] = [DayCell(self.id, day)]
        if measure[0] in {"won", "won_amount", "lost", "lost_amount"}:
            cells.append(CloseCell(self.id, at(moment) // MINUTE_US))
        for cell in cells:
            sums = self.shard(kind).setdefault(cell, {})
            sums[measure] = sums.get(measure, 0) + amount

    def item(self, kind: Kind, cell: ItemCell, value) -> None:
        self.shard(kind)[cell] = value

    def record(self, team: str) -> None:
        quota = self.dice.randrange(40, 90) * 1_000 * 10_000
        start = at(NOW - timedelta(days=400))
        self.item(
            Kind.REP,
            ItemCell(self.id, "rep", self.id),
            RepRecord(
                name=self.name,
                manager="Dana Voss",
                active=True,
                removed=False,
                zone=None,
                teams=((start, team),),
                quotas=dict.fromkeys(("2026-10", "2026-11"), (quota, "EUR", None)),
                outreach_per_day=None,
                conversion_rate=None,
            ),
        )

    def work(self, moment: datetime) -> None:
        """One working day."""
        dice = self.dice
        for _ in range(dice.randint(0, 3)):
            pipeline = dice.choice(tuple(STAGE_OF))
            self.add(Kind.DEAL, moment, ("created", pipeline))
            self.add(Kind.DEAL, moment, ("entered", pipeline, STAGE_OF[pipeline][0]))
        for _ in range(dice.randint(0, 2)):
            pipeline = dice.choice(tuple(STAGE_OF))
            stage = STAGE_OF[pipeline][-1]
            worth = dice.randrange(1, 90) * 1_000_000
            seconds = dice.lognormvariate(10.4, 0.7)
            won = dice.random() < self.skill
            self.add(Kind.DEAL, moment, ("left", pipeline, stage, "won" if won else "lost"))
            self.add(Kind.DEAL, moment, ("work", pipeline, stage, bin_of(int(seconds * 1e6))))
            self.add(Kind.DEAL, moment, ("work_us", pipeline, stage), int(seconds * 1e6))
            if won:
                self.add(Kind.DEAL, moment, ("won", pipeline, "EUR"))
                self.add(Kind.DEAL, moment, ("won_amount", pipeline, "EUR"), worth)
                self.add(Kind.DEAL, moment, ("advance", pipeline))
            else:
                reason = dice.choice(("price", "no budget", "competitor", ""))
                self.add(Kind.DEAL, moment, ("lost", pipeline, "EUR", stage, reason))
                self.add(Kind.DEAL, moment, ("lost_amount", pipeline, "EUR", stage, reason), worth)
        self.add(Kind.DEAL, moment, ("advance", "new-business"), dice.randint(1, 4))
        for outcome, share in (("connected", 9), ("no_answer", 12), ("voicemail_drop", 5)):
            self.add(Kind.CALL, moment, ("call", "outbound", 1, outcome), int(dice.randint(0, share) * self.effort))
        self.add(Kind.CALL, moment, ("talk_ms", "outbound"), dice.randrange(600, 6_000) * 1_000)
        self.add(Kind.EMAIL, moment, ("email", 1), int(dice.randint(2, 18) * self.effort))
        for milestone, most in (("created", 8), ("qualified", 5), ("accepted", 3), ("converted", 1)):
            self.add(Kind.LEAD, moment, ("lead", milestone), dice.randint(0, most))
        for milestone in ("accepted", "converted"):
            self.add(Kind.LEAD, moment, ("cohort", milestone), dice.randint(0, 1))

    def hold(self) -> None:
        """What is open, and what was recorded."""
        dice = self.dice
        for number in range(dice.randint(3, 14)):
            pipeline = dice.choice(tuple(STAGE_OF))
            entered = at(NOW - timedelta(hours=dice.randint(1, 400)))
            deal = OpenDeal(
                pipeline=pipeline,
                stage=dice.choice(STAGE_OF[pipeline]),
                currency="EUR",
                amount=dice.randrange(1, 90) * 1_000_000,
                created_at=entered,
                entered_at=entered,
                owned_since=entered,
                touched_at=entered,
                snoozed_until=None,
                customer="ACME",
            )
            self.item(Kind.DEAL, ItemCell(self.id, "open_deal", f"{self.id}-d{number}"), deal)
        for number in range(5):
            heard = at(NOW - timedelta(hours=7 * number + 2))
            deal_id = f"{self.id}-l{number}" if number < 2 else None
            url = f"https://pbx.example/recordings/{self.id}/{number}.mp3"
            recording = CallRecording(heard, url, deal_id, "connected", dice.randrange(60, 900) * 1_000)
            if self.id.endswith("3"):
                recording = replace(recording, talk_ratio=(None, 0, 6_249)[number % 3])
            self.item(Kind.CALL, ItemCell(self.id, "recording", f"{self.id}-c{number}"), recording)
            if deal_id:
                lost = LostDeal(heard, "new-business", "proposal", "price", "EUR", 12_000_000)
                self.item(Kind.DEAL, ItemCell(self.id, "lost_deal", deal_id), lost)
        self.shard(Kind.DEAL)[AdvanceCell(self.id)] = at(NOW - timedelta(hours=dice.choice((0, 1, 2, 5, 26, 50))))


def floor(reps: int = 40, days: int = 60, partitions: int = 2, seed: int = 7) -> Floor:
    """All shards of a floor at `NOW`."""
    found: Floor = {}
    dice = random.Random(seed)
    for number in range(reps):
        rep = Rep(found, number, dice, partitions)
        rep.record(TEAMS[number % len(TEAMS)])
        for back in range(days):
            moment = NOW - timedelta(days=back, minutes=dice.randint(0, 300))
            if moment.weekday() < 5:
                rep.work(moment)
        rep.hold()
    return found

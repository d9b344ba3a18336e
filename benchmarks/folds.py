"""How many µs of CPU one event costs in the functional core: row → state → row, cells of a shard.

    uv run python benchmarks/folds.py [events]

Events come in order, of entities in turn, as from a floor of 40 reps; one event a chunk, which is the worst case. CPU
time of this process, so that a busy machine disturbs little; the best of three rounds.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from random import Random
from time import process_time

from funnelwatch.schemas.events import CallData, Data, DealData, EmailData, Event, Kind, LeadData
from funnelwatch.schemas.settings import PipelineSettings, Settings, StageSettings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.context import Context
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.shard import ShardCells
from funnelwatch.streams.update import Update

MINUTE_US = 60_000_000
START_US = 1_793_000_000_000_000
DAYS = 60
STAGES = ("Qualify", "Demo", "Offer", "Contract")
SETTINGS = Settings(pipelines=(PipelineSettings("default", tuple(StageSettings(name, 40) for name in STAGES)),))
CONTEXT = Context(SETTINGS, Calendar(SETTINGS.calendar))

Scene = list[tuple[str, Data]]


def deal(random: Random, number: int, rep: str) -> Scene:
    amount = random.randrange(10**8)
    scene: Scene = [
        ("created", DealData(rep_id=rep, stage=STAGES[0], amount=amount, currency="EUR", lead_id=f"crm:l{number}"))
    ]
    for stage in STAGES[1:]:
        scene.append(("stage_changed", DealData(stage=stage)))
        if random.random() < 0.5:
            scene.append(("updated", DealData(amount=amount + random.randrange(10**6))))
    scene.append(
        ("won", DealData(stage="Closed Won")) if random.random() < 0.4 else ("lost", DealData(lost_reason="price"))
    )
    return scene


def lead(_: Random, number: int, rep: str) -> Scene:
    created = LeadData(rep_id=rep, channel="web", campaign="autumn")
    return [("created", created), ("qualified", LeadData()), ("accepted", LeadData()), ("converted", LeadData())][
        : 2 + number % 3
    ]


def call(_: Random, number: int, rep: str) -> Scene:
    completed = CallData(
        rep_id=rep, direction="outbound", outcome="connected", talk_ms=61_000, cold=True, lead_id=f"crm:l{number}"
    )
    return [("completed", completed), ("recorded", CallData(recording_url="https://pbx.example/1"))][: 1 + number % 2]


def email(_: Random, number: int, rep: str) -> Scene:
    return [("sent", EmailData(rep_id=rep, cold=True, deal_id=f"crm:d{number}")), ("replied", EmailData())][
        : 1 + number % 2
    ]


SCENES = {Kind.DEAL: deal, Kind.LEAD: lead, Kind.CALL: call, Kind.EMAIL: email}


def events(kind: Kind, count: int) -> list[Event]:
    """``count`` events in order of time."""

    def endless() -> Iterator[Event]:
        random = Random(7)
        number = 0
        while True:
            number += 1
            at = START_US + random.randrange(DAYS * 1_440) * MINUTE_US
            for step, (what, data) in enumerate(SCENES[kind](random, number, f"rep-{random.randrange(40)}")):
                identity = f"{number:x}-{step}-0123456789abcdef"
                yield Event(kind, f"{kind}.{what}", identity, "https://crm.example/eu", f"crm:{number}", at, data)
                at += random.randrange(60, 3_000) * MINUTE_US

    source = endless()
    return sorted((next(source) for _ in range(count)), key=lambda event: event.stamp)


def measure(kind: Kind, some: list[Event], now_us: int) -> dict[str, float]:
    """µs per event of each part."""
    fold, rows, spent = FOLDS[kind], {}, defaultdict(float)
    shard = ShardCells(CONTEXT.calendar, SETTINGS.recordings_days)
    shard.advance_to(now_us)
    for event in some:
        began = process_time()
        update = Update(fold, event.subject, rows.get(event.subject))
        read = process_time()
        update.take(event)
        taken = process_time()
        changed = update.finish(CONTEXT)
        rows[event.subject] = changed.row
        finished = process_time()
        shard.add(changed.before, changed.after)
        shard.see(changed.newest)
        added = process_time()
        for part, us in zip(
            ("read", "take", "finish", "cells"),
            (read - began, taken - read, finished - taken, added - finished),
            strict=True,
        ):
            spent[part] += us * 1e6 / len(some)
    spent["row bytes"] = sum(map(len, rows.values())) / len(rows)
    return spent


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    parts = ("read", "take", "finish", "cells")
    print(f"{'kind':8}{'':10}" + "".join(f"{part:>10}" for part in (*parts, "total", "row bytes")))
    for kind in SCENES:
        some = events(kind, count)
        for when, now_us in (("catch-up", some[-1].at + 90 * 86_400_000_000), ("live", some[0].at)):
            best = min(
                (measure(kind, some, now_us) for _ in range(3)), key=lambda spent: sum(spent[part] for part in parts)
            )
            figures = [best[part] for part in parts]
            print(
                f"{kind:8}{when:10}"
                + "".join(f"{us:10.1f}" for us in (*figures, sum(figures)))
                + f"{best['row bytes']:10.0f}"
            )


if __name__ == "__main__":
    main()

"""Row 10: invented rep ids by the thousand."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from arena import Arena, Broken
from prometheus_client.parser import text_string_to_metric_families
from row import Bench, Row

from funnelwatch.schemas.events import Kind

REPS = 8
REPS_MAX = 100
OTHER = "__other__"


def run(bench: Bench) -> str:
    invented = bench.pick(5_000, 100_000)
    with Arena(
        bench.broker, bench.folder, seed=bench.seed, size=(REPS, 15), changes=bench.changes, reps_max=REPS_MAX
    ) as arena:
        arena.start()
        arena.publish(arena.events)
        arena.verify()
        known = [event.subject for event in arena.events if event.kind is Kind.REP]
        before = {rep: document(arena, rep) for rep in dict.fromkeys(known)}
        arena.publish(list(flood(arena, invented)))
        total = len(arena.events) + invented
        took = arena.until(lambda: arena.read() >= total, 300, "the flood read")
        over = invented + len(set(known)) - REPS_MAX
        arena.until(lambda: over_limit(arena) >= over, 120, "the flood counted")
        changed = [rep for rep in before if before[rep] is None or before[rep] != document(arena, rep)]
        if changed:
            raise Broken(f"documents of known reps changed: {changed[:3]}")
        reps = labels(arena)
        if len(reps) > REPS_MAX + 1 or not before.keys() <= reps or OTHER not in reps:
            raise Broken(
                f"{len(reps)} reps on /metrics, missing {sorted(before.keys() - reps)[:3]}, other {OTHER in reps}"
            )
        if arena.own_exits:
            raise Broken(f"workers left with {arena.own_exits}")
        return (
            f"{invented:,} invented reps read in {took:.1f} s after the last was sent: {len(reps)} values of rep on "
            f"/metrics (at most {REPS_MAX} and {OTHER}), {over_limit(arena):,.0f} counted as over the limit, "
            f"{len(before)} known reps' documents unchanged"
        )


def flood(arena: Arena, invented: int) -> list:
    """Emails of reps that do not exist, in another team."""
    model = next(event for event in arena.events if event.kind is Kind.EMAIL and b'"email.sent"' in event.value)
    events = []
    for number in range(invented):
        value = json.loads(model.value)
        value["id"] = value["subject"] = f"invented-{number}"
        value["data"] = {"rep_id": f"ghost-{number}"}
        events.append(model._replace(subject=value["subject"], value=json.dumps(value).encode()))
    return events


def document(arena: Arena, rep: str) -> Any:
    return arena.board.json(f"/api/v1/reps/{quote(rep, safe='')}")


def samples(arena: Arena) -> list:
    status, page = arena.board.get("/metrics")
    families = text_string_to_metric_families(page.decode()) if status == 200 else ()
    return [sample for family in families for sample in family.samples]


def over_limit(arena: Arena) -> float:
    return sum(sample.value for sample in samples(arena) if sample.name == "funnelwatch_reps_over_limit")


def labels(arena: Arena) -> set[str]:
    return {sample.labels["rep"] for sample in samples(arena) if "rep" in sample.labels}


ROW = Row("flood", "10", "thousands of invented rep ids", run, mutations=("no_cap",))

"""Row 2: a worker stopped for longer than its session, with work at hand, that goes on where it was.

Bursts, small slow chunks and a slow way to the changelog see to it that it is stopped in the middle of work, so that on
waking up it writes what it knows: to Redis, where it is fenced, and to the changelog, where its old rows come behind
newer ones. Once the changelogs are compacted while those stand there and before their owner has looked at them.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path

import compaction
from arena import Arena, Broken
from chaos_worker import Changes, ChaosWorker
from epochs import Epochs
from prometheus_client.parser import text_string_to_metric_families
from row import Bench, Row

from funnelwatch.streams.cells import ItemCell

SESSION_SECONDS = 4.0
PAUSE_SECONDS = (SESSION_SECONDS + 2.0, SESSION_SECONDS + 5.0)
CHUNK_RECORDS = 20
FOLD_SECONDS = 0.03
WITHIN_SECONDS = (0.2, 1.0)
FEED_SECONDS = 6.0
CHANGELOG_SECONDS = 0.3
STRANGER_SECONDS = 10.0
COMPACTED_SECONDS = 20.0
REPAIRED_SECONDS = 10.0
STRANGER = "are another worker's; merging them"
FENCED = "funnelwatch_fenced_total"
REPAIRED = "funnelwatch_changelog_repaired_records_total"
FAUSTS_RULES = "overwrite"
CONTROL_PAUSES = 3


def run(bench: Bench) -> str:
    pauses = bench.pick(3, 20, mutated=CONTROL_PAUSES)
    figures = paused(bench, pauses, bench.pick((12, 30), (30, 60), mutated=(12, 30)))
    if not bench.is_long or bench.changes.mutations:
        return figures
    return f"{figures}; {control(bench)}"


def control(bench: Bench) -> str:
    """The same with Faust's own rules of recovery: the last record wins, whoever wrote it. It has to go wrong."""
    changes = Changes((FAUSTS_RULES,), bench.changes.hooks)
    other = Bench(bench.broker, bench.folder.with_name(f"{bench.folder.name}-control"), bench.seed, False, changes)
    try:
        figures = paused(other, CONTROL_PAUSES, (12, 30))
    except Broken as broken:
        return f"the control with Faust's own rules of recovery failed, as it must ({str(broken)[:120]})"
    raise Broken(f"Faust's own rules of recovery held, too, so this row shows nothing: {figures}")


def paused(bench: Bench, pauses: int, size: tuple[int, int]) -> str:
    flag = bench.folder / "repairs held"
    arena = Arena(
        bench.broker,
        bench.folder,
        seed=bench.seed,
        size=size,
        session_seconds=SESSION_SECONDS,
        changes=bench.changes.with_hooks(
            chunk_records=CHUNK_RECORDS,
            fold_seconds=FOLD_SECONDS,
            changelog_seconds=CHANGELOG_SECONDS,
            hold_repairs=str(flag),
        ),
    )
    with arena, Epochs(arena) as epochs:
        arena.ask_oracle()
        arena.start()
        portion = -(-len(arena.events) // pauses)
        fenced = repaired = 0.0
        looks, compacted, after_compaction = 0, 0, 0.0
        for i in range(pauses):
            mine = arena.events[i * portion : (i + 1) * portion]
            arena.publish(mine[: portion // 2])
            arena.sleep(arena.random.uniform(*WITHIN_SECONDS))
            victim = arena.random.choice([worker for worker in arena.workers if worker.is_alive()])
            arena.say(f"SIGSTOP of worker {arena.workers.index(victim)}")
            victim.signal(signal.SIGSTOP)
            looks += looked(arena, arena.random.uniform(*PAUSE_SECONDS))
            arena.feed(mine[portion // 2 :], FEED_SECONDS)
            if compacted:
                victim.signal(signal.SIGCONT)
                looks += looked(arena, 3)
            else:
                compacted, after_compaction = woken_and_compacted(arena, victim, flag)
            arena.fed()
            fenced, repaired = (
                max(one, total(arena.workers, name)) for one, name in ((fenced, FENCED), (repaired, REPAIRED))
            )
        if epochs.fallen:
            raise Broken(f"Redis took {len(epochs.fallen)} writes of an older owner: {epochs.fallen[:3]}")
        equal = arena.verify()
        arena.verify_changelog_alone()
        if not fenced:
            raise Broken("no write was fenced: the pauses hit nothing, or the fence is gone")
        if not compacted:
            raise Broken("no pause left a stranger's records that were compacted before they were repaired")
        return (
            f"{pauses} pauses, {fenced:.0f} claims and writes fenced and none taken of an older owner in "
            f"{epochs.looks:,} looks, {repaired:.0f} changelog records of a stranger "
            f"merged and written again, {arena.logged('are outdated in the changelog')} times rows found outdated at "
            f"recovery; {compacted:,} records compacted away between a pause and the repair of {after_compaction:.0f}; "
            f"nothing stood twice in {looks} looks at Redis and /metrics; own exits {len(arena.own_exits)}; {equal}, "
            "also from the changelog alone"
        )


def total(workers: list[ChaosWorker], name: str) -> float:
    return sum(worker.metric(name) for worker in workers if worker.is_alive())


def woken_and_compacted(arena: Arena, victim: ChaosWorker, flag: Path) -> tuple[int, float]:
    """Let it go on, and die when it has written; compact that before anybody repairs it, and let it be repaired.

    How many records were compacted away meanwhile, and how many were repaired; none if nothing of it arrived.
    """
    others = [worker for worker in arena.workers if worker is not victim]
    flag.touch()
    asyncio.run(compaction.begin(arena.settings))
    before, repaired = asyncio.run(compaction.logs(arena.settings)), total(others, REPAIRED)
    found = [worker.logged().count(STRANGER) for worker in others]
    gone = [0]

    def is_found() -> bool:
        return [worker.logged().count(STRANGER) for worker in others] != found

    def is_compacted() -> bool:
        after = asyncio.run(compaction.logs(arena.settings))
        gone[0] = sum(after[part].gone - before[part].gone for part in before)
        return gone[0] > 0 and total(others, REPAIRED) == repaired

    victim.signal(signal.SIGCONT)
    try:
        arena.until(is_found, STRANGER_SECONDS, "a stranger's records found")
        arena.kill(victim, restart=False)  # had it come back, everybody would recover instead of repairing
        arena.until(is_compacted, COMPACTED_SECONDS, "changelogs compacted, and nothing repaired yet")
        flag.unlink()
        arena.until(lambda: total(others, REPAIRED) > repaired, REPAIRED_SECONDS, "repaired")
    except Broken as none:
        arena.say(f"no compaction between pause and repair: {none}")
        return 0, 0.0
    finally:
        flag.unlink(missing_ok=True)
        asyncio.run(compaction.end(arena.settings))
        arena.come_back(victim)
    count = total(others, REPAIRED) - repaired
    arena.say(f"{gone[0]} records compacted away before {count:.0f} of a stranger were repaired")
    return gone[0], count


def looked(arena: Arena, seconds: float) -> int:
    """For so long: nothing stands twice, in Redis or on the board's page of metrics."""
    looks, spent = 0, 0.0
    while spent < seconds:
        arena.sleep(0.5)
        spent += 0.5
        twice = [*twice_on_the_page(arena), *twice_in_redis(arena)]
        if twice:
            raise Broken(f"stands twice: {twice[:3]}")
        looks += 1
    return looks


def twice_on_the_page(arena: Arena) -> list[str]:
    status, page = arena.board.get("/metrics")
    families = text_string_to_metric_families(page.decode()) if status == 200 else ()
    series = Counter(
        (sample.name, tuple(sorted(sample.labels.items()))) for family in families for sample in family.samples
    )
    return [f"{name}{dict(labels)}" for (name, labels), count in series.items() if count > 1]


def twice_in_redis(arena: Arena) -> list[str]:
    """What there is one of (an open deal, say) and two partitions or two reps have."""
    items = Counter(
        (kind.value, cell.type, cell.id)
        for (kind, _), cells in arena.published().items()
        for cell in cells
        if isinstance(cell, ItemCell)
    )
    return [str(item) for item, count in items.items() if count > 1]


ROW = Row(
    "pauses",
    "2",
    "workers paused past their session (SIGSTOP) that go on writing; compaction before the repair",
    run,
    mutations=("overwrite", "no_fence", "no_repair"),
)

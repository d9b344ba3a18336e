"""How much CPU folding takes from a chunk's bytes to rows, cells and links, with Kafka, RocksDB and Redis left out.

    uv run python benchmarks/chunks.py [events]

The floor and the agents are those of `benchmarks/worker.py`, tables and topics are dicts and lists; the limit in the
same run is our codec and counts in a dict. CPU time of this process in µs per event, the best of five rounds.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import process_time
from typing import Any, NamedTuple

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.engine.fold_agent import FoldAgents
from funnelwatch.agents.engine.judging import Judge
from funnelwatch.agents.engine.kind_fold import KindFold
from funnelwatch.agents.engine.metrics import Metrics
from funnelwatch.agents.engine.progress import Progress
from funnelwatch.agents.engine.shards import Shards
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.codec import UNLIMITED, decode
from funnelwatch.schemas.events import TOPICS, Event, Kind
from funnelwatch.streams import compiled
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.context import Context
from funnelwatch.streams.folds import FOLDS
from funnelwatch.streams.links import Link, encode
from funnelwatch.streams.simulator import Floor, demo_settings

PARTITIONS = 4
PEOPLE = 100
EVENTS_PER_PERSON_AND_DAY = 33
WINDOW = 10_000
"""So many events are read at a time, over all topics and partitions, as in catching up."""
ROUNDS = 5


class Record(NamedTuple):
    """A Kafka record."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


class Rows:
    """A table in memory."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes | None] = {}

    def get_many(self, _: int, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self._rows.get(key) for key in keys]

    def rows(self, _: int) -> Iterable[tuple[bytes, bytes]]:
        return ()

    def is_open(self, _: int) -> bool:
        return True

    def may_be_redelivered(self, *_: Any) -> bool:
        return False

    def write(self, _: int, rows: Mapping[bytes, bytes | None], **__: Any) -> None:
        self._rows.update(rows)

    async def send(self, *_: Any) -> None:
        pass


class Outbox:
    """Keeps links by partition, as the real one sends them; nothing else is expected."""

    def __init__(self) -> None:
        self.links: dict[int, list[bytes]] = defaultdict(list)

    async def send_links(self, links: Iterable[Link]) -> None:
        for link in links:
            self.links[partition_of(link.target_id, PARTITIONS)].append(encode(link))

    async def send_link_records(self, homes: Mapping[int, list[tuple[bytes, bytes]]]) -> None:
        for partition, records in homes.items():
            self.links[partition] += [value for _, value in records]

    async def forward(self, _: str, items: Sequence[Any]) -> None:
        assert not items

    async def send_dead_letters(self, refused: Sequence[Any]) -> None:
        assert not refused


Chunks = list[tuple[Kind, list[Record]]]


def chunks(count: int) -> list[Chunks]:
    """Windows of the newest ``count`` events of a floor, each in chunks of one partition."""
    days = count // (PEOPLE * EVENTS_PER_PERSON_AND_DAY) + 8
    events = Floor.with_history(1, now_us(), demo_settings(), days=days, reps=PEOPLE)[1][-count:]
    windows = []
    for begin in range(0, len(events), WINDOW):
        parts: dict[tuple[Kind, int], list[Record]] = defaultdict(list)
        for offset, event in enumerate(events[begin : begin + WINDOW], begin):
            place = event.kind, partition_of(event.subject, PARTITIONS)
            key = event.subject.encode()
            parts[place].append(Record(TOPICS[event.kind], place[1], offset, key, event.value))
        windows.append([(kind, records) for (kind, _), records in parts.items()])
    return windows


class Bench:
    """Agents over tables in memory."""

    def __init__(self, *, is_compiled: bool) -> None:
        settings = demo_settings()
        context = Context(settings, Calendar(settings.calendar))
        judge = Judge(settings)
        self.shards = Shards(settings, context, FOLDS, judge, now_us, is_compiled=is_compiled)
        self.outbox = Outbox()
        self.tables: dict[Kind, Any] = {kind: Rows() for kind in Kind}
        self.agents = FoldAgents(
            tables=self.tables,
            folds={kind: KindFold(FOLDS[kind], context, compiled=is_compiled) for kind in Kind},
            shards=self.shards,
            outbox=self.outbox,  # type: ignore[arg-type]  # as far as it is used
            judge=judge,
            metrics=Metrics(),
            progress=Progress(dict),
            partitions=PARTITIONS,
            now_us=now_us,
            note=lambda *_: None,
        )

    async def open(self) -> None:
        for kind in Kind:
            self.shards.assign(kind, 1, set(range(PARTITIONS)))
            for partition in range(PARTITIONS):
                await self.shards.build(self.tables[kind], kind, partition)

    async def fold(self, windows: list[Chunks]) -> dict[str, float]:
        """CPU seconds for events, for the links they cause, for taking what changed."""
        spent: dict[str, float] = defaultdict(float)
        for window in windows:
            began = process_time()
            for kind, records in window:
                await self.agents.fold_events(kind, records)
            folded = process_time()
            links, self.outbox.links = self.outbox.links, defaultdict(list)
            parts = [
                [Record("links", partition, offset, None, value) for offset, value in enumerate(values)]
                for partition, values in links.items()
            ]
            made = process_time()
            for records in parts:
                await self.agents.fold_links(records)
            linked = process_time()
            for shard in self.shards:
                shard.cells.take_published()
            spent["events"] += folded - began
            spent["links"] += linked - made
            spent["taken"] += process_time() - linked
        return spent


def limit(windows: list[Chunks]) -> dict[str, float]:
    """CPU seconds for decoding and counting alone."""
    began = process_time()
    sums: dict[tuple[str, int], int] = defaultdict(int)
    for window in windows:
        for kind, records in window:
            for record in records:
                for event in decode(kind, record.value, record.headers, UNLIMITED):
                    assert isinstance(event, Event)
                    sums[event.type, event.at // 86_400_000_000] += 1
    return {"limit": process_time() - began}


async def _round(windows: list[Chunks], *, is_compiled: bool) -> dict[str, float]:
    bench = Bench(is_compiled=is_compiled)
    await bench.open()
    return await bench.fold(windows)


def best(measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    return min((measure() for _ in range(ROUNDS)), key=lambda spent: sum(spent.values()))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    windows = chunks(count)
    gc.set_threshold(100_000, 50, 100)  # as the worker does
    gc.freeze()
    decoding = best(lambda: limit(windows))["limit"]
    print(f"limit     {decoding / count * 1e6:8.2f} µs per event")
    for is_compiled in (False, True):
        if is_compiled and not compiled.is_installed():
            print("The compiled fold is not installed.")
            continue
        folding = best(lambda: asyncio.run(_round(windows, is_compiled=is_compiled)))  # noqa: B023  (called at once)
        folding["together"] = sum(folding.values())
        print("compiled" if is_compiled else "python")
        for name, seconds in folding.items():
            print(f"  {name:10}{seconds / count * 1e6:8.2f} µs per event")
        print(f"  {'share':10}{decoding / folding['together']:8.2f}")


if __name__ == "__main__":
    main()

"""Row 3: three brokers, one killed at a time, each in turn, while events flow.

Figures have to be whole again while the broker is still away: the other two have everything, and lead what it led.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Self

from arena import Arena, Broken
from mutations import MUTATIONS
from row import Bench, Row

from funnelwatch.agents.connections import kafka_admin
from funnelwatch.agents.embedded import EmbeddedKafka, free_ports
from funnelwatch.schemas.settings import Secrets, Settings

BROKERS = 3
EXITS_PER_KILL_MAX = 2
"""A worker may leave, uncertain of what arrived; it must not do so again and again."""
WHOLE_SECONDS_MAX = 60.0
IN_SYNC_SECONDS = 90.0
CLUSTER_ID = "chaos-cluster-of-three"


def run(bench: Bench) -> str:
    if "replication_ignored" in bench.changes.mutations:
        MUTATIONS["replication_ignored"]()  # topics are created here
    rounds = bench.pick(1, 4)
    with (
        Cluster(bench.folder, noticed_seconds=bench.pick(3, 9)) as cluster,
        Arena(
            cluster,
            bench.folder,
            seed=bench.seed,
            size=bench.pick((5, 12), (12, 60)),
            changes=bench.changes,
            kafka={"bootstrap": tuple(cluster.bootstrap.split(",")), "replication": BROKERS},
        ) as arena,
    ):
        arena.start()
        whole, took = list(arena.events), []
        turns = [number for _ in range(rounds) for number in range(BROKERS)]
        size = -(-len(whole) // len(turns))
        for turn, number in enumerate(turns):
            arena.events = whole[: (turn + 1) * size]
            took.append(without(arena, cluster, number, whole[turn * size : (turn + 1) * size]))
        equal = arena.verify()
        arena.verify_changelog_alone()
    return (
        f"each of {BROKERS} brokers killed {rounds} times while events came: figures whole {min(took):.1f} to "
        f"{max(took):.1f} s after the kill, the broker still away; own exits {len(arena.own_exits)}; {equal}, also "
        "from the changelog alone"
    )


def without(arena: Arena, cluster: Cluster, number: int, events: list) -> float:
    """Kill a broker amid events, and start it again when all figures are whole; how long that took."""
    exits = len(arena.own_exits)
    arena.feed(events, 4)
    arena.sleep(2)
    arena.say(f"broker {number} killed")
    cluster.brokers[number].kill()
    began = time.monotonic()
    arena.fed()
    arena.await_cells(arena.cells(), min(WHOLE_SECONDS_MAX, arena.patience))
    took = time.monotonic() - began
    left = len(arena.own_exits) - exits
    if left > EXITS_PER_KILL_MAX * len(arena.workers):
        raise Broken(f"workers left {left} times when broker {number} was killed")
    cluster.brokers[number].start()
    arena.until(lambda: cluster.is_in_sync(arena.settings), IN_SYNC_SECONDS, "all replicas in sync")
    return took


class Cluster:
    """Brokers that are controllers, too. ``bootstrap`` names all of them.

    ``noticed_seconds``: until the controllers take a broker that is silent for dead (Kafka's default is 9).
    """

    def __init__(self, folder: Path, *, noticed_seconds: int) -> None:
        ports = free_ports(2 * BROKERS)
        clients, controllers = ports[:BROKERS], ports[BROKERS:]
        voters = [f"{number}@127.0.0.1:{port}" for number, port in enumerate(controllers, start=1)]
        self.brokers = [
            EmbeddedKafka(
                folder / f"kafka{number}",
                clients[number - 1],
                controllers[number - 1],
                node_id=number,
                voters=voters,
                cluster_id=CLUSTER_ID,
                properties={"broker.session.timeout.ms": str(noticed_seconds * 1_000)},
            )
            for number in range(1, BROKERS + 1)
        ]
        self.bootstrap = ",".join(broker.bootstrap for broker in self.brokers)

    def __enter__(self) -> Self:
        for broker in self.brokers:
            broker.launch()
        for broker in self.brokers:
            broker.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        for broker in self.brokers:
            broker.kill()

    def is_in_sync(self, settings: Settings) -> bool:
        """Whether every partition of the installation has all its replicas."""
        return asyncio.run(_is_in_sync(settings))


async def _is_in_sync(settings: Settings) -> bool:
    async with kafka_admin(settings, Secrets()) as admin:
        found = await admin.describe_topics()
    ours = [topic for topic in found if topic["topic"].startswith(settings.kafka.prefix) or topic["is_internal"]]
    return bool(ours) and all(len(part["isr"]) == BROKERS for topic in ours for part in topic["partitions"])


ROW = Row(
    "cluster", "3", "three brokers, one killed at a time, while events flow", run, mutations=("replication_ignored",)
)

"""The gateway on an embedded Kafka: signed webhooks at a steady rate, alone and under attack; when figures are visible.

    uv run --extra embedded python benchmarks/gateway.py [--rate N] [--seconds S] [--slow N]

Callers run in processes of their own on the same machine; each request is timed from when it was due until its answer,
which comes when Kafka has acknowledged its events. "Visible" is from the sending of a webhook until its rep's figure is
announced on Redis' channel, by the shipped worker.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.request import Request, urlopen

import webhooks
from worker import cpu_seconds, watch

from funnelwatch.agents import topics
from funnelwatch.agents.demo.written import as_toml
from funnelwatch.agents.embedded import EmbeddedKafka, EmbeddedRedis, free_ports
from funnelwatch.agents.embedded.process import ServerProcess
from funnelwatch.schemas.settings import (
    GatewaySettings,
    KafkaSettings,
    RedisSettings,
    Secrets,
    Settings,
    SourceSettings,
    WorkerSettings,
)

MAPPING = """
source = "bench"
zone = "Europe/Berlin"
[[files]]
name = "deals"
each = "$.record"
[[files.events]]
type = "deal.won"
id = { template = "{id}/{changed}" }
subject = "id"
time = "changed"
when = [{ column = "stage.name", is = "Won" }]
[files.events.data]
rep_id = { column = "owner.email", prefix = "" }
amount = "value"
customer = "customer"
currency = { constant = "EUR" }
"""
VISIBLE_EVENTS = 300
VISIBLE_PAUSE_SECONDS = 0.02
WARM_SECONDS = 2.0
LOOK_SECONDS = 0.1
READY_SECONDS = 60.0


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1_024


def percentiles(delays: list[float]) -> str:
    cuts = quantiles(delays, n=1_000)
    return f"p50 {cuts[499] * 1e3:.1f}, p99 {cuts[989] * 1e3:.1f}, p99.9 {cuts[998] * 1e3:.1f} ms"


class Bench:
    """Kafka, Redis, the gateway and a worker."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kafka = EmbeddedKafka(root / "kafka", *free_ports(2))
        self.redis = EmbeddedRedis(root / "redis", *free_ports(1))
        gateway, worker = free_ports(2)
        (root / "mapping.toml").write_text(MAPPING)
        (root / "secret").write_text(webhooks.SECRET)
        common: dict[str, Any] = {"secret_file": str(root / "secret"), "requests_per_second_max": 20_000.0}
        self.settings = Settings(
            kafka=KafkaSettings(bootstrap=(self.kafka.bootstrap,)),
            redis=RedisSettings(port=self.redis.port),
            worker=WorkerSettings(data_dir=str(root / "worker"), port=worker),
            gateway=GatewaySettings(port=gateway, data_dir=str(root / "gateway")),
            sources=(
                SourceSettings(name="own", system="cloudevents", **common),
                SourceSettings(
                    name="shop",
                    system="webhook",
                    mapping_file=str(root / "mapping.toml"),
                    options={"scheme": "timed", "timestamp_header": "x-time"},
                    **common,
                ),
            ),
        )
        (root / "funnelwatch.toml").write_text(as_toml(self.settings))
        self.port = gateway
        self.bomb = webhooks.bomb()

    def process(self, name: str) -> ServerProcess:
        environment = {key: text for key, text in os.environ.items() if not key.startswith("FUNNELWATCH_")}
        command = [sys.executable, "-m", "funnelwatch", name, "--config", str(self.root / "funnelwatch.toml")]
        return ServerProcess(name, command, self.root / f"{name}.log", environment)

    def metric(self, name: str) -> float:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return 0.0
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", name + "{")))

    def wait_ready(self) -> None:
        end = time.monotonic() + READY_SECONDS
        while not self.metric("funnelwatch_gateway_kafka_up"):
            if time.monotonic() > end:
                raise SystemExit("the gateway does not reach Kafka")
            time.sleep(LOOK_SECONDS)

    def load(self, pool: ProcessPoolExecutor, pid: int, arguments: argparse.Namespace, *, attacked: bool) -> list[str]:
        """One load, with or without attackers beside it. Lines for the table."""
        before_mb, cpu = resident_mb(pid), cpu_seconds(pid)
        spent, taken = (self.metric(f"funnelwatch_delivery_seconds_{part}") for part in ("sum", "count"))
        running = [pool.submit(webhooks.deliver, self.port, arguments.rate, arguments.seconds)]
        if attacked:
            running.append(pool.submit(webhooks.attack, self.port, arguments.seconds + 1, arguments.slow, self.bomb))
        peak_mb = before_mb
        while not all(one.done() for one in running):
            peak_mb = max(peak_mb, resident_mb(pid))
            time.sleep(LOOK_SECONDS)
        outcome = running[0].result()
        answered = dict(sorted(outcome.statuses.items()))
        spent = self.metric("funnelwatch_delivery_seconds_sum") - spent
        inside_ms = spent / (self.metric("funnelwatch_delivery_seconds_count") - taken) * 1e3
        cores = (cpu_seconds(pid) - cpu) / outcome.seconds
        what = "under attack" if attacked else "alone"
        lines = [
            f"{what}: {arguments.rate:,}/s for {arguments.seconds:g} s, answered {answered}",
            f"    {percentiles(outcome.delays)}; gateway {cores:.2f} cores, {before_mb:.0f} to {peak_mb:.0f} MB,",
            f"    from body read to acknowledged {inside_ms:.1f} ms in the mean",
        ]
        if attacked:
            lines += [f"    {count:6,} × {name}" for name, count in sorted(running[1].result().items())]
        return lines

    async def visible(self) -> str:
        """From the webhook to the figure."""
        created: dict[str, float] = {}
        delays: dict[str, float] = {}
        listens = asyncio.Event()
        watching = asyncio.create_task(watch(self.settings, created, delays, listens))
        await listens.wait()
        for number in range(VISIBLE_EVENTS):
            body = webhooks.won(10**7 + number, "deal.created").replace(
                b"2026-11-23T10:00:00Z", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode()
            )
            proof = f"sha256={webhooks.hmac_hex(webhooks.SECRET, body)}"
            request = Request(f"http://127.0.0.1:{self.port}/hooks/own", body, {"x-signature-256": proof})
            created[f"own:{10**7 + number}"] = time.monotonic()
            await asyncio.to_thread(lambda request=request: urlopen(request, timeout=10).close())
            await asyncio.sleep(VISIBLE_PAUSE_SECONDS)
        await asyncio.sleep(2.0)
        watching.cancel()
        if len(delays) < 0.95 * VISIBLE_EVENTS:
            raise SystemExit(f"only {len(delays)} of {VISIBLE_EVENTS} were announced")
        return f"visible: {percentiles(list(delays.values()))} ({len(delays)} of {VISIBLE_EVENTS} announced)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=2_000, help="webhooks a second")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each load")
    parser.add_argument("--slow", type=int, default=500, help="slow connections of the attack")
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = Bench(Path(folder))
        stack.enter_context(bench.kafka)
        bench.redis.start()
        stack.callback(bench.redis.stop)
        asyncio.run(topics.ensure(bench.settings, Secrets()))
        gateway, worker = bench.process("gateway"), bench.process("worker")
        gateway.start()
        stack.callback(gateway.stop)
        bench.wait_ready()
        assert gateway.pid is not None
        pool = stack.enter_context(ProcessPoolExecutor(2))
        print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}", flush=True)
        warm = argparse.Namespace(**{**vars(arguments), "seconds": WARM_SECONDS})
        bench.load(pool, gateway.pid, warm, attacked=False)
        for attacked in (False, True):
            print("\n".join(bench.load(pool, gateway.pid, arguments, attacked=attacked)), flush=True)
        print(
            f"events published: {bench.metric('funnelwatch_source_events_total'):,.0f}, on disk: "
            f"{bench.metric('funnelwatch_spool_events'):.0f}"
        )
        worker.start()
        stack.callback(worker.stop)
        time.sleep(20)
        print(asyncio.run(bench.visible()))


if __name__ == "__main__":
    main()

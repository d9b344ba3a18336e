"""From an event in Kafka to the receiver of a page: the shipped worker, board and rules, Prometheus and Alertmanager.

    uv run --extra embedded python benchmarks/alerts.py [--pages N] [--profile fast|default|both]

Every rep has weeks of ordinary losses behind her or him. Then, at random moments, all that one rep has left is lost at
once: from the acknowledgement of the last of these events until the webhook has the page. Prints the quantiles, the
pages that never came, those told twice, and how the slowest compares with the sum of the profile's intervals.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import NamedTuple

from aiohttp import web
from aiokafka import AIOKafkaProducer
from msgspec.structs import replace

from funnelwatch.agents import topics
from funnelwatch.agents.board.told import Message
from funnelwatch.agents.demo.written import as_toml
from funnelwatch.agents.deploy import alertmanager as routing
from funnelwatch.agents.embedded import EmbeddedKafka, EmbeddedRedis, alerting, free_ports
from funnelwatch.agents.embedded.process import ServerProcess
from funnelwatch.agents.fetch import UnreachableError, get
from funnelwatch.agents.publisher import Publisher
from funnelwatch.schemas.alerting import AlertingSettings, Contact
from funnelwatch.schemas.encode import HEADERS, encode_event
from funnelwatch.schemas.events import DealData, Event, Kind, RepData
from funnelwatch.schemas.settings import (
    BoardSettings,
    CalendarSettings,
    KafkaSettings,
    PipelineSettings,
    RedisSettings,
    Secrets,
    Settings,
    StageSettings,
    WorkerSettings,
)
from funnelwatch.streams.alerting import files
from funnelwatch.streams.alerting.routing import People
from funnelwatch.streams.alerting.rule import BOARD_JOB, WORKER_JOB

import msgspec  # isort: skip

PROFILES = {
    "fast": AlertingSettings(
        scrape_seconds=1.0, evaluation_seconds=1.0, group_wait_seconds=0.0, group_interval_seconds=0.25
    ),
    "default": AlertingSettings(),
}
LIMITS_SECONDS = {"fast": 3.0, "default": 12.0}
DAY_US = 86_400_000_000
TEAM = 4
DAYS = 60
LOST_AT_ONCE = 30
SPACING_SECONDS = {"fast": (0.5, 1.5), "default": (0.8, 2.4)}
PATIENCE_SECONDS = 30.0
READY_SECONDS = 90.0


class Heard(NamedTuple):
    """One page as it came: when (monotonic), about whom, and when it says it began."""

    at: float
    rep: str
    started: str


class Pager:
    """The receiver of pages."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.heard: list[Heard] = []
        self.messages = 0
        self.without_news = 0
        self._known: set[tuple[str, ...]] = set()

    async def _take(self, request: web.Request) -> web.Response:
        at = time.monotonic()
        self.messages += 1
        found = msgspec.json.decode(await request.read(), type=Message)
        told = {
            (one.labels.get("rep", ""), one.labels.get("team", ""), one.status, one.started) for one in found.alerts
        }
        new = told - self._known
        self.without_news += not new
        self._known |= new
        self.heard += [Heard(at, rep, started) for rep, _, status, started in new if rep and status == "firing"]
        return web.Response()

    async def start(self) -> web.AppRunner:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.add_routes([web.post("/", self._take)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        return runner


def settings_for(profile: AlertingSettings, kafka: str, redis_port: int, folder: Path, pager: int) -> Settings:
    worker, board = free_ports(2)
    always = CalendarSettings(
        working_days=("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        hours=("00:00-24:00",),
    )
    return Settings(
        calendar=always,
        pipelines=(PipelineSettings("sales", (StageSettings("offer"), StageSettings("closing"))),),
        kafka=KafkaSettings(bootstrap=(kafka,), prefix=f"{folder.name}.", group=folder.name),
        redis=RedisSettings(port=redis_port, prefix=folder.name),
        worker=WorkerSettings(data_dir=str(folder / "worker"), port=worker),
        board=BoardSettings(port=board),
        alerting=replace(profile, everybody=Contact(webhook=f"http://127.0.0.1:{pager}/")),
    )


def ordinary(reps: int, now_us: int, dice: random.Random) -> list[Event]:
    """Weeks in which every rep loses about half of one to three deals a day."""
    events = []
    for number in range(reps):
        rep = f"rep-{number:03}"
        data = RepData(name=f"Rep {number}", team=f"team-{number // TEAM}", manager=f"manager-{number // TEAM}")
        events.append(Event(Kind.REP, "rep.upserted", f"{rep}-r", "bench", rep, now_us - DAYS * DAY_US, data))
        for day in range(1, DAYS):
            for one in range(dice.randint(1, 3)):
                deal = f"{rep}-{day}-{one}"
                kind = "deal.lost" if dice.random() < 0.5 else "deal.won"
                events.append(closed(deal, kind, rep, now_us - day * DAY_US))
    return sorted(events, key=lambda event: event.at)


def closed(deal: str, kind: str, rep: str, at: int) -> Event:
    data = DealData(rep_id=rep, pipeline="sales", stage="offer", amount=10_000_000, currency="EUR")
    return Event(Kind.DEAL, kind, f"{deal}-{kind}", "bench", deal, at, data)


async def publish_history(settings: Settings, events: list[Event]) -> None:
    async with Publisher(settings, Secrets()) as publisher:
        for event in events:
            await publisher.add(topics.input_topic(settings, event.kind), event.subject, encode_event(event))
        await publisher.flush()


async def until(what: str, so, seconds: float = READY_SECONDS) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if await asyncio.to_thread(so):
            return
        await asyncio.sleep(0.2)
    print(f"not within {seconds:g} s: {what}", file=sys.stderr)


def judged(settings: Settings, reps: int) -> bool:
    """Whether the board judges everybody."""
    try:
        _, body = get("127.0.0.1", settings.board.port, "/metrics")
    except UnreachableError:
        return False
    return body.count(b"\nsales_rep_evidence{") >= reps and b"funnelwatch_board_judgement_held 0" in body


async def measure(name: str, pages: int, seed: int, *, kafka: str, redis_port: int, folder: Path) -> bool:
    """One profile; whether it held."""
    dice = random.Random(seed)
    pager_port, prometheus_port, alertmanager_port = free_ports(3)
    settings = settings_for(PROFILES[name], kafka, redis_port, folder, pager_port)
    reps = pages * TEAM  # the others of each team go on as before: what a whole team does is no rep's page
    await topics.ensure(settings, Secrets())
    now_us = time.time_ns() // 1_000
    await publish_history(settings, ordinary(reps, now_us, dice))
    async with AsyncExitStack() as stack:
        pager = Pager(pager_port)
        runner = await pager.start()
        stack.push_async_callback(runner.cleanup)
        servers = launch(settings, folder, prometheus_port, alertmanager_port)
        for server in servers:
            stack.callback(server.stop)
        await until("everybody is judged", lambda: judged(settings, reps))
        await asyncio.sleep(PROFILES[name].scrape_seconds + PROFILES[name].evaluation_seconds + 2)
        before = len(pager.heard)
        sent = await page_all(settings, list(range(0, reps, TEAM)), dice, name)
        await until("all pages came", lambda: sent.keys() <= {one.rep for one in pager.heard}, PATIENCE_SECONDS)
        await asyncio.sleep(PROFILES[name].evaluation_seconds + 1.0)
        if before:
            print(f"{before} pages came before anything was planted: {pager.heard[:before]}")
        return report(name, sent, pager)


def launch(settings: Settings, folder: Path, prometheus_port: int, alertmanager_port: int) -> list:
    folder.mkdir()
    (folder / "funnelwatch.toml").write_text(as_toml(settings), "utf-8")
    command = [sys.executable, "-m", "funnelwatch"]
    parts = [
        ServerProcess(part, [*command, part, "--config", str(folder / "funnelwatch.toml")], folder / f"{part}.log")
        for part in ("worker", "board")
    ]
    for part in parts:
        part.start()
    jobs = {BOARD_JOB: [f"127.0.0.1:{settings.board.port}"], WORKER_JOB: [f"127.0.0.1:{settings.worker.port}"]}
    (folder / "prometheus").mkdir()
    (folder / "prometheus" / "rules.yml").write_text(files.rules(settings), "utf-8")
    scraping = files.scraping(settings, jobs, [f"127.0.0.1:{alertmanager_port}"])
    (folder / "prometheus" / "prometheus.yml").write_text(scraping, "utf-8")
    routing.write(folder / "alertmanager", routing.configuration(settings, People()))
    alertmanager = alerting.alertmanager(folder / "alertmanager", alertmanager_port)
    alertmanager.start()
    prometheus = alerting.prometheus(folder / "prometheus", prometheus_port)
    prometheus.start()
    return [alertmanager, prometheus, *parts]


async def page_all(settings: Settings, numbers: list[int], dice: random.Random, name: str) -> dict[str, float]:
    """Let one rep after the other lose; when the last event of each was acknowledged."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap[0], acks="all", linger_ms=0)
    await producer.start()
    sent: dict[str, float] = {}
    topic = topics.input_topic(settings, Kind.DEAL)
    dice.shuffle(numbers)
    try:
        for number in numbers:
            await asyncio.sleep(dice.uniform(*SPACING_SECONDS[name]))
            rep, now_us = f"rep-{number:03}", time.time_ns() // 1_000
            waiting = []
            for one in range(LOST_AT_ONCE):
                event = closed(f"{rep}-now-{one}", "deal.lost", rep, now_us)
                key = event.subject.encode()
                waiting.append(await producer.send(topic, encode_event(event), key=key, headers=list(HEADERS)))
            await asyncio.gather(*waiting)
            sent[rep] = time.monotonic()
    finally:
        await producer.stop()
    return sent


def report(name: str, sent: dict[str, float], pager: Pager) -> bool:
    first: dict[str, float] = {}
    for one in pager.heard:
        first.setdefault(one.rep, one.at)
    took = sorted(first[rep] - at for rep, at in sent.items() if rep in first)
    lost = len(sent) - len(took)
    strangers = sorted(first.keys() - sent.keys())
    twice = len(pager.heard) - len(first)
    profile, limit = PROFILES[name], LIMITS_SECONDS[name]
    bound = profile.scrape_seconds + profile.evaluation_seconds + profile.group_wait_seconds
    quantile = lambda q: took[min(len(took) - 1, int(q * len(took)))] if took else float("nan")  # noqa: E731  (local)
    print(
        f"| {name} ({profile.scrape_seconds:g} s, {profile.evaluation_seconds:g} s, {profile.group_wait_seconds:g} s) "
        f"| {len(sent)} | {lost} | {twice} | {quantile(0.5):.2f} | {quantile(0.9):.2f} | {quantile(0.99):.2f} "
        f"| {took[-1] if took else float('nan'):.2f} | {limit:g} | {quantile(0.99) / bound:.2f} |"
    )
    print(
        f"  {pager.messages} messages, {pager.without_news} without anything new; not planted: {strangers or 'none'}",
        file=sys.stderr,
    )
    return not (lost or twice or pager.without_news or strangers) and quantile(0.99) < limit


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=40)
    parser.add_argument("--profile", choices=[*PROFILES, "both"], default="both")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # new topics have no leader for a moment
    for names in (alerting.PROMETHEUS, alerting.ALERTMANAGER):
        if alerting.executable(names) is None:
            raise SystemExit(f"{names[0]} is not on the path")
    names = list(PROFILES) if options.profile == "both" else [options.profile]
    with tempfile.TemporaryDirectory(prefix="funnelwatch-alerts-") as scratch, ExitStack() as stack:
        folder = Path(scratch)
        kafka = EmbeddedKafka(folder / "kafka", *free_ports(2))
        kafka.start()
        stack.callback(kafka.stop)
        redis = EmbeddedRedis(folder / "redis", *free_ports(1))
        redis.start()
        stack.callback(redis.stop)
        print("| profile (scrape, evaluation, group wait) | pages | lost | twice | p50 s | p90 s | p99 s | max s "
              "| limit s | p99 ÷ sum of the intervals |")  # fmt: skip
        print("|---|---|---|---|---|---|---|---|---|---|")
        servers = {"kafka": kafka.bootstrap, "redis_port": redis.port}
        held = [
            asyncio.run(measure(name, options.pages, options.seed, folder=folder / name, **servers)) for name in names
        ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    raise SystemExit(main())

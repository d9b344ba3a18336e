"""Row 11: secrets in every header, field and setting; none is in anything that any process writes or serves.

The original key, value and headers of a dead letter are the sender's own and stay as they were, or nothing could be
sent again; what we add to it (``dlq_…``) says what is wrong and quotes nothing. Ids, names and labels (reps, teams,
stages, reasons of a loss) are what figures are about, and are shown. Rows keep what was observed: disks and changelogs
are not searched for contents of events.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import msgspec
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from arena import CLOCK, UNTIL, Broken
from planted import Secrets as Planted
from planted import bad, configurations, good
from row import Bench, Row
from support.compare import difference
from support.deployment import Deployment

from funnelwatch.agents import topics
from funnelwatch.agents.demo.written import as_toml
from funnelwatch.agents.embedded import EmbeddedKafka, EmbeddedRedis, free_ports
from funnelwatch.agents.partitioning import partition_of
from funnelwatch.schemas.settings import BoardSettings, KafkaSettings, RedisSettings, Secrets, Settings, WorkerSettings
from funnelwatch.streams.simulator import Floor
from funnelwatch.streams.simulator.demo import TEHRAN_CALENDAR, demo_settings

HOST = "127.0.0.1"
ENTRY = Path(__file__).with_name("mutated_entry.py")
PARTITIONS = 2
KAFKA, REDIS = "FUNNELWATCH_KAFKA_PASSWORD", "FUNNELWATCH_REDIS_PASSWORD"
STREAM_SECONDS = 2.0
EQUAL_SECONDS = 60.0


def run(bench: Bench) -> str:
    planted = Planted(bench.seed)
    passwords = {KAFKA: planted.new("the password of Kafka"), REDIS: planted.new("the password of Redis")}
    plain, controller, guarded, redis_port, board_port, worker_port = free_ports(6)
    own = EmbeddedKafka(
        bench.folder / "kafka", plain, controller, properties=listeners(plain, controller, guarded, passwords[KAFKA])
    )
    settings = msgspec.structs.replace(
        demo_settings(TEHRAN_CALENDAR),
        clock=CLOCK,
        kafka=KafkaSettings(bootstrap=(f"{HOST}:{guarded}",), security="plain", username="ann", partitions=PARTITIONS),
        redis=RedisSettings(port=redis_port),
        worker=WorkerSettings(data_dir=str(bench.folder / "disk"), port=worker_port, session_seconds=6),
        board=BoardSettings(port=board_port),
    )
    server = EmbeddedRedis(bench.folder / "redis", redis_port)
    with own, server:
        redis.Redis(port=redis_port).config_set("requirepass", passwords[REDIS])
        with Guarded(settings, bench.folder / "run", bench.changes.mutations, passwords) as deployment:
            return _run(bench, deployment, planted, f"{HOST}:{plain}")


def listeners(plain: int, controller: int, guarded: int, password: str) -> dict[str, str]:
    """Of a broker that asks Ann for her password on one of its ports."""
    return {
        "listeners": f"PLAINTEXT://{HOST}:{plain},SASL://{HOST}:{guarded},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{plain},SASL://{HOST}:{guarded}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl.plain.sasl.jaas.config": (
            f'org.apache.kafka.common.security.plain.PlainLoginModule required user_ann="{password}";'
        ),
    }


class Guarded(Deployment):
    """On servers that ask for passwords. What commands say is kept."""

    def __init__(
        self, settings: Settings, folder: Path, mutations: tuple[str, ...], passwords: Mapping[str, str]
    ) -> None:
        super().__init__(settings, folder)
        self.mutations, self.passwords = ",".join(mutations), passwords
        self.said: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(as_toml(self.settings), encoding="utf-8")
        asyncio.run(topics.ensure(self.settings, Secrets(kafka_password=self.passwords[KAFKA])))
        return self

    def start(self, name: str) -> None:
        command = [sys.executable, ENTRY, self.mutations, name, "--config", self.config]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | self.passwords)

    def hear(self, *arguments: str, config: Path | None = None, **variables: str) -> int:
        """Run a command and keep what it says; its exit code."""
        command = self.command(*arguments, "--config", str(config or self.config))
        own = os.environ | self.passwords | variables
        done = subprocess.run(command, capture_output=True, timeout=90, check=False, env=own)
        self.said[f"{' '.join(arguments)} ({len(self.said)})"] = done.stdout + done.stderr
        return done.returncode


def _run(bench: Bench, deployment: Guarded, planted: Planted, bootstrap: str) -> str:
    settings = deployment.settings
    _, events = Floor.with_history(bench.seed, UNTIL, settings, reps=bench.pick(4, 12), days=bench.pick(8, 60))
    taken, refused = list(good(events, planted)), list(bad(planted))
    deployment.start("worker")
    deployment.start("board")
    asyncio.run(send(bootstrap, settings, taken + refused))
    deployment.wait("all is read", lambda: deployment.events_read() >= len(taken) + len(refused))
    say("all is read")
    documents = equal(deployment, taken)
    say("documents equal")
    misuse(deployment, planted)
    say("commands have said what they say")
    written = deployment.said | served(deployment) | logs(deployment) | stored(deployment)
    written |= asyncio.run(told(bootstrap, settings, len(refused)))
    for name in ("worker", "board"):
        deployment.stop(name)
    written |= {f"{name}, stopped": text for name, text in logs(deployment).items()}
    leaks = [f"{place} is in {name}" for name, text in written.items() for place in planted.in_text(text)]
    if leaks:
        raise Broken(f"{len(leaks)} secrets are told, for instance: {'; '.join(leaks[:5])}")
    size = sum(map(len, written.values()))
    return (
        f"{len(planted.places):,} secrets in settings, headers and fields of {len(taken):,} good and {len(refused):,} "
        f"refused events; {len(written)} pages, answers, logs, outputs, topics and keys of {size / 1e6:.1f} MB have "
        f"none of them; {documents} documents equal"
    )


def say(what: str) -> None:
    logging.getLogger("chaos").info("          %s", what)


async def send(bootstrap: str, settings: Settings, messages: list) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for number, (kind, value, headers) in enumerate(messages):
            subject = subject_of(value) or f"{number}"
            partition = partition_of(subject, PARTITIONS)
            topic = topics.input_topic(settings, kind)
            await producer.send(topic, value, key=subject.encode(), headers=headers, partition=partition)


def subject_of(value: bytes) -> str | None:
    with contextlib.suppress(ValueError):
        found = json.loads(value).get("subject")
        return found if isinstance(found, str) else None
    return None


def equal(deployment: Guarded, taken: list) -> int:
    """Wait until every document of the board is the oracle's; how many there are."""
    path = deployment.folder / "events.ndjson"
    path.write_bytes(b"".join(value + b"\n" for _, value, _ in taken))
    done = deployment.run("report", str(path), "--clock", CLOCK, "--config", str(deployment.config))
    deployment.said["report's summary"] = done.stderr.encode()
    truth = json.loads(done.stdout)

    def found() -> dict[str, Any] | None:
        organisation = deployment.json("/api/v1/organisation")
        return organisation and {
            "organisation": organisation,
            "reps": {rep: deployment.json(f"/api/v1/reps/{quote(rep, safe='')}") for rep in truth["reps"]},
            "teams": {team: deployment.json(f"/api/v1/teams/{quote(team, safe='')}") for team in truth["teams"]},
        }

    try:
        deployment.wait("documents equal", lambda: difference(truth, found()) is None, EQUAL_SECONDS)
    except AssertionError as failed:
        raise Broken(f"documents differ: {difference(truth, found())}") from failed
    return 1 + len(truth["reps"]) + len(truth["teams"])


def misuse(deployment: Guarded, planted: Planted) -> None:
    """Commands that work, passwords that are wrong, and configurations with secrets where none belongs."""
    rep = next(iter(deployment.json("/api/v1/reps")["rows"]))["id"]
    for arguments in (("check",), ("topics",), ("topics", "--check"), ("kpis", "--rep", rep), ("dlq", "list")):
        if deployment.hear(*arguments):
            raise Broken(f"{' '.join(arguments)} failed: {list(deployment.said.values())[-1][-300:]!r}")
    for name in (KAFKA, REDIS):
        wrong = {name: planted.new(f"a wrong {name}")}
        for command in ("check", "topics", "worker") if name == KAFKA else ("check",):
            if deployment.hear(command, **wrong) == 0:
                raise Broken(f"{command} does not mind a wrong {name}")
    for number, (text, variables) in enumerate(configurations(planted)):
        config = deployment.folder / f"wrong{number}.toml"
        config.write_text(text)
        if deployment.hear("check", config=config, **variables) == 0:
            raise Broken(f"a configuration with a secret in the wrong place is taken: {text!r} {list(variables)}")


def served(deployment: Guarded) -> dict[str, bytes]:
    """All that board and worker answer."""
    rows = {level: deployment.json(f"/api/v1/{level}")["rows"] for level in ("reps", "teams")}
    paths = [
        *("/api/v1/reps", "/api/v1/teams", "/api/v1/organisation", "/api/v1/alerts", "/api/v1/status"),
        *("/api/v1/openapi.json", "/healthz", "/readyz", "/metrics", "/", "/reps/x", "/api/v1/reps/none"),
        *(f"/api/v1/{level}/{quote(row['id'], safe='')}" for level, found in rows.items() for row in found),
    ]
    answers = {path: deployment.get(path)[1] for path in paths}
    answers |= {f"worker {path}": deployment.get_worker(path)[1] for path in ("/metrics", "/healthz", "/readyz")}
    empty = [path for path, answer in answers.items() if not answer]
    if empty:
        raise Broken(f"no answer from {empty}")
    return answers | {"the stream": streamed(deployment.settings)}


def streamed(settings: Settings) -> bytes:
    """What a page is told as long as it listens."""
    heard, end = b"", time.monotonic() + STREAM_SECONDS
    with socket.create_connection((settings.board.host, settings.board.port), STREAM_SECONDS) as connection:
        connection.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: board\r\n\r\n")
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < end:
                heard += connection.recv(1 << 16)
    return heard


def logs(deployment: Guarded) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in deployment.folder.glob("*.log")}


def stored(deployment: Guarded) -> dict[str, bytes]:
    """All that is in Redis."""
    client = redis.Redis(port=deployment.settings.redis.port, password=deployment.passwords[REDIS])
    found = {}
    for key in client.scan_iter():
        kind = client.type(key)
        value = client.hgetall(key) if kind == b"hash" else client.get(key) if kind == b"string" else b""
        found[f"Redis {key.decode()}"] = key + repr(value).encode()
    return found


async def told(bootstrap: str, settings: Settings, refused: int) -> dict[str, bytes]:
    """What we publish: documents, alerts, and what we add to dead letters. Raises `Broken` if those are not all."""
    found: dict[str, bytes] = {}
    letters = 0
    for topic in (topics.reps_topic(settings), topics.alerts_topic(settings), topics.dead_letters_topic(settings)):
        is_ours = topic != topics.dead_letters_topic(settings)
        async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
            parts = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
            consumer.assign(parts)
            ends = await consumer.end_offsets(parts)
            for part in parts:
                while await consumer.position(part) < ends[part]:
                    for record in (await consumer.getmany(part, timeout_ms=500)).get(part, []):
                        letters += not is_ours
                        kept = [pair for pair in record.headers if is_ours or pair[0] in OURS]
                        body = (record.key or b"") + (record.value or b"") if is_ours else b""
                        found[f"{topic}[{part.partition}]@{record.offset}"] = body + repr(kept).encode()
    if letters != refused:
        raise Broken(f"{refused} events must be refused, {letters} were")
    return found


OURS = ("dlq_reason", "dlq_detail", "dlq_topic", "dlq_partition", "dlq_offset", "dlq_time")

ROW = Row(
    "leaks",
    "11",
    "secrets in every header, field and setting are told nowhere",
    run,
    mutations=("details_quoted", "urls_whole"),
)

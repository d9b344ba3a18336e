"""``funnelwatch replay`` of a file of deal events into Kafka: how many a second, packed, compressed or not.

    uv run --extra embedded python benchmarks/replay.py [--events N] [--reps N]

Seconds are those the program reports, of reading the file and publishing until everything is acknowledged; CPU is the
program's, its start included.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from peers.workload import as_wire, events

from funnelwatch.agents import topics
from funnelwatch.agents.demo.written import as_toml
from funnelwatch.agents.embedded import EmbeddedKafka, free_ports
from funnelwatch.schemas.settings import KafkaSettings, Secrets, Settings

WAYS = ((), ("--pack", "100"), ("--pack", "100", "--compression", "gzip"))
SEED = 1


def replay(kafka: EmbeddedKafka, folder: Path, file: Path, prefix: str, way: tuple[str, ...]) -> tuple[float, float]:
    """Events per second, and CPU seconds."""
    settings = Settings(kafka=KafkaSettings(bootstrap=(kafka.bootstrap,), prefix=prefix))
    asyncio.run(topics.ensure(settings, Secrets()))
    configuration = folder / "replay.toml"
    configuration.write_text(as_toml(settings))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "funnelwatch", "replay", "--config", str(configuration), *way, str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = re.search(r"([\d,]+) events published .* in ([\d.]+) s\.", done.stdout)
    assert told, done.stdout
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return int(told[1].replace(",", "")) / float(told[2]), cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--reps", type=int, default=3, help="repetitions")
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)  # new topics' leaders are not known at once: aiokafka says so and tries again
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "events.ndjson"
        with file.open("wb") as lines:
            lines.writelines(as_wire(event) + b"\n" for event in events(arguments.events, SEED))
        found: dict[tuple[str, ...], list[tuple[float, float]]] = {way: [] for way in WAYS}
        with EmbeddedKafka(folder / "kafka", *free_ports(2)) as kafka:
            for number in range(arguments.reps):
                for place, way in enumerate(WAYS):
                    rate, cpu = replay(kafka, folder, file, f"r{number}-{place}.", way)
                    found[way].append((rate, cpu))
                    print(f"{number + 1}: {rate:,.0f}/s, {cpu:.1f} CPU s: {' '.join(way)}", flush=True)
    print(f"median of {arguments.reps}, {arguments.events:,} events, {os.cpu_count()} cores")
    for way, runs in found.items():
        rate, cpu = map(median, zip(*runs, strict=True))
        print(f"{' '.join(way) or 'as it is':36}{rate:10,.0f} events/s{cpu:8.1f} CPU s")


if __name__ == "__main__":
    main()

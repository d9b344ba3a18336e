"""``funnelwatch replay`` of a file of deal events into Kafka: how many a second, packed, compressed or not.

    uv run --extra embedded python benchmarks/replay.py [--events N] [--reps N]

Seconds are those the program reports, of reading the file and publishing until everything is acknowledged; CPU is the
program's, its start included, and the broker's.
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

from peers.measuring import cpu_seconds
from peers.workload import as_wire, events

from funnelwatch.agents import topics
from funnelwatch.agents.demo.written import as_toml
from funnelwatch.agents.embedded import EmbeddedKafka, free_ports
from funnelwatch.schemas.settings import KafkaSettings, Secrets, Settings

WAYS = (
    ("--dry-run",),
    (),
    ("--compression", "none"),
    ("--pack", "1", "--compression", "none"),
    ("--compression", "gzip"),
)
SEED = 1


def replay(kafka: EmbeddedKafka, folder: Path, file: Path, prefix: str, way: tuple[str, ...]) -> tuple[float, ...]:
    """Events per second, CPU seconds, and the broker's."""
    assert kafka.pid is not None, "the broker has ended"
    settings = Settings(kafka=KafkaSettings(bootstrap=(kafka.bootstrap,), prefix=prefix))
    asyncio.run(topics.ensure(settings, Secrets()))
    configuration = folder / "replay.toml"
    configuration.write_text(as_toml(settings))
    before, broker = resource.getrusage(resource.RUSAGE_CHILDREN), cpu_seconds([kafka.pid])
    done = subprocess.run(
        [sys.executable, "-m", "funnelwatch", "replay", "--config", str(configuration), *way, str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = re.search(r"([\d,]+) events (?:would be )?published.* in ([\d.]+) s\.", done.stdout)
    assert told, done.stdout
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return int(told[1].replace(",", "")) / float(told[2]), cpu, cpu_seconds([kafka.pid]) - broker


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
        found: dict[tuple[str, ...], list[tuple[float, ...]]] = {way: [] for way in WAYS}
        with EmbeddedKafka(folder / "kafka", *free_ports(2)) as kafka:
            for number in range(arguments.reps):
                for place, way in enumerate(WAYS):
                    told = replay(kafka, folder, file, f"r{number}-{place}.", way)
                    found[way].append(told)
                    print(f"{number + 1}: {told[0]:,.0f}/s, {told[1]:.1f} CPU s: {' '.join(way)}", flush=True)
    load = os.getloadavg()[0]
    print(f"median of {arguments.reps}, {arguments.events:,} events, {os.cpu_count()} cores, load average {load:.1f}")
    print("\n| | events/s | CPU s | broker's |\n|---|---|---|---|")
    for way, runs in found.items():
        rate, cpu, broker = map(median, zip(*runs, strict=True))
        print(f"| {' '.join(way) or 'as it is'} | {rate:,.0f} | {cpu:.1f} | {broker:.1f} |")


if __name__ == "__main__":
    main()

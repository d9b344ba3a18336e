"""Tables of what was measured, as Markdown."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

import msgspec

from peers.catch_up import CaughtUp
from peers.latency import Latency
from peers.systems import BY_NAME, SYSTEMS

Measured = list[CaughtUp | Latency]
OURS = ("reduced", "shipped")
TROUBLE_CHARS = 300


class _Part(msgspec.Struct):
    part: str


def read_results(file: Path) -> Measured:
    """Everything a file of results has."""
    found: Measured = []
    for line in file.read_bytes().splitlines() if file.exists() else ():
        kind = CaughtUp if msgspec.json.decode(line, type=_Part).part == "catch-up" else Latency
        found.append(msgspec.json.decode(line, type=kind))
    return found


def conditions() -> str:
    """The machine and the versions, in a few lines."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1_048_576
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    java = _first_line("java", "-version")
    return "\n".join(
        [
            f"{os.cpu_count()} cores ({model.partition(':')[2].strip()}), {memory} GB, load average {load}",
            f"Python {platform.python_version()}, funnelwatch {version('funnelwatch')}, aiokafka {version('aiokafka')}",
            f"broker: Apache Kafka of agents/embedded, one process, {platform.system()} {platform.release()}",
            f"Java of the peers: {java}; Go: {_first_line('go', 'version')}",
        ]
    )


def _first_line(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return "none"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()[0]


def tables(measured: Measured) -> str:
    """All that can be said."""
    caught = [one for one in measured if isinstance(one, CaughtUp)]
    single = [one for one in caught if one.workers == 1]
    parts = [_catch_up(single), _ratios(single), _two(caught), _latency(measured), _wrong(measured)]
    return "\n\n".join(part for part in parts if part)


def _of(found: Sequence[CaughtUp], name: str) -> list[CaughtUp]:
    return [one for one in found if one.system == name and one.is_right]


def _catch_up(single: Sequence[CaughtUp]) -> str:
    lines = [
        "| system | runs | events | events/s: median (lowest to highest) | CPU s per million | broker | peak MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for system in SYSTEMS:
        runs = _of(single, system.name)
        if runs:
            rates = sorted(one.rate for one in runs)
            cpu, broker, peak = (_median(runs, name) for name in ("cpu", "broker_cpu", "peak_mb"))
            lines.append(
                f"| {system.title} | {len(runs)} | {max(one.events for one in runs):,} | {median(rates):,.0f} "
                f"({rates[0]:,.0f} to {rates[-1]:,.0f}) | {cpu:.1f} | {broker:.1f} | {peak:.0f} |"
            )
    return "\n".join(lines) if len(lines) > 2 else ""


def _median(runs: Sequence[CaughtUp], name: str) -> float:
    return median(getattr(one, name) for one in runs)


def _ratios(single: Sequence[CaughtUp]) -> str:
    """Of medians: each of ours beside each other system."""
    lines = ["| | " + " | ".join(f"{name}: events/s | {name}: CPU s" for name in OURS) + " |", "|---|---|---|---|---|"]
    for system in SYSTEMS:
        others = _of(single, system.name)
        if system.ours or not others:
            continue
        shares = []
        for name in OURS:
            mine = _of(single, name)
            for what in ("rate", "cpu"):
                other = _median(others, what)
                shares.append(f"{_median(mine, what) / other:.2f} ×" if mine and other else "")
        lines.append(f"| to {system.title} | {' | '.join(shares)} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def _two(caught: Sequence[CaughtUp]) -> str:
    lines = ["| two workers | runs | events/s | to one worker | CPU s per million |", "|---|---|---|---|---|"]
    for system in SYSTEMS:
        runs = _of([one for one in caught if one.workers == 2], system.name)
        single = _of([one for one in caught if one.workers == 1], system.name)
        if runs and single:
            rate = _median(runs, "rate")
            ratio = rate / _median(single, "rate")
            cpu = _median(runs, "cpu")
            lines.append(f"| {system.title} | {len(runs)} | {rate:,.0f} | {ratio:.2f} × | {cpu:.1f} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def _latency(measured: Measured) -> str:
    lines = ["| at a steady rate | runs | events/s | p50 ms | p99 ms | cores |", "|---|---|---|---|---|---|"]
    for system in SYSTEMS:
        runs = [one for one in measured if isinstance(one, Latency) and one.system == system.name and one.p99]
        if runs:
            middle: Callable[[str], float] = lambda name, runs=runs: median(getattr(one, name) for one in runs)  # noqa: E731  (three lines of use)
            spread = f"{middle('p50'):,.0f} | {middle('p99'):,.0f} | {middle('cores'):.2f}"
            lines.append(f"| {system.title} | {len(runs)} | {middle('rate'):,.0f} | {spread} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def _wrong(measured: Measured) -> str:
    lines = [
        f"- {BY_NAME[one.system].title}, {one.at}: {one.trouble[:TROUBLE_CHARS]}"
        for one in measured
        if one.trouble or (isinstance(one, CaughtUp) and not one.is_right)
    ]
    return "Not right, and not in the tables' medians of catching up:\n\n" + "\n".join(lines) if lines else ""


def is_interpreter_fit() -> bool:
    """Whether /proc and the versions are there that this needs."""
    return sys.platform.startswith("linux")

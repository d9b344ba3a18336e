"""A system reads the whole topic from its beginning; then its figures are checked."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from peers import ours
from peers.broker import Broker
from peers.measuring import PeakMemory, cpu_seconds
from peers.processes import Job, PeerJob, WorkerJob
from peers.systems import System
from peers.workload import Truth, differences

POLL_SECONDS = 0.02
COMMIT_SECONDS = 30.0
LOG_CHARS = 1_500


class Bench(msgspec.Struct):
    """What all runs share. ``topics``: that of the peers by how many events it has."""

    broker: Broker
    redis_port: int
    redis_pid: int
    folder: Path
    topics: dict[int, str]
    truths: dict[int, Truth]
    wire_prefix: str
    patience_seconds: float
    warm_values: Callable[[int], Iterable[bytes]]


class CaughtUp(msgspec.Struct, kw_only=True):
    """One catch-up. CPU in seconds per million events; ``cpu`` is the system's own processes'.

    ``problems``: how many (rep, day) differ from the batch truth, and the first of them; None: it did not finish.
    """

    part: str = "catch-up"
    system: str
    workers: int
    at: str
    load_before: float
    events: int
    rate: float = 0.0
    cpu: float = 0.0
    broker_cpu: float = 0.0
    redis_cpu: float = 0.0
    peak_mb: float = 0.0
    redis_mb: float = 0.0
    start_seconds: float = 0.0
    stopped_in_order: bool = True
    problems: int | None = None
    trouble: str = ""

    @property
    def is_right(self) -> bool:
        """Whether it finished with the right totals."""
        return self.problems == 0


class Stuck(Exception):  # noqa: N818  (of this run only)
    """A system ended, or did not get through in time."""


def start(
    system: System, bench: Bench, app: str, *, topic: str, prefix: str, installed: Path, workers: int
) -> list[Job]:
    """Start a system's processes."""
    broker, state = bench.broker, bench.folder / app
    log = bench.folder / "logs" / f"{app}.log"
    if system.ours:
        every = [ours.settings(broker, bench.redis_port, prefix, app, state / str(n)) for n in range(workers)]
        reduced = installed if system.ours == "reduced" else None
        return [WorkerJob(one, log, reduced=reduced) for one in every]
    broker.create(name.format(app=app) for name in system.topics)
    variables = {"BROKER": broker.bootstrap, "TOPIC": topic, "APP_ID": app, "OUT_TOPIC": f"{app}-out"}
    return [PeerJob(system, installed, variables, state / str(n), log) for n in range(workers)]


@contextmanager
def stopped(jobs: Sequence[Job], stops: list[bool]) -> Iterator[None]:
    """Stop them whatever happens."""
    try:
        yield
    finally:
        stops += [job.stop() for job in jobs]


def run(system: System, bench: Bench, installed: Path, workers: int, say: Callable[[str], None]) -> CaughtUp:
    """One catch-up of a system."""
    events = min(bench.topics) if system.events_max else max(bench.topics)
    app = f"{system.name}-{uuid.uuid4().hex[:6]}"
    now, load = time.strftime("%Y-%m-%dT%H:%M:%S"), round(os.getloadavg()[0], 1)
    result = CaughtUp(system=system.name, workers=workers, at=now, load_before=load, events=events)
    jobs = start(
        system, bench, app, topic=bench.topics[events], prefix=bench.wire_prefix, installed=installed, workers=workers
    )
    stops: list[bool] = []
    try:
        with stopped(jobs, stops):
            _watch(system, bench, jobs, result, say)
            time.sleep(system.settle_seconds)
        result.stopped_in_order = all(stops)
        result.redis_mb = round(ours.redis_mb(bench.redis_port), 1)
        problems = check(system, bench, app, jobs, bench.truths[events])
        result.problems, result.trouble = len(problems), problems[0] if problems else ""
    except Stuck as stuck:
        tail = jobs[0].log.read_text(errors="replace")[-LOG_CHARS:] if jobs[0].log.exists() else ""
        result.trouble = f"{stuck} {tail}"
    finally:
        bench.broker.remove((bench.wire_prefix if system.ours else "") + app)
        ours.forget(bench.redis_port)
        shutil.rmtree(bench.folder / app, ignore_errors=True)
    return result


def _watch(system: System, bench: Bench, jobs: Sequence[Job], result: CaughtUp, say: Callable[[str], None]) -> None:
    pids, servers = [job.pid for job in jobs], (bench.broker.pid, bench.redis_pid)
    started = time.time()
    deadline = started + bench.patience_seconds
    spent = [0.0, *(cpu_seconds([pid]) for pid in servers)]
    began = False
    with PeakMemory(pids) as memory:
        while (through := sum(job.look() for job in jobs)) < result.events:
            if through and not began:
                began = True
                spent = [cpu_seconds(pids), *(cpu_seconds([pid]) for pid in servers)]
            _expect_life(jobs, deadline, through, result.events)
            say(f"{system.name}: {through:,} of {result.events:,}")
            time.sleep(POLL_SECONDS)
        commit_by = time.time() + COMMIT_SECONDS
        while not all(job.committed for job in jobs) and time.time() < commit_by:
            for job in jobs:
                job.look()
            time.sleep(POLL_SECONDS)
        costs = [cpu_seconds(pids), *(cpu_seconds([pid]) for pid in servers)]
    _note(result, jobs, [cost - before for cost, before in zip(costs, spent, strict=True)], started)
    result.peak_mb = round(memory.mb, 1)


def _expect_life(jobs: Sequence[Job], deadline: float, through: int, events: int) -> None:
    if not all(job.running for job in jobs):
        raise Stuck("It ended by itself.")
    if time.time() > deadline:
        raise Stuck(f"Only {through:,} of {events:,} events were through in time.")


def _note(result: CaughtUp, jobs: Sequence[Job], costs: list[float], started: float) -> None:
    """From the first event seen through to the last; if that was one look, from the start."""
    seen = [job.history for job in jobs if job.history]
    firsts = [next(one for one in history if one.events) for history in seen if history[-1].events]
    first, last = min(one.at for one in firsts), max(history[-1].at for history in seen)
    events = result.events - sum(one.events for one in firsts if one.at == first)
    if events <= 0 or last <= first:
        first, events = started, result.events
    result.start_seconds = round(first - started, 2)
    result.rate = round(events / (last - first), 1)
    result.cpu, result.broker_cpu, result.redis_cpu = (round(cost / events * 1e6, 3) for cost in costs)


def check(system: System, bench: Bench, app: str, jobs: Sequence[Job], truth: Truth) -> list[str]:
    """Where a system's figures differ from the batch's."""
    if system.ours == "shipped":
        return ours.shipped_problems(bench.redis_port, app, truth)
    if system.ours:
        return differences(ours.reduced_rows(bench.redis_port, app), truth)
    if not system.rows:
        (job,) = jobs
        assert isinstance(job, PeerJob)
        return differences(job.rows(), truth)
    found = bench.broker.last(system.rows.format(app=app))
    return differences({_name(key): msgspec.json.decode(value) for key, value in found.items() if value}, truth)


def _name(key: bytes) -> str:
    """Some write their keys as JSON."""
    return str(msgspec.json.decode(key)) if key[:1] == b'"' else key.decode()

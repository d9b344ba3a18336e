"""Row 9: the disk under RocksDB full, at once or little by little: nothing is lost, and work goes on with room."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from arena import Arena, Broken
from chaos_worker import ChaosWorker
from row import Bench, Row
from storm import readiness

from funnelwatch.agents.engine.room import EXIT_NO_ROOM

DISK_MB = 64
FREE_MB_MIN = 6
MEGABYTE = 1_000_000
LEFT_SECONDS_MAX = 30.0
FULL_SECONDS = 6.0
FEED_SECONDS = 25
EXITS_MAX = 2
"""Of one filling: a worker leaves, and waits when it is started again."""


def run(bench: Bench) -> str:
    disk = bench.folder / "disk0"
    mount(disk)
    try:
        with Arena(
            bench.broker,
            bench.folder,
            seed=bench.seed,
            size=(10, 20),
            changes=bench.changes,
            workers=2,
            worker={"disk_free_mb_min": FREE_MB_MIN},
        ) as arena:
            return _run(arena, disk)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def _run(arena: Arena, disk: Path) -> str:
    first = arena.workers[0]
    arena.ask_oracle()
    arena.start()
    arena.feed(arena.events, FEED_SECONDS)
    arena.sleep(3)
    figures = []
    for name, keep_free in (("at once", 0), ("little by little", FREE_MB_MIN - 2)):
        exits = len(arena.own_exits)
        arena.say(f"disk full {name}")
        ballast = fill(disk, keep_free * MEGABYTE)
        took = arena.until(lambda exits=exits: len(arena.own_exits) > exits, LEFT_SECONDS_MAX, "the worker left")
        arena.until(lambda: waits(first), LEFT_SECONDS_MAX, "started again, the worker waits for room")
        arena.sleep(FULL_SECONDS)
        left = arena.own_exits[exits:]
        if set(left) != {EXIT_NO_ROOM} or len(left) > EXITS_MAX:
            raise Broken(f"with a full disk the worker left with {left}; {EXIT_NO_ROOM} once is promised")
        ballast.unlink()
        again = arena.until(first.is_ready, LEFT_SECONDS_MAX, "with room the worker works again")
        figures.append(f"{name}: left after {took:.1f} s with {left}, at work {again:.1f} s after there was room")
    equal = arena.verify()
    alone(arena, disk)
    return f"{'; '.join(figures)}; {equal}, also from the changelog alone"


def alone(arena: Arena, disk: Path) -> None:
    """The mount cannot be removed, only what is in it."""
    first = arena.workers[0]
    first.wipe = lambda: [shutil.rmtree(path) if path.is_dir() else path.unlink() for path in disk.iterdir()]
    arena.verify_changelog_alone()


def waits(worker: ChaosWorker) -> bool:
    try:
        return worker.is_alive() and "waits until there are" in readiness(worker)
    except OSError:
        return False


def fill(disk: Path, keep_free: int) -> Path:
    """Write ballast until so much is free; 0: until nothing more fits."""
    path = disk / "ballast"
    with path.open("wb", buffering=0) as ballast:
        for size in (MEGABYTE, 4_096):
            while shutil.disk_usage(disk).free > keep_free + (size if keep_free else 0):
                try:
                    ballast.write(b"\0" * size)
                except OSError:
                    break
    return path


def mount(disk: Path) -> None:
    disk.mkdir(parents=True)
    if os.geteuid():
        raise Broken("this row mounts a small disk of its own: run it as root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(disk)], check=True)


ROW = Row(
    "disk",
    "9",
    "the disk under RocksDB full, at once or nearly; the worker leaves, waits, and goes on",
    run,
    mutations=("room_unseen", "full_disk_passed_over"),
)

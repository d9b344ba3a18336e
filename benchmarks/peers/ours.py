"""Funnelwatch in the comparison: its settings, and what it published in Redis, read as the check needs it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import redis

from funnelwatch.agents.board.shards import shard_key
from funnelwatch.agents.embedded import free_ports
from funnelwatch.schemas.events import Kind
from funnelwatch.schemas.settings import (
    BoardSettings,
    PipelineSettings,
    RedisSettings,
    Settings,
    StageSettings,
    WorkerSettings,
)
from funnelwatch.streams.cells import Cell, CellValue, DayCell, decode_cell, decode_value
from peers.broker import Broker
from peers.reduced import add_cell
from peers.workload import STAGES, Row, Truth

KIND = Kind.DEAL
STAGE_HOURS = 24.0
UNITS_PER_CENT = 100


def settings(broker: Broker, redis_port: int, prefix: str, group: str, data: Path) -> Settings:
    """As an operator would set it up for these deals; all else as it ships."""
    stages = tuple(StageSettings(name, STAGE_HOURS) for name in STAGES)
    worker_port, board_port = free_ports(2)
    return Settings(
        pipelines=(PipelineSettings("default", stages),),
        kafka=broker.settings(prefix, group),
        redis=RedisSettings(port=redis_port, prefix=group),
        worker=WorkerSettings(data_dir=str(data), port=worker_port),
        board=BoardSettings(port=board_port),
    )


def cells(redis_port: int, prefix: str) -> Iterator[tuple[Cell, CellValue]]:
    """Everything published of deals."""
    with redis.Redis(port=redis_port) as client:
        every = shard_key(prefix, Kind.DEAL, 0, "cells").replace(":0}", ":*}")
        for place in client.scan_iter(every, count=1_000):
            found: Any = client.hgetall(place)
            for name, value in found.items():
                cell = decode_cell(name)
                yield cell, decode_value(cell, value)


def forget(redis_port: int) -> None:
    """Empty the comparison's own Redis."""
    with redis.Redis(port=redis_port) as client:
        client.flushdb()


def redis_mb(redis_port: int) -> float:
    """What Redis holds."""
    with redis.Redis(port=redis_port) as client:
        memory: Any = client.info("memory")
        return float(memory["used_memory"]) / 1_048_576


def reduced_rows(redis_port: int, prefix: str) -> dict[str, dict[str, Any]]:
    """The rows of the reduced fold."""
    rows: dict[tuple[str, int], Row] = {}
    for cell, value in cells(redis_port, prefix):
        add_cell(rows, cell, value)
    return {key(*place): msgspec.to_builtins(row) for place, row in rows.items()}


def shipped_problems(redis_port: int, prefix: str, truth: Truth) -> list[str]:
    """Where the product's own figures of a rep and day differ: deals created, won and lost, and the won amount.

    The rest it defines otherwise (by event time, whatever the order of arrival), which its own oracle checks elsewhere.
    """
    found: dict[str, list[int]] = {}
    for cell, value in cells(redis_port, prefix):
        if isinstance(cell, DayCell):
            assert isinstance(value, dict)
            row = found.setdefault(key(cell.rep, cell.day), [0, 0, 0, 0])
            for measure, amount in value.items():
                if measure[0] in _PLACES:
                    row[_PLACES[str(measure[0])]] += amount
    problems = []
    for place in truth.keys() | found.keys():
        row, right = found.get(place, [0, 0, 0, 0]), truth.get(place, Row())
        wanted = [right.created, right.won, right.lost, right.amt * UNITS_PER_CENT]
        if row != wanted:
            problems.append(f"{place} has created, won, lost, won amount {row}, not {wanted}")
    return problems


_PLACES = {"created": 0, "won": 1, "lost": 2, "won_amount": 3}


def key(rep: str, day: int) -> str:
    return f"{rep}|{date.fromordinal(day).isoformat()}"

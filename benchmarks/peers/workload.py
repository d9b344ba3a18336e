"""sales-kpi-1: what every system of the comparison computes, a seeded stream of events, and the right answer in batch.

Per deal: the last stage and since when. Per (rep, day of the event): how many events, deals created, won and lost, the
won amount in cents, late events, and for each stage how long deals stayed in it and how many left it. An event that
comes behind the stage its deal has by then is *late*: it is counted, and the stage stands.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

STAGES = ("lead", "qualified", "demo", "proposal", "negotiation", "contract")
SOURCES = ("crm-web", "crm-mobile", "import", "api")
REPS = 500
DAY_MS = 86_400_000
SPAN_MS = 60 * DAY_MS
BEGIN_MS = 1_735_689_600_000
"""2025-01-01T00:00Z."""
CLOSINGS = {"deal.won": "won", "deal.lost": "lost"}


class Deal(msgspec.Struct):
    """What the work needs of an event."""

    event_id: str
    type: str
    deal_id: str
    rep_id: str
    account_id: str
    stage: str
    amount: float
    occurred_at: str
    source: str


class Row(msgspec.Struct):
    """Figures of one rep and one day. ``ds``: ms in a stage until it was left; ``dc``: how often."""

    n: int = 0
    created: int = 0
    won: int = 0
    lost: int = 0
    amt: int = 0
    late: int = 0
    ds: dict[str, int] = {}
    dc: dict[str, int] = {}


Truth = dict[str, Row]
"""By ``rep|YYYY-MM-DD``."""
decode = msgspec.json.Decoder(Deal).decode


class _Made(NamedTuple):
    """An event as it is made; the order is that of arrival."""

    arrives_ms: int
    number: int
    type: str
    deal: str
    rep: int
    stage: str
    amount: float
    source: int
    at_ms: int


def iso(at_ms: int) -> str:
    whole = datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{at_ms % 1000:03d}Z"


def ms_of(text: str) -> int:
    """``2025-03-01T12:34:56.789Z`` in ms since the epoch, exactly."""
    return int(datetime.fromisoformat(text[:19] + "+00:00").timestamp()) * 1000 + int(text[20:23])


def weights() -> list[float]:
    """Cumulated weights of the reps: the first has as much as the second and third together, and so on."""
    total, cumulated = 0.0, []
    for place in range(REPS):
        total += 1 / (place + 1)
        cumulated.append(total)
    return cumulated


def _moves(chance: random.Random) -> list[tuple[str, str]]:
    """Type and stage of each event of one deal."""
    moves = [("deal.created", STAGES[0])]
    place = 0
    while place < len(STAGES) - 1 and chance.random() < 0.88:
        place += 1
        moves.append(("deal.stage_changed", STAGES[place]))
        if chance.random() < 0.15 and place > 1:
            moves.append(("deal.stage_changed", STAGES[place - 1]))
            moves.append(("deal.stage_changed", STAGES[place]))
    fate = chance.random()
    if fate < 0.3:
        moves.append(("deal.won", "won"))
    elif fate < 0.85:
        moves.append(("deal.lost", "lost"))
    return moves


def _made(count: int, chance: random.Random) -> list[_Made]:
    cumulated, made, deals = weights(), [], 0
    while len(made) < count:
        deals += 1
        owner = chance.choices(range(REPS), cum_weights=cumulated)[0]
        at = BEGIN_MS + int(chance.random() * SPAN_MS)
        amount = round(chance.lognormvariate(8.5, 1.0), 2)
        for type_, stage in _moves(chance):
            if at >= BEGIN_MS + SPAN_MS:
                break
            rep = owner if chance.random() < 0.98 else chance.randrange(REPS)
            arrives = at + (chance.randrange(7_200_000) if chance.random() < 0.05 else 0)
            source = chance.randrange(len(SOURCES))
            made.append(_Made(arrives, len(made), type_, f"deal_{deals:08d}", rep, stage, amount, source, at))
            is_slow = chance.random() < 0.9
            at += 1000 + int(chance.expovariate(1 / (1.5 * DAY_MS)) if is_slow else chance.randrange(7_200_000))
    return sorted(made[:count])


def events(count: int, seed: int) -> Iterator[bytes]:
    """The events as the peers read them, in the order of their arrival."""
    chance = random.Random(seed)
    for one in _made(count, chance):
        bits = chance.getrandbits
        identity = f"{bits(32):08x}-{bits(16):04x}-4{bits(12):03x}-a{bits(12):03x}-{bits(48):012x}"
        account = zlib.crc32(one.deal.encode()) % 1_000_000
        yield (
            f'{{"event_id":"{identity}","type":"{one.type}","deal_id":"{one.deal}","rep_id":"rep_{one.rep:04d}",'
            f'"team_id":"team_{one.rep % 25:02d}","account_id":"acc_{account:06d}","stage":"{one.stage}",'
            f'"amount":{one.amount:.2f},"currency":"EUR","occurred_at":"{iso(one.at_ms)}",'
            f'"source":"{SOURCES[one.source]}","schema":1}}'
        ).encode()


def as_wire(value: bytes) -> bytes:
    """The same event as Funnelwatch reads it: a CloudEvent of ``crm.deals``."""
    deal = decode(value)
    stage = "" if deal.type in CLOSINGS else f'"stage":"{deal.stage}",'
    return (
        f'{{"specversion":"1.0","id":"{deal.event_id}","source":"{deal.source}","type":"{deal.type}",'
        f'"subject":"{deal.deal_id}","time":"{deal.occurred_at}","data":{{"rep_id":"{deal.rep_id}",{stage}'
        f'"amount":{deal.amount:.2f},"currency":"EUR","customer":"{deal.account_id}"}}}}'
    ).encode()


def batch(values: Iterable[bytes]) -> Truth:
    """The right answer."""
    truth: Truth = {}
    deals: dict[str, tuple[str, int]] = {}
    for value in values:
        event = decode(value)
        at = ms_of(event.occurred_at)
        row = truth.setdefault(f"{event.rep_id}|{event.occurred_at[:10]}", Row())
        row.n += 1
        _count_type(row, event)
        stood = deals.get(event.deal_id)
        if stood is not None and at < stood[1]:
            row.late += 1
            continue
        if stood is not None:
            stage, since = stood
            row.ds[stage] = row.ds.get(stage, 0) + at - since
            row.dc[stage] = row.dc.get(stage, 0) + 1
        deals[event.deal_id] = (event.stage, at)
    return truth


def _count_type(row: Row, event: Deal) -> None:
    if event.type == "deal.created":
        row.created += 1
    elif event.type == "deal.lost":
        row.lost += 1
    elif event.type == "deal.won":
        row.won += 1
        row.amt += round(event.amount * 100)


class Workload:
    """Events in a file, one a line, with the right answers beside it; made once and kept.

    Args:
        folder: Where they are kept.
        count: How many events.
        seed: Of the generator.
    """

    def __init__(self, folder: Path, count: int, seed: int = 1) -> None:
        self._folder = folder
        self._file = folder / f"events-{count}-{seed}.ndjson"
        self.count = count

    def make(self) -> None:
        """Write the file, if it is not there."""
        if not self._file.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            seed = int(self._file.stem.rpartition("-")[2])
            part = self._file.with_suffix(".part")
            with part.open("wb") as file:
                file.writelines(value + b"\n" for value in events(self.count, seed))
            part.rename(self._file)

    def values(self, first: int | None = None) -> Iterator[bytes]:
        """The events, or the first of them."""
        with self._file.open("rb") as file:
            for number, line in enumerate(file):
                if number == first:
                    return
                yield line.rstrip(b"\n")

    def truth_file(self, first: int | None = None) -> Path:
        """The right answer of the first events, as JSON."""
        count = self.count if first is None else min(first, self.count)
        file = self._file.with_name(f"{self._file.stem}-first-{count}.truth.json")
        if not file.exists():
            file.write_bytes(msgspec.json.encode(batch(self.values(count))))
        return file

    def truth(self, first: int | None = None) -> Truth:
        """The right answer of the first events."""
        answer: Truth = msgspec.json.decode(self.truth_file(first).read_bytes(), type=Truth)
        return answer


def differences(found: dict[str, Any], truth: Truth) -> list[str]:
    """Every (rep, day) whose figures are not the truth's; ``found`` are rows as plain dictionaries."""
    problems = []
    for key in sorted(truth.keys() | found.keys()):
        right = _plain(msgspec.to_builtins(truth[key])) if key in truth else None
        is_ = _plain(found[key]) if key in found else None
        if right != is_:
            problems.append(f"{key} is {is_}, not {right}")
    return problems


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Without what is zero, and nothing but the figures."""
    counts = {name: row[name] for name in ("n", "created", "won", "lost", "amt", "late") if row.get(name)}
    left = {stage: [row["ds"].get(stage, 0), times] for stage, times in row["dc"].items() if times}
    return counts | {"left": left}

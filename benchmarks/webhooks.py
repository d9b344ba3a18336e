"""Callers of the gateway for `benchmarks/gateway.py`: a vendor that sends at a steady rate, and attackers of all kinds.

Latency is counted from the moment a request was due, so that a gateway that stalls is not measured less often.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import json
import os
import random
import time
import zlib
from collections import Counter, deque
from typing import NamedTuple

import uvloop

from funnelwatch.schemas.sources.proofs import hmac_hex

CONNECTIONS = 256
"""Enough that their number does not hold the rate down: each has one request under way."""
CONNECTIONS_MIN = 8
RATE_PER_CONNECTION = 7.0
"""A connection that is used more seldom than once in five seconds is closed by the server as idle."""
TICK_SECONDS = 0.001
GRACE_SECONDS = 5.0
SECRET = "a secret for the benchmark"
ATTACKER_NICE = 15
ATTACKER = "127.0.0.66"
"""Attackers come from another address than the vendor."""


class Outcome(NamedTuple):
    """What was answered, and in which time: seconds from when each request was due."""

    statuses: dict[int, int]
    delays: list[float]
    seconds: float


def request(name: str, body: bytes, headers: dict[str, str], method: str = "POST") -> bytes:
    """A request as bytes."""
    lines = [f"{method} /hooks/{name} HTTP/1.1", "host: gateway", *(f"{key}: {text}" for key, text in headers.items())]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


def won(number: int, type_: str = "deal.won") -> bytes:
    """A deal that was won, as a CloudEvent of ours."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": str(number),
            "source": "bench",
            "type": type_,
            "subject": f"own:{number}",
            "time": "2026-11-23T10:00:00Z",
            "data": {
                "rep_id": f"rep-{number % 100}",
                "pipeline": "default",
                "stage": "Negotiation",
                "amount": "1250.50",
                "currency": "EUR",
                "customer": f"Customer {number}",
            },
        }
    ).encode()


def signed(number: int) -> bytes:
    """A delivery whose body is signed."""
    body = won(number)
    proof = {"x-signature-256": f"sha256={hmac_hex(SECRET, body)}", "content-type": "application/cloudevents+json"}
    return request("own", body, proof)


def timed(number: int, at: int | None = None) -> bytes:
    """A delivery of a JSON webhook with a mapping; its signature covers the time."""
    record = {
        "id": number,
        "changed": "2026-11-23 10:00:00",
        "stage": {"name": "Won"},
        "value": 1250.5,
        "owner": {"email": f"rep{number % 100}@firm.example"},
        "customer": f"Customer {number}",
    }
    body = json.dumps({"object": "deal", "record": record}).encode()
    moment = str(at or int(time.time()))
    proof = {"x-signature-256": f"sha256={hmac_hex(SECRET, moment.encode() + b'.' + body)}", "x-time": moment}
    return request("shop", body, {**proof, "content-type": "application/json"})


class _Connection(asyncio.Protocol):
    """One kept-alive connection with one request under way at a time."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._buffer = b""
        self._due = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport) -> None:
        self.transport = transport

    def send(self, due: float, data: bytes) -> None:
        self._due = due
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(rest) >= length:
            self._buffer = rest[length:]
            self._vendor.answered(self, int(head[9:12]), self._due)

    def connection_lost(self, _) -> None:
        self._vendor.lost()


class Vendor:
    """Sends requests at a steady rate over some connections."""

    def __init__(self, port: int, make, rate: float, seconds: float) -> None:
        self._port, self._rate, self._seconds = port, rate, seconds
        self._requests = [make(number) for number in range(int(rate * seconds))]
        self._idle: deque[_Connection] = deque()
        self._due: deque[tuple[float, bytes]] = deque()
        self.statuses: Counter[int] = Counter()
        self.delays: list[float] = []

    def answered(self, connection: _Connection, status: int, due: float) -> None:
        self.statuses[status] += 1
        self.delays.append(time.monotonic() - due)
        if self._due:
            connection.send(*self._due.popleft())
        else:
            self._idle.append(connection)

    def lost(self) -> None:
        self.statuses[0] += 1

    async def run(self) -> Outcome:
        loop = asyncio.get_running_loop()
        for _ in range(min(CONNECTIONS, max(CONNECTIONS_MIN, int(self._rate / RATE_PER_CONNECTION)))):
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
            self._idle.append(connection)
        began = time.monotonic()
        sent = 0
        while sent < len(self._requests):
            until = min(len(self._requests), int((time.monotonic() - began) * self._rate) + 1)
            for number in range(sent, until):
                due = began + number / self._rate
                if self._idle:
                    self._idle.popleft().send(due, self._requests[number])
                else:
                    self._due.append((due, self._requests[number]))
            sent = until
            await asyncio.sleep(TICK_SECONDS)
        end = time.monotonic() + GRACE_SECONDS
        while len(self.delays) < len(self._requests) and time.monotonic() < end:  # noqa: ASYNC110  (a deadline, too)
            await asyncio.sleep(TICK_SECONDS)
        seconds = time.monotonic() - began
        self.lost = lambda: None
        for connection in self._idle:
            connection.transport.close()
        return Outcome(dict(self.statuses), self.delays, seconds)


def mixed(number: int) -> bytes:
    """Half CloudEvents, half JSON by a mapping."""
    return timed(number) if number % 2 else signed(number)


def deliver(port: int, rate: float, seconds: float) -> Outcome:
    """A vendor in a process of its own: signed deliveries at a steady rate."""
    gc.disable()  # its pauses would be measured as the gateway's
    return uvloop.run(Vendor(port, mixed, rate, seconds).run())


# --- attackers ---


def bomb() -> bytes:
    """1 GB of zeros, packed to 1 MB."""
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(10_000_000)
    return b"".join([packer.compress(zeros) for _ in range(100)]) + packer.flush()


def attacks(packed: bytes) -> dict[str, bytes]:
    """One request of each kind, by its name. ``packed`` is the bomb."""
    number = random.randrange(10**9)
    body = won(number)
    twice = body.replace(b'"id":', b'"id": "0", "id":', 1)
    proof = {"x-signature-256": f"sha256={hmac_hex(SECRET, twice)}", "content-type": "application/json"}
    chunked = b"POST /hooks/own HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n"
    announced = b"POST /hooks/own HTTP/1.1\r\nhost: g\r\ncontent-length: 10000000\r\n\r\n"
    return {
        "forged": request("own", body, {"x-signature-256": "sha256=" + "0" * 64}),
        "no proof": request("own", body, {}),
        "old time": timed(number, int(time.time()) - 3_600),
        "replayed": timed(number),
        "duplicate keys": request("own", twice, proof),
        "10 MB announced": announced + bytes(10_000_000),
        "10 MB chunked": chunked + (b"10000\r\n" + bytes(65_536) + b"\r\n") * 160 + b"0\r\n\r\n",
        "chunked lie": chunked + b"5\r\nabc\r\n0\r\n\r\n",
        "chunk size": chunked + b"fffffffffffffffffff\r\n",
        "two lengths": b"POST /hooks/own HTTP/1.1\r\nhost: g\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabcde",
        "large headers": b"GET /hooks/own HTTP/1.1\r\nhost: g\r\n" + b"a: " + b"x" * 60_000 + b"\r\n\r\n",
        "20 MB bomb": request("own", gzip.compress(bytes(20_000_000)), {"content-encoding": "gzip"}),
        "1 GB bomb": request("own", packed, {"content-encoding": "gzip"}),
    }


async def _once(port: int, data: bytes) -> int:
    """The status a connection answers to some bytes; 0 if it was only closed."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(ATTACKER, 0))
    except OSError:
        return 0
    try:
        writer.write(data)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        line = await asyncio.wait_for(reader.readline(), 30)
        return int(line.split()[1]) if line else 0
    except (ConnectionError, TimeoutError, IndexError, ValueError, RuntimeError):  # the last is uvloop's, when closed
        return 0
    finally:
        writer.close()


async def _slow(port: int, until: float, number: int, answers: Counter[str]) -> None:
    """A connection that sends a byte a second, of headers or of a body; again when it is cut off."""
    start = b"POST /hooks/own HTTP/1.1\r\nhost: g\r\n"
    if number % 2:
        start += b"content-length: 1000000\r\n\r\n" + b"x" * 60_000
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(ATTACKER, 0))
            writer.write(start)
            while time.monotonic() < until and not reader.at_eof():
                writer.write(b"x")
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(100), 1.0)
                    break
            answers["slow: cut off" if time.monotonic() < until else "slow: still there at the end"] += 1
            writer.close()
        except (OSError, RuntimeError):  # uvloop raises the latter on a connection that was closed in between
            answers["slow: cut off"] += 1
            await asyncio.sleep(0.1)


async def _attack(port: int, seconds: float, slow: int, packed: bytes) -> Counter[str]:
    kinds = attacks(packed)
    answers: Counter[str] = Counter()
    answers[f"first of the replayed: {await _once(port, kinds['replayed'])}"] += 1
    until = time.monotonic() + seconds

    async def repeat(name: str, pause: float) -> None:
        while time.monotonic() < until:
            answers[f"{name}: {await _once(port, kinds[name])}"] += 1
            await asyncio.sleep(pause)

    await asyncio.gather(
        *(repeat(name, 0.2) for name in kinds),
        *(repeat("forged", 0.02) for _ in range(4)),
        *(_slow(port, until, number, answers) for number in range(slow)),
    )
    return answers


def attack(port: int, seconds: float, slow: int, packed: bytes) -> dict[str, int]:
    """Attackers in a process of their own; what they were answered, and how often.

    They yield the cores to the others: real ones bring their own.
    """
    os.nice(ATTACKER_NICE)
    return dict(uvloop.run(_attack(port, seconds, slow, packed)))

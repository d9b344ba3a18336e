"""Row 3: the broker out of reach of workers and board, who talk to it through a proxy, while others publish to it.

Twice: connections are cut and refused; then nothing is answered, old connections stay open and new ones hang.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import Self

import msgspec
from arena import Arena, Broken
from row import Bench, Row

from funnelwatch.agents.embedded import EmbeddedKafka, free_ports
from funnelwatch.schemas.settings import Settings

SESSION_SECONDS = 4.0
EXITS_PER_FAULT_MAX = 2
PIECE_BYTES = 1 << 16
HOST = "127.0.0.1"


def run(bench: Bench) -> str:
    away = bench.pick(10, 60)
    plain, controller, behind, through = free_ports(4)
    own = EmbeddedKafka(
        bench.folder / "kafka",
        plain,
        controller,
        properties={
            "listeners": f"PLAINTEXT://{HOST}:{plain},PROXIED://{HOST}:{behind},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{plain},PROXIED://{HOST}:{through}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
        },
    )
    with own, Proxy(through, behind) as proxy:
        arena = Arena(
            own,
            bench.folder,
            seed=bench.seed,
            size=bench.pick((5, 12), (12, 60)),
            session_seconds=SESSION_SECONDS,
            changes=bench.changes,
        )
        arena.board.settings = behind_proxy(arena.board.settings, through)
        for worker in arena.workers:
            worker.settings = behind_proxy(worker.settings, through)
        with arena:
            return _run(arena, proxy, away)


def behind_proxy(settings: Settings, port: int) -> Settings:
    kafka = msgspec.structs.replace(settings.kafka, bootstrap=(f"{HOST}:{port}",))
    return msgspec.structs.replace(settings, kafka=kafka)


def _run(arena: Arena, proxy: Proxy, away: int) -> str:
    arena.start()
    faults = (("connections cut and refused", proxy.cut), ("nothing answered", proxy.fall_silent))
    whole, figures = list(arena.events), []
    size = -(-len(whole) // len(faults))
    for i, (name, begin) in enumerate(faults):
        arena.events = whole[: (i + 1) * size]
        exits = len(arena.own_exits)
        arena.feed(whole[i * size : (i + 1) * size], 4)
        arena.sleep(1.5)
        arena.say(name)
        begin()
        arena.sleep(away)
        proxy.open()
        back = time.monotonic()
        arena.fed()
        arena.await_cells(arena.cells())
        took, left = time.monotonic() - back, len(arena.own_exits) - exits
        if left > EXITS_PER_FAULT_MAX * len(arena.workers):
            raise Broken(f"{name}: workers left {left} times in {away} s")
        figures.append(f"{name} for {away} s: figures whole {took:.1f} s after it was back, {left} exits")
    equal = arena.verify()
    arena.verify_changelog_alone()
    return f"{'; '.join(figures)}; {equal}, also from the changelog alone"


class Proxy:
    """Passes bytes on, or cuts and refuses connections, or keeps them and passes nothing on."""

    def __init__(self, port: int, target: int) -> None:
        self._port, self._target = port, target
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def open(self) -> None:
        self._do(self._open())

    def cut(self) -> None:
        self._do(self._cut())

    def fall_silent(self) -> None:
        self._loop.call_soon_threadsafe(self._passing.clear)

    def _do(self, what) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _open(self) -> None:
        self._passing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, HOST, self._port)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._passing.wait()
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
            self._writers |= {writer, far_writer}
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE_BYTES):
                await self._passing.wait()
                writer.write(piece)
                await writer.drain()
        writer.close()


ROW = Row(
    "unreachable",
    "3",
    "the broker out of reach: connections refused, then nothing answered, and back",
    run,
    mutations=("gives_up",),
)

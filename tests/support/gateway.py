"""The gateway in the test's own process, and requests to it as callers of all kinds send them."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from funnelwatch.agents.embedded import free_ports
from funnelwatch.agents.gateway.service import serve
from funnelwatch.schemas.settings import GatewaySettings, KafkaSettings, Secrets, Settings, SourceSettings
from funnelwatch.schemas.sources.proofs import hmac_hex

SECRET = "a secret of forty characters, or so it is"
READY_SECONDS = 20.0
NOWHERE = KafkaSettings(bootstrap=("127.0.0.1:1",))
"""Where no Kafka is."""


def event(number: int, subject: str = "own:1", type_: str = "deal.won", **data: Any) -> dict[str, Any]:
    """One CloudEvent of ours."""
    return {
        "specversion": "1.0",
        "id": str(number),
        "source": "test",
        "type": type_,
        "subject": subject,
        "time": "2026-11-23T10:00:00Z",
        "data": data,
    }


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """The headers that prove a body."""
    return {"x-signature-256": f"sha256={hmac_hex(secret, body)}", "content-type": "application/cloudevents+json"}


def gateway_settings(folder: Path, *sources: SourceSettings, kafka: KafkaSettings = NOWHERE, **limits: Any) -> Settings:
    """Settings of a gateway with the source ``own``, whose secret is in a file."""
    secret = folder / "secret"
    secret.write_text(SECRET, encoding="utf-8")
    own = SourceSettings(name="own", system="cloudevents", secret_file=str(secret))
    (port,) = free_ports(1)
    found = [msgspec.structs.replace(source, secret_file=str(secret)) for source in sources]
    gateway = GatewaySettings(port=port, data_dir=str(folder / "gateway"), **limits)
    return Settings(kafka=kafka, gateway=gateway, sources=(own, *found))


class Gateway:
    """A running gateway."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self.settings = settings
        self.session = session
        self.base = f"http://127.0.0.1:{settings.gateway.port}"

    async def post(
        self, body: Any, *, name: str = "own", headers: dict[str, str] | None = None, query: str = "", **options: Any
    ) -> tuple[int, bytes]:
        """Deliver; signed unless ``headers`` say otherwise."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = signed(raw) if headers is None else headers
        url = f"{self.base}/hooks/{name}{query}"
        async with self.session.post(url, data=raw, headers=sent, **options) as answer:
            return answer.status, await answer.read()

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(f"{self.base}{path}") as answer:
            return answer.status, await answer.text()

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of a metric that have these labels."""
        _, page = await self.get("/metrics")
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = [line for line in page.splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(one in line for one in wanted))

    async def until(self, what: str, holds: Any, seconds: float = READY_SECONDS) -> None:
        """Until something is so."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            if await holds():
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"not within {seconds} s: {what}")

    async def raw(self, *pieces: bytes, pause: float = 0.0, local: str = "127.0.0.1") -> bytes:
        """What a connection answers to bytes as they are, until it is closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.settings.gateway.port, local_addr=(local, 0))
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
            return await asyncio.wait_for(reader.read(), READY_SECONDS)
        except ConnectionError:
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def running(settings: Settings):
    """A gateway that serves until the end of the block."""
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(settings, Secrets(), stop))
    try:
        async with aiohttp.ClientSession() as session:
            gateway = Gateway(settings, session)

            async def answers() -> bool:
                if serving.done():
                    await serving
                try:
                    return (await gateway.get("/healthz"))[0] == 200
                except aiohttp.ClientError:
                    return False

            await gateway.until("the gateway answers", answers)
            yield gateway
    finally:
        stop.set()
        await asyncio.wait_for(serving, READY_SECONDS)


def spooled(settings: Settings) -> list[dict[str, Any]]:
    """The events on disk of a gateway that has stopped."""
    import sqlite3

    with sqlite3.connect(Path(settings.gateway.data_dir) / "gateway.sqlite") as opened:
        return [json.loads(row[0]) for row in opened.execute("SELECT event FROM spool ORDER BY seq")]

"""A headless Chromium over its DevTools protocol: open a page, run a script in it, see what it complained of."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import signal
from pathlib import Path

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
SECONDS_MAX = 30.0
COMPLAINTS = {"Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"}


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._calls = 0
        self.complaints: list[str] = []

    async def call(self, method: str, **parameters):
        """One command of the protocol."""
        self._calls += 1
        await self._socket.send_json({"id": self._calls, "method": method, "params": parameters})
        while True:
            message = json.loads((await self._socket.receive(SECONDS_MAX)).data)
            if message.get("method") in COMPLAINTS:
                self.complaints.append(json.dumps(message["params"])[:400])
            if message.get("id") == self._calls:
                return message.get("result", message)

    async def open(self, url: str, *, width: int = 1920, height: int = 1080, dark: bool = False) -> None:
        """Go to an address, on a screen of this size."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        await self.call("Page.navigate", url=url)

    async def run(self, script: str):
        """The value of an expression in the page."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until an expression is true in the page."""
        async with asyncio.timeout(SECONDS_MAX):
            while not await self.run(script):  # noqa: ASYNC110  (the page cannot set an event of ours)
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def browser(data_dir: Path):
    """A browser with one tab; it ends with the block."""
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, *OPTIONS, f"--user-data-dir={data_dir}", "about:blank", stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(SECONDS_MAX):
            while not (found := re.search(rb"ws://([^/]+)/", await process.stderr.readline())):
                pass
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{found[1].decode()}/json/list") as answer:
                tab = next(one for one in await answer.json() if one["type"] == "page")
            async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await page.call(f"{domain}.enable")
                yield page
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()

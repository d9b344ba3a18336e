"""The worker's own small web server: ``/metrics``, ``/healthz``, ``/readyz``."""

from __future__ import annotations

import errno
from collections.abc import Callable

from aiohttp import web

from funnelwatch.agents.engine.metrics import CONTENT_TYPE, Metrics
from funnelwatch.agents.errors import OperationError

Unready = Callable[[], str]
"""Why the worker is not ready; empty when it is."""


class OperationsServer:
    """Serves operational metrics and health. Listens on loopback unless told otherwise."""

    def __init__(self, host: str, port: int, metrics: Metrics, unready: Unready) -> None:
        self._host = host
        self._port = port
        self._metrics = metrics
        self._unready = unready
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            OperationError: The port is taken, or may not be used.
        """
        app = web.Application()
        app.add_routes(
            [
                web.get("/metrics", self._page),
                web.get("/healthz", self._health),
                web.get("/readyz", self._readiness),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self.stop()
            taken = error.errno == errno.EADDRINUSE
            why = "is taken by another program" if taken else f"cannot be used ({error.strerror})"
            raise OperationError(
                f"The worker's port {self._host}:{self._port} {why}: set worker.port to a free one."
            ) from error

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.page(), headers={"Content-Type": CONTENT_TYPE})

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readiness(self, _: web.Request) -> web.Response:
        why = self._unready()
        return web.Response(text=f"{why or 'ready'}\n", status=503 if why else 200)

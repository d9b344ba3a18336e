"""The board as a process: ``run`` is what the ``board`` command calls."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from typing import Final

import uvloop
from aiohttp import web

from funnelwatch.agents.board.board import Board
from funnelwatch.agents.board.server import application
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.settings import Secrets, Settings

log = logging.getLogger(__name__)

GC_THRESHOLDS: Final = (100_000, 50, 100)
"""A document makes thousands of objects and no cycles: they are seldom looked for."""
SHUTDOWN_SECONDS: Final = 3.0
"""Requests in flight get this long to end."""


def run(settings: Settings, secrets: Secrets) -> int:
    """Serve the board until SIGTERM or SIGINT.

    Returns:
        The exit code: 0 after an orderly stop.

    Raises:
        OperationError: The address cannot be listened on.
    """
    gc.set_threshold(*GC_THRESHOLDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(settings, secrets, asyncio.Event()))


async def serve(settings: Settings, secrets: Secrets, stop: asyncio.Event) -> int:
    """As `run`, on a running loop; ends also when ``stop`` is set."""
    board = Board(settings, secrets)
    runner = web.AppRunner(application(board), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    host, port = settings.board.host, settings.board.port
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise OperationError(
            f"The board cannot listen on {host}:{port}: {error.strerror or error}. Stop what uses that address, or "
            "give the board another one (board.host, board.port)."
        ) from error
    log.info("the board listens on http://%s:%d/", host, port)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    working = asyncio.create_task(board.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    board.hub.close()
    for task in (working, stopping):
        task.cancel()
    (failure,) = await asyncio.gather(working, return_exceptions=True)
    await runner.cleanup()
    await board.memory.close()
    if isinstance(failure, BaseException) and not isinstance(failure, asyncio.CancelledError):
        raise failure
    return 0

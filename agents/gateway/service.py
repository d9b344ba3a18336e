"""The gateway as a process: ``run`` is what the ``gateway`` command calls."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import uvicorn
import uvloop
from aiokafka.errors import KafkaError

from funnelwatch.agents.clock import now_us
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway import polling, sources
from funnelwatch.agents.gateway.application import application
from funnelwatch.agents.gateway.directory import Directory
from funnelwatch.agents.gateway.intake import Intake
from funnelwatch.agents.gateway.matching import Matching, memory_of
from funnelwatch.agents.gateway.metrics import Metrics
from funnelwatch.agents.gateway.outlet import Outlet
from funnelwatch.agents.gateway.protocol import Connections
from funnelwatch.agents.gateway.receiving import Receiver
from funnelwatch.agents.gateway.refusals import Refusals
from funnelwatch.agents.gateway.silence import Silence
from funnelwatch.agents.gateway.spool import FullError, Spool
from funnelwatch.agents.sources.pollers import POLLERS
from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.settings import Secrets, Settings
from funnelwatch.schemas.sources.contract import Delivery
from funnelwatch.streams.calendar import Calendar

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
"""How often files are looked at for changes, and sources for silence."""
REMEMBER_SECONDS: Final = 60.0
"""How often it is written down when sources were heard."""
KEEP_ALIVE_SECONDS: Final = 75
"""An idle connection stays open for longer than a proxy keeps it."""
SHUTDOWN_SECONDS: Final = 8
BACKLOG: Final = 2_048
SPARE_FILES: Final = 256
"""Descriptors besides those of connections."""


def run(settings: Settings, secrets: Secrets) -> int:
    """Serve the gateway until SIGTERM or SIGINT.

    Returns:
        The exit code: 0 after an orderly stop.

    Raises:
        ConfigurationError: A mapping, a secret or the table of people cannot be used.
        OperationError: The address or the data directory cannot be used.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(settings, secrets, asyncio.Event()))


async def serve(settings: Settings, secrets: Secrets, stop: asyncio.Event) -> int:
    """As `run`, on a running loop; ends also when ``stop`` is set."""
    found = sources.load(settings)
    directory = Directory(settings)
    limits = settings.gateway
    with contextlib.closing(_listening(settings)) as listening:
        spool = Spool(Path(limits.data_dir), limits.spool_bytes_max, limits.unknown_events_max)
        with contextlib.closing(spool):
            gateway = _Gateway(settings, secrets, found, directory, spool)
            log.info("the gateway listens on http://%s:%d/hooks/… for %d sources", limits.host, limits.port, len(found))
            await gateway.serve(listening, stop)
    return 0


class _Server(uvicorn.Server):
    """uvicorn without its own handling of signals, which ends the process in its way."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Gateway:
    """Everything that runs, built from its parts."""

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        found: dict[str, sources.Source],
        directory: Directory,
        spool: Spool,
    ) -> None:
        self._settings = settings
        self._secrets = secrets
        self._sources = found
        self._directory = directory
        self._spool = spool
        self._metrics = Metrics()
        self._silence = Silence(found, Calendar(settings.calendar), now_us, spool.seen())
        self._outlet = Outlet(settings, secrets, spool)
        self._matching = (
            Matching(memory_of(settings, Path(settings.gateway.data_dir)), self._metrics, now_us)
            if settings.calls.match
            else None
        )
        self._intake = Intake(settings, directory, self._outlet, spool, self._metrics, self._matching)
        self._pollers = polling.chosen(found, POLLERS)
        self._intake.fetching = {name for name, poller in self._pollers.items() if poller.fetches}
        self._connections = Connections(settings.gateway)
        self._refusals = Refusals(spool)
        self._receiver = Receiver(
            settings.gateway, found, self._intake, self._metrics, self._silence, self._refusals, now_us
        )
        self._app = application(self._receiver, self._metrics, self._trouble)
        self._watch()

    async def serve(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set or a signal comes, then finish what is under way."""
        server = _Server(
            uvicorn.Config(
                self._app,
                http=self._connections.protocol(),
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
                backlog=BACKLOG,
                ws="none",
            )
        )
        logging.getLogger("uvicorn").setLevel(logging.ERROR)  # it warns of every request that is no HTTP
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_unretrieved)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        gc.collect()
        gc.freeze()  # what is there now stays: a collection that looks at all of it holds everybody up
        outlet = asyncio.create_task(self._outlet.run())
        helpers = [asyncio.create_task(work) for work in (self._look(), self._remember(), self._connections.watch())]
        polls = [asyncio.create_task(self._poll(name)) for name in self._pollers]
        serving = asyncio.create_task(server.serve([listening]))
        stopping = asyncio.create_task(stop.wait())
        ending = (serving, stopping, outlet, *helpers)
        await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        for task in (*polls, *helpers, stopping):
            task.cancel()
        await asyncio.gather(serving, *polls, return_exceptions=True)
        await self._write_down()
        if self._matching is not None:
            await self._matching.close()
        outlet.cancel()
        for ended in await asyncio.gather(*ending, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    async def _poll(self, name: str) -> None:
        polled = polling.Polled(
            self._sources[name],
            self._intake,
            self._spool,
            heard=lambda: self._silence.saw(name, now_us()),
            refuse=lambda delivery, error: self._refuse(name, delivery, error),
            settings=self._settings,
            secrets=self._secrets,
        )
        await polling.run(self._pollers[name], polled, self._metrics)

    async def _refuse(self, name: str, delivery: Delivery, error: RefusedError) -> None:
        self._metrics.delivered(name, "refused", error.reason.value)
        await self._refusals.add(name, delivery, error.reason.value, error.refusal().detail)

    async def _look(self) -> None:
        """Notice changed files and silent sources."""
        await self._released()  # the table may have changed while no gateway ran
        await self._try_again()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for source in self._sources.values():
                try:
                    if source.secrets.reload():
                        log.info("the secret of the source %s was read again", source.name)
                except ValueError as error:
                    log.error("the source %s %s; the secret read before stands", source.name, error)  # noqa: TRY400
            if self._directory.reload():
                log.info("the table of people was read again")
                await self._released()
            self._silence.tell()

    async def _released(self) -> None:
        try:
            await self._intake.release()
        except FullError as error:
            log.warning("kept events cannot be published now (%s)", error)

    async def _try_again(self) -> None:
        try:
            if taken := await self._receiver.again():
                log.info("%d deliveries that were refused before are taken now", taken)
        except FullError as error:
            log.warning("deliveries that were refused before cannot be taken now (%s)", error)

    async def _remember(self) -> None:
        while True:
            await asyncio.sleep(REMEMBER_SECONDS)
            await self._write_down()

    async def _write_down(self) -> None:
        try:
            await self._spool.saw(self._silence.remembered())
        except FullError as error:
            log.warning("when sources were heard cannot be written down (%s)", error)

    def _trouble(self) -> str:
        """Why deliveries cannot be accepted now."""
        if self._outlet.connected or self._spool.bytes < self._settings.gateway.spool_bytes_max:
            return ""
        return "Kafka is away and the spool is full"

    def _watch(self) -> None:
        """What the gauges show."""
        watch = self._metrics.watch
        watch("funnelwatch_source_last_seen_timestamp_seconds", self._silence.last_seen)
        watch("funnelwatch_source_silent_seconds", self._silence.seconds)
        watch("funnelwatch_source_silent", self._silence.states)
        for name, read in self._readings().items():
            watch(name, lambda read=read: [((), float(read()))])  # type: ignore[misc]

    def _readings(self) -> dict[str, Callable[[], float]]:
        return {
            "funnelwatch_gateway_kafka_up": lambda: self._outlet.connected,
            "funnelwatch_spool_events": lambda: self._spool.events,
            "funnelwatch_spool_bytes": lambda: self._spool.bytes,
            "funnelwatch_unknown_events": lambda: self._spool.unknown,
            "funnelwatch_refused_deliveries": lambda: self._refusals.count,
            "funnelwatch_refused_deliveries_forgotten": lambda: self._refusals.forgotten,
            "funnelwatch_gateway_connections": lambda: len(self._connections),
        }


def _unretrieved(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Kafka's client leaves errors behind that nobody waits for any more; the outlet has told them."""
    if not isinstance(context.get("exception"), KafkaError):
        loop.default_exception_handler(context)


def _listening(settings: Settings) -> socket.socket:
    """A socket that listens, with as many descriptors as connections need.

    Raises:
        OperationError: The address cannot be used.
    """
    gateway = settings.gateway
    _raise_file_limit(gateway.connections_max + SPARE_FILES)
    try:
        family, *_, address = socket.getaddrinfo(gateway.host, gateway.port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        raise OperationError(
            f"The gateway cannot listen on {gateway.host}:{gateway.port}: {error.strerror or error}. Stop what uses "
            "that address, or give the gateway another one (gateway.host, gateway.port)."
        ) from error
    listening.setblocking(False)
    return listening


def _raise_file_limit(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))

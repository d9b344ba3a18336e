"""Prometheus and Alertmanager of the demo, where they are on the path: configured, started, stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec.structs import replace

from funnelwatch.agents.deploy import alertmanager as routing
from funnelwatch.agents.embedded import alerting, free_ports
from funnelwatch.agents.embedded.ports import LOOPBACK
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.alerting import Contact
from funnelwatch.schemas.settings import Settings
from funnelwatch.streams.alerting import files
from funnelwatch.streams.alerting.routing import People
from funnelwatch.streams.alerting.rule import BOARD_JOB, WORKER_JOB

MISSING: Final = (
    "alerts   shown on the page only: Prometheus and Alertmanager are not on the path (apt install prometheus "
    "prometheus-alertmanager)"
)


class Alerting:
    """Both servers in the demo's folder, on free ports, in the profile that pages within 3 s."""

    def __init__(self, folder: Path, settings: Settings, *, simulated: bool) -> None:
        self._folder = folder
        prometheus, alertmanager, self.receiver_port = free_ports(3)
        self._prometheus = alerting.prometheus(folder / "prometheus", prometheus)
        self._alertmanager = alerting.alertmanager(folder / "alertmanager", alertmanager)
        self.settings = self._placed(settings, simulated=simulated)

    @staticmethod
    def is_possible() -> bool:
        """Whether both programs are there."""
        return all(alerting.executable(names) for names in (alerting.PROMETHEUS, alerting.ALERTMANAGER))

    @property
    def addresses(self) -> tuple[str, str]:
        """Where Prometheus and Alertmanager answer."""
        return self._prometheus.url, self._alertmanager.url

    def _placed(self, settings: Settings, *, simulated: bool) -> Settings:
        """The settings with everything on this machine; a simulated floor's managers are all paged at the demo's."""
        quick = replace(
            settings.alerting,
            scrape_seconds=1.0,
            evaluation_seconds=1.0,
            group_wait_seconds=0.0,
            group_interval_seconds=0.25,
            alertmanager_url=self._alertmanager.url,
        )
        if simulated:
            quick = replace(quick, everybody=Contact(webhook=f"http://{LOOPBACK}:{self.receiver_port}/"))
        return replace(settings, alerting=quick)

    def launch(self) -> None:
        """Write what they read and start them, without waiting.

        Raises:
            OperationError: One of it cannot be done.
        """
        settings = self.settings
        board = f"{settings.board.host}:{settings.board.port}"
        jobs = {
            BOARD_JOB: [board],
            WORKER_JOB: [f"{settings.worker.host}:{settings.worker.port}"],
            "prometheus": [self._prometheus.url.removeprefix("http://")],
            "alertmanager": [self._alertmanager.url.removeprefix("http://")],
        }
        scraping = files.scraping(settings, jobs, jobs["alertmanager"])
        folder = self._folder / "prometheus"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "rules.yml").write_text(files.rules(settings), "utf-8")
            (folder / "prometheus.yml").write_text(scraping, "utf-8")
        except OSError as error:
            raise OperationError(f"{folder} cannot be written: {error.strerror}.") from error
        text = routing.configuration(settings, People(), also=f"http://{board}/api/v1/told")
        routing.write(self._folder / "alertmanager", text)
        for server in (self._alertmanager, self._prometheus):
            server.launch()

    def require_alive(self) -> None:
        """Check that both run.

        Raises:
            OperationError: One of them ended.
        """
        for server in (self._prometheus, self._alertmanager):
            server.require_alive()

    def stop(self) -> None:
        """Stop both."""
        for server in (self._prometheus, self._alertmanager):
            server.terminate()
        for server in (self._prometheus, self._alertmanager):
            server.stop()

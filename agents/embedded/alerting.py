"""Prometheus and Alertmanager of this machine, where they are on the path: started, waited for, stopped."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from funnelwatch.agents.embedded.errors import EmbeddedError
from funnelwatch.agents.embedded.ports import LOOPBACK, require_free
from funnelwatch.agents.embedded.process import ServerProcess
from funnelwatch.agents.fetch import UnreachableError, get

PROMETHEUS: Final = ("prometheus",)
ALERTMANAGER: Final = ("prometheus-alertmanager", "alertmanager")
"""Debian's name first."""
READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 8.0
PROBE_SECONDS: Final = 1.0
OK: Final = 200


def executable(names: tuple[str, ...]) -> str | None:
    """The first of these programs that is on the path; None if none is."""
    return next((found for name in names if (found := shutil.which(name))), None)


class LocalServer:
    """One of the two on loopback, with its data in a folder."""

    def __init__(self, name: str, names: tuple[str, ...], data_dir: Path, port: int, options: list[str]) -> None:
        self.port = port
        self._name = name
        self._program = executable(names)
        self._names = names
        self._process = ServerProcess(name, [self._program or names[0], *options], data_dir / f"{name.lower()}.log")

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process.running

    def launch(self) -> None:
        """Start it without waiting.

        Raises:
            EmbeddedError: It is not installed, or its port is taken.
        """
        if self._program is None:
            raise EmbeddedError(f"{self._name} is not on the path ({' or '.join(self._names)}).")
        require_free(self.port, self._name)
        self._process.start()

    def wait_ready(self) -> None:
        """Wait until it answers.

        Raises:
            EmbeddedError: It ended, or did not become ready.
        """
        self._process.wait_until(self._is_ready, READY_SECONDS)

    def start(self) -> None:
        """Start it and wait. Raises what `launch` and `wait_ready` raise."""
        self.launch()
        self.wait_ready()

    def require_alive(self) -> None:
        """Check that it still runs.

        Raises:
            EmbeddedError: It ended; the message has the end of its log.
        """
        if not self.running:
            raise EmbeddedError(
                f"{self._name} ended with exit code {self._process.exit_code}. {self._process.last_lines()}"
            )

    def terminate(self) -> None:
        """SIGTERM without waiting."""
        self._process.terminate()

    def stop(self) -> None:
        """Stop it."""
        self._process.stop(STOP_SECONDS)

    def _is_ready(self) -> bool:
        try:
            status, _ = get(LOOPBACK, self.port, "/-/ready", PROBE_SECONDS)
        except UnreachableError:
            return False
        return status == OK

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def prometheus(folder: Path, port: int) -> LocalServer:
    """A Prometheus that reads ``prometheus.yml`` of the folder and keeps its data beside it."""
    options = [
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--web.enable-lifecycle",
    ]
    return LocalServer("Prometheus", PROMETHEUS, folder, port, options)


def alertmanager(folder: Path, port: int) -> LocalServer:
    """An Alertmanager, alone, that reads ``alertmanager.yml`` of the folder and keeps its data beside it."""
    options = [
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--cluster.listen-address=",
    ]
    return LocalServer("Alertmanager", ALERTMANAGER, folder, port, options)

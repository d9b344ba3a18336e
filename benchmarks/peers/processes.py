"""A system at work: its processes, how many events are through, and its orderly end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.request import urlopen

import msgspec

from funnelwatch.agents.demo.written import as_toml
from funnelwatch.agents.embedded.process import ServerProcess
from funnelwatch.schemas.settings import Settings
from peers.systems import System

STOP_SECONDS = 40.0
ASK_SECONDS = 0.25
ANSWER_SECONDS = 5.0
ROOT = Path(__file__).resolve().parents[2]
REDUCED = Path(__file__).with_name("reduced_worker.py")


class Seen(NamedTuple):
    """So many events were through at this time."""

    at: float
    events: int


class Job(Protocol):
    """One process of a system."""

    log: Path
    history: list[Seen]

    @property
    def pid(self) -> int: ...

    @property
    def running(self) -> bool: ...

    def look(self) -> int:
        """How many events are through now."""

    @property
    def committed(self) -> bool:
        """Whether all that is through is committed, as far as the process tells."""

    def stop(self) -> bool:
        """End it in order; whether it did."""


class PeerJob:
    """A peer's process, which says ``PROG seconds count`` on its standard output."""

    committed = True

    def __init__(self, system: System, installed: Path, variables: dict[str, str], state: Path, log: Path) -> None:
        state.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        self.state = state
        self.history: list[Seen] = []
        self._signal = system.stop_signal
        environment = os.environ | system.variables | variables
        environment |= {"STATE_DIR": str(state), "PYTHONUNBUFFERED": "1"}
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                system.command(installed),
                env=environment,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                cwd=state,
                start_new_session=True,
            )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("PROG "):
                _, at, events = line.split()
                self.history.append(Seen(float(at), int(events)))

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def look(self) -> int:
        """What it said last."""
        return self.history[-1].events if self.history else 0

    def rows(self) -> dict[str, dict[str, object]]:
        """What it wrote when it was stopped."""
        rows: dict[str, dict[str, object]] = json.loads((self.state / "rows.json").read_text())
        return rows

    def stop(self) -> bool:
        """As `Job`."""
        if self.running:
            self._process.send_signal(self._signal)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            return False
        return True


class WorkerJob:
    """A worker of ours, as shipped or with the reduced fold built there; asked over HTTP, as Prometheus asks it."""

    def __init__(self, settings: Settings, log: Path, *, reduced: Path | None) -> None:
        self.log = log
        self.history: list[Seen] = []
        self.committed = False
        self.settings = settings
        self.data = Path(settings.worker.data_dir)
        self._asked = 0.0
        self.data.mkdir(parents=True, exist_ok=True)
        configuration = self.data.with_suffix(".toml")
        configuration.write_text(as_toml(settings))
        begin = [str(REDUCED), str(reduced)] if reduced else ["-m", "funnelwatch", "worker", "--config"]
        environment = {name: text for name, text in os.environ.items() if not name.startswith("FUNNELWATCH_")}
        environment["PYTHONPATH"] = str(ROOT)
        self._process = ServerProcess("worker", [sys.executable, *begin, str(configuration)], log, environment)
        self._process.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid or 0

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.running

    def look(self) -> int:
        """What it says, asked at most four times a second."""
        if time.time() - self._asked > ASK_SECONDS:
            self._asked = time.time()
            page = self._ask()
            if page:
                events = int(_sum(page, "funnelwatch_events_total"))
                self.committed = not _sum(page, "funnelwatch_consumer_lag_records")
                if not self.history or events != self.history[-1].events:
                    self.history.append(Seen(time.time(), events))
        return self.history[-1].events if self.history else 0

    def _ask(self) -> str:
        try:
            with urlopen(f"http://127.0.0.1:{self.settings.worker.port}/metrics", timeout=ANSWER_SECONDS) as answer:
                page: str = answer.read().decode()
        except OSError:
            return ""
        return page

    def stop(self) -> bool:
        """As `Job`."""
        self._process.stop(STOP_SECONDS)
        return self._process.exit_code == 0


def _sum(page: str, name: str) -> float:
    return sum(map(float, re.findall(rf"^{name}(?:{{.*}})? ([0-9.e+]+)$", page, re.MULTILINE)))


def write_results(file: Path, result: msgspec.Struct) -> None:
    """Append one measurement as a line of JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as lines:
        lines.write(msgspec.json.encode(result) + b"\n")

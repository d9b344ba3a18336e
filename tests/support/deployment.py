"""Worker and board as their own processes, as an operator runs them, on the test's Kafka and Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec

from funnelwatch.agents import topics
from funnelwatch.agents.board.figures import TOGETHER_SECONDS
from funnelwatch.agents.demo.written import as_toml
from funnelwatch.schemas.document import Document
from funnelwatch.schemas.settings import Secrets, Settings

READY_SECONDS = 90.0
STOP_SECONDS = 20.0


class Deployment:
    """Processes by name (``worker``, ``board``); used as a context manager, it ends what it started."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.config = folder / "funnelwatch.toml"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(as_toml(self.settings), encoding="utf-8")
        asyncio.run(topics.ensure(self.settings, Secrets()))
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.processes):
            self.stop(name)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "funnelwatch", *arguments]

    def start(self, name: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            self.command(name, "--config", str(self.config)), stdout=log, stderr=log, env=dict(os.environ)
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command to its end."""
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=READY_SECONDS, check=False
        )

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str) -> int:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a GET to the board; status 0 when nobody answers."""
        return _get(f"http://{self.settings.board.host}:{self.settings.board.port}{path}")

    def get_worker(self, path: str) -> tuple[int, bytes]:
        """The same of the worker."""
        return _get(f"http://{self.settings.worker.host}:{self.settings.worker.port}{path}")

    def json(self, path: str) -> Any:
        status, body = self.get(path)
        return json.loads(body) if status == 200 else None

    def document(self, path: str) -> Document:
        """A KPI document of the board."""
        status, body = self.get(path)
        assert status == 200, (path, status, body[:300])
        return msgspec.json.decode(body, type=Document)

    def events_read(self) -> int:
        """How many events the worker has read since it started; one that is delivered again counts again."""
        return int(sum(self._worker_samples("funnelwatch_events_total")))

    def lag_records(self) -> int:
        """How many records the worker has not read yet."""
        return int(sum(self._worker_samples("funnelwatch_consumer_lag_records")))

    def _worker_samples(self, name: str) -> list[float]:
        status, text = self.get_worker("/metrics")
        lines = text.decode().splitlines() if status == 200 else []
        return [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{")]

    def settle(self, events: int) -> None:
        """Until the worker has read so many events, all there are, and the board what was published after that."""
        self.wait(f"{events} events read", lambda: self.events_read() >= events and self.lag_records() == 0)
        since = time.monotonic() + TOGETHER_SECONDS
        self.wait("the board has it all", lambda: self._age_seconds() < time.monotonic() - since)

    def _age_seconds(self) -> float:
        """How old the board's figures are: the age of the oldest partition."""
        status = self.json("/api/v1/status") or {}
        return status["age_seconds"] if status.get("ready") else float("inf")

    def wait(self, what: str, until: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
        """Until something is so; the end of the logs tells why it never was."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if until():
                return
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise AssertionError(f"{name} ended with {process.returncode}:\n{self.log(name)}")
            time.sleep(0.2)
        raise AssertionError(f"not within {seconds:.0f} s: {what}\n" + "\n".join(map(self.log, self.processes)))

    def log(self, name: str) -> str:
        return f"--- {name}\n{(self.folder / f'{name}.log').read_text(errors='replace')[-3_000:]}"


def _get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()
    except (urllib.error.URLError, OSError):
        return 0, b""

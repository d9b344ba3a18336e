"""A worker process that can be changed and whose disk can be lost."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from nursery import Child, nursery
from prometheus_client.parser import text_string_to_metric_families
from support.worker_process import WorkerProcess

from funnelwatch.schemas.settings import Settings

SLOW_SECONDS = 8.0
"""Who has not left by then says in its log what it is waiting for."""
LEAVE_SECONDS = 25.0
"""A worker gives itself 20."""


class Changes(msgspec.Struct, frozen=True):
    """What is different from the product: mechanisms taken out, and hooks with their argument."""

    mutations: tuple[str, ...] = ()
    hooks: dict[str, Any] = {}

    def with_hooks(self, **hooks: Any) -> Changes:
        return Changes(self.mutations, {**self.hooks, **hooks})


class ChaosWorker(WorkerProcess):
    """As the operator's, but for ``changes``, which count from the next start on."""

    def __init__(self, settings: Settings, changes: Changes) -> None:
        super().__init__(settings)
        self.changes = changes
        self._process: Child | None = None
        self.slow_leaves = 0

    def start(self) -> ChaosWorker:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        packed = base64.b64encode(msgspec.msgpack.encode(self.settings)).decode()
        changes = json.dumps(msgspec.to_builtins(self.changes))
        self._process = nursery().start("worker_entry", [packed, changes], self.log)
        return self

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(SLOW_SECONDS)
        self._process.send_signal(signal.SIGUSR2)
        self.slow_leaves += 1
        try:
            code = self._process.wait(LEAVE_SECONDS - SLOW_SECONDS)
            shutil.copy(self.log, Path(tempfile.gettempdir()) / f"funnelwatch-slow-{self.pid}.log")
            return code  # noqa: TRY300  (the alternative ends with an error)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"a worker did not leave within {LEAVE_SECONDS:.0f} s, see {self.log}") from None

    def wipe(self) -> None:
        shutil.rmtree(self.settings.worker.data_dir, ignore_errors=True)

    def end(self) -> None:
        """Whatever state it is in, also paused."""
        if self.is_alive():
            self.signal(signal.SIGCONT)
            self.kill()

    def logged(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def metric(self, name: str) -> float:
        """The sum of a metric's samples; 0 as long as the worker does not answer."""
        try:
            page = self.page()
        except OSError:
            return 0
        return sum(
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name
        )

"""A worker process that can be changed and whose disk can be lost."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families
from support.worker_process import WorkerProcess

from funnelwatch.schemas.settings import Settings

ENTRY = Path(__file__).with_name("worker_entry.py")


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

    def start(self) -> ChaosWorker:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        packed = base64.b64encode(msgspec.msgpack.encode(self.settings)).decode()
        changes = json.dumps(msgspec.to_builtins(self.changes))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, ENTRY, packed, changes], stdout=log, stderr=log, env=dict(os.environ)
            )
        return self

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

"""A board as a process of its own, on a test's Redis; Kafka may be nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from funnelwatch.agents.demo.written import as_toml
from funnelwatch.schemas.settings import Settings

READY_SECONDS = 30.0


class BoardProcess:
    """Used as a context manager, it is there when the body begins and gone when it ends."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "board.toml"
        config.write_text(as_toml(self.settings), "utf-8")
        log = (self._folder / "board.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "funnelwatch", "board", "--config", str(config)],
            stdout=log,
            stderr=log,
            env={name: value for name, value in os.environ.items() if not name.startswith("FUNNELWATCH_")},
        )
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if self.status("/healthz") == 200:
                return self
            time.sleep(0.05)
        self.__exit__()
        raise AssertionError((self._folder / "board.log").read_text()[-2_000:])

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.settings.board.port}"

    def status(self, path: str) -> int:
        """The status of a GET; 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return int(refused.code)
        except OSError:
            return 0

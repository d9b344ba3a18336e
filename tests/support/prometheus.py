"""A real Prometheus that scrapes what a test runs."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pytest

from funnelwatch.agents.embedded import free_ports

READY_SECONDS = 30.0
SCRAPE_SECONDS = 1


class Prometheus:
    """Debian's, on a free port with a folder of its own; used as a context manager, it ends what it started.

    ``jobs``: name of a scrape job to the address it scrapes.
    """

    def __init__(self, folder: Path, jobs: Mapping[str, str], rules: str = "") -> None:
        binary = shutil.which("prometheus")
        if binary is None:
            pytest.skip("there is no prometheus on the path; Debian's package has it")
        self._folder, self._binary = folder, binary
        self.url = f"http://127.0.0.1:{free_ports(1)[0]}"
        folder.mkdir(parents=True, exist_ok=True)
        scrapes = [{"job_name": name, "static_configs": [{"targets": [target]}]} for name, target in jobs.items()]
        timing = f"{SCRAPE_SECONDS}s"
        config: dict[str, Any] = {
            "global": {"scrape_interval": timing, "scrape_timeout": timing, "evaluation_interval": timing},
            "scrape_configs": scrapes,
        }
        if rules:
            (folder / "rules.yml").write_text(rules, "utf-8")
            config["rule_files"] = ["rules.yml"]
        (folder / "prometheus.yml").write_text(json.dumps(config), "utf-8")  # JSON is YAML

    def __enter__(self) -> Self:
        log = (self._folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            [
                self._binary,
                f"--config.file={self._folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
            ],
            stdout=log,
            stderr=log,
        )
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/-/ready", timeout=2):
                return self
            time.sleep(0.1)
        self.__exit__()
        raise AssertionError((self._folder / "prometheus.log").read_text()[-2_000:])

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The series of an instant query, each with its value, in the order of the answer.

        Raises:
            AssertionError: Prometheus refuses the expression.
        """
        form = urllib.parse.urlencode({"query": expression}).encode()
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query", form, timeout=10) as answer:
                data = json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{expression}: {refused.read().decode()}") from refused
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(series["metric"], float(series["value"][1])) for series in data["result"]]

"""docker-compose.yml without containers: each service's very command, environment and files, as processes on loopback.

What a container has of its own is put in place: its paths become folders, the names of services and their ports become
addresses on loopback. Everything else is used as it is written.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import yaml

from funnelwatch.agents.embedded import free_ports

ROOT = Path(__file__).parents[2]
PORTS = (9092, 9094, 6379, 8080, 8081, 8082, 9090, 9093)
"""Every port that services of the file speak to each other by; each is used for one thing only."""
PROGRAMS = {"prom/prometheus": "prometheus", "prom/alertmanager": "prometheus-alertmanager"}
"""The entry point of an image that is not ours."""
STOP_SECONDS = 25.0
CHECK_SECONDS = 15.0
_SERVERS_OF_NAMES = re.compile(
    r"dns_sd_configs:\n +- names: \[\w+\]\n +type: A\n +port: (\d+)\n +refresh_interval: \w+"
)
"""The engine's name server tells Prometheus how many workers there are; without an engine nobody does."""


class Containers:
    """Use it as a context manager; it ends what it started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
        self._services: dict[str, Any] = self._file["services"]
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._secrets = folder / "run" / "secrets"
        self._secrets.mkdir(parents=True)
        for name in self._file["secrets"]:
            (self._secrets / name).write_text(f"password-of-{name}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.ExitStack() as stack:  # the last first, and all of them even if one will not end
            for name in self._processes:
                stack.callback(self.stop, name)

    def path(self, inside: str, service: str) -> Path:
        """Where a path of a service's container is here."""
        return Path(self._placed(inside, service))

    def start(self, service: str) -> None:
        """Start a service and leave it running."""
        log = (self._folder / f"{service}.log").open("ab")
        self._processes[service] = subprocess.Popen(
            self.command(service), env=self.environment(service), stdout=log, stderr=log, cwd=self._folder
        )

    def run(self, service: str) -> subprocess.CompletedProcess[str]:
        """A service that ends by itself."""
        return subprocess.run(
            self.command(service),
            env=self.environment(service),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def run_ours(self, service: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command in a service's container: ``docker compose exec``."""
        return subprocess.run(
            self._ours(["funnelwatch", *arguments]),
            env=self.environment(service),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def stop(self, service: str) -> int:
        """SIGTERM, as ``docker stop`` does; the exit code."""
        process = self._processes.pop(service)
        process.terminate()
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def check(self, service: str) -> bool:
        """The service's own health check."""
        test = self._services[service]["healthcheck"]["test"]
        command = ["sh", "-c", test[1]] if test[0] == "CMD-SHELL" else test[1:]
        try:
            checked = subprocess.run(
                self._ours([self._placed(part.replace("$$", "$"), service) for part in command]),
                env=self.environment(service),
                capture_output=True,
                check=False,
                timeout=CHECK_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return False  # as an engine takes it
        return checked.returncode == 0

    def await_healthy(self, service: str, seconds: float = 150.0) -> None:
        """Until the health check is content."""
        self.wait(f"{service} is healthy", lambda: self.check(service), seconds)

    def wait(self, what: str, until: Callable[[], bool], seconds: float = 150.0) -> None:
        """Until something is so; the end of the logs tells why it never was."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if until():
                return
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise AssertionError(f"{name} ended with {process.returncode}:\n{self.log(name)}")
            time.sleep(0.3)
        raise AssertionError(f"not within {seconds:.0f} s: {what}\n" + "\n".join(map(self.log, self._processes)))

    def log(self, service: str) -> str:
        return f"--- {service}\n{(self._folder / f'{service}.log').read_text(errors='replace')[-2_000:]}"

    def command(self, service: str) -> list[str]:
        """What the container would run."""
        described = self._services[service]
        command = [self._placed(str(part).replace("$$", "$"), service) for part in described["command"]]
        image = described["image"].partition(":")[0]
        if image == "funnelwatch":
            return self._ours(["funnelwatch", *command])
        return [PROGRAMS[image], *command] if image in PROGRAMS else command

    def environment(self, service: str) -> dict[str, str]:
        """This process' own, without what it says to Funnelwatch, and the service's."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("FUNNELWATCH_")}
        given = self._services[service].get("environment", {})
        return own | {name: self._value(name, str(value), service) for name, value in given.items()}

    def _value(self, name: str, value: str, service: str) -> str:
        return "127.0.0.1" if name.endswith("HOST") and value in self._services else self._placed(value, service)

    def properties(self, service: str, inside: str) -> dict[str, str]:
        """A file of properties, as the service would read it."""
        lines = self.path(inside, service).read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    def _ours(self, command: list[str]) -> list[str]:
        return [sys.executable, "-m", "funnelwatch", *command[1:]] if command[0] == "funnelwatch" else command

    def _placed(self, text: str, service: str) -> str:
        """A text with what only a container has put in place."""
        mounts = self._mounts(service)
        paths = "|".join(map(re.escape, mounts))  # longest first, and all at once: what was put in place stays
        text = re.sub(rf"(?<![\w.-])(?:{paths})(?![\w.-])", lambda found: str(mounts[found[0]]), text)
        return self._addressed(text)

    def _addressed(self, text: str) -> str:
        names = "|".join(self._services)
        text = re.sub(rf"(?<![\w.-])(?:{names}|localhost|0\.0\.0\.0)(?=:\d)", "127.0.0.1", text)
        text = re.sub(rf'(?<=host = ")(?:{names}|0\.0\.0\.0)(?=")', "127.0.0.1", text)
        text = text.replace("bind * -::*", "bind 127.0.0.1")
        text = _SERVERS_OF_NAMES.sub(r"static_configs:\n      - targets: ['127.0.0.1:\1']", text)
        return re.sub(r"(?<!\d)\d{4}(?!\d)", lambda found: str(self.ports.get(int(found[0]), found[0])), text)

    def _mounts(self, service: str) -> dict[str, Path]:
        """Container path → path here, longest first; files of the repository are copied with addresses put in place."""
        found = {"/run/secrets": self._secrets}
        for mount in self._services[service].get("volumes", ()):
            source, _, target = mount.partition(":")
            inside = target.removesuffix(":ro") or source
            if not target:
                found[inside] = self._folder / f"{service}-{Path(inside).name}"
            elif source.startswith("."):
                found[inside] = self._copied(ROOT / source, service)
            else:
                found[inside] = self._folder / f"volume-{source}"
        for mount in self._services[service].get("tmpfs", ()):
            found[mount.partition(":")[0]] = self._folder / f"{service}-tmpfs"
        for inside, outside in found.items():
            if not outside.exists() and not outside.suffix:
                outside.mkdir(parents=True)
            assert inside.startswith("/")
        return dict(sorted(found.items(), key=lambda pair: -len(pair[0])))

    def _copied(self, source: Path, service: str) -> Path:
        copy = self._folder / service / source.name
        if copy.exists():
            return copy
        copy.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy)
            return copy
        copy.write_text("")  # there before the text is put in place: it may name itself
        copy.write_text(self._placed(source.read_text("utf-8"), service), "utf-8")
        return copy

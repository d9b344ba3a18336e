"""One server process of ours: started, waited for, stopped, and never left behind."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from funnelwatch.agents.embedded.errors import EmbeddedError

POLL_SECONDS = 0.05
LOG_LINES_SHOWN = 12
LOG_BYTES_READ = 16_384
KILL_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> Callable[[], None] | None:
    """What a child runs before its program so that the kernel ends it when our thread ends; None but on Linux."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before the kernel was asked
            os._exit(1)

    return ask


class ServerProcess:
    """A child process with its own log file and session.

    Its own session keeps a terminal's Ctrl-C away from it: whoever started it stops it, in the right order. On Linux it
    gets SIGTERM when the *thread* that started it ends, however that happens; elsewhere only an orderly exit stops it.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = dict(environment) if environment is not None else None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self.running and self._process is not None else None

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The exit code once it has ended; negative: the signal that ended it."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start the program; its output is appended to the log.

        Raises:
            EmbeddedError: The program cannot be started at all, or was started before and still runs.
        """
        if self.running:
            raise EmbeddedError(f"{self.name} runs already (process {self.pid}).")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.log.open("ab") as output:
                self._process = subprocess.Popen(  # noqa: S603  (our own command line, no shell)
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    start_new_session=True,
                    preexec_fn=_die_with_parent(),  # noqa: PLW1509  (one system call, no lock, no allocation in the child)
                )
        except OSError as error:
            raise EmbeddedError(f"{self.name} cannot be started: {self._command[0]}: {error.strerror}.") from error
        atexit.register(self.stop)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until ``ready()`` says so.

        Raises:
            EmbeddedError: The process ended before, or was not ready in time; it is stopped then.
        """
        for _ in range(max(1, round(seconds / POLL_SECONDS))):
            if ready():
                return
            if not self.running:
                raise EmbeddedError(
                    f"{self.name} ended while starting, with exit code {self.exit_code}. {self.last_lines()}"
                )
            time.sleep(POLL_SECONDS)
        self.stop()
        raise EmbeddedError(f"{self.name} was not ready after {seconds:g} s and was stopped. {self.last_lines()}")

    def last_lines(self) -> str:
        """The end of the log, to be appended to an error."""
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_BYTES_READ))
            lines = log.read().decode(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
            if lines:
                return f"The last lines of {self.log}:\n" + "\n".join(f"  {line}" for line in lines)
        return f"Its log {self.log} is empty."

    def terminate(self) -> None:
        """SIGTERM without waiting: when several are to end at the same time."""
        if self._process is not None and self.running:
            self._process.terminate()

    def stop(self, seconds: float = 10.0) -> None:
        """SIGTERM, and after ``seconds`` SIGKILL, to our own process only. Does nothing if it does not run."""
        atexit.unregister(self.stop)
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(KILL_SECONDS)

    def kill(self) -> None:
        """SIGKILL at once: for tests of what survives."""
        if self._process is not None and self.running:
            self._process.kill()
            self._process.wait(KILL_SECONDS)

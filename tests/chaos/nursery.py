"""Processes forked from one that has everything imported: a start costs a fork instead of 1.5 s of CPU.

They are real processes all the same: with a pid to signal, a memory and files of their own. What a kill leaves behind
is what it would leave behind of a process that was started the long way.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
PRELOADED = (
    "worker_entry",
    "command_entry",
    "funnelwatch.agents.board.service",
    "funnelwatch.agents.engine.worker",
    "funnelwatch.agents.report",
)
POLL_SECONDS = 0.02


class Child:
    """A process of the nursery, to be used like a ``subprocess.Popen``."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._nursery.status(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            time.sleep(POLL_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class Nursery:
    """The process that forks, and the way to ask it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()]
            )
        with ours:
            self._stream = ours.makefile("rwb")

    def start(self, module: str, arguments: Sequence[str], log: Path) -> Child:
        """Fork, and call ``main(*arguments)`` of the module; what it gives is the exit code."""
        return Child(self, self._ask({"start": module, "arguments": list(arguments), "log": str(log)}))

    def status(self, pid: int) -> int | None:
        """The exit code (negative: the signal), None while it runs."""
        found: int | None = self._ask({"status": pid})
        return found

    def close(self) -> None:
        """End it, and whatever still runs of it."""
        self._stream.close()
        self._process.wait()

    def _ask(self, question: dict) -> int | None:
        with self._lock:
            self._stream.write(json.dumps(question).encode() + b"\n")
            self._stream.flush()
            answer = self._stream.readline()
        if not answer:
            raise RuntimeError("the nursery ended")
        return json.loads(answer)


@cache
def nursery() -> Nursery:
    """The one of this process."""
    return Nursery()


def serve(descriptor: int) -> None:
    """What the forking process does, until nobody listens any more: then it ends what it started."""
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    for name in PRELOADED:
        import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked decides
    gc.collect()
    gc.freeze()
    running: set[int] = set()
    ended: dict[int, int] = {}
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rwb") as stream:
        for line in stream:
            question = json.loads(line)
            if "start" in question:
                answer = _forked(question, connection)
                running.add(answer)
                ended.pop(answer, None)  # process ids come again
            else:
                answer = _status(question["status"], running, ended)
            stream.write(json.dumps(answer).encode() + b"\n")
            stream.flush()
    for pid in running:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _status(pid: int, running: set[int], ended: dict[int, int]) -> int | None:
    if pid in running:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            running.discard(pid)
            ended[pid] = os.waitstatus_to_exitcode(status)
    return ended.get(pid)


def _forked(question: dict, connection: socket.socket) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        connection.close()
        os.setsid()  # a terminal's Ctrl-C is for who asked; and the kernel shares a busy machine out by session
        signal.signal(signal.SIGINT, signal.default_int_handler)
        log = os.open(question["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        random.seed()
        signal.signal(signal.SIGUSR2, _tell)
        code = import_module(question["start"]).main(*question["arguments"]) or 0
    except SystemExit as asked:
        code = asked.code if isinstance(asked.code, int) else 0 if asked.code is None else 1
    except BaseException:  # noqa: BLE001  (into its log, as the interpreter would)
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            threading._shutdown()  # as the interpreter does: it waits for threads that are no daemons
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _tell(*_: object) -> None:
    """What every thread and task is doing, into the log: for a process that does not end."""
    faulthandler.dump_traceback(all_threads=True)
    for task in list(asyncio.tasks._all_tasks):
        task.print_stack(limit=8)


if __name__ == "__main__":
    serve(int(sys.argv[1]))

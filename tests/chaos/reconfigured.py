"""The same installation under another configuration: same topics, same disks, same Redis; other meaning of figures."""

from __future__ import annotations

import msgspec
from arena import Arena
from chaos_worker import ChaosWorker

from funnelwatch.agents.demo.written import as_toml
from funnelwatch.schemas.settings import Settings


def of_worker(worker: ChaosWorker, settings: Settings) -> None:
    """From its next start on the worker has other settings, and its own disk and port still."""
    worker.settings = msgspec.structs.replace(settings, worker=worker.settings.worker)


def of_board(arena: Arena, settings: Settings) -> None:
    """From its next start on the board has other settings, and so has the oracle."""
    arena.settings = settings
    arena.board.settings = msgspec.structs.replace(settings, worker=arena.board.settings.worker)
    arena.board.config.write_text(as_toml(arena.board.settings), encoding="utf-8")
    arena.forget_truth()


def restarted_under(arena: Arena, settings: Settings) -> None:
    """Everything stops in order and starts again, with other settings."""
    for worker in arena.workers:
        if worker.is_alive():
            arena.leave(worker)
        of_worker(worker, settings)
    arena.board.stop("board")
    of_board(arena, settings)
    arena.start()

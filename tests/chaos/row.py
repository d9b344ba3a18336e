"""What a row is: a number of the table, what it guards, and how it is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
from chaos_worker import Changes

from funnelwatch.agents.embedded import EmbeddedKafka

T = TypeVar("T")


class Bench(msgspec.Struct, frozen=True):
    """What a row is given."""

    broker: EmbeddedKafka
    folder: Path
    seed: int
    is_long: bool
    changes: Changes

    def pick(self, short: T, long: T, mutated: T | None = None) -> T:
        """What fits the form. With a mechanism taken out less may be enough."""
        if self.changes.mutations and mutated is not None:
            return mutated
        return long if self.is_long else short


class Row(msgspec.Struct, frozen=True):
    """``run`` gives the figures to show, and raises ``Broken`` if the promise does not hold.

    ``mutations`` are the mechanisms it guards: it fails when one of them is taken out. ``seeds`` are how many are tried
    until it does, where that needs luck.
    """

    name: str
    number: str
    guards: str
    run: Callable[[Bench], str]
    mutations: tuple[str, ...] = ()
    seeds: int = 1


def p95(values: list[float]) -> float:
    """The value below or at which 95 % lie; 0 of nothing."""
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)] if values else 0.0

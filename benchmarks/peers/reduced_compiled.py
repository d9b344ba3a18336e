"""The compiled twin of `peers.reduced` in the engine: `peers/reduced_native`, built by `peers.installing`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from funnelwatch.agents.engine import application, kind_fold
from funnelwatch.schemas.events import Kind
from funnelwatch.streams import compiled, compiled_cells
from funnelwatch.streams.compiled import CompiledFold
from funnelwatch.streams.context import Context
from funnelwatch.streams.fold import Fold
from peers.reduced import ALL_STAGES, CODES, ReducedFold, decode, entity_fold, read_events
from peers.workload import CLOSINGS


class CompiledReducedFold(CompiledFold):
    """As the product's, for `peers.reduced`."""

    def __init__(self, fold: Fold[Any], context: Context) -> None:
        self._calendar = context.calendar
        self._covered = (0, 0)
        self._fold = funnelwatch_reduced().ReducedFold(
            codes=list(fold.codes),
            counted=[CODES[f"deal.{name}"] for name in ("created", "won", "lost")],
            stages=list(ALL_STAGES),
            closings=[ALL_STAGES.index(CLOSINGS[f"deal.{name}"]) for name in ("won", "lost")],
        )


def funnelwatch_reduced() -> Any:
    """The library, once `use` has said where it is."""
    return importlib.import_module("funnelwatch_reduced")


def use_twin() -> None:
    """Have deals folded by `peers.reduced` in this process, whose fold has to be `ReducedFold`."""
    kind_fold.EntityFold = entity_fold  # type: ignore[assignment, misc]  # the product has no other one
    kind_fold.read_events = read_events
    kind_fold.decode = decode


def use(installed: Path) -> None:
    """Have them folded by the compiled twin, and what that leaves by `peers.reduced`.

    Everything compiled comes from one library then: a class of one is not that of another.
    """
    use_twin()
    sys.path.append(str(installed))
    for user in (compiled, compiled_cells):
        setattr(user, "_native", funnelwatch_reduced())  # noqa: B010  (as above)
    kind_fold.CompiledFold = _fold  # type: ignore[assignment, misc]  # as above


def folds() -> dict[Kind, Fold[Any]]:
    """Those of the product, but for deals; the worker takes them for its own."""
    application.FOLDS = application.FOLDS | {Kind.DEAL: ReducedFold()}
    return application.FOLDS


def _fold(fold: Fold[Any], context: Context) -> CompiledFold:
    return (CompiledReducedFold if isinstance(fold, ReducedFold) else CompiledFold)(fold, context)

"""What there is to know about a metric before anybody measures it."""

from __future__ import annotations

import msgspec


class Metric(msgspec.Struct, frozen=True):
    """One metric family. ``processes`` is who exposes it: ``board``, ``worker``, ``gateway``, ``reconcile``.

    ``additive`` families may be added up over reps; only those exist for ``rep="__other__"``.
    """

    name: str
    type: str
    unit: str
    labels: tuple[str, ...]
    help: str
    action: str
    processes: tuple[str, ...] = ("board",)
    additive: bool = False

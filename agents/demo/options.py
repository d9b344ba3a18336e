"""What the demo can be told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

PORT_BASE: Final = 18080
PORTS: Final = 5
PORT_MAX: Final = 65_535
DATA_DIR: Final = Path("funnelwatch-data")
"""Where ``--no-simulator`` keeps its data if nothing else is said."""

SPEED: Final = 4_500.0
"""Simulated working seconds per second: a working day of eight hours passes in 6.4 s."""

SPEED_MAX: Final = 1_000_000.0

TROUBLE_AFTER_SECONDS: Final = 30.0

_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the demo. ``for_seconds`` is how long it lives after its history is folded; None: until Ctrl-C."""

    for_seconds: float | None = None
    port_base: int = PORT_BASE
    data_dir: Path | None = None
    seed: int = 1
    reps: int = 40
    speed: float = SPEED
    simulator: bool = True
    config: Path | None = None


def seconds(text: str) -> float:
    """A duration: ``60``, ``60s``, ``1.5m``, ``2h``.

    Raises:
        ValueError: It is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration: write 60s, 1.5m or 2h")
    return float(match[1]) * _UNITS[match[2]]

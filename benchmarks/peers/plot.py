"""A plot of cost against size, as an SVG of a few kilobytes: one panel for each dimension, sizes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

WIDTH, HEIGHT, GAP = 250, 190, 56
TOP, LEFT = 44, 54
GRID = 4
COLOURS = ("#1d4ed8", "#b91c1c", "#15803d")


class Panel(msgspec.Struct, frozen=True):
    """``sizes`` of one dimension, and the costs of each size by what they are of."""

    title: str
    sizes: tuple[int, ...]
    costs: dict[str, tuple[float, ...]]


def as_svg(title: str, panels: Sequence[Panel]) -> str:
    """All panels beside each other, with one scale of costs from zero on: what grows linearly is level."""
    highest = max((cost for panel in panels for costs in panel.costs.values() for cost in costs), default=1.0)
    step = _round_up(highest / GRID)
    width = LEFT + len(panels) * (WIDTH + GAP)
    view = f'viewBox="0 0 {width} {TOP + HEIGHT + 68}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {view} font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{TOP + HEIGHT + 68}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{title}</text>',
    ]
    for place, panel in enumerate(panels):
        parts += _panel(panel, LEFT + place * (WIDTH + GAP), step)
    names = list(dict.fromkeys(name for panel in panels for name in panel.costs))
    for place, name in enumerate(names):
        x = LEFT + place * 150
        parts.append(f'<rect x="{x}" y="{TOP + HEIGHT + 50}" width="12" height="4" fill="{COLOURS[place]}"/>')
        parts.append(f'<text x="{x + 18}" y="{TOP + HEIGHT + 57}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, left: int, step: float) -> list[str]:
    bottom = TOP + HEIGHT
    parts = []
    for line in range(GRID + 1):
        y = bottom - HEIGHT * line / GRID
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{left + WIDTH}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{step * line:g}</text>')
    low, high = math.log(panel.sizes[0]), math.log(panel.sizes[-1])
    xs = [left + 12 + (WIDTH - 24) * (math.log(size) - low) / ((high - low) or 1.0) for size in panel.sizes]
    for size, x in zip(panel.sizes, xs, strict=True):
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{_short(size)}</text>')
    parts.append(f'<text x="{left + WIDTH / 2:.0f}" y="{bottom + 34}" text-anchor="middle">{panel.title}</text>')
    for colour, costs in zip(COLOURS, panel.costs.values(), strict=False):
        points = [(x, bottom - HEIGHT * cost / (step * GRID)) for x, cost in zip(xs, costs, strict=True)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    return parts


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5 and 10 times a power of ten."""
    power = 10 ** math.floor(math.log10(value))
    return next(power * digit for digit in (1, 2, 2.5, 5, 10) if power * digit >= value)


def _short(size: int) -> str:
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit:
            return f"{size / unit:g}{name}"
    return str(size)

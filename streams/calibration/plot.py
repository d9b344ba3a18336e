"""The trade-off as a picture: what is found against the false pages it costs, one line a rule. SVG, no library."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from math import log10
from typing import Final
from xml.sax.saxutils import escape

from funnelwatch.streams.calibration.curve import WITHIN_HOURS, Point

WIDTH, HEIGHT = 900, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 330, 40, 60
FALSE_MIN, FALSE_MAX = 0.1, 2_000.0
"""The axis of false pages is logarithmic; none at all stands at its left end."""
COLORS: Final = ("#0b6e4f", "#9aa5b1", "#c2410c", "#1d4ed8", "#7c3aed")
FONT: Final = 'font-family="sans-serif" font-size="13"'
LABEL: Final = "false pages a week for 500 reps (logarithmic)"
DASHES: Final = ("", "6 3", "2 3", "", "6 3")


def as_svg(points: Iterable[Point], within_hours: int, budget_a_week: float, title: str) -> str:
    """Rules are told apart by dashes as well as by colour."""
    index = WITHIN_HOURS.index(within_hours)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
        *_axes(budget_a_week),
    ]
    for number, (rule, group) in enumerate(groupby(points, key=lambda point: point.rule)):
        color, dash = COLORS[number % len(COLORS)], DASHES[number % len(DASHES)]
        places = [(_x(point.false_a_week), _y(point.found[index])) for point in group]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>' for x, y in places]
        y = TOP + 20 + 22 * number
        x = WIDTH - RIGHT + 20
        parts.append(
            f'<line x1="{x}" y1="{y}" x2="{x + 30}" y2="{y}" stroke="{color}" stroke-width="2" '
            f'stroke-dasharray="{dash}"/><text x="{x + 38}" y="{y + 4}">{escape(rule)}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(budget_a_week: float) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#444"/>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = _y(share)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    for false in (0.1, 1, 10, 100, 1000):
        label = "≤ 0.1" if false == FALSE_MIN else f"{false:g}"
        parts.append(f'<text x="{_x(false):.1f}" y="{bottom + 18}" text-anchor="middle">{label}</text>')
    x = _x(budget_a_week)
    parts += [
        f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}" stroke="#b91c1c" stroke-dasharray="3 3"/>',
        f'<text x="{x + 4:.1f}" y="{bottom - 6}" fill="#b91c1c">budget {budget_a_week:g}</text>',
        f'<text x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 18}" text-anchor="middle">{LABEL}</text>',
    ]
    return parts


def _x(false_a_week: float) -> float:
    clipped = min(FALSE_MAX, max(FALSE_MIN, false_a_week))
    share = (log10(clipped) - log10(FALSE_MIN)) / (log10(FALSE_MAX) - log10(FALSE_MIN))
    return LEFT + share * (WIDTH - RIGHT - LEFT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

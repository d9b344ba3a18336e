"""PromQL of the panels: selectors that carry a dashboard's variables, and the joins that put names to ids.

``window`` and ``currency`` are fixed by an equality matcher or kept; nothing is ever summed over them.
"""

from __future__ import annotations

from typing import Final

_EVERYWHERE: Final = 'job=~"$job", instance=~"$instance"'
_OF_TEAMS: Final = f'{_EVERYWHERE}, team=~"$team"'
_OF_REPS: Final = f'{_OF_TEAMS}, rep=~"$rep"'


def select(metric: str, **labels: str) -> str:
    """A metric of a process, of the jobs and instances chosen. Labels are equalities; ``~`` in front makes a match."""
    return f"{metric}{{{_with(_EVERYWHERE, labels)}}}"


def rep(figure: str, **labels: str) -> str:
    """A figure of the reps chosen: ``rep("loss_ratio", window="$window")``."""
    return f"sales_rep_{figure}{{{_with(_OF_REPS, labels)}}}"


def team(figure: str, **labels: str) -> str:
    """A figure of the teams chosen."""
    return f"sales_team_{figure}{{{_with(_OF_TEAMS, labels)}}}"


def named(expression: str) -> str:
    """The same for reps, with their names."""
    return f"{expression} * on (instance, rep, team) group_left (name, manager) {rep('info')}"


def worst(number: int, expression: str, *, low: bool = False) -> str:
    """The so many reps or teams with the largest value (the smallest, if ``low`` is bad), worst first."""
    return f"sort(bottomk({number}, {expression}))" if low else f"sort_desc(topk({number}, {expression}))"


def _with(base: str, labels: dict[str, str]) -> str:
    parts = [base]
    for label, value in labels.items():
        operator, text = ("=~", value[1:]) if value.startswith("~") else ("=", value)
        parts.append(f'{label}{operator}"{text}"')
    return ", ".join(parts)

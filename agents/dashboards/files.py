"""All dashboards, and the files they become."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from funnelwatch.agents.dashboards.coaching import coaching
from funnelwatch.agents.dashboards.funnel import funnel
from funnelwatch.agents.dashboards.health import health
from funnelwatch.agents.dashboards.manager import manager
from funnelwatch.agents.dashboards.render import render
from funnelwatch.agents.dashboards.rep import rep
from funnelwatch.agents.dashboards.spec import Dashboard, Say
from funnelwatch.agents.dashboards.teams import teams
from funnelwatch.agents.dashboards.wall import wall

LANGUAGES: Final[dict[str, Say]] = {"en": lambda english, _: english, "fa": lambda _, persian: persian}
PAGES: Final[tuple[Callable[[Say, str], Dashboard], ...]] = (wall, manager, rep, teams, funnel, coaching, health)


def dashboards(language: str) -> list[Dashboard]:
    """Every dashboard in a language of `LANGUAGES`."""
    return [page(LANGUAGES[language], language) for page in PAGES]


def rendered() -> dict[str, str]:
    """Path below the dashboards' folder to content, of every dashboard in every language."""
    return {
        f"{language}/{page.key}.json": render(page, say, language)
        for language, say in LANGUAGES.items()
        for page in dashboards(language)
    }


def write(folder: Path) -> list[Path]:
    """Write every file; what they are called."""
    written = []
    for name, content in rendered().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
        written.append(path)
    return written

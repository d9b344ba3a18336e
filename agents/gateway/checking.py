"""What ``funnelwatch check`` looks at of a gateway: the table of people, and each source with all that it needs."""

from __future__ import annotations

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway import sources
from funnelwatch.agents.gateway.directory import Directory
from funnelwatch.agents.sources.pollers import POLLERS
from funnelwatch.schemas.problems import ConfigurationError, Problems
from funnelwatch.schemas.settings import Settings
from funnelwatch.schemas.sources.registry import SYSTEMS


def people_and_sources(settings: Settings) -> list[tuple[str, list[str]]]:
    """What was looked at, and what is wrong with it: mappings, secrets, what a poller needs to begin. Blocks."""
    found = []
    if settings.gateway.people:
        found.append((f"the table of people {settings.gateway.people}", _people(settings)))
    for number, source in enumerate(settings.sources):
        what = f"the source {source.name} ({SYSTEMS[source.system].title})"
        found.append((what, _source(number, settings)))
    return found


def _people(settings: Settings) -> list[str]:
    try:
        Directory(settings)
    except ConfigurationError as error:
        return [str(problem) for problem in error.problems]
    return []


def _source(number: int, settings: Settings) -> list[str]:
    problems = Problems()
    source = sources.loaded(number, settings, problems)
    found = [str(problem) for problem in problems.found]
    poller = POLLERS.get(settings.sources[number].system)
    if source is not None and poller is not None and poller.wanted(source):
        try:
            poller.check(source)
        except OperationError as error:
            found.append(str(error))
    return found

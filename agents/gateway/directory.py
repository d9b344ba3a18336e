"""The table of people as a running process has it: read again when its file changes."""

from __future__ import annotations

import logging
from pathlib import Path

from funnelwatch.schemas.problems import ConfigurationError, Problem
from funnelwatch.schemas.settings import Settings
from funnelwatch.schemas.sources.people import People, parse
from funnelwatch.schemas.sources.registry import SYSTEMS

log = logging.getLogger(__name__)


class Directory:
    """Who is who. Without a table everybody is whom the vendor names.

    Raises:
        ConfigurationError: The table cannot be used; all problems are listed.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = Path(settings.gateway.people) if settings.gateway.people else None
        self._systems = {
            *SYSTEMS,
            *(source.name for source in settings.sources),
            *(source.prefix for source in settings.sources if source.prefix),
        }
        self._stamp: tuple[int, int] | None = None
        self._people: People | None = None
        self._reps: frozenset[str] = frozenset()
        if self._path is not None:
            self._read(self._path)

    def rep_of(self, references: tuple[str, ...]) -> str | None:
        """The rep of somebody whom a vendor names in these ways, best first; None if the table has none of them."""
        if self._people is None:
            return references[0]
        found = self._people.rep_of(*references)
        return found or next((one for one in references if one in self._reps), None)

    def reload(self) -> bool:
        """Read the file again if it changed. Whether it had; a table that cannot be used leaves the old one."""
        if self._path is None:
            return False
        try:
            return self._read(self._path)
        except ConfigurationError as error:
            log.error("The table of people cannot be used; the one read before stands. %s", error)  # noqa: TRY400
            return False

    def _read(self, path: Path) -> bool:
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return False
            self._stamp = stamp  # a table that cannot be used is told once, not every time it is looked at
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise ConfigurationError([Problem("gateway.people", f"{path} cannot be read: {why}")]) from error
        try:
            self._people = parse(text, self._systems)
        except ConfigurationError as error:
            raise ConfigurationError(
                Problem(f"{path}: {problem.path}", problem.message) for problem in error.problems
            ) from None
        self._reps = frozenset(person.rep for person in self._people.people)
        return True

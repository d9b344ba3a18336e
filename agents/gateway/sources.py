"""The configured sources with everything they need to run: system, options, mapping, secrets, limits."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from funnelwatch.agents.exports import load_mapping
from funnelwatch.agents.gateway.limits import Rate
from funnelwatch.schemas.problems import ConfigurationError, Problems
from funnelwatch.schemas.settings import Settings, SourceSettings
from funnelwatch.schemas.sources.contract import Dated, SourceOptions, System
from funnelwatch.schemas.sources.options import options_of
from funnelwatch.schemas.sources.registry import SYSTEMS

log = logging.getLogger(__name__)

_PEM: Final = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)

SECRET_BYTES_MAX: Final = 64 * 1024
SECRETS_MAX: Final = 8
"""Secrets of one source that are good at the same time."""


class SourceSecrets:
    """The secrets of one source, each as good. The repr shows nothing.

    Args:
        settings: Where they are.
        environment: The environment variables.
        needed: Whether there must be one; a poller of files needs none.

    Raises:
        ValueError: There is none, or the file cannot be read; the text says where it is looked for.
    """

    def __init__(self, settings: SourceSettings, environment: Mapping[str, str], *, needed: bool) -> None:
        self._settings = settings
        self._needed = needed
        self._environment = environment
        self._stamp: tuple[int, int] | None = None
        self.values: tuple[str, ...] = ()
        self.reload()

    def __repr__(self) -> str:
        return "SourceSecrets(…)"

    def reload(self) -> bool:
        """Read the file again if it changed. Whether it had.

        Raises:
            ValueError: There is no secret, or the file cannot be read.
        """
        path = self._settings.secret_file
        if not path:
            self.values = _lines(self._environment.get(self._settings.secret_variable, ""))
            if self._needed and not self.values:
                raise ValueError(
                    f"has no secret: set {self._settings.secret_variable}, or name a file with secret_file"
                )
            return False
        try:
            status = Path(path).stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return False
            with Path(path).open(encoding="utf-8") as opened:
                values = _lines(opened.read(SECRET_BYTES_MAX))
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"has a secret_file that cannot be read: {getattr(error, 'strerror', error)}") from None
        if not values:
            raise ValueError("has an empty secret_file")
        self._stamp, self.values = stamp, values
        return True


def _lines(text: str) -> tuple[str, ...]:
    """A secret a line; a key in PEM, which has several, is one."""
    text = _PEM.sub(lambda found: found[0].replace("\r", "").replace("\n", "\\n"), text)
    return tuple(line.strip() for line in text.splitlines() if line.strip())[:SECRETS_MAX]


class Source:
    """One source as it runs."""

    def __init__(
        self, settings: SourceSettings, system: System, options: SourceOptions, secrets: SourceSecrets
    ) -> None:
        self.settings = settings
        self.name = settings.name
        self.system = system
        self.options = options
        self.secrets = secrets
        self.dated = system.proof if isinstance(system.proof, Dated) else None
        self.rate = Rate(settings.requests_per_second_max)
        self.at_once = 0


def load(settings: Settings, environment: Mapping[str, str] = os.environ) -> dict[str, Source]:
    """All sources by name.

    Raises:
        ConfigurationError: A mapping or a secret is missing or cannot be used; all problems are listed.
    """
    problems = Problems()
    found = [loaded(number, settings, problems, environment) for number in range(len(settings.sources))]
    if problems.found:
        raise ConfigurationError(problems.found)
    return {source.name: source for source in found if source is not None}


def loaded(
    number: int, settings: Settings, problems: Problems, environment: Mapping[str, str] = os.environ
) -> Source | None:
    """One source by its place in the configuration. None if something is wrong with it, which is then noted."""
    source, path = settings.sources[number], f"sources[{number}]"
    system = SYSTEMS[source.system]
    options = _options(source, system, settings, path, problems)
    try:
        secrets = SourceSecrets(source, environment, needed=system.webhook)
    except ValueError as error:
        problems.add(path, f"{source.name!r} {error}")
        return None
    return None if options is None else Source(source, system, options, secrets)


def options_with_mapping(source: SourceSettings, settings: Settings) -> SourceOptions:
    """The options of a source with what its mapping's file holds.

    Raises:
        ConfigurationError: The mapping cannot be used.
    """
    mapping = load_mapping(Path(source.mapping_file)) if source.mapping_file else None
    return options_of(source, settings, mapping)


def _options(
    source: SourceSettings, system: System, settings: Settings, path: str, problems: Problems
) -> SourceOptions | None:
    try:
        options = options_with_mapping(source, settings)
    except ConfigurationError as error:
        for problem in error.problems:
            problems.add(f"{path}.mapping_file", str(problem))
        return None
    if system.check is not None:
        for sentence in system.check(options):
            problems.add(path, sentence)
    return options

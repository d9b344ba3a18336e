"""Where a process gets its settings: one TOML file, overridden by the environment.

Passwords come from the environment alone, or from files that it names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import holidays

from funnelwatch.schemas import configuration
from funnelwatch.schemas.configuration import ConfigurationError, Problem
from funnelwatch.schemas.settings import Secrets, Settings
from funnelwatch.schemas.template import TEMPLATE

__all__ = ["ConfigurationError", "example", "load"]

DEFAULT_FILE: Final = Path("funnelwatch.toml")
FILE_SUFFIX: Final = "_FILE"
"""``FUNNELWATCH_REDIS_PASSWORD_FILE`` names a file that holds the password."""


def load(path: Path | None) -> tuple[Settings, Secrets]:
    """Settings from ``path``, else from ``funnelwatch.toml`` here if there is one, else the defaults.

    Raises:
        ConfigurationError: The file cannot be read, or says what cannot be used; all problems are listed.
    """
    if path is None and DEFAULT_FILE.exists():
        path = DEFAULT_FILE
    try:
        text = "" if path is None else path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError([Problem(str(path), f"the configuration cannot be read: {why}")]) from error
    return configuration.load(text, _environment(os.environ), countries=holidays.list_supported_countries())


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables, with each password whose ``…_FILE`` names a file read from there, as containers are given them."""
    found = dict(environment)
    problems = []
    for name in configuration.SECRETS:
        path = found.pop(f"{name}{FILE_SUFFIX}", "")
        if not path:
            continue
        if found.get(name):
            problems.append(Problem(f"{name}{FILE_SUFFIX}", f"give either this or {name}, not both"))
            continue
        try:
            found[name] = Path(path).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            problems.append(Problem(f"{name}{FILE_SUFFIX}", f"the file cannot be read: {why}"))
    if problems:
        raise ConfigurationError(problems)
    return found


def example() -> str:
    """A commented configuration to start from; it loads as the defaults."""
    return TEMPLATE

"""Where a process gets its settings: one TOML file, overridden by the environment, and passwords from there alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import holidays

from funnelwatch.schemas import configuration
from funnelwatch.schemas.configuration import ConfigurationError, Problem
from funnelwatch.schemas.settings import Secrets, Settings
from funnelwatch.schemas.template import TEMPLATE

__all__ = ["ConfigurationError", "example", "load"]

DEFAULT_FILE: Final = Path("funnelwatch.toml")


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
    return configuration.load(text, os.environ, countries=holidays.list_supported_countries())


def example() -> str:
    """A commented configuration to start from; it loads as the defaults."""
    return TEMPLATE

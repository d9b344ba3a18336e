"""Where a process gets its settings: one TOML file, and passwords from the environment."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Final

import msgspec

from funnelwatch.schemas.settings import Secrets, Settings

DEFAULT_FILE: Final = Path("funnelwatch.toml")


class ConfigurationError(Exception):
    """What the configuration says cannot be used; the message lists everything that is wrong with it."""


def load(path: Path | None) -> tuple[Settings, Secrets]:
    """Settings from ``path``, else from ``funnelwatch.toml`` here if there is one, else the defaults.

    Raises:
        ConfigurationError: The file cannot be read, or says what cannot be used; all problems are listed.
    """
    secrets = Secrets(
        kafka_password=os.environ.get("FUNNELWATCH_KAFKA_PASSWORD", ""),
        redis_password=os.environ.get("FUNNELWATCH_REDIS_PASSWORD", ""),
    )
    if path is None and not DEFAULT_FILE.exists():
        return Settings(), secrets
    chosen = path or DEFAULT_FILE
    try:
        return msgspec.convert(tomllib.loads(chosen.read_text("utf-8")), Settings), secrets
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{chosen}: {error}") from error


def example() -> str:
    """A commented configuration to start from."""
    raise NotImplementedError

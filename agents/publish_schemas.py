"""Writes the published schemas: ``python -m funnelwatch.agents.publish_schemas docs/schemas``."""

from __future__ import annotations

import sys
from pathlib import Path

from funnelwatch.schemas.published import files


def write(folder: Path) -> list[Path]:
    """Write every schema into ``folder``, and remove JSON files there that are none any more. Returns what was written.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = files()
    for stale in folder.glob("*.json"):
        if stale.name not in contents:
            stale.unlink()
    written = []
    for name, content in contents.items():
        path = folder / name
        path.write_text(content, encoding="utf-8")
        written.append(path)
    return written


def main(arguments: list[str]) -> int:
    """Write the schemas into the folder named on the command line; exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m funnelwatch.agents.publish_schemas FOLDER\n")
        return 2
    for path in write(Path(arguments[0])):
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

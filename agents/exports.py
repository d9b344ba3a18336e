"""What an import is made of: the mapping, and which file follows which of its rules."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.tables import CsvFile
from funnelwatch.schemas.mapping import FileRule, Import, Join, parse
from funnelwatch.schemas.problems import ConfigurationError, Problem
from funnelwatch.schemas.rows import Tables, joined, missing_columns, rule_of

SHIPPED: Final = Path(__file__).resolve().parent.parent / "schemas" / "mappings"
"""Mappings that come with the program; each can be named without its folder and ending: ``crm``."""
SIDE_ROWS_MAX: Final = 1_000_000
"""Rows of one side file: they are held in memory."""


def load_mapping(path: Path) -> Import:
    """A mapping from its file, or one that ships with the program from its name.

    Raises:
        ConfigurationError: It cannot be read or used; all problems are listed.
    """
    shipped = SHIPPED / f"{path.name}.toml"
    chosen = shipped if not path.exists() and path.name == str(path) and shipped.exists() else path
    try:
        text = chosen.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.toml")))
        why = getattr(error, "strerror", None) or str(error)
        problem = Problem(str(path), f"the mapping cannot be read: {why}; mappings that ship: {known}")
        raise ConfigurationError([problem]) from error
    try:
        return parse(text)
    except ConfigurationError as error:
        raise ConfigurationError(
            Problem(f"{chosen}: {problem.path}" if problem.path else str(chosen), problem.message)
            for problem in error.problems
        ) from None


def shipped_text(name: str) -> str:
    """The TOML of a mapping that ships with the program.

    Raises:
        OperationError: None has the name.
    """
    known = {file.stem: file for file in SHIPPED.glob("*.toml")}
    if name not in known:
        raise OperationError(f"No mapping that ships is named {name!r}; there are {', '.join(sorted(known))}.")
    return known[name].read_text("utf-8")


def rule_of_file(mapping: Import, path: Path) -> FileRule | None:
    """The rule of a file, by its columns; None for one that is only a side file.

    Raises:
        OperationError: It cannot be read, or fits no rule, or two.
    """
    for rule in mapping.files:
        with CsvFile(path, rule.encoding, rule.delimiter) as opened:
            alike = [one for one in mapping.files if (one.encoding, one.delimiter) == (rule.encoding, rule.delimiter)]
            try:
                found = rule_of(msgspec.structs.replace(mapping, files=tuple(alike)), opened.header)
            except ValueError as error:
                raise OperationError(f"{path} cannot be imported: {error}.") from error
        if found is not None:
            return found
    if any(_fits(join, path) for join in mapping.joins):
        return None
    with CsvFile(path, mapping.files[0].encoding, mapping.files[0].delimiter) as opened:
        raise OperationError(f"{path} fits no rule of the mapping: {missing_columns(mapping, opened.header)}.")


def side_tables(mapping: Import, sources: Sequence[Path], needed: set[str]) -> Tables:
    """The side files that are needed, held in memory.

    Raises:
        OperationError: One is not among ``sources``, cannot be read, or is too large.
    """
    tables = {}
    for join in mapping.joins:
        if join.name not in needed:
            continue
        path = next((path for path in sources if _fits(join, path)), None)
        if path is None:
            columns = ", ".join((join.key, *join.columns))
            raise OperationError(f"The side file {join.name!r} is missing: name a file with the columns {columns} too.")
        with CsvFile(path, join.encoding, join.delimiter) as opened:
            rows = [line.cells for line in islice(opened.lines(), SIDE_ROWS_MAX + 1) if line.cells]
        if len(rows) > SIDE_ROWS_MAX:
            raise OperationError(f"{path} has more than {SIDE_ROWS_MAX:,} rows; that is too much for a side file.")
        tables[join.name] = joined(rows, join.key)
    return tables


def _fits(join: Join, path: Path) -> bool:
    with CsvFile(path, join.encoding, join.delimiter) as opened:
        return {join.key, *join.columns} <= set(opened.header)

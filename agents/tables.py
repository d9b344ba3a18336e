"""CSV files as they come out of other programs: read as a stream, whatever is wrong with single lines."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, NamedTuple, Self, cast

from funnelwatch.agents.errors import OperationError

CELL_CHARS_MAX: Final = 256 * 1024
"""A longer cell is a quotation mark that is never closed; the row is bad and reading goes on behind it."""


class Line(NamedTuple):
    """One row: the number of its first line in the file, and its cells by column, or what is wrong with it."""

    number: int
    cells: dict[str, str] | None
    problem: str = ""


class CsvFile:
    """A CSV file with a header, gzipped or not. Use it as a context manager.

    Bytes that are no text in the encoding become lone surrogates, which no event takes: their row is reported, the
    others are read.

    Raises:
        OperationError: It cannot be read, or has no usable header.
    """

    def __init__(self, path: Path, encoding: str, delimiter: str) -> None:
        self._path = path
        csv.field_size_limit(CELL_CHARS_MAX)
        try:
            self._raw = path.open("rb")
        except OSError as error:
            raise OperationError(f"{path} cannot be read: {error.strerror}.") from error
        self.bytes_total = os.fstat(self._raw.fileno()).st_size
        stream = gzip.GzipFile(fileobj=self._raw) if path.suffix == ".gz" else self._raw
        text = io.TextIOWrapper(cast("BinaryIO", stream), encoding, errors="surrogateescape", newline="")
        self._reader = csv.reader(text, delimiter=delimiter)
        self.header: list[str] = []

    @property
    def bytes_read(self) -> int:
        """How much of the file has been read, as it lies on the disk."""
        return self._raw.tell()

    def __enter__(self) -> Self:
        try:
            self.header = [name.strip() for name in next(self._reader, [])]
        except (OSError, EOFError, zlib.error, csv.Error, UnicodeError) as error:
            self._raw.close()
            raise OperationError(f"{self._path} cannot be read as CSV: {error}.") from error
        if not self.header:
            self._raw.close()
            raise OperationError(f"{self._path} is empty; its first line must name the columns.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._raw.close()

    def lines(self) -> Iterator[Line]:
        """The rows behind the header; empty lines are left out.

        Raises:
            OperationError: The file ends in the middle (a damaged gzip file), or names a column twice.
        """
        twice = {name for name in self.header if self.header.count(name) > 1}
        if twice:
            raise OperationError(f"{self._path} names the columns {', '.join(sorted(twice))} twice.")
        while True:
            number = self._reader.line_num + 1
            try:
                row = next(self._reader, None)
            except csv.Error as error:
                yield Line(number, None, str(error))
                continue
            except (OSError, EOFError, zlib.error, UnicodeError) as error:
                raise OperationError(f"{self._path} cannot be read behind line {number}: {error}.") from error
            if row is None:
                return
            if len(row) == len(self.header):
                yield Line(number, dict(zip(self.header, row, strict=True)))
            elif row:
                yield Line(number, None, f"it has {len(row)} cells, the header {len(self.header)}")

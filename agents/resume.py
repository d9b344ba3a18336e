"""How far files were published, kept in a file: so that whoever was interrupted goes on and does not begin again."""

from __future__ import annotations

from pathlib import Path

import msgspec

from funnelwatch.agents.errors import OperationError


class Place(msgspec.Struct, frozen=True):
    """``lines`` of a file are acknowledged by Kafka; the file had ``size`` bytes then."""

    lines: int
    size: int


class Resume:
    """The places of all files. Without a file of its own it knows and keeps nothing.

    Raises:
        OperationError: The file is none of these, or cannot be read.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._places: dict[str, Place] = {}
        if file is not None and file.exists():
            try:
                self._places = msgspec.json.decode(file.read_bytes(), type=dict[str, Place])
            except (OSError, msgspec.MsgspecError) as error:
                raise OperationError(
                    f"{file} does not say how far files were published ({error}): name another file, or remove it to "
                    "begin again; publishing an event twice changes no figure."
                ) from error

    def lines(self, path: Path, size: int) -> int:
        """How many lines need not be published again; 0 for a file that is smaller than it was."""
        place = self._places.get(str(path.resolve()))
        return 0 if place is None or size < place.size else place.lines

    def note(self, path: Path, lines: int, size: int) -> None:
        """Keep that so many lines are acknowledged.

        Raises:
            OperationError: It cannot be written.
        """
        if self._file is None:
            return
        self._places[str(path.resolve())] = Place(lines, size)
        part = self._file.with_name(f"{self._file.name}.part")
        try:
            part.write_bytes(msgspec.json.encode(self._places))
            part.replace(self._file)
        except OSError as error:
            raise OperationError(f"{self._file} cannot be written: {error.strerror}.") from error

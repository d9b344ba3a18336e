"""Long files of lines, read many lines at a time."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from typing import Final

BLOCK_BYTES: Final = 1 << 20
"""About so much is read at a time: whole lines, more of it if a line is longer."""


def blocks(file: io.BufferedReader | gzip.GzipFile) -> Iterator[bytes]:
    """Whole lines with their ends; the last one of the file may have none.

    Raises:
        OSError, EOFError, zlib.error: The file is damaged: all whole lines before the damage were given, and maybe
            lines that nobody wrote, because gzip may read a damage as text until it meets a code that is none.
    """
    rest: list[bytes] = []
    while piece := file.read1(BLOCK_BYTES):  # not `read`, which keeps for itself what it has when it meets a damage
        end = piece.rfind(b"\n") + 1
        if end:
            yield b"".join((*rest, piece[:end]))
            rest = []
        rest.append(piece[end:])
    if last := b"".join(rest):
        yield last


def line_end(block: bytes, at: int) -> int:
    """Where the line ends that begins there."""
    return block.find(b"\n", at) + 1 or len(block)


def pass_over(block: bytes, at: int, lines: int) -> tuple[int, int]:
    """Behind so many lines, or all there are: the place, and how many they were."""
    passed = 0
    while passed < lines and at < len(block):
        at = line_end(block, at)
        passed += 1
    return at, passed

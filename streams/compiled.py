"""The compiled fold of a chunk (`native/`, Rust), where it is installed: the folds of here, several times faster.

`streams.folds` is the definition and the twin. The compiled fold takes an entity of a chunk only if all about it is
ordinary: events that `schemas.codec` would take, a row without repeats, nothing contradictory, room for more. All else
is left to the twin, which then does the whole entity: figures never rest on this alone. A test holds both equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from funnelwatch.schemas.codec import Limits
from funnelwatch.schemas.currencies import CURRENCIES
from funnelwatch.schemas.events import CallData, DealData, EmailData, Kind, LeadData
from funnelwatch.schemas.settings import FOLD_VERSION, Settings
from funnelwatch.streams.calendar import DAY_US
from funnelwatch.streams.compiled_cells import compiled
from funnelwatch.streams.context import Context
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.shard import Cells
from funnelwatch.streams.sketch import bin_starts
from funnelwatch.streams.zones import EPOCH_ORDINAL

if TYPE_CHECKING:
    from funnelwatch._native import Chunk, Folded, TakenRows

try:
    from funnelwatch import _native
except ImportError:  # no compiler when it was installed
    _native = None  # type: ignore[assignment]  # asked for by `is_installed`

INTERFACE: Final = 5
"""What `native/src/lib.rs` has to say: what was built for another way of being called is not used."""
KINDS: Final = (Kind.DEAL, Kind.LEAD, Kind.CALL, Kind.EMAIL)
"""Events of reps are rare and rich: they are left to the twin."""
YEARS_COVERED_MAX: Final = 60
"""Years of which calendar tables are handed over; what is older or newer is left to the twin."""

_DATA: Final = {Kind.DEAL: DealData, Kind.LEAD: LeadData, Kind.CALL: CallData, Kind.EMAIL: EmailData}
_LONGEST_US: Final = 400 * 366 * DAY_US
_NEVER: Final = 1 << 62
"""An instant (µs) after all others; negative, one before them."""


def is_installed() -> bool:
    """Whether the compiled fold can be used: it is there, and knows rows and members as they are now."""
    if _native is None or (_native.INTERFACE, _native.FOLD_VERSION) != (INTERFACE, FOLD_VERSION):
        return False
    return all(list(data.__struct_fields__) == _native.MEMBERS.get(kind.value) for kind, data in _DATA.items())


def is_used(settings: Settings) -> bool:
    """Whether workers fold by it: it can be used, and ``worker.fold`` does not say otherwise."""
    return settings.worker.fold == "compiled" and is_installed()


def words(settings: Settings) -> str:
    """Which fold is used, and why: the end of a sentence about events."""
    if is_used(settings):
        return "are folded by the compiled fold"
    if settings.worker.fold != "compiled":
        return f"are folded in Python, since worker.fold is {settings.worker.fold!r}"
    return 'are folded in Python: no compiled fold is installed (docs/architecture.md, "Two folds")'


class CompiledFold:
    """The compiled fold of one kind of entity.

    Args:
        fold: The twin.
        context: Of the organisation.
    """

    def __init__(self, fold: Fold[Any], context: Context) -> None:
        self._calendar = context.calendar
        self._covered = (0, 0)  # nothing yet
        self._fold = _native.Fold(
            kind=fold.kind.value,
            codes=fold.codes,
            currencies=sorted(CURRENCIES),
            currency=context.currency,
            stage_order=context.stage_order,
            bins=_bins(),
        )

    def read(self, records: Sequence[Any], limits: Limits) -> Chunk:
        """The events of a chunk. Of `Chunk.others`, which are records, and of what is in them, nothing is in it."""
        future, past = limits.future_us_max, limits.past_us_min
        chunk = self._fold.read(
            records, _NEVER if future is None else future, -_NEVER if past is None else past, limits.size_max
        )
        span = chunk.span()
        if span is not None:
            self._cover(*span)
        return chunk

    def fold(
        self,
        chunk: Chunk,
        rows: list[bytes | None],
        *,
        of_links: bool,
        home: tuple[int, int] | None,
    ) -> Folded:
        """Fold a chunk, but for what is given up, into the ``rows`` of its keys. Nothing is changed by it.

        Args:
            chunk: Of `read`, or one of `read_links`.
            rows: The row of each of its keys, None if there is none.
            of_links: Whether it is one of `read_links`.
            home: The partition, and how many there are: an entity without a row that belongs elsewhere is left. None:
                there is one place for all.
        """
        folded = self._fold.fold(
            chunk,
            rows,
            of_links=of_links,
            partitions=1 if home is None else home[1],
            home=None if home is None else home[0],
        )
        if folded.uncovered is not None:
            self._cover(folded.uncovered, folded.uncovered)  # from the next chunk on
        return folded

    def derivation(self) -> RowsDerivation:
        """Begin to derive what rows contribute."""
        derivation = _native.Derivation(self._fold)

        def cover(spans: list[tuple[int, int]]) -> None:
            usual = sorted(spans)[len(spans) // 2][0]  # tables reach over so many years only: not from an odd row on
            for first, last in sorted(spans, key=lambda span: abs(span[0] - usual)):
                self._cover(first, last)
            derivation.cover(self._fold)

        return RowsDerivation(derivation, cover)

    def _cover(self, start: int, end: int) -> None:
        """Hand over calendar tables that reach over both instants, and over what was covered."""
        first, last = self._covered
        if first <= start and end < last:
            return
        if first != last:
            start, end = min(start, first), max(end, last - 1)
        if end - start > YEARS_COVERED_MAX * 365 * DAY_US:
            return
        tables = self._calendar.tables(start, end)
        self._covered = tables.first, tables.end
        self._fold.cover(EPOCH_ORDINAL, tables.first, tables.segments, tables.covered, tables.spans)


Rows = list[tuple[bytes, bytes]]
"""Some rows, each with its key."""


class RowsDerivation:
    """What rows contribute, summed up: the compiled fold's `contribution` of many entities.

    Args:
        derivation: The compiled one.
        cover: Hands tables to it that reach over these spans, if there can be such tables.
    """

    def __init__(self, derivation: _native.Derivation, cover: Callable[[list[tuple[int, int]]], None]) -> None:
        self._derivation = derivation
        self._cover = cover

    def take(self, rows: Rows) -> TakenRows:
        """Take rows. Other threads run meanwhile; give what comes back to `retake`, in the thread of the calendar."""
        return self._derivation.take(rows)

    def retake(self, rows: Rows, taken: TakenRows) -> Rows:
        """Take those of the rows again that the calendar's tables did not reach over; which are left to the twin."""
        left = [rows[place] for place in taken.left]
        if taken.uncovered:
            self._cover([(first, last) for _, first, last in taken.uncovered])
            again = [rows[place] for place, _, _ in taken.uncovered]
            taken = self._derivation.take(again)
            left += [again[place] for place in taken.left]
            left += [again[place] for place, _, _ in taken.uncovered]
        return left

    def __len__(self) -> int:
        """How much waits to be summed up, about: what memory goes by."""
        return len(self._derivation)

    def add_to(self, cells: Cells) -> None:
        """Add what was taken since the last call to new cells: what changed in them is not noted."""
        compiled(cells).add_derived(self._derivation)

    def finish(self, cells: Cells) -> None:
        """Add what is left, and let the cells take less room."""
        self.add_to(cells)
        compiled(cells).pack()


def read_links(records: Sequence[Any]) -> tuple[dict[Kind, Chunk], list[int]]:
    """The links of a chunk by kind, and the records that are none, or none for these kinds."""
    chunks, others = _native.read_links(records)
    return {Kind(name): chunk for name, chunk in chunks.items()}, others


@lru_cache(maxsize=1)
def _bins() -> list[int]:
    return bin_starts(_LONGEST_US)

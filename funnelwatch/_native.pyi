# The compiled fold, built from native/ where there is a Rust compiler: see streams/compiled.py.
from collections.abc import Sequence
from typing import Any, Final, final

from funnelwatch.streams.cells import Item, ItemCell, Sums

INTERFACE: Final[int]
FOLD_VERSION: Final[int]
MEMBERS: Final[dict[str, list[str]]]

@final
class Chunk:
    def keys(self) -> list[bytes]: ...
    def others(self) -> list[int]: ...
    def items(self, group: int) -> list[tuple[int, int | None]]: ...
    def give_up(self, key: bytes) -> int | None: ...
    def summary(self, punctual_us: int) -> tuple[int, int, int | None]: ...
    def span(self) -> tuple[int, int] | None: ...

@final
class Folded:
    @property
    def left(self) -> list[int]: ...
    @property
    def applied(self) -> int: ...
    @property
    def unchanged(self) -> int: ...
    @property
    def rows(self) -> dict[bytes, bytes]: ...
    @property
    def known(self) -> list[tuple[int, int]]: ...
    @property
    def links(self) -> dict[int, list[tuple[bytes, bytes]]]: ...
    @property
    def newest(self) -> int | None: ...
    @property
    def sums(self) -> FoldedSums: ...
    @property
    def marks(self) -> list[tuple[str, int | None, int | None]]: ...
    @property
    def gone(self) -> list[ItemCell]: ...
    @property
    def items(self) -> list[tuple[ItemCell, Item]]: ...
    @property
    def uncovered(self) -> int | None: ...

@final
class FoldedSums:
    def add_days(self, buckets: dict[int, dict[str, Sums]], changed: set[tuple[str, int]]) -> None: ...
    def add_minutes(self, buckets: dict[int, dict[str, Sums]], changed: set[tuple[str, int]]) -> None: ...
    def add_closes(self, buckets: dict[int, dict[str, Sums]], changed: set[tuple[str, int]]) -> None: ...

@final
class Fold:
    def __init__(
        self,
        *,
        kind: str,
        codes: Sequence[str],
        currencies: Sequence[str],
        currency: str,
        stage_order: dict[str, dict[str, int]],
        bins: list[int],
        cell: type[Any],
        open_deal: type[Any],
        lost_deal: type[Any],
        open_lead: type[Any],
        recording: type[Any],
    ) -> None: ...
    def cover(
        self,
        epoch_ordinal: int,
        first: int,
        segments: list[tuple[int, int]],
        covered: tuple[int, int],
        spans: list[tuple[int, int, int]],
    ) -> None: ...
    def read(self, records: Sequence[Any], future_us_max: int, past_us_min: int, size_max: int) -> Chunk: ...
    def fold(
        self,
        chunk: Chunk,
        rows: list[bytes | None],
        *,
        of_links: bool,
        partitions: int,
        home: int | None,
        fine_from: int,
        closes_from: int,
    ) -> Folded: ...

def read_links(records: Sequence[Any]) -> tuple[dict[str, Chunk], list[int]]: ...

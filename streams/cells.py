"""What a worker publishes: cells of sums, and items, each with an absolute value, that the board adds up.

Every entity contributes to cells; the value of a cell in one shard (one kind of entity, one partition) is the sum
over the shard's entities, and the figure of a rep is the sum over the shards. Nothing here knows what a cell is for.

A measure is a tuple: its name, then its dimensions. Sums are integers, so they can be taken back exactly.

====================  ==========================================  =====================================================
name                  dimensions                                  unit; credited to; at
====================  ==========================================  =====================================================
``created``           pipeline                                    deals; first owner; creation
``won``               pipeline, currency                          deals; owner at the close; last close
``won_amount``        pipeline, currency                          money units; as ``won``
``lost``              pipeline, currency, stage, reason           deals; owner at the close; last close
``lost_amount``       pipeline, currency, stage, reason           money units; as ``lost``
``advance``           pipeline                                    moves to a later stage, and wins; owner then; then
``entered``           pipeline, stage                             sojourns begun; owner then; then
``left``              pipeline, stage, how                        sojourns ended; owner during it; its end
``work_us``           pipeline, stage                             working µs of ended sojourns; as ``left``
``wall_us``           pipeline, stage                             wall µs of ended sojourns; as ``left``
``work``              pipeline, stage, bin                        ended sojourns by bin of working time; as ``left``
``wall``              pipeline, stage, bin                        ended sojourns by bin of wall time; as ``left``
``cycle``             bin                                         wins by bin of working time from creation; as ``won``
``cycle_us``          –                                           working µs from creation to win; as ``won``
``touch``             bin                                         first touches by bin of working time; owner then; then
``touch_us``          –                                           working µs from creation to first touch; as ``touch``
``lead``              ``created qualified accepted converted      leads; owner then; then
                      disqualified``
``cohort``            ``accepted converted``                      of the leads qualified then; owner then; qualification
``call``              direction, cold (0/1), outcome              calls; its rep; event time
``talk_ms``           direction                                   talk time in ms; its rep; event time
``email``             cold (0/1)                                  emails sent; its rep; event time
``reply``             –                                           emails replied to; its rep; the reply
====================  ==========================================  =====================================================

The flow of leads uses ``entered left work_us wall_us work wall`` with the pipeline ``LEAD_PIPELINE``. An unknown
dimension is the empty text. A rep nobody knows yet (an entity without an owner) is the rep ``""``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

Dimension = str | int
Measure = tuple[Dimension, ...]
Sums = dict[Measure, int]

LEAD_PIPELINE: Final = "@leads"
"""The pipeline under which the flow of leads is counted; configured pipelines may not start with ``@``."""

CLOSE_MEASURES: Final = frozenset({"won", "won_amount", "lost", "lost_amount"})
"""Kept by the minute for longer than the others, since ``prev_mtd`` ends in the middle of a day."""

MINUTE_US: Final = 60_000_000
FINE_MINUTES: Final = 25 * 60
"""How long all measures are kept by the minute (for ``1h`` and ``24h``), counted back from a shard's now."""
CLOSE_MINUTES: Final = 64 * 24 * 60
"""How long closes are kept by the minute: two months and a bit."""


class DayCell(msgspec.Struct, frozen=True, tag="d", tag_field="cell", array_like=True, gc=False):
    """All measures of one rep on one local day (its proleptic Gregorian ordinal). Value: ``Sums``."""

    rep: str
    day: int


class MinuteCell(msgspec.Struct, frozen=True, tag="m", tag_field="cell", array_like=True, gc=False):
    """All measures of one rep in one minute (µs // ``MINUTE_US``). Value: ``Sums``."""

    rep: str
    minute: int


class CloseCell(msgspec.Struct, frozen=True, tag="c", tag_field="cell", array_like=True, gc=False):
    """The measures of ``CLOSE_MEASURES`` of one rep in one minute. Value: ``Sums``."""

    rep: str
    minute: int


class AdvanceCell(msgspec.Struct, frozen=True, tag="a", tag_field="cell", array_like=True, gc=False):
    """When the rep's deals of this shard last advanced. Value: ``int`` (µs); merged by maximum."""

    rep: str


class ItemCell(msgspec.Struct, frozen=True, tag="i", tag_field="cell", array_like=True, gc=False):
    """One thing that is no sum: an open deal, an open lead, a lost deal, a recording, a rep's record. Value: an `Item`.

    ``rep`` is whom it belongs to, ``id`` the entity's id. An entity has at most one item of each type.
    """

    rep: str
    type: str
    id: str


Cell = DayCell | MinuteCell | CloseCell | AdvanceCell | ItemCell


class OpenDeal(msgspec.Struct, frozen=True, tag="open_deal", gc=False):
    """A deal that is open now, under its present owner. ``owned_since``: created, reopened or assigned, whichever last.

    ``touched_at`` is the last touch or change.
    """

    pipeline: str
    stage: str
    currency: str
    amount: int | None
    created_at: int
    entered_at: int
    owned_since: int
    touched_at: int
    snoozed_until: int | None
    customer: str | None


class OpenLead(msgspec.Struct, frozen=True, tag="open_lead", gc=False):
    """A lead in ``new``, ``qualified`` or ``accepted`` now, under its present owner."""

    state: str
    created_at: int
    entered_at: int
    first_touch_at: int | None
    touched_at: int
    channel: str | None


class LostDeal(msgspec.Struct, frozen=True, tag="lost_deal", gc=False):
    """A deal that stands lost, under the owner at the close. Published while younger than the recordings' days + 60."""

    closed_at: int
    pipeline: str
    stage: str
    reason: str
    currency: str
    amount: int | None


class CallRecording(msgspec.Struct, frozen=True, tag="recording", gc=False):
    """A call with a recording; the talk ratio in 1/10,000."""

    at: int
    url: str
    deal_id: str | None
    outcome: str | None
    talk_ms: int | None
    talk_ratio: int | None = None


class RepRecord(msgspec.Struct, frozen=True, tag="rep", gc=False):
    """What is known of a rep. ``teams``: (from µs, team) in order; quotas as (amount units, currency, count)."""

    name: str | None
    manager: str | None
    active: bool
    removed: bool
    zone: str | None
    teams: tuple[tuple[int, str], ...]
    quotas: dict[str, tuple[int | None, str, int | None]]
    outreach_per_day: float | None
    conversion_rate: float | None


Item = OpenDeal | OpenLead | LostDeal | CallRecording | RepRecord

CellValue = Sums | int | Item

_WIDE: Final = 2**63

encode = msgspec.msgpack.Encoder().encode
"""A cell as bytes: a field of a Redis hash."""

decode_cell: Callable[[bytes], Cell] = msgspec.msgpack.Decoder(Cell).decode
decode_advance: Callable[[bytes], int] = msgspec.msgpack.Decoder(int).decode
decode_item: Callable[[bytes], Item] = msgspec.msgpack.Decoder(Item).decode
_decode_sums: Callable[[bytes], Sums] = msgspec.msgpack.Decoder(Sums).decode
_decode_wide: Callable[[bytes], dict[Measure, int | str]] = msgspec.msgpack.Decoder(dict[Measure, int | str]).decode


def decode_value(cell: Cell, value: bytes) -> CellValue:
    """The value of ``cell`` as published.

    Raises:
        msgspec.MsgspecError: The bytes are not a value of that kind of cell.
    """
    if isinstance(cell, ItemCell):
        return decode_item(value)
    if isinstance(cell, AdvanceCell):
        return decode_advance(value)
    return decode_sums(value)


def encode_value(value: CellValue) -> bytes:
    """A value as published. MessagePack ends at 64 bits; a sum beyond (many huge amounts) goes as its decimal text."""
    try:
        return encode(value)
    except OverflowError:
        sums: dict[Measure, int] = value  # type: ignore[assignment]  # nothing else holds numbers that large
        return encode({name: amount if abs(amount) < _WIDE else str(amount) for name, amount in sums.items()})


REMOVED: Final = b""
"""In place of the value of a cell that is gone; no value is empty."""


def published(changes: Mapping[Cell, CellValue | None]) -> dict[bytes, bytes]:
    """Cells and their values as they are published."""
    return {encode(cell): REMOVED if value is None else encode_value(value) for cell, value in changes.items()}


def decode_sums(value: bytes) -> Sums:
    """Sums as published.

    Raises:
        msgspec.MsgspecError: The bytes are none.
    """
    try:
        return _decode_sums(value)
    except msgspec.ValidationError:
        return {name: int(amount) for name, amount in _decode_wide(value).items()}


class Contribution(msgspec.Struct, gc=False):
    """What one entity adds to its reps.

    ``sums``: (rep, minute, measure) → amount, zeroes left out. ``items``: cell → item. ``advances``: rep → µs of the
    entity's latest advance credited to that rep.
    """

    sums: dict[tuple[str, int, Measure], int] = {}
    items: dict[ItemCell, Item] = {}
    advances: dict[str, int] = {}

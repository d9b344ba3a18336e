"""The work on typed events, as fast as plain Python can do it: what the limits and the batched job share."""

from typing import Any

import msgspec
from times import ms_of


class Deal(msgspec.Struct):
    """What is needed of an event."""

    type: str
    deal_id: str
    rep_id: str
    stage: str
    amount: float
    occurred_at: str


decode = msgspec.json.Decoder(Deal).decode

Row = list[Any]
"""n, created, won, lost, amt, late, {stage: [ms, times]}."""
Stood = tuple[str, int]
COUNTS = ("n", "created", "won", "lost", "amt", "late")


def step(event: Deal, stood: Stood | None, row: Row) -> Stood:
    """Count an event into its row; how its deal stands then (the same object if it stands as before)."""
    row[0] += 1
    type_ = event.type
    if type_ == "deal.created":
        row[1] += 1
    elif type_ == "deal.won":
        row[2] += 1
        row[4] += round(event.amount * 100)
    elif type_ == "deal.lost":
        row[3] += 1
    at = ms_of(event.occurred_at)
    if stood is not None:
        if at < stood[1]:
            row[5] += 1
            return stood
        left = row[6].get(stood[0])
        if left is None:
            row[6][stood[0]] = [at - stood[1], 1]
        else:
            left[0] += at - stood[1]
            left[1] += 1
    return event.stage, at


def new_row() -> Row:
    """Before the first event."""
    return [0, 0, 0, 0, 0, 0, {}]


def as_json(row: Row) -> dict[str, Any]:
    """A row as the check reads it."""
    left = row[6].items()
    spent, times = {stage: pair[0] for stage, pair in left}, {stage: pair[1] for stage, pair in left}
    return dict(zip(COUNTS, row, strict=False)) | {"ds": spent, "dc": times}

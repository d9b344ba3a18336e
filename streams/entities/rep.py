"""Reps: state and record. The rules are `docs/figures.md`, "Reps, teams"."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from funnelwatch.schemas.events import Event, Kind, RepData
from funnelwatch.streams.cells import Contribution, ItemCell, RepRecord
from funnelwatch.streams.context import Context
from funnelwatch.streams.entities.ownership import last_set
from funnelwatch.streams.fold import Fold
from funnelwatch.streams.history import Step
from funnelwatch.streams.links import Received

UPSERTED: Final = 0
REMOVED: Final = 1

_NAME: Final = 4
_TEAM: Final = 5
_MANAGER: Final = 6
_ACTIVE: Final = 7
_ZONE: Final = 8
_QUOTAS: Final = 9
_BENCHMARKS: Final = 10

StoredQuota = tuple[str, int | None, str | None, int | None]
"""month, amount, currency, count; ordered by month."""
RepStep = tuple[
    int,
    str,
    str,
    int,
    str | None,
    str | None,
    str | None,
    bool | None,
    str | None,
    tuple[StoredQuota, ...] | None,
    tuple[float | None, float | None] | None,
]
"""at, source, id, type code, and the members as `RepData` lists them."""


class RepState(msgspec.Struct, array_like=True, gc=False):
    """What was observed of a rep."""

    history: list[RepStep] = []
    repeats: list[RepStep] = []
    links: list[Received] = []


class RepFold(Fold[RepState]):
    """The fold of reps."""

    kind = Kind.REP
    codes = ("rep.upserted", "rep.removed")
    _state = RepState

    def contribution(self, subject: str, state: RepState, context: Context) -> Contribution:
        """The rep's record; also of a rep who was removed, whose team history still counts."""
        history = state.history
        if not history:
            return Contribution()
        removed = history[-1][3] == REMOVED
        active = last_set(history, _ACTIVE)
        record = RepRecord(
            name=last_set(history, _NAME),
            manager=last_set(history, _MANAGER),
            active=active is not False and not removed,
            removed=removed,
            zone=last_set(history, _ZONE),
            teams=_teams(history),
            quotas=_quotas(history, context.currency),
            outreach_per_day=_benchmark(history, 0),
            conversion_rate=_benchmark(history, 1),
        )
        return Contribution({}, {ItemCell(subject, "rep", subject): record})

    def forgettable(self, state: RepState, before_us: int) -> bool:  # noqa: ARG002  (a rep's age does not matter)
        """Never: what a removed rep's deals do counts for the rep's teams, and the rep stays unlisted."""
        return not state.history

    def _step(self, code: int, event: Event) -> Step:
        data = event.data
        assert isinstance(data, RepData)
        quotas = data.quotas
        benchmarks = data.benchmarks
        return (
            event.at,
            event.source,
            event.id,
            code,
            data.name,
            data.team,
            data.manager,
            data.active,
            data.timezone,
            None if quotas is None else tuple(sorted((month, *_quota(quota)) for month, quota in quotas.items())),
            None
            if benchmarks is None
            else (_positive_zero(benchmarks.outreach_per_day), _positive_zero(benchmarks.conversion_rate)),
        )

    def _data(self, step: Any) -> dict[str, Any]:
        members = dict(zip(RepData.__struct_fields__, step[4:], strict=True))
        if members["quotas"] is not None:
            members["quotas"] = {
                month: _told(amount=amount, currency=currency, count=number)
                for month, amount, currency, number in members["quotas"]
            }
        if members["benchmarks"] is not None:
            outreach, conversion = members["benchmarks"]
            members["benchmarks"] = _told(outreach_per_day=outreach, conversion_rate=conversion)
        return members


def _told(**members: float | str | None) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _quota(quota: Any) -> tuple[int | None, str | None, int | None]:
    return quota.amount, quota.currency, quota.count


def _positive_zero(value: float | None) -> float | None:
    """−0.0 equals 0.0 but is written differently: equal states must have equal bytes."""
    return None if value is None else value + 0.0


def _quotas(history: list[RepStep], currency: str) -> dict[str, tuple[int | None, str, int | None]]:
    """The quota of each month, as the last event that names the month has it."""
    told: dict[str, tuple[int | None, str, int | None]] = {}
    for step in history:
        for month, amount, own_currency, number in step[_QUOTAS] or ():
            told[month] = (amount, own_currency or currency, number)
    return dict(sorted(told.items()))


def _benchmark(history: list[RepStep], place: int) -> float | None:
    """A benchmark, as the last event that sets it has it."""
    told = (step[_BENCHMARKS] for step in reversed(history))
    return next((values[place] for values in told if values is not None and values[place] is not None), None)


def _teams(history: list[RepStep]) -> tuple[tuple[int, str], ...]:
    """From when on the rep was in which team, in order; setting the same one again is left out."""
    teams: list[tuple[int, str]] = []
    for step in history:
        team = step[_TEAM]
        if team is not None and (not teams or teams[-1][1] != team):
            teams.append((step[0], team))
    return tuple(teams)

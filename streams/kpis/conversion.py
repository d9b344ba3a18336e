"""KPI 3: conversion of leads, in two readings, and which half leaks."""

from __future__ import annotations

from funnelwatch.schemas.document import LeadFigures, Leak
from funnelwatch.streams.kpis.parts import Index, ratio

HALVES = ("acceptance", "closing")
"""What a conversion rate is the product of; the first wins if both fall short alike."""


def lead_figures(index: Index) -> LeadFigures:
    """Leads of a period by what happened in it, and the ratios made of them."""
    counts = {(measure[0], measure[1]): count for name in ("lead", "cohort") for measure, count in index.of(name)}
    qualified, accepted = counts.get(("lead", "qualified"), 0), counts.get(("lead", "accepted"), 0)
    converted = counts.get(("lead", "converted"), 0)
    cohort_converted = counts.get(("cohort", "converted"), 0)
    return LeadFigures(
        created=counts.get(("lead", "created"), 0),
        qualified=qualified,
        accepted=accepted,
        converted=converted,
        disqualified=counts.get(("lead", "disqualified"), 0),
        cohort_accepted=counts.get(("cohort", "accepted"), 0),
        cohort_converted=cohort_converted,
        period=ratio(converted, qualified),
        cohort=ratio(cohort_converted, qualified),
        acceptance=ratio(accepted, qualified),
        closing=ratio(converted, accepted),
    )


def falls_short(own: LeadFigures, expected: float | None, other: LeadFigures) -> bool:
    """Whether the period's rate is under what is expected; under the other's, if nothing is."""
    standard = other.period if expected is None else expected
    return own.period is not None and standard is not None and own.period < standard


def leaking_half(own: LeadFigures, other: LeadFigures) -> str | None:
    """The half whose own ÷ other's is smallest and under 1; None if neither is."""
    worst, half = 1.0, None
    for name in HALVES:
        mine, theirs = getattr(own, name), getattr(other, name)
        if mine is not None and theirs and mine / theirs < worst:
            worst, half = mine / theirs, name
    return half


def leak(own: LeadFigures, expected: float | None, other: LeadFigures | None) -> Leak:
    """KPI 3 of one window. ``other`` is whom to compare with: the team, the organisation, or nobody."""
    short = other is not None and falls_short(own, expected, other)
    return Leak(
        period=own.period,
        cohort=own.cohort,
        acceptance=own.acceptance,
        closing=own.closing,
        expected=expected,
        half=leaking_half(own, other) if short and other is not None else None,
    )

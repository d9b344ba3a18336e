"""Planted trouble is what the detectors find, and all they find."""

import json
from collections import defaultdict
from itertools import pairwise

import pytest

from funnelwatch.schemas.events import Kind
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.detectors.days import DayFigures
from funnelwatch.streams.detectors.loss import spans, strongest
from funnelwatch.streams.detectors.stall import pace, shrunk_pace
from funnelwatch.streams.detectors.tails import none_expected
from funnelwatch.streams.simulator import Floor

NOW = 1_795_422_600_000_000  # Monday, 23 November 2026, 09:30 in Berlin
HOUR = 3_600_000_000
WARNING, CRITICAL = 3, 4
FIVE_DAYS_HOURS = 40


class Diary:
    """Advances and closes by day, kept by the plainest reading of ordered events."""

    def __init__(self, floor):
        self.calendar = Calendar(floor.settings.calendar)
        self.order = {pipeline.name: [s.name for s in pipeline.stages] for pipeline in floor.settings.pipelines}
        self.team = {rep.id: rep.team for rep in floor.reps}
        self.days = defaultdict(lambda: defaultdict(lambda: DayFigures({}, {}, 0)))
        self.advanced = {}
        self.deals = defaultdict(dict)

    def add(self, events):
        for event in events:
            if event.kind is Kind.DEAL:
                envelope = json.loads(event.value)
                self.deal(self.deals[event.subject], envelope["type"], envelope["data"], event.at)
        return self

    def deal(self, deal, happened, data, at):
        before = deal.get("stage")
        stages = self.order[data.get("pipeline") or deal["pipeline"]]
        deal.update({name: data[name] for name in ("rep_id", "pipeline", "stage") if data.get(name)})
        if deal["stage"] not in stages:
            deal["stage"] = before
        outcome = happened.removeprefix("deal.")
        forward = outcome == "stage_changed" and stages.index(deal["stage"]) > stages.index(before)
        rep, day = deal["rep_id"], self.calendar.day(at)
        for subject in (rep, self.team[rep], ""):
            figures = self.days[subject][day]
            if outcome in ("won", "lost"):
                closed = getattr(figures, outcome)
                closed[deal["pipeline"]] = closed.get(deal["pipeline"], 0) + 1
            figures.advances += forward or outcome == "won"
        if forward or outcome == "won":
            self.advanced[rep] = at

    def losses(self, now):
        windows = spans(self.calendar, self.calendar.day(now))
        return {
            rep: max(
                strongest(self.days[rep], self.days[team], self.days[""], pipeline, windows).evidence
                for pipeline in self.order
            )
            for rep, team in self.team.items()
        }

    def stalls(self, now):
        return {rep: self.stall(rep, now) for rep in self.team}

    def stall(self, rep, now):
        since = self.advanced[rep]
        paces = {
            other: pace(self.days[other], self.calendar, self.calendar.day(since))
            for other, team in self.team.items()
            if team == self.team[rep]
        }
        own = paces.pop(rep)
        per_day = shrunk_pace(own, tuple(map(sum, zip(*paces.values(), strict=True))))
        return none_expected([per_day * self.calendar.working_days(since, now)], 4.0)


@pytest.fixture(scope="module")
def found():
    """By hour of working time: the evidence for everybody, with one rep stalled and one losing from hour 0."""
    floor, history = Floor.with_history(11, NOW, days=50, reps=20)
    diary = Diary(floor).add(history)
    stalled, losing = floor.reps[3].id, floor.reps[11].id
    floor.plant_stall(stalled, NOW)
    floor.plant_loss_spike(losing, NOW)
    hours = []
    for _ in range(FIVE_DAYS_HOURS):
        until = floor.after_working(HOUR)
        diary.add(floor.advance(until))
        hours.append((diary.stalls(until), diary.losses(until)))
    return stalled, losing, hours


def test_a_planted_stall_is_found_within_five_working_days(found):
    stalled, _, hours = found
    evidence = [stalls[stalled] for stalls, _ in hours]

    assert evidence[-1] > CRITICAL
    assert all(earlier <= later for earlier, later in pairwise(evidence))


def test_a_planted_loss_spike_is_found_within_five_working_days(found):
    _, losing, hours = found

    assert max(losses[losing] for _, losses in hours) > CRITICAL


def test_nobody_else_is_accused(found):
    stalled, losing, hours = found

    assert max(evidence for stalls, _ in hours for rep, evidence in stalls.items() if rep != stalled) < WARNING
    assert max(evidence for _, losses in hours for rep, evidence in losses.items() if rep != losing) < WARNING

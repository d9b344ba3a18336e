"""Whatever the CRM, its deliveries give the figures of what happened: shuffled, repeated, or (where it can be) lost."""

from __future__ import annotations

import random

import pytest
from support import crm_life
from support.incremental import Workers, differences

from funnelwatch.schemas.settings import CalendarSettings, PipelineSettings, Settings, StageSettings
from funnelwatch.streams.oracle import report

SETTINGS = Settings(
    currency="EUR",
    calendar=CalendarSettings(zone="Asia/Tehran"),
    pipelines=(PipelineSettings("default", tuple(StageSettings(name, 8.0) for name in crm_life.STAGES)),),
)
NOW = crm_life.EPOCH_US + 45 * 24 * 60 * crm_life.MINUTE_US


def figures(events):
    found = report(SETTINGS, events, NOW)
    return {"organisation": found.organisation, **found.reps}


@pytest.mark.parametrize("dialect", crm_life.DIALECTS)
@pytest.mark.parametrize("seed", range(4))
def test_a_crm_tells_the_figures_of_what_happened(dialect, seed):
    lives = crm_life.lives(seed)
    wanted = figures([event for rows in lives for event in crm_life.truth(rows, dialect)])

    told = figures(crm_life.events(dialect, [one for rows in lives for one in crm_life.told(dialect, rows)]))

    assert differences(wanted, told) == []


@pytest.mark.parametrize("dialect", crm_life.DIALECTS)
def test_shuffled_and_repeated_deliveries_change_no_figure(dialect):
    dice = random.Random(11)
    lives = crm_life.lives(11)
    deliveries = [one for rows in lives for one in crm_life.told(dialect, rows)]
    disordered = deliveries + dice.choices(deliveries, k=len(deliveries))
    dice.shuffle(disordered)
    wanted = figures(crm_life.events(dialect, deliveries))

    workers = Workers(SETTINGS)
    workers.take(crm_life.events(dialect, disordered))
    workers.publish(NOW)

    assert differences(wanted["organisation"], workers.documents.organisation(NOW)) == []


@pytest.mark.parametrize("dialect", crm_life.DIALECTS)
def test_the_same_delivery_gives_the_same_ids(dialect):
    deliveries = crm_life.told(dialect, crm_life.lives(3)[0])

    assert crm_life.events(dialect, deliveries) == crm_life.events(dialect, deliveries)


@pytest.mark.parametrize("dialect", ["pipedrive v1", "pipedrive v2", "vtiger", "odoo", "suitecrm", "vtiger, polled"])
@pytest.mark.parametrize("seed", range(3))
def test_a_whole_record_tells_when_it_was_closed_even_if_all_before_is_lost(dialect, seed):
    lives = [rows for rows in crm_life.lives(seed, deals=30) if rows[-1].closed_at is not None]
    wanted = figures([event for rows in lives for event in crm_life.truth(rows, dialect)])["organisation"]

    told = figures(crm_life.events(dialect, [crm_life.told(dialect, rows)[-1] for rows in lives]))["organisation"]

    assert lives
    assert differences(wanted.sales, told.sales) == []

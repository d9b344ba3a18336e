"""What a recording rule, an alert and its runbook are made of, before they become files."""

from __future__ import annotations

from typing import Final

import msgspec

MANAGER: Final = "manager"
OPERATOR: Final = "operator"

BOARD_JOB: Final = "funnelwatch-board"
WORKER_JOB: Final = "funnelwatch-worker"
GATEWAY_JOB: Final = "funnelwatch-gateway"
"""The jobs under which Prometheus scrapes us; rules look at ``up`` of them."""


class Runbook(msgspec.Struct, frozen=True):
    """What an alert means, where to look first, and what to do, in this order."""

    meaning: str
    look: tuple[str, ...]
    act: tuple[str, ...]


class Recording(msgspec.Struct, frozen=True):
    """A recorded series, named ``level:metric:operations``; the level is the labels it has."""

    name: str
    expr: str


class Dashboard(msgspec.Struct, frozen=True):
    """A Grafana dashboard by its uid (without its language), and which of the alert's labels are its variables."""

    uid: str
    variables: tuple[str, ...] = ()


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """One alert.

    ``labels`` are the labels its expression leaves: a silence is made of them. ``page`` is the board's page
    about it, as a template that ends where the language goes. ``blinds``: while it
    fires, figures cannot be trusted, so managers hear nothing new.
    """

    name: str
    expr: str
    severity: str
    audience: str
    summary: str
    description: str
    runbook: Runbook
    dashboard: Dashboard
    page: str = "/?lang="
    summary_fa: str = ""
    description_fa: str = ""
    labels: tuple[str, ...] = ()
    for_seconds: int = 0
    blinds: bool = False


class Group(msgspec.Struct, frozen=True):
    """Rules that are evaluated one after the other, so that an alert sees what was recorded before it."""

    name: str
    recordings: tuple[Recording, ...]
    alerts: tuple[AlertRule, ...]

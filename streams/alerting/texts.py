"""Pieces of the templates that Prometheus fills in when an alert fires: names, numbers, links.

No label value ever becomes part of a query or an address unquoted.
Functions: https://prometheus.io/docs/prometheus/2.42/configuration/template_reference/
"""

from __future__ import annotations

from typing import Final

LEVELS: Final = {"rep": ("rep", "team"), "team": ("team",)}
"""The labels that name a subject of each level."""


def selector(level: str, metric: str, more: str = "") -> str:
    """An expression of a template: the metric of the alert's subject, its labels quoted by the template itself."""
    labels = LEVELS[level]
    matchers = ", ".join(f"{label}=%q" for label in labels) + more
    values = " ".join(f"$labels.{label}" for label in labels)
    return f"printf `{metric}{{{matchers}}}` {values}"


def name(level: str) -> str:
    """The subject's name; its id if it has none."""
    query = selector(level, f"sales_{level}_info").replace("`", "`max by (name) (", 1)
    query = query.replace("}`", "})`", 1)
    return (
        f"{{{{ with {query} | query }}}}{{{{ . | first | label `name` }}}}"
        f"{{{{ else }}}}{{{{ $labels.{level} }}}}{{{{ end }}}}"
    )


def number(level: str, part: str, detector: str, form: str = "printf `%.0f`", scale: str = "") -> str:
    """What the evidence is made of (``observed``, ``of``, ``baseline``, ``window_workdays``); ``?`` if unknown."""
    query = selector(level, f"sales_{level}_evidence_{part}", f', detector="{detector}"')
    query = query.replace("`", "`max(", 1).replace("}`", f"}}){scale}`", 1)
    return f"{{{{ with {query} | query }}}}{{{{ . | first | value | {form} }}}}{{{{ else }}}}?{{{{ end }}}}"


def in_address(expression: str) -> str:
    """A value as part of an address: what is not a letter or digit is escaped, also in a path."""
    return f"{{{{ reReplaceAll `[+]` `%20` (urlquery ({expression})) }}}}"


def silence(alertmanager_url: str, alert: str, labels: tuple[str, ...]) -> str:
    """The address of Alertmanager's form for a silence of exactly this alert."""
    matchers = ",".join([f'alertname="{alert}"', *(f"{label}=%q" for label in labels)])
    values = "".join(f" $labels.{label}" for label in labels)
    return f"{alertmanager_url}/#/silences/new?filter=" + in_address(f"printf `{{{matchers}}}`{values}")


def acknowledge(board_url: str, alert: str, labels: tuple[str, ...]) -> str:
    """The address of the board's page on which this alert is acknowledged, up to the language."""
    named = "".join(f"&{label}=" + in_address(f"$labels.{label}") for label in labels)
    return f"{board_url}/acknowledge?alertname={alert}{named}&lang="


def dashboard(grafana_url: str, uid: str, variables: tuple[str, ...]) -> str:
    """The address of a dashboard that shows what the alert is about."""
    query = "&".join(f"var-{label}=" + in_address(f"$labels.{label}") for label in variables)
    return f"{grafana_url}/d/{uid}" + (f"?{query}" if query else "")


EVIDENCE: Final = "{{ if gt $value 1.0 }} Evidence {{ printf `%.1f` $value }}.{{ end }}"
EVIDENCE_FA: Final = "{{ if gt $value 1.0 }} شواهد {{ printf `%.1f` $value }}.{{ end }}"
"""An alert that is held while the board cannot be read has the value 1: its evidence is not known now."""

"""Rules, scraping and runbooks as the files that Prometheus and people read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from funnelwatch.schemas.settings import DetectorSettings, Settings
from funnelwatch.streams.alerting import managers, pipeline, recordings, sources, texts
from funnelwatch.streams.alerting.rule import AlertRule, Group, Recording, Runbook
from funnelwatch.streams.alerting.yaml_text import as_yaml

HEAD: Final = "# Written by `funnelwatch rules`: change the settings, or streams/alerting, not this file.\n"

RUNBOOKS: Final = "/runbooks"
"""Where the board serves them."""


def deployed(settings: Settings) -> dict[str, str]:
    """Path below ``deploy`` → text of every file that follows from the settings alone."""
    return {"prometheus/rules.yml": rules(settings)} | {
        f"runbooks/{name}.md": text for name, text in runbooks().items()
    }


def alerts() -> tuple[AlertRule, ...]:
    """Every alert there is, with the detectors as they come."""
    return tuple(alert for group in _groups(DetectorSettings()) for alert in group.alerts)


def _groups(detectors: DetectorSettings) -> tuple[Group, ...]:
    return (
        Group("funnelwatch-sales", recordings.SALES, managers.rules(detectors)),
        Group("funnelwatch-pipeline", recordings.PIPELINE, (*pipeline.RULES, *sources.RULES)),
    )


def rules(settings: Settings) -> str:
    """The rule file for these settings."""
    groups = [
        {
            "name": group.name,
            "interval": duration(settings.alerting.evaluation_seconds),
            "rules": [*map(_recording, group.recordings), *(_alert(alert, settings) for alert in group.alerts)],
        }
        for group in _groups(settings.detectors)
    ]
    return HEAD + as_yaml({"groups": groups})


def _recording(rule: Recording) -> dict[str, Any]:
    return {"record": rule.name, "expr": rule.expr}


def _alert(alert: AlertRule, settings: Settings) -> dict[str, Any]:
    alerting = settings.alerting
    runbooks = alerting.runbook_url.rstrip("/") or settings.board.url + RUNBOOKS
    silence = texts.silence(alerting.alertmanager_url.rstrip("/"), alert.name, alert.labels)
    annotations = {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": f"{runbooks}/{alert.name}.md" if alerting.runbook_url else f"{runbooks}/{alert.name}",
        "silence_url": silence,
        **_links(alert, settings, "en", ""),
    }
    if alert.summary_fa:
        annotations |= {"summary_fa": alert.summary_fa, "description_fa": alert.description_fa}
        annotations |= _links(alert, settings, "fa", "_fa")
    rule: dict[str, Any] = {"alert": alert.name, "expr": alert.expr}
    if alert.for_seconds:
        rule["for"] = duration(alert.for_seconds)
    labels = {"severity": alert.severity, "audience": alert.audience}
    rule["labels"] = labels | ({"blinds": "managers"} if alert.blinds else {})
    rule["annotations"] = annotations
    return rule


def _links(alert: AlertRule, settings: Settings, language: str, suffix: str) -> dict[str, str]:
    """The board's page and the dashboard in one language."""
    grafana, shown = settings.alerting.grafana_url.rstrip("/"), alert.dashboard
    return {
        f"page_url{suffix}": f"{settings.board.url}{alert.page}{language}",
        f"acknowledge_url{suffix}": texts.acknowledge(settings.board.url, alert.name, alert.labels) + language,
        f"dashboard_url{suffix}": texts.dashboard(
            grafana, shown.uid + ("" if language == "en" else f"-{language}"), shown.variables
        ),
    }


def duration(seconds: float) -> str:
    """As Prometheus writes it: whole milliseconds at the finest."""
    return f"{round(seconds)}s" if float(seconds).is_integer() else f"{round(seconds * 1000)}ms"


def scraping(settings: Settings, jobs: Mapping[str, Sequence[str]], alertmanagers: Sequence[str]) -> str:
    """A configuration of Prometheus: what to scrape (job → host:port), which rules, and whom to tell."""
    return HEAD + as_yaml(
        {
            "global": {
                "scrape_interval": duration(settings.alerting.scrape_seconds),
                "scrape_timeout": duration(min(settings.alerting.scrape_seconds, 10.0)),
                "evaluation_interval": duration(settings.alerting.evaluation_seconds),
            },
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": list(targets)}]} for job, targets in jobs.items()
            ],
        }
    )


def runbooks() -> dict[str, str]:
    """A page for each alert by its name, in Markdown; alerts of two severities share one."""
    pages: dict[str, str] = {}
    for alert in alerts():
        severities = [other.severity for other in alerts() if other.name == alert.name]
        pages[alert.name] = _runbook(alert.name, severities, alert.audience, alert.runbook, alert.expr)
    return pages


def _runbook(name: str, severities: Iterable[str], audience: str, runbook: Runbook, expr: str) -> str:
    return "\n".join(
        (
            f"# {name}",
            "",
            f"Severity: {' or '.join(severities)}. For the {audience}.",
            "",
            "## What it means",
            "",
            runbook.meaning,
            "",
            "## First look",
            "",
            *(f"- {line}" for line in runbook.look),
            "",
            "## What to do",
            "",
            *(f"- {line}" for line in runbook.act),
            "",
            "## The expression",
            "",
            "```promql",
            expr,
            "```",
            "",
        )
    )

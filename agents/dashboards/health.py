"""The pipeline itself: can the figures be trusted, and what to do if not."""

from __future__ import annotations

from funnelwatch.agents.dashboards import steps
from funnelwatch.agents.dashboards.promql import select
from funnelwatch.agents.dashboards.spec import Dashboard, Panel, Query, Say
from funnelwatch.streams.catalogue import of_process

RATE = "$__rate_interval"


def health(say: Say, language: str) -> Dashboard:
    """For whoever operates it. Descriptions are the catalogue's: what a metric says, and what to do."""
    del language
    return Dashboard(
        key="pipeline",
        title=say("Pipeline health", "سلامت سامانه"),
        description=say("Age, lag, refusals, rebalances.", "عمر، عقب‌ماندگی، ردها، بازتوازن."),
        variables=(),
        rows=(("", _heads(say)), (say("Workers", "کارگران"), _workers(say)), (say("Board", "تابلو"), _board(say))),
        since="now-1h",
    )


def _what(metric: str) -> str:
    """What the catalogue says of it. Operators read English in both languages: it is what logs say, too."""
    found = next(one for process in ("board", "worker") for one in of_process(process) if one.name == metric)
    return f"{found.help} {found.action}"


def _heads(say: Say) -> tuple[Panel, ...]:
    return (
        Panel(
            kind="stat",
            title=say("Age of the figures", "عمر ارقام"),
            description=_what("sales_kpi_age_seconds"),
            queries=(Query(f"max({select('sales_kpi_age_seconds')})"),),
            unit="s",
            steps=steps.age(say),
            height=5,
        ),
        Panel(
            kind="stat",
            title=say("Behind what was published", "عقب از انتشار"),
            description=_what("funnelwatch_board_behind_seconds"),
            queries=(Query(f"max({select('funnelwatch_board_behind_seconds')})"),),
            unit="s",
            steps=steps.age(say),
            height=5,
        ),
        Panel(
            kind="stat",
            title=say("Judgement held", "داوری متوقف"),
            description=_what("funnelwatch_board_judgement_held"),
            queries=(Query(f"max({select('funnelwatch_board_judgement_held')})"),),
            steps=steps.any_is_bad(say),
            height=5,
        ),
        Panel(
            kind="stat",
            title=say("Processes up", "فرایندهای فعال"),
            description=say("Scraped successfully, by job.", "به تفکیک job."),
            queries=(Query(f"sum by (job) ({select('up')})", "{{job}}"),),
            height=5,
        ),
    )


def _workers(say: Say) -> tuple[Panel, ...]:
    events, refused = select("funnelwatch_events_total"), select("funnelwatch_refused_total")
    chunk = select("funnelwatch_chunk_seconds_bucket")
    age = select("funnelwatch_event_age_seconds_bucket")
    graphs = (
        (
            say("Events by what became of them", "رویدادها به تفکیک نتیجه"),
            "funnelwatch_events_total",
            Query(f"sum by (topic, result) (rate({events}[{RATE}]))", "{{topic}} {{result}}"),
            "cps",
        ),
        (
            say("Refused, by reason", "ردشده به تفکیک دلیل"),
            "funnelwatch_refused_total",
            Query(f"sum by (reason) (rate({refused}[{RATE}]))", "{{reason}}"),
            "cps",
        ),
        (
            say("Lag, records", "عقب‌ماندگی، رکورد"),
            "funnelwatch_consumer_lag_records",
            Query(f"sum by (topic) ({select('funnelwatch_consumer_lag_records')})", "{{topic}}"),
            "short",
        ),
        (
            say("Event to figure, 99 %", "از رویداد تا رقم، ۹۹٪"),
            "funnelwatch_event_age_seconds",
            Query(f"histogram_quantile(0.99, sum by (le) (rate({age}[{RATE}])))", "p99"),
            "s",
        ),
        (
            say("Time to fold a chunk, 99 %", "زمان هر بخش، ۹۹٪"),
            "funnelwatch_chunk_seconds",
            Query(f"histogram_quantile(0.99, sum by (le) (rate({chunk}[{RATE}])))", "p99"),
            "s",
        ),
        (
            say("Rebalances and fenced writes", "بازتوازن و نوشتن‌های ردشده"),
            "funnelwatch_rebalances_total",
            Query(f"sum by (instance) (rate({select('funnelwatch_rebalances_total')}[{RATE}]))", "{{instance}}"),
            "cps",
        ),
    )
    return tuple(
        Panel(kind="lines", title=title, description=_what(metric), queries=(query,), unit=unit, width=12)
        for title, metric, query, unit in graphs
    )


def _board(say: Say) -> tuple[Panel, ...]:
    graphs = (
        (say("Time to refresh", "زمان به‌روزرسانی"), "funnelwatch_board_refresh_seconds", "s"),
        (say("Reps over the cap", "فروشندگان بیش از حد"), "funnelwatch_reps_over_limit", "short"),
        (say("Open pages", "صفحه‌های باز"), "funnelwatch_board_streams", "short"),
    )
    return tuple(
        Panel(
            kind="lines",
            title=title,
            description=_what(metric),
            queries=(Query(f"max by (instance) ({select(metric)})", "{{instance}}"),),
            unit=unit,
            width=8,
        )
        for title, metric, unit in graphs
    )

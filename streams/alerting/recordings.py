"""Recorded series: what alerts and panels need, once. ``window`` and ``currency`` are never aggregated over."""

from __future__ import annotations

from typing import Final

from funnelwatch.streams.alerting.rule import Recording

EVIDENCE: Final = {
    "rep": "rep_team_detector:sales_rep_evidence:max",
    "team": "team_detector:sales_team_evidence:max",
}
"""Without the board that said it: two boards for availability are one series, and an alert outlives its board."""

MANAGERS: Final = {"rep": "rep_team_manager:sales_rep_info:max", "team": "team_manager:sales_rep_info:only"}
"""Whom to tell. A team has a manager when all its reps have the same."""

SALES: Final = (
    Recording(EVIDENCE["rep"], "max by (rep, team, detector) (sales_rep_evidence)"),
    Recording(EVIDENCE["team"], "max by (team, detector) (sales_team_evidence)"),
    Recording(MANAGERS["rep"], 'max by (rep, team, manager) (sales_rep_info{manager!=""})'),
    Recording(
        MANAGERS["team"],
        'max by (team, manager) (sales_rep_info{manager!=""})\n'
        "and on (team)\n"
        'count by (team) (max by (team, manager) (sales_rep_info{manager!=""})) == 1',
    ),
    Recording("outcome_window:sales_team_deals:sum", "sum by (outcome, window) (sales_team_deals)"),
    Recording("currency_window:sales_team_won_amount:sum", "sum by (currency, window) (sales_team_won_amount)"),
    Recording("currency_window:sales_team_lost_amount:sum", "sum by (currency, window) (sales_team_lost_amount)"),
    Recording("kind_window:sales_team_outreach:sum", "sum by (kind, window) (sales_team_outreach)"),
    Recording("state_window:sales_team_leads:sum", "sum by (state, window) (sales_team_leads)"),
    Recording("pipeline_stage:sales_team_open_deals:sum", "sum by (pipeline, stage) (sales_team_open_deals)"),
    Recording(
        "pipeline_stage_currency:sales_team_open_amount:sum",
        "sum by (pipeline, stage, currency) (sales_team_open_amount)",
    ),
)

AGE: Final = "topic:sales_kpi_age_seconds:max"
LAG: Final = "topic:funnelwatch_consumer_lag_seconds:max"
LAG_RECORDS: Final = "topic:funnelwatch_consumer_lag_records:sum"
COMMIT_AGE: Final = "topic_partition:funnelwatch_commit_age_seconds:max"
EVENTS: Final = "topic:funnelwatch_events:rate5m"
REFUSED: Final = "topic:funnelwatch_events_refused:ratio_rate5m"
LATE: Final = "topic:funnelwatch_late_events:ratio_rate15m"
SKEW: Final = "instance_job:funnelwatch_time_seconds:skew"
LISTED: Final = "job:funnelwatch_reps_listed:ratio"
AGE_P99: Final = "job:funnelwatch_event_age_seconds:p99_5m"

PIPELINE: Final = (
    Recording(AGE, "max by (topic) (sales_kpi_age_seconds)"),
    Recording(LAG, "max by (topic) (funnelwatch_consumer_lag_seconds)"),
    Recording(LAG_RECORDS, "sum by (topic) (funnelwatch_consumer_lag_records)"),
    Recording(COMMIT_AGE, "max by (topic, partition) (funnelwatch_commit_age_seconds)"),
    Recording(EVENTS, "sum by (topic) (rate(funnelwatch_events_total[5m]))"),
    Recording(
        REFUSED,
        'sum by (topic) (rate(funnelwatch_events_total{result="refused"}[5m]))\n'
        "/\n"
        "(sum by (topic) (rate(funnelwatch_events_total[5m])) > 0)",
    ),
    Recording(
        LATE,
        "sum by (topic) (rate(funnelwatch_late_events_total[15m]))\n"
        "/\n"
        "(sum by (topic) (rate(funnelwatch_events_total[15m])) > 0)",
    ),
    Recording(
        SKEW,
        "max by (instance, job) (funnelwatch_time_seconds - timestamp(funnelwatch_time_seconds))",
    ),
    Recording(
        LISTED,
        "max by (job) (funnelwatch_reps_listed)\n/\nmax by (job) (funnelwatch_reps_limit)",
    ),
    Recording(
        AGE_P99,
        "histogram_quantile(0.99, sum by (job, le) (rate(funnelwatch_event_age_seconds_bucket[5m])))",
    ),
)

"""Every metric Funnelwatch exposes: name, type, unit, labels, what it says and what to do about it.

`/metrics`, the documentation, and the tests of dashboards and rules all read this one catalogue. KPIs are gauges: an
event-time figure is restated by late events and can go down, so it is no counter. ``window`` and ``currency`` are never
aggregated over.
"""

from __future__ import annotations

from typing import Final

import msgspec

OTHER: Final = "__other__"
"""The ``rep`` under which the reps beyond the configured cap are counted together."""


class Metric(msgspec.Struct, frozen=True):
    """One metric family. ``processes`` is who exposes it: ``board``, ``worker``, ``gateway``.

    ``additive`` families may be added up over reps; only those exist for ``rep="__other__"``.
    """

    name: str
    type: str
    unit: str
    labels: tuple[str, ...]
    help: str
    action: str
    processes: tuple[str, ...] = ("board",)
    additive: bool = False


def _kpi(
    name: str, labels: str, unit: str, what: str, action: str, *, kind: str = "gauge", additive: bool = False
) -> tuple[Metric, Metric]:
    """The same figure for reps and for teams."""
    extra = tuple(labels.split())
    return (
        Metric(f"sales_rep_{name}", kind, unit, ("rep", "team", *extra), f"Rep: {what}", action, additive=additive),
        Metric(f"sales_team_{name}", kind, unit, ("team", *extra), f"Team: {what}", action),
    )


_PAIRS: Final = (
    _kpi(
        "won_amount",
        "currency window",
        "",
        "amount won in the window, in major units of the currency.",
        "Compare with the quota and with the same window before; the growth and change metrics say why it moved.",
        additive=True,
    ),
    _kpi(
        "lost_amount",
        "currency window",
        "",
        "amount lost in the window, in major units of the currency.",
        "Open the page: reasons and stages of the losses are listed there.",
        additive=True,
    ),
    _kpi(
        "deals",
        "outcome window",
        "",
        "deals created, won and lost in the window.",
        "Few created: look at outreach. Many lost: look at the loss ratio and its evidence.",
        additive=True,
    ),
    _kpi(
        "loss_ratio",
        "window",
        "ratio",
        "lost ÷ (won + lost) in the window, by close time.",
        "Alert on the evidence, not on this figure: a few deals swing it. Hear the recordings on lost deals first.",
    ),
    _kpi(
        "created_per_lost_ratio",
        "window",
        "ratio",
        "deals created ÷ deals lost in the window.",
        "Under 1 the funnel drains: more opportunities are lost than come in.",
    ),
    _kpi(
        "sales_growth_ratio",
        "currency",
        "ratio",
        "won this month ÷ won in the previous month up to the same elapsed working time, minus 1.",
        "When negative, read the change metric: it names opportunities, win rate or deal size.",
    ),
    _kpi(
        "quota_attainment_ratio",
        "currency",
        "ratio",
        "won this month ÷ this month's quota.",
        "Judge by the pace: attainment alone is low on every first day of a month.",
    ),
    _kpi(
        "quota_pace_ratio",
        "currency",
        "ratio",
        "quota attainment ÷ share of the month's working time elapsed; 1 is on pace.",
        "Under 1 for days: talk about the pipeline that is left, starting with the overdue deals.",
    ),
    _kpi(
        "quota_amount",
        "currency",
        "",
        "this month's quota, in major units of the currency.",
        "Missing or wrong: correct the rep's record in the CRM that publishes it.",
    ),
    _kpi(
        "sales_projection_amount",
        "currency",
        "",
        "won this month ÷ share of the month's working time elapsed.",
        "Compare with the quota: it is where the month ends if nothing changes.",
    ),
    _kpi(
        "sales_change_amount",
        "currency cause",
        "",
        "change of won amount against the previous month to date, split exactly by cause.",
        "The most negative cause is the one to work on: volume, win_rate or deal_size.",
    ),
    _kpi(
        "open_deals",
        "pipeline stage",
        "",
        "deals open in the stage now.",
        "A stage that only fills is the bottleneck: see the time in stage.",
        additive=True,
    ),
    _kpi(
        "open_amount",
        "pipeline stage currency",
        "",
        "amount of the deals open in the stage now, in major units of the currency.",
        "Compare with what the quota still needs.",
        additive=True,
    ),
    _kpi(
        "overdue_deals",
        "pipeline stage",
        "",
        "open deals that have been in their stage for longer than its expected working time.",
        "Go through them with the rep: advance, snooze with a reason, or close.",
        additive=True,
    ),
    _kpi(
        "stage_seconds",
        "pipeline stage quantile window",
        "seconds",
        "working time of sojourns in the stage that ended in the window (at most 1 % relative error).",
        "Far over the expected time of the stage: this is where deals wait. Leads are the pipeline @leads.",
        kind="summary",
    ),
    _kpi(
        "last_advance_timestamp_seconds",
        "",
        "seconds",
        "when a deal last moved to a later stage or was won.",
        "Old with open deals: the funnel stands still; the stall detector judges whether that is unusual.",
    ),
    _kpi(
        "idle_seconds",
        "",
        "seconds",
        "working time since the last advance; 0 without open deals.",
        "Alert on the evidence of funnel_stalled, not on this figure: quiet days are normal.",
    ),
    _kpi(
        "leads",
        "state window",
        "",
        "leads created, qualified, accepted, converted and disqualified in the window.",
        "Qualified but not accepted: marketing qualifies too early. Accepted but not converted: closing leaks.",
        additive=True,
    ),
    _kpi(
        "conversion_ratio",
        "reading window",
        "ratio",
        "leads converted ÷ qualified, of the period and of the cohort qualified in it.",
        "Read the leaking half on the page before talking to anybody about it.",
    ),
    _kpi(
        "outreach",
        "kind window",
        "",
        "cold calls, cold emails and voicemail drops done in the window.",
        "Compare with the attainment: it knows how much of the window's working time has passed.",
        additive=True,
    ),
    _kpi(
        "outreach_attainment_ratio",
        "kind window",
        "ratio",
        "outreach of all kinds (kind total) ÷ what the benchmark asks for in the working time elapsed.",
        "Under the support ratio over the last 5 whole working days, the page says the rep needs support.",
    ),
    _kpi(
        "evidence",
        "detector",
        "",
        "−log10 of the probability of what is seen if nothing had changed; the largest over pipelines.",
        "Above 3 is a warning, above 4 pages. The alert says against which baseline.",
    ),
)

_INFO: Final = (
    Metric(
        "sales_rep_info",
        "gauge",
        "",
        ("rep", "name", "team", "manager"),
        "Rep: name, team and manager; always 1. Join it for names.",
        "A missing name: the rep has figures but no record yet.",
    ),
    Metric(
        "sales_team_info",
        "gauge",
        "",
        ("team", "name", "manager"),
        "Team: name and manager; always 1. Join it for names.",
        "A team that should be gone: its reps still name it.",
    ),
)

_BOARD: Final = (
    Metric(
        "sales_kpi_age_seconds",
        "gauge",
        "seconds",
        ("topic", "partition"),
        "Age of the figures that come from this partition: seconds since its worker last confirmed them.",
        "Over 30 s: is a worker running and owning the partition? See its log and the consumer lag.",
    ),
    Metric(
        "sales_partition_updated_timestamp_seconds",
        "gauge",
        "seconds",
        ("topic", "partition"),
        "When the worker of this partition last confirmed its figures.",
        "As sales_kpi_age_seconds; survives a board that cannot tell the time.",
    ),
    Metric(
        "sales_partition_owner_epoch",
        "gauge",
        "",
        ("topic", "partition"),
        "Consumer group generation of the worker that owns this partition.",
        "Rising every few minutes: workers rebalance all the time; look for restarts or slow polls.",
    ),
    Metric(
        "funnelwatch_reps_over_limit",
        "gauge",
        "",
        (),
        "Reps counted under rep=__other__ now, since board.reps_max is reached.",
        "A flood of invented ids, or a floor that grew: look at the publishers, or raise board.reps_max.",
    ),
    Metric(
        "funnelwatch_reps_capped_total",
        "counter",
        "",
        (),
        "Reps that were put under rep=__other__ since the board started.",
        "As funnelwatch_reps_over_limit.",
    ),
    Metric(
        "funnelwatch_series_dropped",
        "gauge",
        "",
        (),
        "Series not exposed since a rep or team has more than the limit of them.",
        "Somebody invents stages or currencies; correct the publisher.",
    ),
    Metric(
        "funnelwatch_board_reloads_total",
        "counter",
        "",
        (),
        "Shards read again as a whole: at start, after a gap, a change of owner or a lost connection.",
        "Rising steadily: workers change owners or messages get lost; see the board's log.",
    ),
    Metric(
        "funnelwatch_board_refresh_seconds",
        "gauge",
        "seconds",
        (),
        "How long the board took to bring the changed figures up to date the last time.",
        "Over 1 s: figures lag by as much; give the board a core of its own.",
    ),
    Metric(
        "funnelwatch_board_streams",
        "gauge",
        "",
        (),
        "Pages connected to the stream of changes.",
        "Near the limit new pages are refused.",
    ),
    Metric(
        "funnelwatch_board_publish_failures_total",
        "counter",
        "",
        (),
        "Documents and alerts that could not be published to Kafka at the first try.",
        "Kafka is away or refuses them; see the board's log. The newest document of each rep is sent later.",
    ),
)

_SHARED: Final = (
    Metric(
        "funnelwatch_build_info",
        "gauge",
        "",
        ("version",),
        "The running version; always 1.",
        "Two versions for long: finish the roll-out.",
        ("worker", "board", "gateway"),
    ),
)

_WORKER: Final = (
    Metric(
        "funnelwatch_events_total",
        "counter",
        "",
        ("topic", "result"),
        "Events read since the process started: applied, unchanged or refused. The three add up to what was read.",
        "Refused rising: read funnelwatch_refused_total and the dead letters.",
        ("worker",),
    ),
    Metric(
        "funnelwatch_refused_total",
        "counter",
        "",
        ("reason",),
        "Events refused since the process started, by stable reason code.",
        "Read the dead letters of that reason and correct the publisher.",
        ("worker", "gateway"),
    ),
    Metric(
        "funnelwatch_consumer_lag_records",
        "gauge",
        "",
        ("topic", "partition"),
        "Messages in the partition that the worker has not read yet.",
        "Growing: add a worker, up to the number of partitions.",
        ("worker",),
    ),
    Metric(
        "funnelwatch_event_age_seconds",
        "histogram",
        "seconds",
        (),
        "From event time to figure visible.",
        "High with no lag: the publisher sends late. High with lag: add a worker.",
        ("worker",),
    ),
    Metric(
        "funnelwatch_chunk_seconds",
        "histogram",
        "seconds",
        (),
        "Time to fold one chunk and have it acknowledged.",
        "High: slow disk or slow broker acknowledgements.",
        ("worker",),
    ),
    Metric(
        "funnelwatch_recovery_seconds",
        "gauge",
        "seconds",
        (),
        "How long the last recovery from the changelogs took.",
        "Rising with each restart: state grows; consider standby replicas.",
        ("worker",),
    ),
    Metric(
        "funnelwatch_rebalances_total",
        "counter",
        "",
        (),
        "Rebalances this process took part in.",
        "Rising steadily: workers restart or miss the session timeout.",
        ("worker",),
    ),
)

CATALOGUE: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        *(rep for rep, _ in _PAIRS),
        _INFO[0],
        *(team for _, team in _PAIRS),
        _INFO[1],
        *_BOARD,
        *_SHARED,
        *_WORKER,
    )
}
"""All metrics by name, in the order in which they are exposed and documented."""


def of_process(process: str) -> tuple[Metric, ...]:
    """The metrics that a kind of process (``board``, ``worker``, ``gateway``) exposes."""
    return tuple(metric for metric in CATALOGUE.values() if process in metric.processes)

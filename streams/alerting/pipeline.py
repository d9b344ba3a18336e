"""The alerts about the pipeline itself: for operators. Those that blind the figures mute the managers' alerts."""

from __future__ import annotations

from typing import Final

from funnelwatch.streams.alerting.recordings import AGE, COMMIT_AGE, LAG, LATE, LISTED, REFUSED, SKEW
from funnelwatch.streams.alerting.rule import BOARD_JOB, OPERATOR, WORKER_JOB, AlertRule, Dashboard, Runbook

WATCHDOG: Final = "FunnelwatchWatchdog"

_PIPELINE: Final = Dashboard("funnelwatch-pipeline")

_LOG: Final = "Read the log of the process: it says in sentences what is missing and what to do."


def pipeline_alert(  # noqa: PLR0917  (the columns of a table; every row has them all)
    name: str,
    expr: str,
    severity: str,
    seconds: int,
    summary: str,
    description: str,
    runbook: Runbook,
    *,
    labels: tuple[str, ...] = (),
    blinds: bool = False,
) -> AlertRule:
    """An alert for operators. ``seconds``: how long it has to be so."""
    return AlertRule(
        name=f"Funnelwatch{name}",
        expr=expr,
        severity=severity,
        audience=OPERATOR,
        summary=summary,
        description=description,
        runbook=runbook,
        dashboard=_PIPELINE,
        labels=labels,
        for_seconds=seconds,
        blinds=blinds,
    )


BLINDING: Final = (
    pipeline_alert(
        "BoardBlind",
        f'(max(up{{job="{BOARD_JOB}"}}) == 0) or absent(up{{job="{BOARD_JOB}"}})',
        "critical",
        15,
        "The board shows no figures",
        "Prometheus gets no figures from the board: it is down, or answers 503 since Redis is away, partitions have "
        "not been read, or the configuration differs. Managers' alerts stand as they were.",
        Runbook(
            "The board does not answer Prometheus, or refuses to: it shows nothing rather than yesterday's truth.",
            (
                "`curl BOARD/readyz`: the answer says in a sentence what is missing.",
                f"No answer at all: is the process running? {_LOG}",
            ),
            (
                "Redis away: bring Redis back; the board recovers by itself.",
                "Partitions missing: start workers; another configuration: give board and workers the same file.",
                "Down: start it. It holds nothing it cannot rebuild.",
            ),
        ),
        blinds=True,
    ),
    pipeline_alert(
        "KpisStale",
        f"{AGE} > 30",
        "critical",
        0,
        "Figures from {{ $labels.topic }} are {{ $value | humanizeDuration }} old",
        "No worker has confirmed a partition of {{ $labels.topic }} for {{ $value | humanizeDuration }}. Figures are "
        "as of then; managers' alerts are muted meanwhile.",
        Runbook(
            "Workers confirm each partition every second, also when nothing happens. One is not confirmed.",
            (
                "Which workers run, and what do they own? `sales_partition_owner_epoch`, the workers' `/readyz`.",
                "A worker in recovery says so in `/readyz`; a rebalance takes seconds.",
            ),
            (
                "Start the missing worker, or wait for the recovery to end: nothing is lost, events wait in Kafka.",
                "A worker runs but does not confirm: is Redis reachable from it (FunnelwatchRedisAway)?",
            ),
        ),
        labels=("topic",),
        blinds=True,
    ),
    pipeline_alert(
        "NoWorker",
        f'(max(up{{job="{WORKER_JOB}"}}) == 0) or absent(up{{job="{WORKER_JOB}"}})',
        "critical",
        30,
        "No worker runs",
        "No worker answers Prometheus: events wait in Kafka and figures stand still.",
        Runbook(
            "All workers are down, or none is told to Prometheus.",
            (f"Are the processes running? {_LOG}",),
            (
                "Start them. A worker that leaves by itself could not be sure of something: start it again.",
                "They run: correct the targets of the job funnelwatch-worker.",
            ),
        ),
        blinds=True,
    ),
    pipeline_alert(
        "LagHigh",
        f"{LAG} > 60",
        "critical",
        60,
        "{{ $labels.topic }} is {{ $value | humanizeDuration }} behind",
        "What is folded of {{ $labels.topic }} came into Kafka {{ $value | humanizeDuration }} ago, and more waits. "
        "Managers' alerts are muted meanwhile.",
        Runbook(
            "Workers read slower than events come, or a backlog is being read.",
            (
                "`funnelwatch_consumer_lag_records`: does it shrink? Then wait: its slope tells for how long.",
                "`funnelwatch_chunk_seconds`: slow chunks mean a slow disk or slow broker acknowledgements.",
                "CPU of the workers: one core each is all a worker uses.",
            ),
            (
                "Add workers, up to the number of partitions.",
                "A history is being imported: it is read at full speed and alerts wait until it is done.",
            ),
        ),
        labels=("topic",),
        blinds=True,
    ),
    pipeline_alert(
        "CommitStuck",
        f"{COMMIT_AGE} > 60",
        "critical",
        30,
        "{{ $labels.topic }}[{{ $labels.partition }}] has not been committed for {{ $value | humanizeDuration }}",
        "Events wait in {{ $labels.topic }}[{{ $labels.partition }}] and nothing was committed for "
        "{{ $value | humanizeDuration }}.",
        Runbook(
            "An offset is committed once everything it caused is acknowledged. One partition does not get there.",
            (
                "The log of the partition's worker: sends that are not acknowledged are named there.",
                "Brokers: under-replicated partitions, full disks, `min.insync.replicas` not met.",
            ),
            (
                "Mend the broker; the worker goes on by itself.",
                "Nothing to see: restart that worker. What was not committed is read again, which changes no figure.",
            ),
        ),
        labels=("topic", "partition"),
        blinds=True,
    ),
    pipeline_alert(
        "RedisAway",
        "min by (instance) (funnelwatch_redis_up) == 0",
        "critical",
        15,
        "The worker {{ $labels.instance }} cannot publish to Redis",
        "Events are folded on and nothing is lost, but figures stand still until Redis takes them again.",
        Runbook(
            "Redis does not answer the worker.",
            ("`redis-cli ping` from the worker's machine; memory (`maxmemory`), disk, the network between them.",),
            ("Bring Redis back. It may be empty: the workers publish everything again within seconds.",),
        ),
        labels=("instance",),
        blinds=True,
    ),
)

EVENTS: Final = (
    pipeline_alert(
        "RefusedShare",
        f"{REFUSED} > 0.01",
        "warning",
        120,
        "{{ $value | humanizePercentage }} of the events of {{ $labels.topic }} are refused",
        "{{ $value | humanizePercentage }} of what came on {{ $labels.topic }} in 5 minutes cannot be used. It is kept "
        "with its bytes in the dead letters.",
        Runbook(
            "A publisher sends what breaks the contract, or a field changed its meaning.",
            (
                "`funnelwatch dlq list`: which reason, which source?",
                "`funnelwatch dlq show P:OFFSET`: the event as it was sent.",
            ),
            (
                "Correct the publisher, then `funnelwatch dlq replay --reason REASON`: figures are restated.",
                "`fold_failed` is a fault of ours: report it with the letter.",
            ),
        ),
        labels=("topic",),
    ),
    pipeline_alert(
        "LateShare",
        f"{LATE} > 0.2",
        "warning",
        600,
        "{{ $value | humanizePercentage }} of the events of {{ $labels.topic }} come late",
        "{{ $value | humanizePercentage }} of what came on {{ $labels.topic }} in 15 minutes happened more than 10 "
        "minutes before. Figures are right, but later than they could be.",
        Runbook(
            "A source is polled rarely, was down and catches up, or a history is being imported.",
            ("Which source? `funnelwatch_event_age_seconds`, the time and the source of the newest events.",),
            (
                "An import: silence this until it is done.",
                "A poller: shorten its interval, or let the CRM call a webhook.",
            ),
        ),
        labels=("topic",),
    ),
    pipeline_alert(
        "EventsForwarded",
        "sum by (topic) (rate(funnelwatch_forwarded_total[10m])) > 0.1",
        "warning",
        600,
        "Events of {{ $labels.topic }} come into the wrong partitions",
        "A publisher to {{ $labels.topic }} does not partition by murmur2 of the key; each event is sent twice.",
        Runbook(
            "Events of one entity belong into one partition. Workers send strays on, which costs time and order.",
            ("Which producer? Librdkafka's default partitioner is another one than Kafka's.",),
            ("Set its partitioner to `murmur2_random`.",),
        ),
        labels=("topic",),
    ),
)

MACHINERY: Final = (
    pipeline_alert(
        "WorkerDown",
        f'up{{job="{WORKER_JOB}"}} == 0',
        "warning",
        60,
        "The worker {{ $labels.instance }} is down",
        "The worker {{ $labels.instance }} does not answer Prometheus. The others have its partitions, with less to "
        "spare.",
        Runbook(
            "One worker of several is away.",
            (f"Is the process running? {_LOG}",),
            ("Start it again; it takes its share of the partitions back.",),
        ),
        labels=("instance",),
    ),
    pipeline_alert(
        "RebalanceStorm",
        "sum by (instance) (increase(funnelwatch_rebalances_total[15m])) > 6",
        "warning",
        0,
        "Workers rebalance all the time",
        "The worker {{ $labels.instance }} took part in {{ $value | printf `%.0f` }} rebalances in 15 minutes; nothing "
        "is folded during each.",
        Runbook(
            "Workers come and go, or miss their session timeout, and partitions move with them.",
            (
                "Do workers restart? Their logs and exit codes; the machine's memory.",
                "Does one miss heartbeats: a paused machine, a core shared with others?",
            ),
            (
                "Stop what restarts, find out why, start it again.",
                "Raise `worker.session_seconds` where machines stand still for seconds.",
            ),
        ),
        labels=("instance",),
    ),
    pipeline_alert(
        "Fencing",
        "sum by (instance) (increase(funnelwatch_fenced_total[15m])) > 20",
        "warning",
        0,
        "Redis keeps refusing writes of {{ $labels.instance }}",
        "Redis refused {{ $value | printf `%.0f` }} claims and writes of {{ $labels.instance }} in 15 minutes, since a "
        "newer worker has the partition.",
        Runbook(
            "A few after a pause are the fence at work. Steadily: two groups of workers share a Redis prefix.",
            ("Which installations use this Redis, with which `redis.prefix` and `kafka.group`?",),
            ("Give each installation its own prefix.",),
        ),
        labels=("instance",),
    ),
    pipeline_alert(
        "RepCapNear",
        f"{LISTED} > 0.9",
        "warning",
        300,
        "{{ $value | humanizePercentage }} of the reps that may have series are there",
        "Further reps will be counted under rep=__other__, and not judged.",
        Runbook(
            "The number of listed reps comes near `board.reps_max`.",
            ("Did the organisation grow, or does a publisher invent ids? New reps without a record are suspicious.",),
            ("Raise `board.reps_max`, or correct the publisher.",),
        ),
    ),
    pipeline_alert(
        "RepCapReached",
        "max(funnelwatch_reps_over_limit) > 0",
        "critical",
        0,
        "{{ $value | printf `%.0f` }} reps have no series and are not judged",
        "board.reps_max is reached; {{ $value | printf `%.0f` }} reps are counted under rep=__other__.",
        Runbook(
            "There are more reps than may have series of their own. The cap keeps invented ids from taking down the "
            "monitoring.",
            ("Who are they? `GET /api/v1/reps`: reps without a name have no record.",),
            ("Correct the publisher that invents ids, or raise `board.reps_max` and restart the board.",),
        ),
    ),
    pipeline_alert(
        "SeriesDropped",
        "max(funnelwatch_series_dropped) > 0",
        "warning",
        60,
        "{{ $value | printf `%.0f` }} series are not exposed",
        "A rep or team has more series than the limit: somebody invents stages, pipelines or currencies.",
        Runbook(
            "Series of one subject are limited, since labels come from publishers.",
            ("`GET /api/v1/reps`, a rep's document: which stages or currencies are there that should not be?",),
            ("Correct the publisher; the entities it invented leave with their retention, or delete them.",),
        ),
    ),
    pipeline_alert(
        "ClockSkew",
        f"abs({SKEW}) > 2",
        "warning",
        60,
        "The clock of {{ $labels.instance }} is off by {{ $value | humanizeDuration }}",
        "The clock of {{ $labels.instance }} and that of Prometheus are {{ $value | humanizeDuration }} apart: ages, "
        "idle clocks and the end of days are wrong by as much.",
        Runbook(
            "One of two machines has a wrong clock.",
            ("`timedatectl` or `chronyc tracking` on both.",),
            ("Start the time service. Figures of event time are right all the same.",),
        ),
        labels=("instance",),
    ),
    pipeline_alert(
        "BoardSlow",
        "max(funnelwatch_board_refresh_seconds) > 2",
        "warning",
        300,
        "Figures take {{ $value | humanizeDuration }} to refresh",
        "The board needs {{ $value | humanizeDuration }} to bring what changed up to date: figures and alerts lag by "
        "as much.",
        Runbook(
            "The board has more to compute than its core can do.",
            ("CPU of the board; how many reps; does a publisher change everything all the time?",),
            ("Give it a core of its own; fewer `board.metric_windows` cost less.",),
        ),
    ),
    pipeline_alert(
        "PublishFailing",
        "sum(increase(funnelwatch_board_publish_failures_total[10m])) > 3",
        "warning",
        0,
        "The board cannot publish to Kafka",
        "kpi.reps and kpi.alerts lack {{ $value | printf `%.0f` }} messages of 10 minutes; pages and metrics are not "
        "touched.",
        Runbook(
            "Kafka does not take the board's messages.",
            ("The board's log names the error; do the topics exist (`funnelwatch topics --check`)?",),
            ("Mend it: the newest document of each rep and the waiting alerts are sent then.",),
        ),
    ),
)

ALERTING: Final = (
    pipeline_alert(
        "NotificationsFailing",
        "sum by (integration) (increase(alertmanager_notifications_failed_total[5m])) > 0",
        "critical",
        60,
        "Pages through {{ $labels.integration }} do not go out",
        "Alertmanager could not deliver {{ $value | printf `%.0f` }} messages through {{ $labels.integration }} in 5 "
        "minutes.",
        Runbook(
            "The receiver refuses messages, or cannot be reached. Managers may have heard nothing.",
            ("Alertmanager's log; was a token or an address changed?",),
            ("Correct `[alerting]`, then run `funnelwatch alertmanager`; what waits is sent again by itself.",),
        ),
        labels=("integration",),
    ),
    pipeline_alert(
        "AlertsDropped",
        "sum(increase(prometheus_notifications_dropped_total[5m])) > 0",
        "critical",
        0,
        "Prometheus cannot reach Alertmanager",
        "Prometheus dropped {{ $value | printf `%.0f` }} alerts in 5 minutes.",
        Runbook(
            "Alertmanager is down or its address is wrong: nobody is paged.",
            ("Prometheus' page Status → Runtime: which Alertmanagers does it know? Is Alertmanager running?",),
            ("Start it. Prometheus repeats what fires every minute.",),
        ),
    ),
    pipeline_alert(
        "RulesFailing",
        "sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total[5m])) > 0",
        "critical",
        0,
        "Rules of {{ $labels.rule_group }} cannot be evaluated",
        "Alerts of {{ $labels.rule_group }} stand as they were.",
        Runbook(
            "An expression fails: most often two processes expose the same series.",
            ("Prometheus' page Alerts shows the error. Is a worker scraped under the board's job?",),
            ("Correct the targets; write the rules again with `funnelwatch rules` of the running version.",),
        ),
        labels=("rule_group",),
    ),
    pipeline_alert(
        "Watchdog",
        "vector(1)",
        "none",
        0,
        "Alerting works",
        "This alert always fires. Whoever gets it every minute knows that Prometheus and Alertmanager work; whoever "
        "stops getting it has to look.",
        Runbook(
            "It fires on purpose, for a dead man's switch outside of this installation (`alerting.watchdog_webhook`).",
            ("It did not arrive: do Prometheus and Alertmanager run, and can they reach the switch?",),
            ("Start what is down; nobody is paged until then.",),
        ),
    ),
)

RULES: Final = (*BLINDING, *EVENTS, *MACHINERY, *ALERTING)

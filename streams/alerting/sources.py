"""The alerts about what comes in: silent sources, the gateway, and partitions and disks that stop a worker."""

from __future__ import annotations

from typing import Final

from funnelwatch.streams.alerting.pipeline import pipeline_alert
from funnelwatch.streams.alerting.rule import GATEWAY_JOB, Runbook

RULES: Final = (
    pipeline_alert(
        "SourceSilent",
        "max by (source) (funnelwatch_source_silent) == 1",
        "critical",
        60,
        "The source {{ $labels.source }} has gone silent",
        "Nothing of {{ $labels.source }} was accepted for longer than its silent_hours of working time. Its figures "
        "stand still without being old.",
        Runbook(
            "The gateway hears nothing from a CRM or telephone system that usually says something in that time.",
            (
                "The vendor's log of webhook deliveries: were they switched off, or do they fail?",
                "`funnelwatch_deliveries_refused_total` of the source: do they come and are refused?",
            ),
            (
                "Set the webhook up again; a wrong signature needs the secret of the source.",
                "The organisation is closed: enter the holidays; a rarely used source: raise its silent_hours.",
            ),
        ),
        labels=("source",),
    ),
    pipeline_alert(
        "DeliveriesRefused",
        "sum by (source) (rate(funnelwatch_deliveries_refused_total[10m]))\n"
        "/\n"
        "sum by (source) (rate(funnelwatch_deliveries_total[10m])) > 0.1",
        "warning",
        300,
        "{{ $value | humanizePercentage }} of what {{ $labels.source }} delivers is refused",
        "The gateway does not accept {{ $value | humanizePercentage }} of the deliveries of {{ $labels.source }}.",
        Runbook(
            "Signatures do not fit, or payloads are not what the source is known to send.",
            ("Which reason? `funnelwatch_deliveries_refused_total` by `reason`.",),
            ("`funnelwatch sources test` with such a payload says what is wrong. Vendors repeat what was refused.",),
        ),
        labels=("source",),
    ),
    pipeline_alert(
        "GatewayDown",
        f'up{{job="{GATEWAY_JOB}"}} == 0',
        "critical",
        30,
        "The gateway {{ $labels.instance }} is down",
        "Webhooks are not accepted. Vendors repeat them for hours to days, then give up.",
        Runbook(
            "The gateway does not answer Prometheus.",
            ("Is the process running? Its log says what prevents it.",),
            ("Start it. What vendors could not deliver they deliver again; then replay what is missing from the CRM.",),
        ),
        labels=("instance",),
    ),
    pipeline_alert(
        "GatewaySpooling",
        "min by (instance) (funnelwatch_gateway_kafka_up) == 0",
        "warning",
        120,
        "The gateway writes events to disk since Kafka does not take them",
        "{{ $labels.instance }} keeps what is delivered on its disk. Nothing is lost as long as there is room.",
        Runbook(
            "Kafka is away from the gateway's point of view.",
            ("`funnelwatch_spool_bytes`: how fast does it grow, and up to what (gateway.spool_bytes_max)?",),
            ("Bring Kafka back; the disk is drained by itself.",),
        ),
        labels=("instance",),
    ),
    pipeline_alert(
        "PartitionStopped",
        "max by (topic, partition) (funnelwatch_partition_stopped) == 1",
        "critical",
        0,
        "{{ $labels.topic }}[{{ $labels.partition }}] is stopped: nearly all of it would be refused",
        "The worker stopped {{ $labels.topic }}[{{ $labels.partition }}] before more of it becomes dead letters. "
        "Events wait in Kafka.",
        Runbook(
            "A storm of dead letters: a publisher changed its format, or this version has a fault. Stopping keeps the "
            "rest from being set aside.",
            (
                "`funnelwatch dlq list`: which reason, since when, from which source?",
                "The worker's log says what it waits for.",
            ),
            (
                "A publisher at fault: stop or correct it.",
                "Our fault: roll back. The worker tries a little now and then, and goes on by itself when it works.",
                "They are to be set aside after all: `funnelwatch dlq resume`.",
                "Then `funnelwatch dlq replay --reason REASON`.",
            ),
        ),
        labels=("topic", "partition"),
        blinds=True,
    ),
    pipeline_alert(
        "DiskFilling",
        "min by (instance) (funnelwatch_disk_free_bytes) < 2e9",
        "warning",
        60,
        "{{ $value | humanize1024 }}B are left on the disk of {{ $labels.instance }}",
        "A worker stops before its disk is full, and its partitions move to the others.",
        Runbook(
            "The disk of a worker's data directory fills up.",
            ("What fills it: our tables (`worker.data_dir`), or something else?",),
            ("Make room or move the data directory; what is lost of it is read again from the changelog.",),
        ),
        labels=("instance",),
    ),
)

"""Metrics of the gateway: process-local, from 0 at every start, but for what is on its disk."""

from __future__ import annotations

from typing import Final

from funnelwatch.streams.metric import Metric

_GATEWAY: Final = ("gateway",)

GATEWAY: Final = (
    Metric(
        "funnelwatch_deliveries_total",
        "counter",
        "",
        ("source", "result"),
        "Requests of a source since the process started: accepted, forged, refused, limited, busy or handshake.",
        "Forged rising: is the secret the same on both sides? Refused: see the reasons.",
        _GATEWAY,
    ),
    Metric(
        "funnelwatch_deliveries_refused_total",
        "counter",
        "",
        ("source", "reason"),
        "Requests that were not accepted since the process started, by stable reason code.",
        "Take such a payload to `funnelwatch sources test`: it says what is wrong with it.",
        _GATEWAY,
    ),
    Metric(
        "funnelwatch_source_events_total",
        "counter",
        "",
        ("source", "result"),
        "Events of a source since the process started: published, kept (unknown person) or wanted (to be fetched).",
        "Kept rising: put the people that `funnelwatch sources unknown` names into the table.",
        _GATEWAY,
    ),
    Metric(
        "funnelwatch_source_passed_total",
        "counter",
        "",
        ("source", "reason"),
        "Parts of deliveries that are rightly nothing for us, by stable reason code, since the process started.",
        "Much of one reason: switch such webhooks off at the vendor.",
        _GATEWAY,
    ),
    Metric(
        "funnelwatch_source_last_seen_timestamp_seconds",
        "gauge",
        "seconds",
        ("source",),
        "When a delivery of the source was last accepted, also before the process started; absent if never.",
        "Old: see funnelwatch_source_silent_seconds, which counts working time only.",
        _GATEWAY,
    ),
    Metric(
        "funnelwatch_source_silent_seconds",
        "gauge",
        "seconds",
        ("source",),
        "Working time since the last accepted delivery of the source, or since it was first configured.",
        "Over its silent_hours: see whether the webhook is still set up at the vendor, and whether its calls arrive.",
        _GATEWAY,
    ),
    Metric(
        "funnelwatch_source_silent",
        "gauge",
        "",
        ("source",),
        "1 if the source has been silent for longer than its silent_hours of working time, else 0.",
        "Look at the vendor's log of deliveries: the webhook was switched off, or its calls do not arrive.",
        _GATEWAY,
    ),
    Metric(
        "funnelwatch_delivery_seconds",
        "histogram",
        "seconds",
        (),
        "From the whole request read to the events acknowledged by Kafka, or on disk.",
        "High: Kafka is slow to acknowledge, or events are written to disk (funnelwatch_spool_events).",
        _GATEWAY,
    ),
    Metric(
        "funnelwatch_gateway_kafka_up",
        "gauge",
        "",
        (),
        "1 if events go to Kafka directly, 0 while they are written to disk.",
        "0 for minutes: Kafka is away, or what is on disk is not drained; see the gateway's log.",
        _GATEWAY,
    ),
    Metric(
        "funnelwatch_spool_events",
        "gauge",
        "",
        (),
        "Events on disk that wait for Kafka.",
        "Falling: Kafka is back and they are drained. Rising: bring Kafka back before the spool is full.",
        _GATEWAY,
    ),
    Metric(
        "funnelwatch_spool_bytes",
        "gauge",
        "bytes",
        (),
        "Size of the events on disk that wait for Kafka.",
        "Near gateway.spool_bytes_max vendors are soon told to try again later.",
        _GATEWAY,
    ),
    Metric(
        "funnelwatch_unknown_events",
        "gauge",
        "",
        (),
        "Events that are kept since nobody knows yet whose they are.",
        "`funnelwatch sources unknown` names the people: put them into the table (gateway.people).",
        _GATEWAY,
    ),
    Metric(
        "funnelwatch_gateway_connections",
        "gauge",
        "",
        (),
        "Connections open now.",
        "Near gateway.connections_max: somebody keeps connections open; see the address in the proxy's log.",
        _GATEWAY,
    ),
)

"""Histories of a small sales floor from a seed: plausible lives, and on top of them everything that can go wrong.

Few reps, entities and instants, so that events collide: equal times, repeated identities with other content, moves
back, reopenings, deletions, reassignments, links that change, teams that change, several currencies, zones and
calendars; and instants on the edges of windows, days, months and working hours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

from funnelwatch.schemas.events import TYPES, Benchmarks, Event, Kind, Quota
from funnelwatch.schemas.settings import (
    BenchmarkSettings,
    CalendarSettings,
    Holidays,
    LeadSettings,
    PipelineSettings,
    Rate,
    RepOverride,
    Settings,
    StageSettings,
)
from funnelwatch.streams.calendar import Calendar
from funnelwatch.streams.oracle.periods import Periods
from support.story import DATA, instant

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

CALENDARS = (
    CalendarSettings(),
    CalendarSettings(
        zone="Asia/Tehran",
        system="jalali",
        week_start="saturday",
        working_days=("saturday", "sunday", "monday", "tuesday", "wednesday", "thursday"),
        hours=("08:30-12:30", "13:15-17:00"),
        hours_by_day={"thursday": ("08:30-12:00",)},
        holidays=Holidays(country="IR"),
    ),
    CalendarSettings(zone="America/New_York", week_start="sunday", holidays=Holidays(country="US")),
    CalendarSettings(
        zone="America/New_York",
        working_days=("monday", "friday", "saturday", "sunday"),
        hours=("00:00-24:00",),
        holidays=Holidays(extra=("2026-03-09",)),
    ),
    CalendarSettings(zone="Europe/Berlin", hours=("22:00-24:00", "00:30-06:00")),
    CalendarSettings(zone="Australia/Lord_Howe", hours=("01:00-03:00", "09:00-17:00")),
)
NOWS = (
    "2026-11-23T15:00:00+00:00",
    "2026-03-08T07:30:00+00:00",  # New York's clocks have just gone forward
    "2026-11-01T06:15:30+00:00",  # and back
    "2026-03-21T08:00:00+03:30",  # the first day of 1405
    "2026-03-31T20:29:59.999999+00:00",
    "2026-05-31T21:00:00+00:00",
    "2026-10-25T01:30:00+01:00",
    "2026-04-05T01:45:00+11:00",  # Lord Howe goes back by half an hour
    "2026-03-01T00:00:00+00:00",
)
REPS = ("ann", "bob", "cem", "dee", "eve")
TEAMS = ("north", "south", "")
STAGES = ("New", "Offer", "Deal", "Elsewhere", "Closed Won", "")
SOURCES = ("crm", "pbx")
CURRENCIES = ("EUR", "EUR", "USD", "IRR")


class Case(NamedTuple):
    """A history to judge at an instant."""

    settings: Settings
    events: tuple[Event, ...]
    now: int


def case(seed: int) -> Case:
    """The history of a seed."""
    random = Random(f"history {seed}")
    now = instant(random.choice(NOWS)) + random.choice((0, 0, 1, -1, random.randrange(-2 * DAY_US, 2 * DAY_US)))
    settings = _settings(random, now)
    teller = _Teller(random, settings, now)
    for _ in range(random.randint(3, 14)):
        teller.life()
    for campaign in random.sample(
        (teller.deals, teller.leads, teller.customers, teller.calls), random.choice((0, 1, 1, 2, 3))
    ):
        campaign()
    for _ in range(random.choice((0, 5, 20, 60))):
        teller.accident()
    return Case(settings, tuple(teller.events), now)


def _settings(random: Random, now: int) -> Settings:
    stages = (
        StageSettings("New", random.choice((None, 0.0, 1.0, 8.0))),
        StageSettings("Offer", random.choice((None, 2.0, 40.0))),
        StageSettings("Deal", random.choice((None, 16.0))),
    )
    partner = (StageSettings("Offer", 3.0), StageSettings("New"))
    pipelines = (PipelineSettings("default", stages), PipelineSettings("partner", partner))
    return Settings(
        name="Everybody",
        calendar=random.choice(CALENDARS),
        pipelines=random.choice((pipelines, pipelines, pipelines[:1], ())),
        leads=random.choice((LeadSettings(), LeadSettings(new_hours=4.0, qualified_hours=8.0, accepted_hours=16.0))),
        benchmarks=random.choice(
            (BenchmarkSettings(), BenchmarkSettings(outreach_per_day=3.0, conversion_rate=0.6, support_ratio=0.5))
        ),
        reps=random.choice(
            ({}, {"ann": RepOverride(hours=("10:00-14:00",)), "bob": RepOverride(working_days=("sunday", "monday"))})
        ),
        rates=random.choice(((), (), _rates(random, now))),
        retention_days=random.choice((800, 800, 120)),
    )


def _rates(random: Random, now: int) -> tuple[Rate, ...]:
    def dated(days: int) -> str:
        return (datetime.fromtimestamp(now // 1_000_000, UTC) - timedelta(days)).date().isoformat()

    return (
        Rate("2023-01-01", "USD", "0.91"),
        Rate(dated(random.randint(0, 3)), "USD", "0.8765432109"),
        Rate(dated(random.randint(4, 40)), "USD", "0.00001"),
        Rate(dated(random.randint(0, 60)), "IRR", "0.0000217"),
    )


class _Teller:
    """Tells events about few entities at few instants."""

    def __init__(self, random: Random, settings: Settings, now: int) -> None:
        self.random = random
        self.settings = settings
        self.now = now
        self.events: list[Event] = []
        self.oldest = now - settings.retention_days * DAY_US
        self.beyond = random.choice(((), (self.oldest - 1, self.oldest - DAY_US, self.oldest - 90 * DAY_US)))
        self.instants = self._instants()
        periods = Periods(Calendar(settings.calendar), now, settings.retention_days)
        self.months = [periods.calendar.month_label(day) for day in (periods.today, periods.month_start - 1)]
        self.month_starts = [
            periods.calendar.day_start(day)
            for day in (periods.previous_month_start, periods.month_start, periods.next_month_start)
        ]
        self.reps = random.sample(REPS, random.randint(1, len(REPS)))
        self.stages = random.choice((STAGES, STAGES[:3]))
        self.currencies = random.choice((CURRENCIES, CURRENCIES[:1]))
        self.subjects = {
            Kind.DEAL: [f"d{number}" for number in range(random.randint(1, 8))],
            Kind.LEAD: [f"l{number}" for number in range(random.randint(1, 5))],
            Kind.CALL: [f"c{number}" for number in range(random.randint(1, 8))],
            Kind.EMAIL: [f"m{number}" for number in range(random.randint(1, 5))],
            Kind.REP: list(REPS[: random.randint(0, 4)]) or ["ann"],
        }

    def _instants(self) -> list[int]:
        """Where the edges are, and some instants in between."""
        random, now, settings = self.random, self.now, self.settings
        periods = Periods(Calendar(settings.calendar), now, settings.retention_days)
        start = periods.calendar.day_start
        edges = [
            now,
            now - 60 * MINUTE_US,
            now - DAY_US,
            now + DAY_US - 1,
            periods.cutoff(),
            periods.cutoff() + MINUTE_US,
            start(periods.today),
            start(periods.today + 1),
            start(periods.month_start),
            start(periods.previous_month_start),
            start(periods.today - 6),
            start(periods.today - 29),
            start(periods.today - 89),
            start(periods.calendar.week_start(periods.today)),
            now - settings.recordings_days * DAY_US,
            now - (settings.recordings_days + 60) * DAY_US,
            self.oldest,
            *self.beyond,
        ]
        near = [random.choice(edges) + random.choice((0, 0, -1, 1, -MINUTE_US, 10 * MINUTE_US)) for _ in range(8)]
        spans = (HOUR_US, DAY_US, 7 * DAY_US, 40 * DAY_US, 70 * DAY_US, 400 * DAY_US)
        free = [now - random.randrange(random.choice(spans)) for _ in range(12)]
        earliest = min((self.oldest, *self.beyond))
        return [at for at in (*near, *free) if earliest <= at <= now + DAY_US]

    def life(self) -> None:
        """An entity's life as a CRM would tell it, in order and within some days."""
        random = self.random
        kind = random.choice((Kind.DEAL, Kind.DEAL, Kind.DEAL, Kind.LEAD, Kind.LEAD, Kind.CALL, Kind.EMAIL, Kind.REP))
        subject = random.choice(self.subjects[kind])
        types = {
            Kind.DEAL: ["deal.created", *["deal.stage_changed"] * random.randint(0, 3), "deal.assigned"],
            Kind.LEAD: random.choice(
                (
                    ["lead.created", "lead.qualified", "lead.accepted", "lead.converted"],
                    ["lead.created", "lead.disqualified", random.choice(("lead.accepted", "lead.qualified"))],
                )
            ),
            Kind.CALL: ["call.completed", "call.recorded"],
            Kind.EMAIL: ["email.sent", "email.replied"],
            Kind.REP: ["rep.upserted", "rep.upserted"],
        }[kind][: random.randint(1, 6)]
        if kind is Kind.DEAL:
            types += random.choice(
                (
                    [],
                    ["deal.won"],
                    ["deal.lost"],
                    ["deal.lost", "deal.reopened"],
                    ["deal.won", "deal.reopened", "deal.won"],
                )
            )
        span = random.choice((0, MINUTE_US, HOUR_US, 5 * DAY_US, 60 * DAY_US))
        begin = random.choice(self.instants)
        latest = self.now + DAY_US
        for at in sorted(min(latest, begin + random.randint(0, span)) for _ in types):
            self.tell(kind, types.pop(0), subject, at)

    def deals(self) -> None:
        """Deals of one rep in this month and the previous one, most of them closed, all through the stages in order."""
        random, rep = self.random, self.random.choice(self.reps)
        begin, middle, end = self.month_starts
        currency = random.choice(self.currencies)
        for number in range(random.randint(6, 16)):
            subject, low, high = f"x{number}", *random.choice(((begin, middle), (middle, min(end, self.now + 1))))
            times = sorted(random.randint(low, max(low, high - 1)) for _ in range(4))
            self.tell(Kind.DEAL, "deal.created", subject, times[0], rep_id=rep, stage="New", currency=currency)
            self.tell(Kind.DEAL, "deal.stage_changed", subject, times[1], stage="Offer", amount=1_000 * number**3)
            if random.random() < 0.8:
                self.tell(Kind.DEAL, random.choice(("deal.won", "deal.lost")), subject, times[2])

    def leads(self) -> None:
        """Leads of one rep that get as far as they do."""
        random, rep = self.random, self.random.choice(self.reps)
        for number in range(random.randint(4, 12)):
            at = max(self.oldest, self.now - random.randrange(12 * DAY_US))
            far = random.randint(1, 4)
            for event_type in ("lead.created", "lead.qualified", "lead.accepted", "lead.converted")[:far]:
                self.tell(Kind.LEAD, event_type, f"y{number}", at, rep_id=rep)
                at = min(self.now + DAY_US, at + random.randrange(2 * DAY_US))

    def customers(self) -> None:
        """A lead, its deal and its calls at a handful of instants, so that all of them meet."""
        random = self.random
        times = [random.choice(self.instants) for _ in range(3)]
        for event_type, subject in (
            *(("lead.created", "y0"), ("lead.qualified", "y0"), ("lead.converted", "y0"), ("lead.assigned", "y0")),
            *(("deal.created", "x0"), ("deal.won", "x0"), ("deal.reopened", "x0"), ("deal.won", "x0")),
            *(("call.completed", "z0"), ("call.completed", "z1"), ("email.sent", "z0"), ("lead.disqualified", "y0")),
        ):
            if random.random() < 0.7:
                kind = Kind(event_type.partition(".")[0])
                owner = {"rep_id": random.choice(self.reps)} if random.random() < 0.6 else {}
                lead = {} if kind is Kind.LEAD else {"lead_id": "y0"}
                self.tell(kind, event_type, subject, random.choice(times), **owner, **lead)

    def calls(self) -> None:
        """A fortnight of calls and emails of one rep."""
        random, rep = self.random, self.random.choice(self.reps)
        for number in range(random.randint(5, 40)):
            at = self.now - random.randrange(14 * DAY_US)
            kind, event_type = random.choice(((Kind.CALL, "call.completed"), (Kind.EMAIL, "email.sent")))
            self.tell(kind, event_type, f"z{number}", at, rep_id=rep, cold=True)

    def accident(self) -> None:
        """Any event of any entity at any time, with an identity that may have been used before."""
        random = self.random
        if self.events and random.random() < 0.1:
            known = random.choice(self.events)
            self.tell(known.kind, known.type, known.subject, random.choice((known.at, *self.instants)), known)
            return
        kind = random.choice(list(Kind))
        met = [event.subject for event in self.events if event.kind is kind]
        subject = random.choice(random.choice((self.subjects[kind], met or self.subjects[kind])))
        self.tell(kind, random.choice(TYPES[kind]), subject, random.choice(self.instants))

    def tell(
        self, kind: Kind, event_type: str, subject: str, at: int, like: Event | None = None, **members: object
    ) -> None:
        """One event with these members or with any; ``like`` lends its identity."""
        random = self.random
        if not members:
            members = {name: value for name, value in self._members(kind).items() if random.random() < 0.5}
        number = random.randrange(30) if random.random() < 0.1 else 100 + len(self.events)
        self.events.append(
            Event(
                kind=kind,
                type=event_type,
                id=like.id if like else f"e{number:03}",
                source=like.source if like else random.choice(SOURCES),
                subject=subject,
                at=at,
                data=DATA[kind](**members),
            )
        )

    def _members(self, kind: Kind) -> dict[str, object]:
        random = self.random
        pick = random.choice
        linked = {"lead_id": pick(self.subjects[Kind.LEAD]), "deal_id": pick(self.subjects[Kind.DEAL])}
        if kind is Kind.DEAL:
            return {
                "rep_id": pick(self.reps),
                "pipeline": pick(("default", "partner", "unheard-of", "")),
                "stage": pick(self.stages),
                "amount": pick((0, 1, 5_000_000, 5_000_000, 12_345_678, 333, pick((1, 1, -1)) * 40_000)),
                "currency": pick(self.currencies),
                "lead_id": linked["lead_id"],
                "lost_reason": pick(("price", "timing", "")),
                "customer": pick(("Acme", "شرکت")),
            }
        if kind is Kind.LEAD:
            return {"rep_id": pick(self.reps), "channel": "web", "deal_id": linked["deal_id"], "reason": "budget"}
        if kind is Kind.CALL:
            return {
                "rep_id": pick(self.reps),
                "direction": pick(("outbound", "outbound", "inbound")),
                "outcome": pick(("connected", "voicemail", "voicemail_drop", "no_answer", "busy", "failed")),
                "talk_ms": pick((0, 1, 90_500)),
                "cold": pick((True, True, False)),
                "recording_url": pick(("https://pbx.example/1", "https://pbx.example/2")),
                "talk_ratio": pick((0, 4_350, 10_000)),
                **linked,
            }
        if kind is Kind.EMAIL:
            return {"rep_id": pick(self.reps), "cold": pick((True, False)), "template": "hello", **linked}
        return {
            "name": pick(("Ann", "Bob", "Cem")),
            "team": pick(TEAMS),
            "manager": pick(("Max", "Mia")),
            "active": pick((True, True, False)),
            "timezone": pick(("America/New_York", "Asia/Tehran", "UTC")),
            "quotas": {pick(self.months): self._quota() for _ in range(random.randint(0, 2))},
            "benchmarks": Benchmarks(pick((None, 0.0, 2.5, 40.0)), pick((None, 0.0, 0.25, 1.0))),
        }

    def _quota(self) -> Quota:
        pick = self.random.choice
        return Quota(pick((None, 0, 10_000_000, 3)), pick((None, "EUR", "USD")), pick((None, 0, 3)))

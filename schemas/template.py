"""What ``funnelwatch init`` writes: every setting, with its default and what it is for.

A line that begins with ``#`` and no space is an example to be uncommented; the others hold the defaults.
"""

from __future__ import annotations

from typing import Final

TEMPLATE: Final = """\
# Configuration of Funnelwatch. What stands here without a "#" is the default: delete what you do not change.
# Any setting can be overridden by an environment variable: FUNNELWATCH_KAFKA__BOOTSTRAP, FUNNELWATCH_CURRENCY, …
# Passwords are never written here: FUNNELWATCH_KAFKA_PASSWORD and FUNNELWATCH_REDIS_PASSWORD.
# `funnelwatch check` says everything that is wrong with this file at once.

# The organisation's name, as pages show it.
name = "My organisation"
# Currency of deals that name none, and the one that amounts are converted to if there are rates (ISO 4217).
currency = "EUR"
# What "now" is: "system" (the clock of this machine), "event" (the newest event seen: a replay of history judges as
# it would have been judged then), or a fixed instant like "2026-11-23T10:00:00Z".
clock = "system"
# For how many days figures are kept per month; older events are refused. 800 days hold 24 whole months.
retention_days = 800
# For how many days the recordings of calls are listed for coaching.
recordings_days = 30


# ---- When people work. Time in stage, idle clocks and pace count working time only. ----
[calendar]
# IANA time zone; it decides which day an event belongs to.
zone = "UTC"
# Months are those of this calendar: "gregorian" or "jalali".
system = "gregorian"
# First day of the week.
week_start = "monday"
working_days = ["monday", "tuesday", "wednesday", "thursday", "friday"]
# Working hours of a working day; several spans leave breaks between them: ["09:00-13:00", "14:00-18:00"].
hours = ["09:00-17:00"]
# Other hours on some weekdays:
#hours_by_day = { friday = ["09:00-14:00"] }

[calendar.holidays]
# Public holidays of a country (ISO 3166: "DE", "IR", "US"), and of a part of it ("BY"). Empty: none.
country = ""
subdivision = ""
# Own days off, and public holidays that are worked after all.
extra = []
worked = []


# ---- Pipelines: their open stages in order, with the working hours a deal is expected to spend in each. ----
# Won and lost are no stages. A pipeline or stage that is not listed is still counted, but has no order and no
# expectation. Without any pipeline here, no move counts as an advance except a win.
#[[pipelines]]
#name = "default"
#stages = [
#    { name = "Qualification", expected_hours = 16 },
#    { name = "Proposal", expected_hours = 24 },
#    { name = "Negotiation", expected_hours = 40 },
#]

# Working hours a lead is expected to spend in each of its states.
[leads]
#new_hours = 4
#qualified_hours = 16
#accepted_hours = 80


# ---- What is expected of a rep who has no benchmark of his or her own (rep.upserted). ----
[benchmarks]
# Cold calls, cold emails and voicemail drops per working day.
#outreach_per_day = 40
# Converted leads per qualified lead.
#conversion_rate = 0.12
# A rep needs support under this share of the outreach benchmark over the last 5 whole working days.
support_ratio = 0.7


# ---- When a manager is paged. `funnelwatch calibrate` tells what other values would do with your own history. ----
[detectors]
# Evidence (-log10 of a probability) above which a spike of losses, or a stalled funnel, pages. 3 warns.
loss_critical = 4.25
stall_critical = 4.0
# How evenly reps advance deals from day to day: calibrate fits it. The smaller, the longer nothing may advance.
stall_shape = 4.0
# More pages a manager and day go to the digest instead; 0 is no limit.
pages_per_manager_day = 5


# ---- Reps whose hours or days differ from the organisation's; leave are dates, or spans of them. ----
#[reps."hubspot:7"]
#hours = ["10:00-14:00"]
#working_days = ["monday", "wednesday"]
#leave = ["2026-12-24..2027-01-06", "2027-02-15"]


# ---- Exchange rates to the organisation's currency, each from its day on. Without any, currencies stay apart. ----
#[[rates]]
#date = "2026-01-01"
#currency = "USD"
#rate = "0.92"


[kafka]
bootstrap = ["127.0.0.1:9092"]
# Put in front of every topic's name, so that several installations can share a cluster: "acme."
prefix = ""
# The workers' consumer group.
group = "funnelwatch"
# Of topics that `funnelwatch topics` creates; all workers together use at most this many cores.
partitions = 4
# From three replicas on, topics are created with min.insync.replicas = 2: one broker may be lost, and nothing with it.
replication = 1
# "plaintext", "tls", or a SASL mechanism, alone or over TLS: "plain", "scram-sha-256", "scram-sha-512", "plain+tls", …
security = "plaintext"
username = ""
# Certificates of the authorities to trust (PEM); empty: the system's.
ca_file = ""


[redis]
host = "127.0.0.1"
port = 6379
database = 0
tls = false
username = ""
# In front of every key.
prefix = "funnelwatch"


# One worker process. Each needs a data directory of its own.
[worker]
data_dir = "funnelwatch-data"
# "chunk" (ours) or "stock" (Faust's own, for comparison).
delivery = "chunk"
# "compiled" (where that is installed) or "python": figures are the same.
fold = "compiled"
# Copies of the tables kept warm on other workers.
standby_replicas = 0
# A worker that is silent for this long is replaced.
session_seconds = 10.0
# How often offsets are committed.
commit_seconds = 1.0
# A partition is not read on when more than this share of its events is refused for so long, and at least so many are.
storm_share = 0.5
storm_seconds = 60.0
storm_events_min = 100
# How often a few events of such a partition are tried; it is read on when they are taken.
storm_probe_seconds = 60.0
# With less than this free on the disk of data_dir the worker stops in order, and waits for twice as much to start.
disk_free_mb_min = 100
# Where /metrics, /healthz and /readyz of the worker listen.
host = "127.0.0.1"
port = 8081


[board]
# Where the API, the pages and /metrics listen.
host = "127.0.0.1"
port = 8080
# Where people reach it, if that is another address: links in alerts and mails begin with it ("https://sales.example.com").
public_url = ""
# The windows that Prometheus sees, of: 1h 24h today 7d 30d 90d wtd mtd prev_month.
metric_windows = ["today", "7d", "30d", "mtd"]
# Reps with metrics of their own; the rest is counted under "__other__".
reps_max = 20000


# The gateway: what webhooks of CRMs and telephone systems are pointed at, and what polls those that have none.
[gateway]
host = "127.0.0.1"
port = 8082
# How vendors reach it, through whatever proxy: "https://hooks.firm.example". Some sign the address.
public_url = ""
# File of the table that makes users of other systems reps; without one, a rep is whom the vendor names.
people = ""
# Where events are kept while Kafka is away or their person is unknown. Each gateway needs one of its own.
data_dir = "funnelwatch-gateway"
# A larger delivery is refused, also if it is larger only when unpacked.
body_bytes_max = 1048576
# A caller that takes longer to send its headers, or its body, is cut off.
header_seconds = 10.0
body_seconds = 15.0
# Connections at the same time, in all and of one address (0: no limit; behind a proxy all have the same address).
connections_max = 2000
connections_per_address_max = 0
# Events that Kafka has not acknowledged after this time are written to disk, and the caller is answered.
kafka_seconds = 2.0
# What is kept at most; when it is full, callers are told to try again later.
spool_bytes_max = 1073741824
unknown_events_max = 1000000


# ---- Calls that two sources tell of: of one rep with one number in one direction, begun at about the same time. ----
[calls]
match = true
# How far apart the beginnings may be: clocks differ, and some count from the answer on.
tolerance_seconds = 120.0
# Whose national numbers are compared with international ones, like "IR"; empty: the last nine digits decide.
country = ""
# What is remembered: a call that is told later than that counts by itself.
memory_days = 35.0
calls_max = 1000000


# ---- Sources: one table each; `funnelwatch sources list` shows the systems there are, docs/sources/ tells of each. --
# Its address is /hooks/NAME. Its secret is in the environment (FUNNELWATCH_SECRET_NAME) or in a file, never here.
#[[sources]]
#name = "hubspot"
#system = "cloudevents"
# IANA zone of times without an offset; empty: the organisation's.
#zone = "Europe/Berlin"
# In front of every id; empty: the system's name.
#prefix = "crm"
# Of amounts that name none; empty: the organisation's.
#currency = "EUR"
# The vendor's stages as the pipelines above name them, and those that close a deal.
#stages = { appointmentscheduled = "Qualification" }
#won = ["closedwon"]
#lost = ["closedlost"]
# The vendor's lead statuses: new, qualified, accepted, converted, disqualified.
#lead_states = { marketingqualifiedlead = "qualified" }
# The vendor's call results: connected, voicemail, voicemail_drop, no_answer, busy, failed.
#outcomes = { "Left voicemail" = "voicemail" }
# The vendor's fields for members of ours.
#fields = { lost_reason = "closed_lost_reason" }
# The system's own options; its page lists them.
#options = {}
# A mapping, for systems whose field names you choose.
#mapping_file = ""
# Where the secret is, if not in FUNNELWATCH_SECRET_HUBSPOT.
#secret_env = ""
#secret_file = ""
#requests_per_second_max = 5000.0
#requests_at_once_max = 500
# Working hours without a delivery after which it counts as silent; 0: never.
#silent_hours = 8.0


# ---- Alerts. `funnelwatch rules` writes the rules, `funnelwatch alertmanager` the routing that follow from this. ----
[alerting]
# How often Prometheus reads the board and evaluates the rules. From an event to a page: under 12 s with these, under
# 3 s with 1.0, 1.0, 0.0 and 0.25.
scrape_seconds = 5.0
evaluation_seconds = 5.0
# How long Alertmanager waits for further alerts of the same kind and team, before the first and each next message.
group_wait_seconds = 1.0
group_interval_seconds = 1.0
# A page that nobody acknowledged is sent again.
repeat_hours = 12.0
# Where people reach Alertmanager and Grafana: what links in alerts begin with.
alertmanager_url = "http://127.0.0.1:9093"
grafana_url = "http://127.0.0.1:3000"
# Where the board reaches Alertmanager to silence what is acknowledged, if that is another address.
alertmanager_api = ""
# Where the runbooks are; empty: the board serves them (/runbooks/NAME).
runbook_url = ""
# Called every minute as long as alerting works: a dead man's switch elsewhere tells when it stops.
watchdog_webhook = ""
# Secrets are files: the address of Slack's incoming webhook, the token of the Telegram bot.
slack_url_file = ""
telegram_token_file = ""

# Who is told what nobody else is told. Any of these ways, and the language of the texts ("en", "fa").
[alerting.everybody]
email = []
telegram_chat = 0
slack_channel = ""
webhook = ""
# A file with the token that is sent to the webhook ("Authorization: Bearer …").
webhook_token_file = ""
language = "en"

# Who is told when the pipeline itself is in trouble; everybody's contact if there is none.
[alerting.operators]
email = []
telegram_chat = 0
slack_channel = ""
webhook = ""
webhook_token_file = ""
language = "en"

# Managers by what the reps' records say in "manager"; one that is a mail address needs no entry. Teams by their name.
#[alerting.managers."m-17"]
#webhook = "https://pager.example.com/m-17"
#language = "fa"
#[alerting.teams."North"]
#webhook = "https://pager.example.com/north"


# The server that takes mails: of Alertmanager, and of the digest.
[mail]
host = ""
port = 587
# "starttls", "tls" or "none".
encryption = "starttls"
username = ""
password_file = ""
sender = "funnelwatch@localhost"


# The mail that each manager gets on working days (`funnelwatch digest`).
[digest]
# Local time of the organisation.
time = "07:30"
# So many reps, and so many recordings, are listed at most.
reps_max = 10
recordings_max = 5
"""

"""Asterisk, Issabel, FreePBX: a call from its manager events or from its call detail records.

Nothing calls us: the gateway listens and looks (`agents/sources/asterisk.py`), and hands over pieces that hold whole
calls, as a manager's text, CSV or JSON rows. What is posted is read the same way.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from funnelwatch.schemas.sources import proofs, reading
from funnelwatch.schemas.sources.contract import Delivery, Passed, Result, SourceOptions, System
from funnelwatch.schemas.sources.phones import ami, calls, cdr

WAYS: Final = ("host", "cdr_file", "cdr_database", "cdr_server")
"""The options that say how a source is heard: its manager, its CSV of records, its table in a file or on a server."""
LOGINS: Final = ("md5", "plain")
SCHEMES: Final = ("mysql", "mariadb")
_EVENT: Final = b"event:"
_PORT_MAX: Final = 65_535


def translate(delivery: Delivery, options: SourceOptions, /) -> list[Result]:
    """The calls of a piece: rows that belong together are one call, all manager events of a piece are one call.

    Raises:
        RefusedError: It cannot be read.
    """
    body = delivery.body.lstrip()
    if body[:1] in {b"[", b"{"}:
        found = reading.json_body(delivery.body)
        rows = reading.sequence(found if isinstance(found, list) else [found], "the rows", cdr.ROWS_MAX)
        return _told(cdr.calls_of([reading.mapping(row, "a row") for row in rows], options), options)
    if _EVENT not in body[: 64 * 1024].lower():
        return _told(cdr.calls_of(cdr.rows_of_csv(delivery.body, options), options), options)
    events = ami.events_of(delivery.body)
    records = [event for event in events if event["event"].lower() == "cdr"]
    if records and len(records) == len(events):
        return _told(cdr.calls_of(records, options), options)
    return _told([ami.call_of(events, delivery.received_us, options)], options)


def _told(found: list[calls.Call | str], options: SourceOptions) -> list[Result]:
    return [Passed(one) if isinstance(one, str) else calls.event(calls.COMPLETED, one, options) for one in found] or [
        Passed("nothing_new", "there is no row")
    ]


def _checked(options: SourceOptions) -> list[str]:
    found = calls.checked(options)
    ways = [name for name in WAYS if options.option(name)]
    if len(ways) > 1:
        found.append(f"{ways[1]}: a source is heard in one way; make a second source for this one beside {ways[0]}")
    if options.option("host") and not options.option("username"):
        found.append("username: is needed with host: a user of manager.conf")
    if options.option("login", LOGINS[0]) not in LOGINS:
        found.append(f"login: must be one of {', '.join(LOGINS)}")
    if server := options.option("cdr_server"):
        found += _server_checked(server)
    port = options.option("port", "5038")
    if not port.isdecimal() or len(port) > len(str(_PORT_MAX)) or not 0 < int(port) <= _PORT_MAX:
        found.append("port: must be a port")
    return found


def _server_checked(address: str) -> list[str]:
    try:
        parts = urlsplit(address)
        known = (parts.scheme, parts.hostname, parts.username, parts.path.strip("/"), parts.port or 1)
    except ValueError:
        known = ("", None, None, "", 1)
    if known[0] not in SCHEMES or not all(known):
        return ["cdr_server: must be an address like mysql://funnelwatch@10.0.0.5:3306/asteriskcdrdb"]
    if parts.password is not None:
        return ["cdr_server: holds a password, which belongs into the source's secret"]
    return []


SYSTEM: Final = System(
    name="asterisk",
    title="Asterisk, Issabel, FreePBX",
    translate=translate,
    proof=proofs.Token(proofs.bearer_of, proofs.basic_of, proofs.header("x-funnelwatch-token")),
    page="asterisk.md",
    webhook=False,
    options=calls.OPTIONS
    | {
        "host": "the manager (AMI) that is listened to; its user's secret is the source's",
        "port": "the manager's port, if not 5038",
        "tls": "true if the manager's port, or the database server, speaks TLS; its certificate is verified",
        "username": "the user in manager.conf",
        "login": "'md5' (the default: the secret does not travel) or 'plain'",
        "cdr_file": "the CSV of records that is followed, such as /var/log/asterisk/cdr-csv/Master.csv",
        "columns": "the columns of the CSV in their order, if it is not Master.csv's and has no header",
        "cdr_database": "the SQLite file whose table of records is followed",
        "cdr_server": "the MySQL or MariaDB database whose table of records is followed: "
        "mysql://USER@HOST:3306/DATABASE; the user's password is the source's secret",
        "cdr_table": "that table, if not 'cdr'",
    },
    check=_checked,
)

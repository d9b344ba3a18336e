"""The ``funnelwatch`` command: its help, its commands, and how an error becomes an exit code.

Each command imports what it needs when it runs, so that ``--help`` is instant and ``report`` needs no Kafka client.
"""

from __future__ import annotations

import sys

import click

from funnelwatch import __version__
from funnelwatch.agents.calibrate.command import calibrate
from funnelwatch.agents.command_line import FAILURE, INTERRUPTED, OK, USAGE
from funnelwatch.agents.commands.figures import kpis, reconcile, report
from funnelwatch.agents.commands.operating import board, check, init, topics, worker
from funnelwatch.agents.commands.publishing import import_, mapping, replay
from funnelwatch.agents.demo.command import demo
from funnelwatch.agents.deploy.commands import alertmanager, rules
from funnelwatch.agents.digest.commands import digest
from funnelwatch.agents.dlq.commands import dlq
from funnelwatch.agents.errors import OperationError
from funnelwatch.agents.gateway.commands import gateway, sources
from funnelwatch.agents.health import health

EPILOG = """\b
Configuration: --config FILE, else the file named by FUNNELWATCH_CONFIG, else ./funnelwatch.toml, else defaults for
everything on this machine. Passwords come from FUNNELWATCH_KAFKA_PASSWORD and FUNNELWATCH_REDIS_PASSWORD only, or
from the files that these names with _FILE behind them name.

\b
Exit codes: 0 all went well; 1 something failed (the message says what); 2 the command line or the configuration is
wrong; 130 interrupted with Ctrl-C.
"""


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="funnelwatch")
def funnelwatch() -> None:
    """Exact, live sales KPIs per rep from CRM and telephone events.

    \b
    See it live, with a simulated sales floor, nothing needed but Python:
      funnelwatch demo
    \b
    Run it:
      funnelwatch init                 write a commented funnelwatch.toml
      funnelwatch topics               create the Kafka topics
      funnelwatch check                is everything there?
      funnelwatch worker               fold events (as many as you have partitions)
      funnelwatch board                serve figures, pages and metrics
      funnelwatch gateway              receive webhooks of CRMs and telephone systems
      funnelwatch rules                write alert rules and runbooks for Prometheus
      funnelwatch alertmanager         write who is told what for Alertmanager
      funnelwatch digest               mail each manager in the morning who needs help
    """


for _command in (
    *(init, topics, check, worker, board, health),
    *(gateway, sources, replay, import_, mapping, dlq),
    *(kpis, report, reconcile, calibrate, digest),
    *(rules, alertmanager, demo),
):
    funnelwatch.add_command(_command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with one of the documented codes."""
    sys.exit(_outcome(arguments))


def _outcome(arguments: list[str] | None) -> int:
    from funnelwatch.agents.configured import ConfigurationError  # noqa: PLC0415  (after --help had its chance)

    try:
        code = funnelwatch.main(arguments, prog_name="funnelwatch", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except ConfigurationError as error:
        click.echo(f"The configuration cannot be used:\n{error}", err=True)
        return USAGE
    except OperationError as error:
        click.echo(str(error), err=True)
        return FAILURE
    return code if isinstance(code, int) else OK

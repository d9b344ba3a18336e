"""The pollers there are, by their system's name."""

from __future__ import annotations

from typing import Final

from funnelwatch.agents.gateway.polling import Poller
from funnelwatch.agents.sources import asterisk

POLLERS: Final[dict[str, Poller]] = {"asterisk": asterisk.POLLER}

"""For pytest (``-p mutated``): the tests run without the mechanism that ``FUNNELWATCH_MUTATION`` names."""

from __future__ import annotations

import os

from mutations import MUTATIONS

MUTATIONS[os.environ["FUNNELWATCH_MUTATION"]]()

"""Evidence that something is wrong with a rep's funnel, and the alerts that follow from it.

Evidence is −log10 of the probability of what is seen (or worse), had nothing changed. It is computed from day cells
alone, so late and replayed events give the same answer. Thresholds and hysteresis live in `alerts`, the statistics in
the other modules.
"""

from funnelwatch.streams.detectors.alerts import Alerts
from funnelwatch.streams.detectors.judge import Detectors

__all__ = ["Alerts", "Detectors"]

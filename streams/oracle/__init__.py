"""The batch oracle: every KPI document from a pile of events, in the simplest code there is.

It shares no code with the incremental path that applies a definition of ``docs/figures.md``: no fold, no cell, no
window, no ratio. All events are in memory, nothing is cached between two reports, quantiles are taken from sorted
lists. What it says is what the incremental path has to say; an import-linter contract keeps the two apart.
"""

from funnelwatch.streams.oracle.reporting import Report, report

__all__ = ["Report", "report"]

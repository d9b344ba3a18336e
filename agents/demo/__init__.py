"""``funnelwatch demo``: everything on one machine, with a simulated sales floor or empty and ready for real events."""

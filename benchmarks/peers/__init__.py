"""Funnelwatch beside other systems that do the same work: see ``benchmarks/run --help``."""

"""Funnelwatch: exact, live sales KPIs per rep from the events of CRMs and telephone systems.

The code lives in three top-level folders that appear here as subpackages; imports go one way,
``agents → streams → schemas``.
"""

__version__ = "0.1.0"

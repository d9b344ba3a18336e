"""A made-up sales floor that behaves like one: the demo's customers, calls and deals, and the tests' ones.

``Floor`` is a pure function of its seed and of what is asked of it: virtual time is handed in, events come out.
"""

from funnelwatch.streams.simulator.demo import DEMO_CALENDAR, TEHRAN_CALENDAR, demo_settings
from funnelwatch.streams.simulator.floor import Floor
from funnelwatch.streams.simulator.people import Rep
from funnelwatch.streams.simulator.wire import Published

__all__ = ["DEMO_CALENDAR", "TEHRAN_CALENDAR", "Floor", "Published", "Rep", "demo_settings"]

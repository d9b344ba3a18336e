"""How many events are through, said on standard output ten times a second: ``PROG seconds count``."""

import sys
import threading
import time

COUNT = [0]
PERIOD_SECONDS = 0.1


def _say() -> None:
    said = -1
    while True:
        count = COUNT[0]
        if count != said:
            sys.__stdout__.write(f"PROG {time.time():.3f} {count}\n")
            sys.__stdout__.flush()
            said = count
        time.sleep(PERIOD_SECONDS)


def start() -> list[int]:
    """Begin; whoever counts adds to the first element."""
    threading.Thread(target=_say, daemon=True).start()
    return COUNT

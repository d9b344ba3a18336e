"""The functional core: everything that decides a figure. No clock, no I/O, no randomness that is not passed in."""

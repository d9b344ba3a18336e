"""What a person at the terminal can act on, as opposed to a defect of ours, which shows its traceback."""

from __future__ import annotations


class OperationError(Exception):
    """Something outside this program prevents what was asked; the message says what, where and what to do.

    The command line prints it without a traceback and exits with 1.
    """

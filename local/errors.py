"""What goes wrong for a user of the local target."""

from __future__ import annotations


class LocalError(Exception):
    """One clear line: what failed, where, and how to mend it. The command line prints it without a traceback."""


class Unsupported(LocalError):
    """The program wants what the local target cannot make; nothing was created."""

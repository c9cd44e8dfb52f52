"""What can be wrong with what a person asks for."""

from __future__ import annotations


class UsageError(Exception):
    """A file, a key, an argument that cannot be used; the message names it and the way out. Exit
    status 2.
    """

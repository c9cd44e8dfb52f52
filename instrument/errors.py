"""Errors that a person can mend: a wrong request, or a file that cannot be written.

Messages stand where they are raised. `cli/exits.py` prints them, in one line.
"""

from __future__ import annotations


class UsageError(Exception):
    """A file, a key or an argument cannot be used; the message names it and gives advice.

    Exit status 2.
    """


class FileNotWritten(Exception):
    """A file cannot be written: a full disk, a quota, a read-only folder; the message names it.

    Exit status 74.
    """

"""What can be wrong with what a person asks for, and with the place where it is kept."""

from __future__ import annotations


class UsageError(Exception):
    """A file, a key, an argument that cannot be used; the message names it and the way out. Exit
    status 2.
    """


class FileNotWritten(Exception):
    """A file that cannot be written: a full disk, a quota, a read-only folder. The message names
    it. Exit status 74.
    """

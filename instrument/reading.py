"""Reading files that anybody may have written."""

from __future__ import annotations

import lzma
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from instrument.errors import UsageError

# All that numpy, zipfile and json were seen to raise for torn, foreign and hostile files.
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def reading(path: Path, complaint: str) -> Iterator[None]:
    """Read a file of arrays inside this context: what its bytes may cause becomes a UsageError,
    "`path`: `complaint` (the cause)".
    """
    try:
        with warnings.catch_warnings():
            # numpy warns of empty and of very old files; what they hold is judged later.
            warnings.simplefilter("ignore")
            yield
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except _UNREADABLE as error:
        raise UsageError(f"{path}: {complaint} ({_cause(error)})") from error


def _cause(error: Exception) -> str:
    """Return what went wrong, without numpy's advice to programmers."""
    if isinstance(error, KeyError):
        # Its text is quoted: of a .npz, or of JSON.
        missing = str(error.args[0]).removesuffix(" is not a file in the archive")
        return f"nothing in it is called {missing}"
    text = str(error) or type(error).__name__
    if "allow_pickle" in text:
        return "it holds Python objects, or is not of its ending's kind at all"
    return text.split("; use `usecols`")[0]

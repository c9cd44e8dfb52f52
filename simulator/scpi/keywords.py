"""Keywords as SCPI documents write them: `MEASure` is MEAS or MEASURE, nothing in between."""

import re

_SPELLING = re.compile(r"(\*?[A-Z_][A-Z0-9_]*)([a-z]*)")


def forms(keyword: str) -> tuple[str, str]:
    """Return short and long form in upper case.

    Raises ValueError for a spelling without its short form in capitals.
    """
    match = _SPELLING.fullmatch(keyword)
    if match is None:
        raise ValueError(f"not a keyword with its short form in capitals: {keyword!r}")
    return match[1], keyword.upper()

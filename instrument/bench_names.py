"""Names of benches: the path of a bench.toml, or sim:PRESET for one simulated in this process."""

from __future__ import annotations

import re
from pathlib import Path

SIMULATED = "sim:"
MAX_STEM_CHARACTERS = 40


def folder_name(command: str, bench: str, seed: int) -> str:
    """Return the name of a run's folder, behind the time: the command, the bench and its seed."""
    # A file's name may be too long for a folder, or hold characters that a shell interprets.
    stem = re.sub(r"[^\w.+-]+", "-", Path(bench.removeprefix(SIMULATED)).stem)
    name = f"{command}-{stem[:MAX_STEM_CHARACTERS]}"
    return f"{name}-seed{seed}" if bench.startswith(SIMULATED) else name

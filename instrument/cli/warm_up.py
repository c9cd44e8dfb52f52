"""`ohmsum warm-up`: compiles all kernels now, for machine images and for CI."""

from __future__ import annotations

import time

from instrument.cli.options import Json


def warm_up(*, json: Json = False) -> None:
    """Compile the numerical kernels of every command, so that none waits for that later.

    They are kept in the user's cache folder, or in `ohmsum` in NUMBA_CACHE_DIR, until ohmsum,
    Python, numba or numpy change or the folder is read on another kind of processor. What is there
    already is left as it is.
    """
    began = time.perf_counter()
    import json as writer

    from rich.console import Console

    from instrument.kernels import GROUPS, compile_group, start
    from instrument.progress import step
    from kirchhoff.compiled import cache_folder

    filled_groups = []
    # Two processes, as many as most machines have work for; each waits for the other's kernels.
    beside = start(tuple(reversed(GROUPS)))
    try:
        for group in GROUPS:
            with step(group):
                filled_groups.append(compile_group(group))
    finally:
        beside.terminate()
        beside.wait()
    document = {
        "ok": True,
        "folder": str(cache_folder()),
        "groups": [
            {"group": filled.group, "compiled": filled.compiled, "seconds": filled.seconds}
            for filled in filled_groups
        ],
        "wall_seconds": time.perf_counter() - began,
    }
    console = Console(markup=False, emoji=False)
    if json:
        console.out(writer.dumps(document, indent=2), highlight=False)
        return
    for filled in filled_groups:
        outcome = (
            f"{filled.compiled} functions compiled" if filled.compiled else "found in the cache"
        )
        console.print(f"{filled.group:<10} {filled.seconds:6.1f} s  {outcome}")
    console.print(f"Kernels are in {cache_folder()}", soft_wrap=True)

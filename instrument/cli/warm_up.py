"""`ohmsum warm-up`: compile all kernels now, for images of machines and for CI."""

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
    from instrument.terminal import step
    from kirchhoff.compiled import cache_folder

    filled = []
    # Two at once, as many as find work on most machines; each waits for what the other compiles.
    beside = start(tuple(reversed(GROUPS)))
    try:
        for group in GROUPS:
            with step(group):
                filled.append(compile_group(group))
    finally:
        beside.terminate()
        beside.wait()
    document = {
        "ok": True,
        "folder": str(cache_folder()),
        "groups": [
            {"group": one.group, "compiled": one.compiled, "seconds": one.seconds} for one in filled
        ],
        "wall_seconds": time.perf_counter() - began,
    }
    console = Console(markup=False, emoji=False)
    if json:
        console.out(writer.dumps(document, indent=2), highlight=False)
        return
    for one in filled:
        said = f"{one.compiled} functions compiled" if one.compiled else "found in the cache"
        console.print(f"{one.group:<10} {one.seconds:6.1f} s  {said}")
    console.print(f"Kernels are in {cache_folder()}", soft_wrap=True)

"""Can the tests fail? Small changes to the code, drawn with a seed, and whether a test notices.

`python -m benchmarks.mutation --seed S --count N [--jobs J] [--files F] [--results FILE]` applies
each mutation (`benchmarks.mutants`) in a private copy of the tree, runs the F test files nearest to
the changed file that import it, and stops at the first that fails. Results are kept as JSON lines;
the same command goes on where it was, and runs survivors again when a larger F names more tests or
when `--again` says that tests have changed. At the end it prints a table of packages and the
survivors.

A test that fails, that does not end within its time limit, or a change that ends the interpreter,
counts as caught. At the end these tests are run again without any change: where one fails there as
well, the results that rest on it are "void".

Public tools were tried on paper: mutmut puts all variants of a function behind a trampoline, which
Numba's kernels and the digests of their byte code do not survive; cosmic-ray runs one test command
for every mutation, which takes the whole suite each time. What remains to be written beside either,
the choice of the nearest tests, is most of this file.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from benchmarks.mutants import PACKAGES, Imports, Mutation, draw
from kirchhoff.compiled import cache_folder

ROOT = Path(__file__).parents[1]
TEST_SECONDS = 120
"""Time limit of one test."""
MAX_SECONDS = 1800
"""Time limit of all tests of a mutation: nothing but a hanging interpreter reaches it."""
FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


def main() -> None:
    """Draw, run what has no result yet, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--files", type=int, default=8, help="test files for each mutation")
    parser.add_argument("--results", type=Path, help="JSON lines; default mutation-SEED.jsonl")
    parser.add_argument("--again", action="store_true", help="run survivors again")
    arguments = parser.parse_args()
    results = arguments.results or Path(f"mutation-{arguments.seed}.jsonl")

    drawn = draw(ROOT, arguments.seed, arguments.count)
    known = read_results(results)
    todo = [m for m in drawn if _is_open(known.get(m), arguments.files, again=arguments.again)]
    lock = threading.Lock()

    def keep(mutation: Mutation, result: dict[str, Any]) -> None:
        with lock:
            known[mutation] = result
            with results.open("a") as file:
                file.write(json.dumps(mutation.as_dict() | result) + "\n")
            change = f"{mutation.before!r} -> {mutation.after!r}"
            print(f"{mutation.path}:{mutation.line}", change, result["outcome"], flush=True)

    with copies(arguments.jobs) as free:

        def run(mutation: Mutation) -> None:
            copy = free.get()
            try:
                result = try_mutation(copy, mutation, arguments.files)
            finally:
                free.put(copy)
            keep(mutation, result)

        with ThreadPoolExecutor(arguments.jobs) as pool:
            list(pool.map(run, todo))
        named = {r["by"] for r in known.values() if r["outcome"] == "caught" and ".py" in r["by"]}
        unsound = free.get().failing_tests(sorted(named), all_of_them=True) if todo else []
        for mutation, result in known.items():
            if result["outcome"] == "caught" and result["by"] in unsound:
                keep(mutation, result | {"outcome": "void"})
    print(table({m: known[m] for m in drawn}))


def read_results(file: Path) -> dict[Mutation, dict[str, Any]]:
    """Return the last result of each mutation in a file of JSON lines, which may not exist."""
    known = {}
    for line in file.read_text().splitlines() if file.exists() else []:
        entry = json.loads(line)
        mutation = Mutation(**{name: entry.pop(name) for name in Mutation.__annotations__})
        known[mutation] = entry
    return known


def _is_open(result: dict[str, Any] | None, files: int, *, again: bool) -> bool:
    if result is None or result["outcome"] == "void":
        return True
    return result["outcome"] == "survived" and (again or result["files"] < files)


class Copy:
    """A private copy of the tree, with its own compiled kernels."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)
        kernels = folder / "kernels"
        # The cache names a kernel after all that it is made from: a changed one is compiled.
        (kernels / "ohmsum").mkdir(parents=True)
        for kernel in cache_folder().glob("*.kernel"):
            with suppress(FileNotFoundError):  # another process may tidy the cache
                shutil.copy2(kernel, kernels / "ohmsum")
        self.environment = {
            name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
        } | {"PYTHONPATH": str(self.root), "NUMBA_CACHE_DIR": str(kernels), "CI": "1"}
        # By their digest and not by their time: a change of as many characters within a second of
        # the last one must not find the byte code of before.
        compile_all = ["compileall", "-q", "--invalidation-mode", "checked-hash", "."]
        subprocess.run([sys.executable, "-m", *compile_all], cwd=self.root, check=True)
        self.imports = Imports(self.root)

    def failing_tests(self, tests: list[str], *, all_of_them: bool = False) -> list[str]:
        """Run tests until one fails, or all of them; return the names of those that failed, or what
        else happened.
        """
        options = ["-q", "-rfE", "--tb=no", "-p", "no:cacheprovider", "-m", "not slow"]
        options += [] if all_of_them else ["-x"]
        limit = [f"--timeout={TEST_SECONDS}", "--timeout-method=thread"]
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *limit, *tests],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            out, _ = process.communicate(timeout=MAX_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return ["time limit"]
        if process.returncode in (0, 5):  # 5: all tests were left out
            return []
        if failed := FAILED.findall(out):
            return failed
        return ["time limit" if "Timeout" in out else f"exit status {process.returncode}"]


@contextmanager
def copies(count: int) -> Iterator[SimpleQueue[Copy]]:
    """Make private copies of the tree, for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        free: SimpleQueue[Copy] = SimpleQueue()
        for number in range(count):
            free.put(Copy(Path(folder, str(number))))
        yield free


def try_mutation(copy: Copy, mutation: Mutation, files: int) -> dict[str, Any]:
    """Run the nearest tests with a mutation applied; the copy is as before afterwards."""
    tests = copy.imports.tests_of(mutation.path)[:files]
    if not tests:
        return {"outcome": "survived", "by": None, "files": files}
    file = copy.root / mutation.path
    before = file.read_bytes()
    mutation.apply(copy.root)
    try:
        failed = copy.failing_tests(tests)
    finally:
        file.write_bytes(before)
    if not failed:
        return {"outcome": "survived", "by": None, "files": files}
    # What ended without the name of a test is held against all of them.
    sound = ".py" in failed[0] or not copy.failing_tests(tests)
    return {"outcome": "caught" if sound else "void", "by": failed[0], "files": files}


def table(results: dict[Mutation, dict[str, Any]]) -> str:
    """Return the counts by package and the survivors, as text."""
    counts = Counter((m.path.split("/")[0], r["outcome"]) for m, r in results.items())
    lines = [f"{'package':<12} {'drawn':>6} {'caught':>7} {'share':>6}"]
    for names, label in [*(((p,), p) for p in PACKAGES), (PACKAGES, "all")]:
        drawn = sum(n for (package, _), n in counts.items() if package in names)
        caught = sum(counts[package, "caught"] for package in names)
        share = f"{caught / drawn:.0%}" if drawn else "-"
        lines.append(f"{label:<12} {drawn:6} {caught:7} {share:>6}")
    for outcome in ("survived", "void"):
        lines += [f"{outcome}:"] if any(r["outcome"] == outcome for r in results.values()) else []
        lines += [
            f"  {m.path}:{m.line}  {m.before!r} -> {m.after!r}"
            for m, r in results.items()
            if r["outcome"] == outcome
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

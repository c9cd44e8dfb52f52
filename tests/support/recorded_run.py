"""A small run as a laboratory would send it: recorded over a serial wire, replayed by the tests.

`python -m tests.support.recorded_run` records it anew. That is needed after a change that makes a
run ask the board for something else; a change of results alone shows in the test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from instrument.bench_file import bench_toml
from instrument.run_files import GIVEN, JOURNAL_FILE, RESULT_FILE
from instrument.runs import CLAIM_FILE
from simulator.bench import serve_bench
from simulator.preset import Shape, load_preset

RECORDED = Path(__file__).parents[1] / "instrument" / "cli" / "recorded-run"
ROWS, COLUMNS, BRANCHES = 3, 4, 6


def main() -> None:
    """Record the run, and keep what a replay needs of it."""
    preset = load_preset("8x4")
    shape = Shape(rows=ROWS, columns=COLUMNS, branches=BRANCHES)
    preset = preset.model_copy(update={"shape": shape, "name": "3x2"})
    with tempfile.TemporaryDirectory() as folder, serve_bench(preset, 1, ("serial",)) as bench:
        (Path(folder) / "bench.toml").write_text(bench_toml(bench.resources["board"]["serial"]))
        command = "run --bench bench.toml --matrix random --spec-bits 10 --out run"
        program = (
            "import instrument.journal.session as session, instrument.runs as runs;"
            "session.host_name = runs.host_name = lambda: 'bench-1';"
            "from instrument.cli import main; main()"
        )
        subprocess.run(
            [sys.executable, "-c", program, *command.split()],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            check=False,
        )
        shutil.rmtree(RECORDED, ignore_errors=True)
        RECORDED.mkdir()
        for name in (CLAIM_FILE, *GIVEN, JOURNAL_FILE, RESULT_FILE):
            if (made := Path(folder) / "run" / name).exists():
                shutil.copyfile(made, RECORDED / name)
    for name in (CLAIM_FILE, RESULT_FILE):
        document = json.loads((RECORDED / name).read_text())
        document.get("run", document)["asked"]["directory"] = "."
        (RECORDED / name).write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Names of the files in a run's folder, apart from what writes them: to look for one loads nothing.

The first of them, which claims the folder, is `instrument.runs.CLAIM_FILE`.
"""

from __future__ import annotations

from pathlib import Path

RESULTS = Path("ohmsum-results")
"""Folder of the working folder that runs are kept in."""
RESULT_FILE = "result.json"
"""The result document, with its verdict."""
MAX_RESULT_BYTES = 256 << 20
"""Largest result file that is read again, bytes: one that lists every crosspoint of a large board
is smaller.
"""
CALIBRATION_FILE = "calibration.npz"
"""The calibration that the run measured."""
GIVEN_CALIBRATION_FILE = "given-calibration.npz"
"""Copy of the calibration that the run was given."""
GIVEN_PREFIX = "given-"
GIVEN_CALIBRATION_FILE, GIVEN_EARLIER_FILE = "given-calibration.npz", "given-earlier-{}.npz"
"""Copies of the calibrations that the run was given; the second with a number from 1."""
REPORT_FILE = "report.html"
"""The report, which needs no other file."""
PRODUCTS_FILE = "products.npz"
"""The products of the job's inputs."""
BENCH_FILE, PRESET_FILE = "bench.toml", "preset.toml"
"""Copy of the bench file, or of the preset of a simulated bench, that the run was given."""
JOB_FILE, OPERANDS_FILE = "job.json", "job.npz"
"""What the run was asked to do, and the matrix and the inputs that it was given."""
GIVEN = JOB_FILE, OPERANDS_FILE, BENCH_FILE, PRESET_FILE
"""The files that are there before anything is measured."""
JOURNAL_FILE = "journal.sqlite"
"""Every exchange with the board."""

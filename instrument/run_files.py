"""Names of the files in a run's folder, apart from what writes them: to look for one loads nothing.

The first of them, which claims the folder, is `instrument.runs.CLAIM_FILE`.
"""

from __future__ import annotations

RESULT_FILE = "result.json"
"""The result document, with its verdict."""
MAX_RESULT_BYTES = 256 << 20
"""Largest result file that is read again, bytes: one that lists every crosspoint of a large board
is smaller.
"""
CALIBRATION_FILE = "calibration.npz"
"""The calibration that the run measured."""
PRODUCTS_FILE = "products.npz"
"""The products of the job's inputs."""
BENCH_FILE = "bench.toml"
"""Copy of the bench file that the run was given."""

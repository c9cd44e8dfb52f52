"""Origin of a result: program and commit, command, host, and the files that went in."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calibration.arrays import Floats

UNKNOWN = "unknown"
LIBRARIES = "numpy", "scipy", "numba"
"""Libraries that a result may depend on beside ohmsum and Python."""
GIT_SECONDS = 5.0
OID = "# branch.oid "


def ohmsum_version() -> str:
    """Return the installed version of ohmsum."""
    return _version("ohmsum")


@cache
def versions() -> Mapping[str, str | None]:
    """Return the versions of all that computes a result; `commit` is None outside a checkout.

    Git is asked once in a process: a run notes them in its folder, and in its journal.
    """
    found = {
        "ohmsum": ohmsum_version(),
        "commit": commit_of(Path(__file__).parents[1]),
        "python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
    }
    return MappingProxyType(found)


def commit_of(checkout: Path) -> str | None:
    """Return the commit of a git checkout, followed by "-dirty" where files differ from it.

    None where this is no checkout, or where git cannot tell.
    """
    # A package installed inside another project's checkout must not claim its commit.
    if not (checkout / ".git").exists():
        return None
    command = ["git", "--no-optional-locks", "-C", str(checkout), "status", "--porcelain=v2"]
    # Variables that git sets in its hooks would point to another repository.
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    try:
        # Without locks: a kill must not leave a lock file in a person's checkout.
        status = subprocess.run(
            [*command, "--branch", "--untracked-files=no"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_SECONDS,
            check=True,
            text=True,
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    lines = status.stdout.splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith(OID)), None)
    if commit is None or commit == "(initial)":
        return None
    return commit if all(line.startswith("#") for line in lines) else f"{commit}-dirty"


def command_line() -> str:
    """Return the command that this process was started with, quoted for a shell."""
    return shlex.join(["ohmsum", *sys.argv[1:]])


def host_name() -> str:
    """Return the name of this computer."""
    return platform.node() or UNKNOWN


def operand(name: str, values: Floats, file_sha256: str | None) -> dict[str, Any]:
    """Return the identity of a matrix or a batch of inputs: name, shape and SHA-256.

    The SHA-256 is that of its file, or of its values, as little-endian float64, rows first, where
    it comes from no file.
    """
    import numpy as np  # late: a run notes where it comes from before anything heavy is loaded

    of_values = hashlib.sha256(np.ascontiguousarray(values, dtype="<f8").tobytes()).hexdigest()
    return {
        "name": name,
        "shape": list(values.shape),
        "sha256": file_sha256 or of_values,
        "sha256_of": "values" if file_sha256 is None else "file",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return UNKNOWN

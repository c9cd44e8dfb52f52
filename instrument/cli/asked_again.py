"""The job of a run that has begun earlier, from what its folder says."""

from __future__ import annotations

from contextlib import chdir
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from instrument.bench_names import SIMULATED
from instrument.cli.demo import demo_job
from instrument.cli.job import Job
from instrument.cli.kept_job import load_job
from instrument.cli.plan import LAST_STEPS, RunOptions, plan
from instrument.errors import UsageError
from instrument.history import claim_of, find_folder
from instrument.run_files import JOB_FILE
from instrument.runs import CLAIM_FILE, RunFolder


def folder_of(name: str, results: Path) -> RunFolder:
    """Return the folder of a run that has begun earlier, named by its folder or its id.

    Raises UsageError where nothing is so called.
    """
    path = find_folder(name, results)
    claim = claim_of(path)
    return RunFolder(
        path=path,
        id=claim.id,
        started=claim.started,
        command=claim.command,
        host=claim.host,
        versions=claim.versions,
        asked=claim.asked,
    )


def job_of(folder: RunFolder) -> Job:
    """Return the job of a run, from the copies in its folder.

    A run that was ended before it had made these is planned anew, from its command line.

    Raises UsageError where the folder holds no job that can be carried out.
    """
    if (folder.path / JOB_FILE).is_file():
        return load_job(folder.path)
    command = next((name for name in (*LAST_STEPS, "demo") if name in folder.asked), None)
    if command is None:
        raise UsageError(
            f"{folder.path}: not the run of a matrix: nothing to go on with or to replay"
        )
    directory = Path(str(folder.asked.get("directory")))
    try:
        with chdir(directory):
            if command in LAST_STEPS:
                job = plan(RunOptions.model_validate(folder.asked[command]), command)
                return replace(job, opened_as=_from(directory, job.bench))
            return demo_job(folder.asked["demo"])
    except (ValidationError, OSError, LookupError, TypeError) as error:
        raise UsageError(
            f"{folder.path / CLAIM_FILE}: its command cannot be carried out again ({error})"
        ) from error


def _from(directory: Path, bench: str) -> str:
    """Return the name of a bench as it is from any working folder."""
    simulated = bench.startswith(SIMULATED)
    path = directory / bench.removeprefix(SIMULATED)
    if not path.is_file():
        return bench
    return f"{SIMULATED}{path}" if simulated else str(path)

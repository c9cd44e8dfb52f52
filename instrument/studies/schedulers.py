"""Schedulers of chunks: threads of this process, or a Dask cluster.

Both map a function over chunks and yield results as they are computed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import contextmanager

from calibration.studies import Chunk, Measure, Samples, Scheduler
from instrument.errors import UsageError

CONNECT_SECONDS = 10
_ADDRESS = re.compile(r"(?:tcp|tls|wss?)://(?:\[[0-9a-fA-F:.%]+\]|[^\s\[\]:/]+):[0-9]{1,5}")


@contextmanager
def threads(jobs: int) -> Iterator[Scheduler]:
    """Compute in threads of this process: the kernels release the interpreter's lock."""
    with ThreadPoolExecutor(jobs) as pool:

        def run(measure: Measure, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, Samples]]:
            futures = {pool.submit(measure, chunk): chunk for chunk in chunks}
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            finally:
                for future in futures:
                    future.cancel()

        yield run


def _cluster_failed(address: str, error: BaseException) -> UsageError:
    return UsageError(
        f"--scheduler {address}: the cluster failed ({type(error).__name__}: {error}); "
        "what was computed is kept: the same command continues from there"
    )


@contextmanager
def dask_cluster(address: str) -> Iterator[Scheduler]:
    """Compute on the workers of the Dask scheduler at an address, tcp://HOST:PORT.

    Chunks of a worker that dies go to another one. Raises UsageError where dask.distributed is not
    installed, no scheduler answers, or the cluster fails for good.
    """
    try:
        from distributed import Client, KilledWorker
        from distributed import as_completed as as_they_come
    except ImportError as error:
        raise UsageError(
            "--scheduler needs dask.distributed: pip install 'ohmsum[dask]'"
        ) from error
    if not _ADDRESS.fullmatch(address):
        # Given no valid address, a client waits 20 s and then prints a long message.
        raise UsageError(f"--scheduler {address}: is not of the form tcp://HOST:PORT")
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"--scheduler {address}: no Dask scheduler answers ({error})") from error

    def run(measure: Measure, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, Samples]]:
        futures = client.map(measure, chunks, pure=False)
        which = dict(zip((future.key for future in futures), chunks, strict=True))
        try:
            for future, samples in as_they_come(futures, loop=client.loop, with_results=True):
                # A cluster that dies delivers the error of a cancelled chunk as its result.
                if isinstance(samples, BaseException):
                    raise _cluster_failed(address, samples)
                yield which[future.key], samples
        except (KilledWorker, CancelledError, OSError) as error:
            raise _cluster_failed(address, error) from error

    with client:
        yield run

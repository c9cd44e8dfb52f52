"""Compiled kernels: one decorator for all of them, and the cache that they are kept in.

Numba compiles a kernel when it is called first, which takes seconds, and can keep what it made.
Its own cache looks at the kernel's file alone, so that an edit of a function the kernel calls goes
unnoticed, and it stops the import where no folder can be written. This one names each file after
all that the machine code depends on: the byte code of the kernel and of everything it calls, the
constants that these read, the types of the arguments, the versions, the processor. What is found
under its name is current; nothing is ever overwritten with something else.

A process that misses a kernel holds a lock on it while it compiles: another one that needs it
waits, and loads it.
"""

import hashlib
import logging
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeVar

import llvmlite
import numba
import numpy as np
from numba import config, njit
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps
from numba.misc.appdirs import AppDirs

try:
    import fcntl
except ImportError:  # not a POSIX system: two processes may compile the same kernel
    fcntl = None  # type: ignore[assignment]

Function = TypeVar("Function", bound=Callable[..., Any])

log = logging.getLogger(__name__)

SUFFIX = ".kernel"
DIGEST_BYTES = 32
# A process that is stopped while it holds a lock keeps the others waiting this long, not for ever.
MAX_WAIT_SECONDS = 60.0
POLL_SECONDS = 0.05
# Files of one kernel: of so many versions, processors and signatures, those loaded last.
MAX_FORMS = 8
ABANDONED_SECONDS = 3600.0  # a part file so old has lost its writer
LOADED_SECONDS = 86400.0  # a file's time is that of the last day on which it was loaded


def kernel(function: Function) -> Function:
    """Compile a function that Python calls: without the interpreter's lock, kept on disk."""
    return _kept(function, {})


def callee(function: Function) -> Function:
    """Compile a function that kernels alone call. Python cannot: there is no way in for it."""
    return _kept(function, {"no_cpython_wrapper": True})


def uncounted(function: Function) -> Function:
    """Compile a part that makes no arrays and returns none, without counting references.

    Numba counts the references to every slice. In the loops over rows and in what is done for every
    cell that takes up to a third of the time. Its option not to is not in its manual: should it go,
    nothing but time is lost with it.
    """
    return _kept(function, {"no_cpython_wrapper": True, "_nrt": False})


def _kept(function: Function, options: dict[str, Any]) -> Function:
    # Divisions by zero give infinity, as in numpy: no kernel relies on an exception, and the code
    # that would raise it takes time to compile.
    options = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True} | options
    dispatcher = njit(**options)(function)
    dispatcher._cache = KernelCache(function, options)
    compiled: Function = dispatcher
    return compiled


def cache_folder() -> Path:
    """Where the kernels are kept: in NUMBA_CACHE_DIR, else where the platform keeps caches."""
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR) / "ohmsum"
    return Path(AppDirs(appname="ohmsum", appauthor=False).user_cache_dir) / "kernels"


class KernelCache(NullCache):  # type: ignore[misc]  # numba is not typed
    """The compiled forms of one kernel, a file for each signature and processor."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._function = function
        self._options = options
        self._lock: int | None = None

    @property
    def cache_path(self) -> str:
        """Return the folder of the cache, as numba asks for it."""
        return str(cache_folder())

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Return the kernel for this signature, or None: it has then to be compiled and saved."""
        target.refresh()
        path = self._path(signature, target)
        loaded = self._load(path, target)
        if loaded is None and (lock := _lock(path)) is not None:
            # Another process may have been compiling it.
            loaded = self._load(path, target)
            if loaded is None:
                self._lock = lock
            else:
                _unlock(lock)
        return loaded

    def save_overload(self, signature: Any, data: Any) -> None:
        """Keep a compiled kernel; a folder that cannot be written costs one line, not the run."""
        try:
            if not data.library.has_dynamic_globals:
                payload = dumps(data._reduce())
                _write(self._path(signature, data.target_context), payload)
        except OSError as error:
            _complain(str(cache_folder()), error.strerror or str(error))
        finally:
            if self._lock is not None:
                _unlock(self._lock)
                self._lock = None

    def _path(self, signature: Any, target: Any) -> Path:
        depends_on = (
            function_digest(self._function),
            sorted(self._options.items()),
            str(signature),
            target.codegen().magic_tuple(),
            (config.OPT, config.BOUNDSCHECK),
            versions(),
        )
        digest = hashlib.sha256(repr(depends_on).encode()).hexdigest()[:32]
        return cache_folder() / f"{self._name}-{digest}{SUFFIX}"

    def _load(self, path: Path, target: Any) -> Any:
        try:
            content = path.read_bytes()
        except OSError:
            return None
        try:
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > LOADED_SECONDS:
                    os.utime(path)
            if hashlib.sha256(content[DIGEST_BYTES:]).digest() != content[:DIGEST_BYTES]:
                raise ValueError("its digest differs")
            return CompileResult._rebuild(target, *pickle.loads(content[DIGEST_BYTES:]))
        except Exception as error:  # noqa: BLE001  # whatever a damaged file makes of itself
            log.info("%s is damaged (%s): compiled again", path, error)
            return None


def note_in_cache(path: Path) -> None:
    """Leave an empty file in the cache folder, kept and removed as kernels' files are.

    Raises OSError.
    """
    _write(path, b"")


@cache
def versions() -> tuple[str, ...]:
    """Return what machine code depends on beside its source and the processor."""
    return (sys.version, numba.__version__, llvmlite.__version__, np.__version__)


@cache
def function_digest(function: Callable[..., Any]) -> str:
    """Digest of a function's byte code and of all that it reads: callees, constants, types."""
    digest = hashlib.sha256()
    seen: set[int] = set()
    todo: list[Any] = [function]
    while todo:
        item = todo.pop()
        if isinstance(item, Dispatcher):
            digest.update(repr(sorted(item.targetoptions.items())).encode())
            item = item.py_func
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, FunctionType):
            digest.update(repr((item.__qualname__, item.__defaults__)).encode())
            for code in _codes(item.__code__):
                digest.update(repr(_instructions(code)).encode())
                todo.extend(_read(item, code))
        elif isinstance(item, type):
            digest.update(repr((item.__qualname__, getattr(item, "_fields", None))).encode())
        elif isinstance(item, np.ndarray):
            digest.update(item.tobytes())
        elif isinstance(item, bool | int | float | str | bytes | tuple):
            digest.update(repr(item).encode())
        else:
            digest.update(getattr(item, "__name__", type(item).__name__).encode())
    return digest.hexdigest()


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _instructions(code: CodeType) -> tuple[Any, ...]:
    constants = [c for c in code.co_consts if not isinstance(c, CodeType)]
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants


def _read(function: FunctionType, code: CodeType) -> Iterator[Any]:
    """Yield what a function's code finds outside of it."""
    for name in code.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType):
            # Of a library's functions its version tells enough.
            inside = (getattr(value, n) for n in code.co_names if hasattr(value, n))
            yield from (i for i in inside if isinstance(i, Dispatcher | int | float))
        elif value is not None:
            yield value
    for cell in function.__closure__ or ():
        yield cell.cell_contents


def _write(path: Path, payload: bytes) -> None:
    """Write a file whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(payload).digest() + payload)
        os.replace(name, path)
        _remove_old(path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def _remove_old(path: Path) -> None:
    """Remove what is left of earlier versions of the kernel at `path`."""
    name = path.stem.rpartition("-")[0]
    files = sorted(path.parent.glob(f"{name}-*{SUFFIX}"), key=_loaded, reverse=True)
    abandoned = time.time() - ABANDONED_SECONDS
    parts = [p for p in path.parent.glob(f"{name}-*.part") if _loaded(p) < abandoned]
    for old in files[MAX_FORMS:] + parts:
        with suppress(OSError):
            old.unlink()


def _loaded(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # another process has removed it


@cache
def _complain(folder: str, reason: str) -> None:
    log.warning(
        "%s: cannot be written (%s), so that kernels are compiled in every run; "
        "NUMBA_CACHE_DIR may name another folder",
        folder,
        reason,
    )


def _lock(path: Path) -> int | None:
    """Lock a kernel to compile it, once no other process does; None where that cannot be."""
    if fcntl is None:
        return None
    place = int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:6], "big")
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _lock_file(path.parent / "lock")
        while True:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
                return place
            except (BlockingIOError, PermissionError):
                if time.monotonic() > deadline:
                    return None
                time.sleep(POLL_SECONDS)
    except OSError:
        return None


def _unlock(place: int) -> None:
    with suppress(OSError):
        fcntl.lockf(_lock_file(cache_folder() / "lock"), fcntl.LOCK_UN, 1, place)


@cache
def _lock_file(path: Path) -> int:
    """Return the descriptor of the file whose bytes are the locks, open as long as the process is.

    Closing any descriptor of the file would release all of the process's locks.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

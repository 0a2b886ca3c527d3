"""How the law becomes machine code: six decorators, one cache, one warm-up.

``law`` and ``law_entry`` trap every int64 overflow and refuse floats; ``kernel`` and
``kernel_entry`` are for hashing, encoding and recovery, where wrap and uint64 are wanted. Entries
are called from Python and cached on disk; helpers are compiled into the entries that use them,
``law_inline`` ones into every caller.
``by_reference`` marks named tuples of arrays that are passed as one pointer.
Under ``NUMBA_DISABLE_JIT=1`` the same source runs as plain Python, and overflow still raises.

Every failure of arithmetic is an ``ArithmeticError``: OverflowError or ZeroDivisionError when
compiled, FloatingPointError, OverflowError or ZeroDivisionError when interpreted.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import numpy as np

from clearing._arithmetic import LawCompiler
from clearing._backend import INTERPRETED, llvm, numba, types
from clearing._fragments import KernelFragmentCompiler, LawFragmentCompiler, as_fragment
from clearing._references import by_reference

__all__ = [
    "by_reference",
    "cache_directory",
    "cache_home",
    "checked",
    "kernel",
    "kernel_entry",
    "kernel_symbol",
    "law",
    "law_entry",
    "law_inline",
    "warm",
    "warm_lock",
]

F = TypeVar("F", bound=Callable[..., Any])

KERNEL_OPTIONS: dict[str, Any] = {"nogil": True, "boundscheck": True, "_nrt": False}
LAW_OPTIONS: dict[str, Any] = {**KERNEL_OPTIONS, "pipeline_class": LawCompiler}
# Packages that may stand beside ``clearing``; anything else is a library, known by its version.
LAYERS = frozenset({"clearing", "verifier", "prover", "node", "risk", "simulator", "novatio"})
DIGESTS_KEPT = 16
PRUNE_AGE_SECONDS = 86_400
# The owners of registered symbols: freeing one would leave a dangling address.
_SYMBOLS: list[Any] = []


def checked() -> Any:
    """Context manager under which NumPy scalar overflow and division by zero raise.

    ``law_entry`` enters it by itself when interpreted; tests that call a plain ``law`` function
    directly enter it around the call. It is per thread and changes nothing when compiled.
    """
    return np.errstate(over="raise", divide="raise")


def law(function: F) -> F:
    """Compile a helper of the law: nopython, int64 traps, no allocation, never cached.

    Raises (at the first call) numba TypingError naming function and line when a float, or int64
    beside uint64, appears.
    """
    return _law_helper(function, LAW_OPTIONS)


def law_inline(function: F) -> F:
    """Compile like ``law``, but always into the caller: for the few called once a position."""
    return _law_helper(function, {**LAW_OPTIONS, "forceinline": True})


def _law_helper(function: F, options: dict[str, Any]) -> F:
    if INTERPRETED:
        return function
    compiled = numba.njit(**options)(function)
    return cast(F, as_fragment(compiled, LawFragmentCompiler, options))


def law_entry(function: F) -> F:
    """Compile like ``law``, and keep the machine code in the cache directory.

    Call it with one signature only: the same dtypes and contiguous writable arrays each time.
    """
    if INTERPRETED:

        @functools.wraps(function)
        def guarded(*arguments: Any, **keywords: Any) -> Any:
            # A Python int would never overflow; the compiled run sees int64 here.
            arguments = tuple(np.int64(a) if type(a) is int else a for a in arguments)
            with checked():
                return function(*arguments, **keywords)

        return cast(F, guarded)
    return _cached(function, LAW_OPTIONS)


def kernel(function: F) -> F:
    """Compile a helper in which integers wrap and uint64 is allowed: hashing and encoding."""
    if INTERPRETED:
        return function
    compiled = numba.njit(**KERNEL_OPTIONS)(function)
    return cast(F, as_fragment(compiled, KernelFragmentCompiler, KERNEL_OPTIONS))


def kernel_entry(function: F) -> F:
    """Compile like ``kernel``, and keep the machine code in the cache directory."""
    if INTERPRETED:
        return function
    return _cached(function, KERNEL_OPTIONS)


def kernel_symbol(name: str, result: Any, arguments: tuple[Any, ...]) -> Callable[[F], F]:
    """Compile a function once, as the machine-code symbol ``name`` that other kernels call.

    Dependants then compile in a fraction of the time. The function may not raise. The symbol is
    registered on import, so that cached dependants find it when they load.
    """

    def decorate(function: F) -> F:
        if INTERPRETED:
            return function
        with _cache_of(function):
            compiled = numba.cfunc(result(*arguments), cache=True, **KERNEL_OPTIONS)(function)
        _SYMBOLS.append(compiled)
        llvm.add_symbol(name, compiled.address)
        return cast(F, types.ExternalFunction(name, result(*arguments)))

    return decorate


def warm(
    calls: Iterable[tuple[Callable[..., Any], tuple[Any, ...]]],
    progress: Callable[[str], None] | None = None,
) -> None:
    """Compile or load each entry for the types of its example arguments, then freeze it.

    ``calls`` holds (entry, example arguments); nothing is executed. A frozen entry answers an
    unexpected type with TypeError at once instead of seconds of compilation in service.
    """
    if INTERPRETED:
        return
    with warm_lock():
        for entry, examples in calls:
            if progress is not None:
                progress(f"compiling {entry.__module__}.{entry.__qualname__}")
            dispatcher = cast(Any, entry)
            signature = tuple(numba.typeof(example) for example in examples)
            if signature not in dispatcher.overloads:
                dispatcher.disable_compile(False)
                dispatcher.compile(signature)
            dispatcher.disable_compile()


@contextlib.contextmanager
def warm_lock() -> Iterator[None]:
    """Hold the machine-wide lock of the cache: one process compiles, the others wait.

    Not reentrant. Released by the kernel when the process dies.
    """
    with _locked(cache_home() / "warm.lock"):
        yield


def cache_home() -> Path:
    """Return NOVATIO_CACHE_DIR, else XDG_CACHE_HOME/novatio, else ~/.cache/novatio."""
    chosen = os.environ.get("NOVATIO_CACHE_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "novatio"


def cache_directory(source: str) -> Path:
    """Return the cache directory of the entries defined in the file ``source``.

    Named by a digest of all Python sources that can reach those entries, the versions and options
    of the compiler, and the processor: numba itself notices changes of one file only.
    """
    return cache_home() / "kernels" / _digest(_package_root(Path(source).resolve()))


def _cached(function: F, options: dict[str, Any]) -> F:
    with _cache_of(function) as directory:
        dispatcher = numba.njit(cache=True, **options)(function)
    save = dispatcher._cache.save_overload

    def save_alone(signature: Any, code: Any) -> None:
        # numba picks a file name from an index that another process may be extending.
        with _locked(directory / "save.lock"):
            save(signature, code)

    dispatcher._cache.save_overload = save_alone
    return cast(F, dispatcher)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


@contextlib.contextmanager
def _cache_of(function: Callable[..., Any]) -> Iterator[Path]:
    directory = cache_directory(function.__code__.co_filename)
    directory.mkdir(parents=True, exist_ok=True)
    os.utime(directory)
    _prune(directory.parent)
    before = numba.config.CACHE_DIR
    # numba reads the setting only while it decorates, so it is restored at once.
    numba.config.CACHE_DIR = str(directory)
    try:
        yield directory
    finally:
        numba.config.CACHE_DIR = before


def _package_root(source: Path) -> Path:
    """Return the directory of the outermost package around ``source``, or the file itself."""
    root = source
    while (root.parent / "__init__.py").exists():
        root = root.parent
    return root


@functools.cache
def _digest(root: Path) -> str:
    digest = hashlib.sha256()
    for part in (
        sys.version,
        numba.__version__,
        llvmlite.__version__,
        np.__version__,
        str(numba.config.OPT),
        str(KERNEL_OPTIONS),
        str(numba.config.CPU_NAME or llvm.get_host_cpu_name()),
        str(numba.config.CPU_FEATURES or llvm.get_host_cpu_features().flatten()),
    ):
        digest.update(part.encode() + b"\0")
    for package in sorted(_reachable({root, Path(__file__).resolve().parent})):
        for path in _sources(package):
            digest.update(str(path).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


def _sources(root: Path) -> list[Path]:
    return [root] if root.is_file() else sorted(root.rglob("*.py"))


def _reachable(roots: set[Path]) -> set[Path]:
    """Return the packages beside ``clearing`` that ``roots`` import, directly or through others."""
    home = Path(__file__).resolve().parent.parent
    found: set[Path] = set()
    pending = set(roots)
    while pending:
        package = pending.pop()
        found.add(package)
        for path in _sources(package):
            names = re.findall(r"^\s*(?:from|import) (\w+)", path.read_text("utf-8"), re.M)
            pending |= {home / name for name in LAYERS.intersection(names)} - found
    return found


@functools.cache
def _prune(parent: Path) -> None:
    """Remove cache directories beyond the newest few that nobody has used for a day."""
    ages = sorted(((p.stat().st_mtime, p) for p in parent.iterdir() if p.is_dir()), reverse=True)
    for used, path in ages[DIGESTS_KEPT:]:
        if used < time.time() - PRUNE_AGE_SECONDS:
            # Another process may be pruning the same directory.
            shutil.rmtree(path, ignore_errors=True)

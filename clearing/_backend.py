"""numba and llvmlite as untyped modules, in one place.

Their partial annotations describe neither private options nor generated attributes, so strict
type checking of the code that builds on them would be noise; ``Any`` says so honestly.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

numba: Any = importlib.import_module("numba")
types: Any = importlib.import_module("numba.core.types")
extending: Any = importlib.import_module("numba.extending")
cgutils: Any = importlib.import_module("numba.core.cgutils")
llvm_ir: Any = importlib.import_module("llvmlite.ir")
llvm: Any = importlib.import_module("llvmlite.binding")

INTERPRETED = bool(numba.config.DISABLE_JIT)


def overload(function: F) -> Callable[[F], F]:
    """Return the decorator that registers the compiled twin of ``function``."""
    # Twins hold no law arithmetic of their own, and like their callers they allocate nothing.
    register = extending.overload(function, jit_options={"nogil": True, "_nrt": False})
    return cast(Callable[[F], F], register)


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Register a function that answers numba with (signature, code generator).

    Compiled callers pass every argument but the first, numba's typing context.
    """
    return cast(Callable[..., Any], extending.intrinsic(function))

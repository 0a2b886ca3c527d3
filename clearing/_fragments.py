"""Helpers as fragments: typed and lowered once, optimised only inside the entries that use them.

numba by itself optimises every function together with a copy of all that it calls, and emits
machine code for it, so the work grows with the square of the depth of the calls. A fragment keeps
its own unoptimised code; an entry links the fragments it reaches, once each, and one run of the
optimiser sees them all.
"""

from __future__ import annotations

import importlib
from typing import Any

from clearing._arithmetic import LawCompiler
from clearing._backend import numba

codegen: Any = importlib.import_module("numba.core.codegen")
compiler: Any = importlib.import_module("numba.core.compiler")
funcdesc: Any = importlib.import_module("numba.core.funcdesc")
machinery: Any = importlib.import_module("numba.core.compiler_machinery")
passes: Any = importlib.import_module("numba.core.typed_passes")
registry: Any = importlib.import_module("numba.core.registry")


class Library(codegen.JITCodeLibrary):  # type: ignore[misc]
    """A library that links what it calls directly and what fragments among that call in turn."""

    is_fragment = False

    def finalize(self) -> None:
        """Finish the code: a fragment's stays as it was lowered, alone."""
        if self.is_fragment:
            self._raise_if_finalized()
            self._finalized = True
            return
        self._linking_libraries = self._reachable()
        super().finalize()

    def _reachable(self) -> list[Any]:
        """Return all libraries to link, each after those that call it.

        LLVM drops a function that nobody before it refers to.
        """
        order: dict[Any, None] = {}
        _finish(self._linking_libraries, order)
        return list(reversed(order))


def _finish(libraries: list[Any], order: dict[Any, None]) -> None:
    for library in libraries:
        if library not in order:
            if getattr(library, "is_fragment", False):
                _finish(library._linking_libraries, order)
            order[library] = None


@machinery.register_pass(mutates_CFG=True, analysis_only=False)
class LowerFragment(passes.NativeLowering):  # type: ignore[misc]
    """Lower a function into a fragment: no wrapper, no optimisation, no machine code."""

    _name = "lower_fragment"

    def run_pass(self, state: Any) -> bool:
        """Leave in ``state`` the result whose entry point only names the function."""
        library = Library(state.targetctx.codegen(), state.func_id.func_qualname)
        library.is_fragment = True
        state.library = library
        state.flags.no_cpython_wrapper = True
        state.flags.no_cfunc_wrapper = True
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]
        name = object()
        state.targetctx.insert_user_function(name, lowered.fndesc, [library])
        state["cr"] = lowered._replace(cfunc=name)
        return True


class KernelFragmentCompiler(compiler.CompilerBase):  # type: ignore[misc]
    """numba's nopython pipeline that ends in a fragment."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline of helpers of kernels."""
        manager = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        return [_ended(manager)]


class LawFragmentCompiler(LawCompiler):
    """The pipeline of law functions that ends in a fragment."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline of helpers of the law."""
        return [_ended(*super().define_pipelines())]


def _ended(manager: Any) -> Any:
    manager.passes = [
        (LowerFragment if step is passes.NativeLowering else step, why)
        for step, why in manager.passes
    ]
    manager._finalized = False
    manager.finalize()
    return manager


# Every library from here on can link fragments, those of numba's own overloads too.
registry.cpu_target.target_context.codegen()._library_class = Library


def as_fragment(dispatcher: Any, compiler_class: Any, options: dict[str, Any]) -> Any:
    """Return ``dispatcher``, made to give compiled callers a fragment of its function.

    Called from Python it still compiles to machine code of its own.
    """
    fragment = numba.njit(**{**options, "pipeline_class": compiler_class})(dispatcher.py_func)

    def add_overload(result: Any) -> None:
        # Python never calls a fragment, so its C dispatch table need not know.
        fragment.overloads[tuple(result.signature.args)] = result

    fragment.add_overload = add_overload
    dispatcher.get_call_template = fragment.get_call_template
    dispatcher.get_overload = fragment.get_overload
    return dispatcher

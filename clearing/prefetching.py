"""Asking the processor for a row before it is needed.

Without it a sweep over rows of 2 KB waits for memory, not for arithmetic, and so does a climb in a
tree of a million leaves: the measures are in docs/performance.md.
"""

from __future__ import annotations

from typing import Any

from clearing._backend import intrinsic, llvm_ir, overload, types

CACHE_LINE_BYTES = 64


def prefetch(row: Any, lines: int) -> None:
    """Fetch the first `lines` cache lines of a record into the cache. Nothing when interpreted."""


def prefetch_rows(rows: Any, first: int, lines: int) -> None:
    """Fetch `lines` cache lines of a contiguous array from row `first` on. As above."""


@intrinsic
def _prefetch_line(_context: Any, row: Any, offset: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        byte = llvm_ir.IntType(8).as_pointer()
        _emit_prefetch(builder, builder.gep(builder.bitcast(values[0], byte), [values[1]]))
        return context.get_dummy_value()

    return types.void(row, types.int64), generate


@intrinsic
def _prefetch_address(_context: Any, _address: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        byte = llvm_ir.IntType(8).as_pointer()
        _emit_prefetch(builder, builder.inttoptr(values[0], byte))
        return context.get_dummy_value()

    return types.void(types.intp), generate


def _emit_prefetch(builder: Any, place: Any) -> None:
    byte = llvm_ir.IntType(8).as_pointer()
    word = llvm_ir.IntType(32)
    kind = llvm_ir.FunctionType(llvm_ir.VoidType(), [byte, word, word, word])
    fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
    builder.call(fetch, [place, word(0), word(3), word(1)])  # to read, keep, data


@overload(prefetch)
def _(row: Any, lines: Any) -> Any:
    def compiled(row: Any, lines: Any) -> None:
        for line in range(lines):
            _prefetch_line(row, line * CACHE_LINE_BYTES)

    return compiled


@overload(prefetch_rows)
def _(rows: Any, first: Any, lines: Any) -> Any:
    def compiled(rows: Any, first: Any, lines: Any) -> None:
        start = rows.ctypes.data + first * rows.strides[0]
        for line in range(lines):
            _prefetch_address(start + line * CACHE_LINE_BYTES)

    return compiled

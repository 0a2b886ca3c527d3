"""Big-endian integers and runs of bytes at any offset, the same interpreted and compiled."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from clearing._backend import cgutils, intrinsic, llvm_ir, overload, types
from clearing.compiler import kernel


def load_piece(blob: Any, offset: int) -> int:
    """Return the eight bytes of ``blob`` (uint8, contiguous) at ``offset`` as an int64 bit pattern.

    Raises IndexError if they do not lie inside ``blob``.
    """
    if offset < 0 or offset + 8 > blob.shape[0]:
        raise IndexError("expected eight bytes inside the blob")
    value = int.from_bytes(blob[offset : offset + 8].tobytes(), "big", signed=True)
    return cast(int, np.int64(value))


def copy_bytes(target: Any, place: int, source: Any, first: int, count: int) -> None:
    """Copy ``source[first:first + count]`` to ``target`` from ``place`` on: uint8, contiguous.

    The two share no memory. Raises IndexError if a run does not lie inside its array.
    """
    if not _inside(target, place, count) or not _inside(source, first, count):
        raise IndexError("expected both runs of bytes inside their arrays")
    target[place : place + count] = source[first : first + count]


@kernel
def _inside(array: Any, first: int, count: int) -> bool:
    return bool(first >= 0 and count >= 0 and first + count <= array.shape[0])


@kernel
def load_integer(blob: Any, offset: int, size: int) -> int:
    """Return the unsigned integer of ``size`` <= 7 bytes of ``blob`` at ``offset``."""
    value = 0
    for i in range(size):
        byte: Any = np.int64(blob[offset + i])
        value = value << 8 | byte
    return value


@intrinsic
def _load_swapped(_context: Any, _address: Any) -> Any:
    """Load an unaligned little-endian int64 from an address and swap its bytes."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        pointer = builder.inttoptr(values[0], llvm_ir.PointerType())
        value = builder.load(pointer, typ=llvm_ir.IntType(64), align=1)
        return builder.bswap(value)

    return types.int64(types.intp), generate


@overload(load_piece)
def _(blob: Any, offset: Any) -> Any:
    def compiled(blob: Any, offset: Any) -> Any:
        if offset < 0 or offset + 8 > blob.shape[0]:
            raise IndexError("expected eight bytes inside the blob")
        return _load_swapped(blob.ctypes.data + offset)

    return compiled


@intrinsic
def _copy_run(_context: Any, _target: Any, _source: Any, _count: Any) -> Any:
    """Copy bytes from an address to another."""

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        byte = llvm_ir.IntType(8).as_pointer()
        target, source = (builder.inttoptr(value, byte) for value in values[:2])
        cgutils.raw_memcpy(builder, target, source, values[2], 1)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@overload(copy_bytes)
def _(target: Any, place: Any, source: Any, first: Any, count: Any) -> Any:
    def compiled(target: Any, place: Any, source: Any, first: Any, count: Any) -> None:
        if not _inside(target, place, count) or not _inside(source, first, count):
            raise IndexError("expected both runs of bytes inside their arrays")
        _copy_run(target.ctypes.data + place, source.ctypes.data + first, count)

    return compiled

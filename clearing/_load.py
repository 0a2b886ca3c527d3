"""Big-endian integers out of a byte array, at any offset, the same interpreted and compiled."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from clearing._backend import intrinsic, llvm_ir, overload, types
from clearing.compiler import kernel


def load_piece(blob: Any, offset: int) -> int:
    """Return the eight bytes of ``blob`` (uint8, contiguous) at ``offset`` as an int64 bit pattern.

    Raises IndexError if they do not lie inside ``blob``.
    """
    if offset < 0 or offset + 8 > blob.shape[0]:
        raise IndexError("expected eight bytes inside the blob")
    value = int.from_bytes(blob[offset : offset + 8].tobytes(), "big", signed=True)
    return cast(int, np.int64(value))


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

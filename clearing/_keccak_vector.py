"""Keccak-256 of eight messages side by side, emitted as straight-line vector code.

LLVM does not vectorise loops over arrays that may alias, so the permutation is written on values
of type <8 x i64>: one lane of a vector is one message. AVX-512 has rotations and three-input
logic for these; on smaller machines LLVM splits the vectors.
"""

from __future__ import annotations

from typing import Any

from clearing._backend import cgutils, intrinsic, llvm_ir, types
from clearing.compiler import kernel_symbol

LANES = 8
RATE = 17  # 64-bit pieces a block of Keccak-256

_I64 = llvm_ir.IntType(64)
_BIT = llvm_ir.IntType(1)
_VECTOR = llvm_ir.VectorType(_I64, LANES)
_MASK = llvm_ir.VectorType(_BIT, LANES)
_POINTER = llvm_ir.PointerType()


def _round_constants() -> list[int]:
    """Return the 24 constants of the iota step from their shift register (FIPS 202, 3.2.5)."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for exponent in range(7):
            if register & 1:
                constant |= 1 << ((1 << exponent) - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        constants.append(constant)
    return constants


def _rotations() -> list[int]:
    """Return the rotation of each piece x + 5 * y in the rho step (FIPS 202, 3.2.2)."""
    rotations, x, y = [0] * 25, 1, 0
    for step in range(24):
        rotations[x + 5 * y] = (step + 1) * (step + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return rotations


ROUND_CONSTANTS = _round_constants()
ROTATIONS = _rotations()


class _Emitter:
    """The vector operations that the hash needs, on one numba IR builder."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def splat(self, value: int) -> Any:
        return llvm_ir.Constant(_VECTOR, [value] * LANES)

    def spread(self, value: Any) -> Any:
        """Copy a scalar to every lane."""
        vector = self.builder.insert_element(
            llvm_ir.Constant(_VECTOR, llvm_ir.Undefined), value, llvm_ir.IntType(32)(0)
        )
        return self.shuffle(vector, vector, [0] * LANES)

    def shuffle(self, left: Any, right: Any, order: list[int]) -> Any:
        kind = llvm_ir.VectorType(llvm_ir.IntType(32), len(order))
        return self.builder.shuffle_vector(left, right, llvm_ir.Constant(kind, order))

    def lane(self, vector: Any, index: int) -> Any:
        return self.builder.extract_element(vector, llvm_ir.IntType(32)(index))

    def call(self, name: str, result: Any, *values: Any) -> Any:
        kind = llvm_ir.FunctionType(result, [value.type for value in values])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, values)

    def rotate(self, vector: Any, count: int) -> Any:
        if count == 0:
            return vector
        return self.call("llvm.fshl.v8i64", _VECTOR, vector, vector, self.splat(count))

    def swap_bytes(self, vector: Any) -> Any:
        return self.call("llvm.bswap.v8i64", _VECTOR, vector)

    def load(self, address: Any, mask: Any) -> Any:
        """Load consecutive pieces where the mask is set, zero elsewhere."""
        pointer = self.builder.inttoptr(address, _POINTER)
        align = llvm_ir.IntType(32)(8)
        return self.call("llvm.masked.load.v8i64.p0", _VECTOR, pointer, align, mask, self.splat(0))

    def gather(self, addresses: Any, mask: Any) -> Any:
        """Load one piece from each address where the mask is set, zero elsewhere."""
        pointers = self.builder.inttoptr(addresses, llvm_ir.VectorType(_POINTER, LANES))
        align = llvm_ir.IntType(32)(8)
        return self.call(
            "llvm.masked.gather.v8i64.v8p0", _VECTOR, pointers, align, mask, self.splat(0)
        )

    def store_four(self, address: Any, value: Any, active: Any) -> None:
        """Store a <4 x i64> if the bit ``active`` is set."""
        with self.builder.if_then(active, likely=True):
            pointer = self.builder.inttoptr(address, _POINTER)
            self.builder.store(value, pointer, align=8)

    def transpose(self, rows: list[Any]) -> list[Any]:
        """Turn eight vectors of consecutive pieces into eight vectors of one piece each."""
        low, high = [0, 8, 2, 10, 4, 12, 6, 14], [1, 9, 3, 11, 5, 13, 7, 15]
        pairs = [
            [self.shuffle(rows[i], rows[i + 1], order) for order in (low, high)]
            for i in range(0, LANES, 2)
        ]
        near, far = [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]
        halves = [
            [
                self.shuffle(pairs[i][k % 2], pairs[i + 1][k % 2], far if k >= 2 else near)
                for k in range(4)
            ]
            for i in (0, 2)
        ]
        first, second = [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]
        return [
            self.shuffle(halves[0][k], halves[1][k], order)
            for order in (first, second)
            for k in range(4)
        ]

    def permute(self, state: list[Any]) -> list[Any]:
        for constant in ROUND_CONSTANTS:
            state = self._round(state, constant)
        return state

    def _round(self, a: list[Any], constant: int) -> list[Any]:
        xor, conjunction = self.builder.xor, self.builder.and_
        column = []
        for x in range(5):
            total = a[x]
            for y in range(1, 5):
                total = xor(total, a[x + 5 * y])
            column.append(total)
        theta = [xor(column[(x + 4) % 5], self.rotate(column[(x + 1) % 5], 1)) for x in range(5)]
        b: list[Any] = [None] * 25
        for x in range(5):
            for y in range(5):
                moved = self.rotate(xor(a[x + 5 * y], theta[x]), ROTATIONS[x + 5 * y])
                b[y + 5 * ((2 * x + 3 * y) % 5)] = moved
        out = [
            xor(
                b[i],
                conjunction(
                    self.builder.not_(b[(i + 1) % 5 + i // 5 * 5]), b[(i + 2) % 5 + i // 5 * 5]
                ),
            )
            for i in range(25)
        ]
        out[0] = xor(out[0], self.splat(constant))
        return out


def _emit_group(builder: Any, values: Any) -> None:
    """Hash up to eight rows; see ``hash_group`` for the arguments."""
    rows, row_stride, lengths, uniform, indices, first, lanes, pad, digests, digest_stride = values
    emit = _Emitter(builder)
    iota = llvm_ir.Constant(_VECTOR, list(range(LANES)))
    eight = _I64(8)
    active = builder.icmp_signed("<", iota, emit.spread(lanes))
    offset = builder.mul(first, eight)

    def optional(address: Any, otherwise: Any) -> Any:
        """Load the group's entries of an array, or take ``otherwise`` if its address is 0."""
        present = builder.icmp_signed("!=", emit.spread(address), emit.splat(0))
        loaded = emit.load(builder.add(address, offset), builder.and_(active, present))
        return builder.select(present, loaded, otherwise)

    index = optional(indices, builder.add(emit.spread(first), iota))
    index = builder.select(active, index, emit.splat(0))
    length = builder.select(active, optional(lengths, emit.spread(uniform)), emit.splat(0))
    last = builder.udiv(length, emit.splat(RATE))
    starts = builder.add(
        emit.spread(rows), builder.mul(index, emit.spread(builder.mul(row_stride, eight)))
    )
    state = [cgutils.alloca_once_value(builder, emit.splat(0)) for _ in range(25)]
    digest = [cgutils.alloca_once_value(builder, emit.splat(0)) for _ in range(4)]
    longest = emit.call("llvm.vector.reduce.umax.v8i64", _I64, last)
    with cgutils.for_range(builder, builder.add(longest, _I64(1))) as loop:
        pieces = _emit_block(emit, starts, length, last, pad, loop.index)
        before = [builder.load(slot) for slot in state]
        mixed = [builder.xor(old, new) for old, new in zip(before, pieces, strict=False)]
        after = emit.permute(mixed + before[RATE:])
        ended = builder.icmp_signed("==", last, emit.spread(loop.index))
        for slot, value in zip(state, after, strict=True):
            builder.store(value, slot)
        for slot, value in zip(digest, after, strict=False):
            builder.store(builder.select(ended, emit.swap_bytes(value), builder.load(slot)), slot)
    targets = builder.add(
        emit.spread(digests), builder.mul(index, emit.spread(builder.mul(digest_stride, eight)))
    )
    _emit_digests(emit, [builder.load(slot) for slot in digest], targets, active)


def _emit_block(
    emit: _Emitter, starts: Any, length: Any, last: Any, pad: Any, block: Any
) -> list[Any]:
    """Emit the 17 padded pieces of one block of every lane, in Keccak's byte order."""
    builder = emit.builder
    iota = llvm_ir.Constant(_VECTOR, list(range(LANES)))
    begin = builder.mul(block, _I64(RATE))
    rest = builder.sub(length, emit.spread(begin))
    addresses = builder.add(starts, emit.spread(builder.mul(begin, _I64(8))))
    pieces: list[Any] = []
    for half in (0, 8):
        rows = []
        for lane in range(LANES):
            available = emit.spread(builder.sub(emit.lane(rest, lane), _I64(half)))
            mask = builder.icmp_signed("<", iota, available)
            address = builder.add(emit.lane(addresses, lane), _I64(8 * half))
            rows.append(emit.load(address, mask))
        pieces += emit.transpose(rows)
    tail = builder.add(addresses, emit.splat(8 * (RATE - 1)))
    pieces.append(emit.gather(tail, builder.icmp_signed(">", rest, emit.splat(RATE - 1))))
    padding = emit.spread(pad)
    padded = []
    for position, piece in enumerate(pieces):
        here = builder.icmp_signed("==", rest, emit.splat(position))
        added = builder.select(here, padding, emit.splat(0))
        padded.append(builder.xor(emit.swap_bytes(piece), added))
    ended = builder.icmp_signed("==", last, emit.spread(block))
    final = builder.select(ended, emit.splat(1 << 63), emit.splat(0))
    padded[-1] = builder.xor(padded[-1], final)
    return padded


def _emit_digests(emit: _Emitter, digest: list[Any], targets: Any, active: Any) -> None:
    front, back = [0, 8, 1, 9, 2, 10, 3, 11], [4, 12, 5, 13, 6, 14, 7, 15]
    pairs = [
        [emit.shuffle(digest[i], digest[i + 1], order) for i in (0, 2)] for order in (front, back)
    ]
    for lane in range(LANES):
        at = 2 * (lane % 4)
        left, right = pairs[lane // 4]
        value = emit.shuffle(left, right, [at, at + 1, LANES + at, LANES + at + 1])
        emit.store_four(emit.lane(targets, lane), value, emit.lane(active, lane))


@intrinsic
def _group(
    _context: Any,
    rows: Any,
    row_stride: Any,
    lengths: Any,
    uniform: Any,
    indices: Any,
    first: Any,
    lanes: Any,
    pad: Any,
    digests: Any,
    digest_stride: Any,
) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        _emit_group(builder, values)
        return llvm_ir.Constant(_I64, 0)

    return types.int64(*[types.int64] * 10), generate


@kernel_symbol("novatio_keccak_group", types.int64, (types.int64,) * 10)
def hash_group(
    rows: int,
    row_stride: int,
    lengths: int,
    uniform: int,
    indices: int,
    first: int,
    lanes: int,
    pad: int,
    digests: int,
    digest_stride: int,
) -> int:
    """Hash ``lanes`` (1 to 8) rows of big-endian int64 pieces; returns 0. Checks nothing.

    Compiled only. ``rows``, ``lengths``, ``indices`` and ``digests`` are addresses, strides are in
    pieces. Lane i takes row and digest ``indices[first + i]`` (``first + i`` if the address is 0)
    and ``lengths[first + i]`` pieces (``uniform`` if the address is 0). ``pad`` is xored, little
    end first, into the piece after the message.
    """
    return _group(  # type: ignore[no-any-return]
        rows,
        row_stride,
        lengths,
        uniform,
        indices,
        first,
        lanes,
        pad,
        digests,
        digest_stride,
    )

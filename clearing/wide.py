"""Exact products and quotients beyond int64, the same interpreted and compiled.

The Python bodies are the specification; each has a compiled twin on 128- or 256-bit integers.
Results that leave int64 come back as ``(0, False)``, never wrapped.

A *wide index* (funding, loss) is two int64 limbs, ``value = high * 2**62 + low`` with
``0 <= low < 2**62``, so that every limb sum stays inside int64. Limbs hold -2**125 .. 2**125 - 1.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from clearing._backend import INTERPRETED, intrinsic, llvm, llvm_ir, numba, overload, types
from clearing.compiler import law

LIMB_BITS = 62
LIMB = 1 << LIMB_BITS
INT64_MIN = -(1 << 63)
INT64_MAX = (1 << 63) - 1

_I64 = llvm_ir.IntType(64)
_I128 = llvm_ir.IntType(128)
_I256 = llvm_ir.IntType(256)
_DIVISION = "__divti3"


def _load_division() -> None:
    """Make 128-bit division known to LLVM; without it the process would crash at the first call."""
    if llvm.address_of_symbol(_DIVISION) is None:
        try:
            llvm.load_library_permanently("libgcc_s.so.1")
        except RuntimeError as error:
            raise ImportError(
                f"expected libgcc_s.so.1 with {_DIVISION} for exact 128-bit division, was not "
                f"loadable ({error}); install the package libgcc-s1 (Debian) or libgcc (Fedora)"
            ) from error
    if llvm.address_of_symbol(_DIVISION) is None:
        raise ImportError(
            f"expected the symbol {_DIVISION} in libgcc_s.so.1, was absent; install a libgcc for "
            "this processor, or run interpreted with NUMBA_DISABLE_JIT=1"
        )


if not INTERPRETED:
    _load_division()


def multiply(a: int, b: int) -> tuple[int, bool]:
    """Return (a * b, True), or (0, False) if it is beyond +-(2**63 - 1).

    For hot loops: where nothing is divided, no wide path has to be kept ready.
    """
    product = int(a) * int(b)
    return _narrow(product if abs(product) <= INT64_MAX else None)


def mul_div_floor(a: int, b: int, c: int) -> tuple[int, bool]:
    """Return (floor(a * b / c), True), or (0, False) if it leaves int64 or c <= 0."""
    return _narrow(int(a) * int(b) // int(c)) if c > 0 else _narrow(None)


def mul_div_ceil(a: int, b: int, c: int) -> tuple[int, bool]:
    """Return (ceil(a * b / c), True), or (0, False) if it leaves int64 or c <= 0."""
    return _narrow(-(-int(a) * int(b) // int(c))) if c > 0 else _narrow(None)


def mul_div_wide_ceil(a: int, high: int, low: int, c: int) -> tuple[int, bool]:
    """Return (ceil(a * value / c), True) for the wide value (high, low).

    (0, False) if the product leaves 128 bits, the quotient leaves int64, or c <= 0. Products with
    |a| <= 2**48 and |value| < 2**78 always fit.
    """
    product = int(a) * _join(high, low)
    return _narrow(-(-product // int(c))) if c > 0 and _fits_128(product) else _narrow(None)


def mul_div_floor_wide(a: int, b: int, m: int, c: int) -> tuple[int, int, bool]:
    """Return (high, low, True), the limbs of floor(a * b * m / c), exact for all int64.

    (0, 0, False) if the quotient leaves the limbs or c <= 0. The product needs up to 190 bits, so
    this is slower (about a microsecond): for funding and other rare actions.
    """
    quotient = int(a) * int(b) * int(m) // int(c) if c > 0 else 1 << 200
    high, low = quotient >> LIMB_BITS, quotient & (LIMB - 1)
    fits = INT64_MIN <= high <= INT64_MAX
    return (_int64(high), _int64(low), True) if fits else (_int64(0), _int64(0), False)


def wide_from(a: int, b: int) -> tuple[int, int]:
    """Return the limbs (high, low) of a * b; OverflowError from 2**125 on."""
    return _limbs(int(a) * int(b))


def div_wide_floor(high: int, low: int, c: int) -> tuple[int, int]:
    """Return the limbs of floor(value / c). Raises ZeroDivisionError if c <= 0."""
    if c <= 0:
        raise ZeroDivisionError("expected a positive divisor of a wide index")
    return _limbs(_join(high, low) // int(c))


@law
def wide_add(high: int, low: int, delta_high: int, delta_low: int) -> tuple[int, int]:
    """Return the limbs of the sum of two wide indices; int64 overflow of the high limb raises."""
    total = low + delta_low
    return high + delta_high + (total >> LIMB_BITS), total & (LIMB - 1)


@law
def wide_subtract(high: int, low: int, delta_high: int, delta_low: int) -> tuple[int, int]:
    """Return the limbs of (high, low) - (delta_high, delta_low); high-limb overflow raises."""
    total = low - delta_low
    return high - delta_high + (total >> LIMB_BITS), total & (LIMB - 1)


def product_at_least(a: int, b: int, c: int, d: int) -> bool:
    """Return whether a * b >= c * d, exactly, for all int64."""
    return int(a) * int(b) >= int(c) * int(d)


def _int64(value: int) -> int:
    # A Python int would not overflow in the interpreted run's later arithmetic; np.int64 does.
    return cast(int, np.int64(value))


def _narrow(quotient: int | None) -> tuple[int, bool]:
    if quotient is None or not INT64_MIN <= quotient <= INT64_MAX:
        return _int64(0), False
    return _int64(quotient), True


def _fits_128(value: int) -> bool:
    return -(1 << 127) <= value < 1 << 127


def _join(high: int, low: int) -> int:
    return (int(high) << LIMB_BITS) + int(low)


def _limbs(value: int) -> tuple[int, int]:
    high = value >> LIMB_BITS
    if not INT64_MIN <= high <= INT64_MAX:
        raise OverflowError("expected a wide index below 2**125")
    return _int64(high), _int64(value & (LIMB - 1))


def _extend(builder: Any, kind: Any, *values: Any) -> list[Any]:
    return [builder.sext(value, kind) for value in values]


def _divide(builder: Any, product: Any, divisor: Any, ceiling: bool) -> Any:
    """Emit floor or ceil of product / divisor for a positive divisor of the same type."""
    zero = product.type(0)
    quotient = builder.sdiv(product, divisor)
    rest = builder.sub(product, builder.mul(quotient, divisor))
    # sdiv truncates towards zero; only one side of zero needs the correction.
    wrong = builder.icmp_signed(">" if ceiling else "<", rest, zero)
    correction = builder.zext(wrong, product.type)
    return (builder.add if ceiling else builder.sub)(quotient, correction)


def _narrowed(builder: Any, value: Any, kind: Any) -> tuple[Any, Any]:
    """Emit (value truncated to kind, whether nothing was lost)."""
    small = builder.trunc(value, kind)
    return small, builder.icmp_signed("==", builder.sext(small, value.type), value)


def _split(builder: Any, value: Any) -> tuple[Any, Any, Any]:
    """Emit (high, low, fits) limbs of a value of 128 bits or more."""
    high, fits = _narrowed(builder, builder.ashr(value, value.type(LIMB_BITS)), _I64)
    low = builder.and_(builder.trunc(value, _I64), _I64(LIMB - 1))
    return high, low, fits


def _joined(builder: Any, high: Any, low: Any, kind: Any) -> Any:
    high, low = _extend(builder, kind, high, low)
    return builder.add(builder.shl(high, kind(LIMB_BITS)), low)


def _typed(arguments: tuple[Any, ...], results: tuple[Any, ...], emit: Any) -> Any:
    """Return the (signature, generator) of an intrinsic over int64 from ``emit(builder, ...)``."""
    if not all(isinstance(kind, types.Integer) and kind.signed for kind in arguments):
        raise numba.errors.TypingError(f"expected signed integers, were {arguments}; use np.int64")
    signature = types.Tuple(results)(*(types.int64 for _ in arguments))

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.make_tuple(builder, signature.return_type, emit(builder, *values))

    return signature, generate


_NARROW = (types.int64, types.boolean)
_LIMBS = (types.int64, types.int64, types.boolean)


def _emit_mul_div(ceiling: bool) -> Any:
    def emit(builder: Any, a: Any, b: Any, c: Any) -> Any:
        a, b, c = _extend(builder, _I128, a, b, c)
        return _narrowed(builder, _divide(builder, builder.mul(a, b), c, ceiling), _I64)

    return emit


def _emit_quotient(ceiling: bool) -> Any:
    def emit(builder: Any, product: Any, c: Any) -> Any:
        return (_divide(builder, product, c, ceiling),)

    return emit


def _emit_mul_div_wide_ceil(builder: Any, a: Any, high: Any, low: Any, c: Any) -> Any:
    product = builder.mul(builder.sext(a, _I256), _joined(builder, high, low, _I256))
    product, fits = _narrowed(builder, product, _I128)
    # A lost product divides to a meaningless number, which the flag then discards.
    quotient = _divide(builder, product, builder.sext(c, _I128), True)
    quotient, narrow = _narrowed(builder, quotient, _I64)
    return quotient, builder.and_(fits, narrow)


def _emit_mul_div_floor_wide(builder: Any, a: Any, b: Any, m: Any, c: Any) -> Any:
    a, b, m, c = _extend(builder, _I256, a, b, m, c)
    return _split(builder, _divide(builder, builder.mul(builder.mul(a, b), m), c, False))


def _emit_wide_from(builder: Any, a: Any, b: Any) -> Any:
    a, b = _extend(builder, _I128, a, b)
    return _split(builder, builder.mul(a, b))


def _emit_div_wide(builder: Any, high: Any, low: Any, c: Any) -> Any:
    value = _joined(builder, high, low, _I128)
    return _split(builder, _divide(builder, value, builder.sext(c, _I128), False))


def _emit_at_least(builder: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    a, b, c, d = _extend(builder, _I128, a, b, c, d)
    return (builder.icmp_signed(">=", builder.mul(a, b), builder.mul(c, d)),)


def _emit_multiply(builder: Any, a: Any, b: Any) -> Any:
    pair = builder.smul_with_overflow(a, b)
    product = builder.extract_value(pair, 0)
    whole = builder.not_(builder.extract_value(pair, 1))
    # The one product whose negation would not fit takes the wide path too.
    return product, builder.and_(whole, builder.icmp_signed("!=", product, _I64(INT64_MIN)))


@intrinsic
def _multiply(_context: Any, a: Any, b: Any) -> Any:
    return _typed((a, b), _NARROW, _emit_multiply)


@intrinsic
def _quotient_floor(_context: Any, product: Any, c: Any) -> Any:
    return _typed((product, c), (types.int64,), _emit_quotient(False))


@intrinsic
def _quotient_ceil(_context: Any, product: Any, c: Any) -> Any:
    return _typed((product, c), (types.int64,), _emit_quotient(True))


@intrinsic
def _mul_div_floor(_context: Any, a: Any, b: Any, c: Any) -> Any:
    return _typed((a, b, c), _NARROW, _emit_mul_div(False))


@intrinsic
def _mul_div_ceil(_context: Any, a: Any, b: Any, c: Any) -> Any:
    return _typed((a, b, c), _NARROW, _emit_mul_div(True))


@intrinsic
def _mul_div_wide_ceil(_context: Any, a: Any, high: Any, low: Any, c: Any) -> Any:
    return _typed((a, high, low, c), _NARROW, _emit_mul_div_wide_ceil)


@intrinsic
def _mul_div_floor_wide(_context: Any, a: Any, b: Any, m: Any, c: Any) -> Any:
    return _typed((a, b, m, c), _LIMBS, _emit_mul_div_floor_wide)


@intrinsic
def _wide_from(_context: Any, a: Any, b: Any) -> Any:
    return _typed((a, b), _LIMBS, _emit_wide_from)


@intrinsic
def _div_wide_floor(_context: Any, high: Any, low: Any, c: Any) -> Any:
    return _typed((high, low, c), _LIMBS, _emit_div_wide)


@intrinsic
def _product_at_least(_context: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    return _typed((a, b, c, d), (types.boolean,), _emit_at_least)


def _twin_of_three(wide: Any, narrow: Any) -> Any:
    """Return the twin of a * b / c. Products that fit int64 spare the call of __divti3, and a
    constant c the division: `//` would reckon quotient and rest by a multiplication each."""

    def twin(a: Any, b: Any, c: Any) -> Any:
        def compiled(a: Any, b: Any, c: Any) -> Any:
            # Division by zero in __divti3 is SIGFPE: the process dies.
            if c <= 0:
                return 0, False
            product, whole = _multiply(a, b)
            if whole:
                return narrow(product, c)[0], True
            quotient, fits = wide(a, b, c)
            return (quotient if fits else 0), fits

        return compiled

    return twin


@overload(multiply)
def _(a: Any, b: Any) -> Any:
    def compiled(a: Any, b: Any) -> Any:
        product, whole = _multiply(a, b)
        return (product if whole else 0), whole

    return compiled


overload(mul_div_floor)(_twin_of_three(_mul_div_floor, _quotient_floor))
overload(mul_div_ceil)(_twin_of_three(_mul_div_ceil, _quotient_ceil))


@overload(mul_div_wide_ceil)
def _(a: Any, high: Any, low: Any, c: Any) -> Any:
    def compiled(a: Any, high: Any, low: Any, c: Any) -> Any:
        if c <= 0:
            return 0, False
        # Small products again spare the call of __divti3.
        if high == 0 or high == -1:
            product, whole = _multiply(a, low if high == 0 else low - LIMB)
            if whole:
                return _quotient_ceil(product, c)[0], True
        quotient, fits = _mul_div_wide_ceil(a, high, low, c)
        return (quotient if fits else 0), fits

    return compiled


@overload(mul_div_floor_wide)
def _(a: Any, b: Any, m: Any, c: Any) -> Any:
    def compiled(a: Any, b: Any, m: Any, c: Any) -> Any:
        if c <= 0:
            return 0, 0, False
        high, low, fits = _mul_div_floor_wide(a, b, m, c)
        return (high if fits else 0), (low if fits else 0), fits

    return compiled


@overload(wide_from)
def _(a: Any, b: Any) -> Any:
    def compiled(a: Any, b: Any) -> Any:
        high, low, fits = _wide_from(a, b)
        if not fits:
            raise OverflowError("expected a wide index below 2**125")
        return high, low

    return compiled


@overload(div_wide_floor)
def _(high: Any, low: Any, c: Any) -> Any:
    def compiled(high: Any, low: Any, c: Any) -> Any:
        if c <= 0:
            raise ZeroDivisionError("expected a positive divisor of a wide index")
        upper, lower, _ = _div_wide_floor(high, low, c)
        return upper, lower

    return compiled


@overload(product_at_least)
def _(a: Any, b: Any, c: Any, d: Any) -> Any:
    def compiled(a: Any, b: Any, c: Any, d: Any) -> Any:
        return _product_at_least(a, b, c, d)[0]

    return compiled

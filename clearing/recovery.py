"""Signer recovery in bulk: libsecp256k1 called from compiled code, without the GIL.

Calls made one by one from Python lose a GIL hand-over each beside any busy Python thread; one
kernel over many rows does not. It reaches the library that coincurve carries through coincurve's
private module; where that fails, and in the interpreted run, rows are recovered one at a time by
``clearing.keys.recover``, which is also the specification.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from clearing._backend import INTERPRETED, cgutils, intrinsic, llvm, llvm_ir, types
from clearing._keccak_vector import LANES, hash_group
from clearing.compiler import kernel, kernel_entry
from clearing.keccak import DIGEST_PIECES, Pieces, pieces, to_bytes
from clearing.keys import (
    HALF_ORDER,
    NULL_ADDRESS,
    SIGNATURE_BYTES,
    address_of,
    recover,
    sign,
)

__all__ = [
    "NULL_ADDRESS",
    "Executor",
    "address_of",
    "recover",
    "recover_rows",
    "recover_rows_threaded",
    "sign",
    "symbols_loaded",
]

Bytes = npt.NDArray[np.uint8]


class Pending(Protocol):
    """What ``Executor.submit`` answers: a future of the standard library."""

    def exception(self) -> BaseException | None:
        """Wait for the end; return what was raised, if anything."""


class Executor(Protocol):
    """What runs a part of the rows elsewhere: a thread pool of the standard library."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Pending:
        """Start ``function(*arguments)``."""


_NAMES = (
    "secp256k1_ecdsa_recoverable_signature_parse_compact",
    "secp256k1_ecdsa_recover",
    "secp256k1_ec_pubkey_serialize",
)
_UNCOMPRESSED = 2
_ADDRESS = types.intp
_parse = types.ExternalFunction(_NAMES[0], types.int32(_ADDRESS, _ADDRESS, _ADDRESS, types.int32))
_recover = types.ExternalFunction(_NAMES[1], types.int32(_ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS))
_serialize = types.ExternalFunction(
    _NAMES[2], types.int32(_ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, types.uint32)
)
_HALF_ORDER_BYTES = np.frombuffer(HALF_ORDER.to_bytes(32, "big"), np.uint8)

# Scratch words of one call. The serialised key starts at the last byte of its first word, so that
# its 64 bytes of coordinates are whole words.
_DIGEST = 0
_PARSED = 4
_KEY = 13
_POINT = 21
_POINT_SIZE = 30
_MESSAGES = 31
_HASHES = _MESSAGES + LANES * 8
_SCRATCH_WORDS = _HASHES + LANES * DIGEST_PIECES
_POINT_BYTES = 65


def load_symbols(ffi: Any, lib: Any, names: tuple[str, ...] = _NAMES) -> bool:
    """Make libsecp256k1's functions known to LLVM; False if this build lacks one of them."""
    try:
        addresses = [int(ffi.cast("intptr_t", ffi.addressof(lib, name))) for name in names]
    except AttributeError:
        return False
    for name, address in zip(names, addresses, strict=True):
        llvm.add_symbol(name, address)
    return all(llvm.address_of_symbol(name) for name in names)


def _open_library() -> int:
    """Return the address of a context for the kernels, or 0 if they cannot be used."""
    if INTERPRETED:
        return 0
    try:
        binding = importlib.import_module("coincurve._libsecp256k1")
        context = importlib.import_module("coincurve.context").GLOBAL_CONTEXT.ctx
    except (ImportError, AttributeError):
        # A coincurve with other private names; recovery goes on one by one.
        return 0
    if not load_symbols(binding.ffi, binding.lib):
        return 0
    return int(binding.ffi.cast("intptr_t", context))


# Recovery only reads the context, so threads share it; coincurve owns it for the process's life.
_CONTEXT = _open_library()


def symbols_loaded() -> bool:
    """Return whether rows are recovered by the compiled kernel rather than one at a time."""
    return _CONTEXT != 0


def recover_rows(
    signatures: Bytes, digests: Pieces, start: int, stop: int, signers: Pieces
) -> None:
    """Set signers[i] to the address that signed digests[i], for start <= i < stop; nogil.

    ``signatures`` uint8 (n, 65) as r || s || v, ``digests`` int64 (n, 4) pieces, ``signers``
    int64 (n, 4): the address right-aligned in a 32-byte word, all zero where ``keys.recover``
    answers the null address. Raises ValueError for other shapes, types or layouts.
    """
    _check(signatures, np.uint8, SIGNATURE_BYTES, start, stop, "signatures")
    _check(digests, np.int64, DIGEST_PIECES, start, stop, "digests")
    _check(signers, np.int64, DIGEST_PIECES, start, stop, "signers")
    if symbols_loaded():
        recover_compiled(_CONTEXT, signatures, digests, start, stop, signers)
    else:
        recover_one_by_one(signatures, digests, start, stop, signers)


def recover_rows_threaded(
    signatures: Bytes,
    digests: Pieces,
    count: int,
    signers: Pieces,
    executor: Executor,
    threads: int,
) -> None:
    """Recover rows 0 .. count - 1 in ``threads`` equal parts; the calling thread does the last.

    ``executor`` must run threads and should have threads - 1 of them free. Other arguments and
    errors as for ``recover_rows``.
    """
    if threads < 1:
        raise ValueError(f"expected at least one thread, was {threads}")
    edges = [count * part // threads for part in range(threads + 1)]
    parts = [
        executor.submit(recover_rows, signatures, digests, edges[part], edges[part + 1], signers)
        for part in range(threads - 1)
    ]
    try:
        recover_rows(signatures, digests, edges[-2], edges[-1], signers)
    finally:
        # The arrays are the caller's: every part has ended before the return, whatever happened.
        faults = [part.exception() for part in parts]
    for fault in faults:
        if fault is not None:
            raise fault


def recover_one_by_one(
    signatures: Bytes, digests: Pieces, start: int, stop: int, signers: Pieces
) -> None:
    """Do what ``recover_rows`` does through ``keys.recover``, row by row."""
    for i in range(start, stop):
        address = recover(signatures[i].tobytes(), to_bytes(digests[i]))
        signers[i] = pieces(bytes(12) + address)


@kernel_entry
def recover_compiled(
    context: int, signatures: Bytes, digests: Pieces, start: int, stop: int, signers: Pieces
) -> None:
    """Do what ``recover_rows`` does, compiled; ``context`` is the library's, as an address."""
    words, scratch = _stack_scratch()
    for first in range(start, stop, LANES):
        lanes = min(LANES, stop - first)
        for lane in range(lanes):
            row = first + lane
            found = _recover_key(context, signatures, digests, row, words, scratch)
            for k in range(8):
                point = words[_POINT + 1 + k]
                words[_MESSAGES + lane * 8 + k] = _swap_bytes(point)
            # Marks the row for the loop below; the hash fills in the address.
            signers[row, 0] = found
        messages, hashes = scratch + 8 * _MESSAGES, scratch + 8 * _HASHES
        hash_group(messages, 8, 0, 8, 0, 0, lanes, 1, hashes, DIGEST_PIECES)
        for lane in range(lanes):
            _store_signer(words, _HASHES + lane * DIGEST_PIECES, signers, first + lane)


@kernel
def _recover_key(
    context: int, signatures: Bytes, digests: Pieces, row: int, words: Any, scratch: int
) -> int:
    """Leave the signer's coordinates in the scratch words; 1 if there is a signer, else 0."""
    recovery_id = np.int32(signatures[row, 64]) - np.int32(27)
    if recovery_id < 0 or recovery_id > 1 or _is_high(signatures, row):
        return 0
    for k in range(DIGEST_PIECES):
        words[_DIGEST + k] = _swap_bytes(digests[row, k])
    signature = signatures.ctypes.data + row * SIGNATURE_BYTES
    parsed, key, point = scratch + 8 * _PARSED, scratch + 8 * _KEY, scratch + 8 * _POINT + 7
    if _parse(context, parsed, signature, recovery_id) != 1:
        return 0
    if _recover(context, key, parsed, scratch + 8 * _DIGEST) != 1:
        return 0
    words[_POINT_SIZE] = _POINT_BYTES
    size = scratch + 8 * _POINT_SIZE
    return int(_serialize(context, point, size, key, _UNCOMPRESSED))


@kernel
def _is_high(signatures: Bytes, row: int) -> bool:
    for k in range(32):
        limit = _HALF_ORDER_BYTES[k]
        if signatures[row, 32 + k] != limit:
            return bool(signatures[row, 32 + k] > limit)
    return False


@kernel
def _store_signer(words: Any, start: int, signers: Pieces, row: int) -> None:
    found = signers[row, 0] == 1
    signers[row, 0] = 0
    signers[row, 1] = words[start + 1] & 0xFFFFFFFF if found else 0
    signers[row, 2] = words[start + 2] if found else 0
    signers[row, 3] = words[start + 3] if found else 0


def _check(array: Any, kind: Any, width: int, start: int, stop: int, name: str) -> None:
    if array.dtype != kind or array.ndim != 2 or array.shape[1] != width:
        raise ValueError(
            f"{name}: expected {np.dtype(kind)} of shape (n, {width}), "
            f"was {array.dtype} of shape {array.shape}"
        )
    if not array.flags.c_contiguous or not array.flags.writeable:
        raise ValueError(f"{name}: expected a contiguous writable array; pass a copy")
    if not 0 <= start <= stop <= array.shape[0]:
        raise ValueError(f"{name}: expected rows {start}..{stop} to exist, was {array.shape[0]}")


@intrinsic
def _swap_bytes(_context: Any, value: Any) -> Any:
    """Reverse the bytes of an int64."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.bswap(values[0])

    return types.int64(types.int64), generate


@intrinsic
def _stack_scratch(_context: Any) -> Any:
    """Reserve the scratch words in the caller's frame; answers (pointer, address)."""

    def generate(context: Any, builder: Any, signature: Any, _values: Any) -> Any:
        word = llvm_ir.IntType(64)
        pointer = cgutils.alloca_once(builder, word, size=_SCRATCH_WORDS, zfill=True)
        address = builder.ptrtoint(pointer, word)
        return context.make_tuple(builder, signature.return_type, (pointer, address))

    return types.Tuple((types.CPointer(types.int64), types.int64))(), generate

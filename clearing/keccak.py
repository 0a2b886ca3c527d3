"""Keccak-256 and the project's tagged hash, one message at a time or eight side by side.

``H(tag, m) = keccak256(m || tag)`` with one tag byte at the end, so that 32-byte words of ``m``
stay aligned to Keccak's lanes. A *piece* is eight bytes read big-endian into an int64; a digest is
four pieces. Row kernels take and give pieces; each is the vector code of ``_keccak_vector`` when
compiled and safe-pysha3 row by row when interpreted.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import sha3

from clearing._backend import cgutils, intrinsic, llvm_ir, overload, types
from clearing._keccak_vector import LANES, hash_group
from clearing.compiler import kernel, kernel_entry

Pieces = npt.NDArray[np.int64]

NO_TAG = -1
DIGEST_PIECES = 4
NODE_PIECES = 16
_EIP712_PIECES = 9
_PLAIN_PAD = 0x01


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 (Ethereum's, not SHA3-256) of ``data``."""
    return cast(bytes, sha3.keccak_256(data).digest())


def tagged_hash(tag: int, data: bytes) -> bytes:
    """Return H(tag, data) = keccak256(data || tag), 32 bytes. ValueError unless 0 <= tag <= 255."""
    if not 0 <= tag <= 255:
        raise ValueError(f"expected a tag of one byte (0..255), was {tag}")
    return keccak256(data + bytes([tag]))


def pad(data: bytes) -> bytes:
    """Return the length of ``data`` as u64, then ``data``, then zeros to a multiple of 8 bytes."""
    return len(data).to_bytes(8, "big") + data + bytes(-len(data) % 8)


def pieces(data: bytes) -> Pieces:
    """Return the big-endian 8-byte pieces of ``data`` as a new int64 array.

    ValueError unless the length is a multiple of 8.
    """
    if len(data) % 8:
        raise ValueError(f"expected a multiple of 8 bytes, was {len(data)}; pad the data first")
    return np.frombuffer(data, ">i8").astype(np.int64)


def to_bytes(row: Pieces) -> bytes:
    """Return the bytes whose big-endian pieces are ``row``; the inverse of ``pieces``."""
    return np.asarray(row, np.int64).astype(">i8").tobytes()


@kernel_entry
def hash_rows(rows: Pieces, lengths: Pieces, count: int, tag: int, digests: Pieces) -> None:
    """Set digests[i] to the hash of the first lengths[i] pieces of rows[i], for i < count.

    ``rows`` int64 (n, width), ``lengths`` int64 (n,), ``digests`` int64 (n, 4), last axes
    contiguous; ``tag`` 0..255, or NO_TAG for plain keccak256. Raises ValueError when an array is
    too small or a length or the tag is out of range.
    """
    _check_tag(tag)
    _check_arrays(rows, digests)
    if count < 0 or count > min(rows.shape[0], lengths.shape[0], digests.shape[0]):
        raise ValueError("expected count within rows, lengths and digests")
    for i in range(count):
        if lengths[i] < 0 or lengths[i] > rows.shape[1]:
            raise ValueError("expected every length within its row")
    _hash_lengths(rows, lengths, count, tag, digests)


@kernel_entry
def hash_nodes(children: Pieces, count: int, tag: int, digests: Pieces) -> None:
    """Set digests[i] to H(tag, children[i]) for i < count: children int64 (n, 16), digests (n, 4).

    A row holds the four child digests of one node side by side. Errors as for ``hash_rows``.
    """
    _check_tag(tag)
    _check_arrays(children, digests)
    if children.shape[1] != NODE_PIECES:
        raise ValueError("expected 16 pieces a node: four child digests")
    if count < 0 or count > min(children.shape[0], digests.shape[0]):
        raise ValueError("expected count within children and digests")
    _hash_nodes(children, count, tag, digests)


@kernel_entry
def hash_nodes_at(children: Pieces, indices: Pieces, count: int, tag: int, digests: Pieces) -> None:
    """Set digests[k] to H(tag, children[k]) for k in indices[:count]; other rows stay.

    The update of scattered nodes of a dense tree: ``children`` is the level below seen as
    int64 (nodes, 16), ``digests`` the level itself, int64 (nodes, 4). Errors as for ``hash_rows``.
    """
    _check_tag(tag)
    _check_arrays(children, digests)
    if children.shape[1] != NODE_PIECES:
        raise ValueError("expected 16 pieces a node: four child digests")
    if count < 0 or count > indices.shape[0]:
        raise ValueError("expected count within indices")
    for i in range(count):
        if indices[i] < 0 or indices[i] >= min(children.shape[0], digests.shape[0]):
            raise ValueError("expected every index within children and digests")
    _hash_nodes_at(children, indices, count, tag, digests)


@kernel_entry
def hash_pieces(row: Any, length: int, tag: int, digest: Any) -> None:
    """Set ``digest``, int64 (4,), to the hash of the first ``length`` pieces of ``row``, int64 1-D.

    Both may be arrays or words of records. Costs as much as eight rows of ``hash_rows``. Errors as
    for ``hash_rows``.
    """
    _check_tag(tag)
    if row.strides[0] != 8 or digest.strides[0] != 8 or digest.shape[0] != DIGEST_PIECES:
        raise ValueError("expected a contiguous row and a contiguous digest of 4 pieces")
    if length < 0 or length > row.shape[0]:
        raise ValueError("expected the length within the row")
    _hash_one(row, length, tag, digest)


@kernel_entry
def eip712_digests(domain: Pieces, struct_hashes: Pieces, count: int, digests: Pieces) -> None:
    """Set digests[i] to keccak256(0x19 0x01 || domain || struct_hashes[i]) for i < count.

    ``domain`` is the domain separator, int64 (4,); the others int64 (n, 4). May not alias. Source:
    EIP-712, "encode(domainSeparator, message)". ValueError when an array is too small.
    """
    _check_arrays(struct_hashes, digests)
    if domain.shape[0] != DIGEST_PIECES or struct_hashes.shape[1] != DIGEST_PIECES:
        raise ValueError("expected a domain and struct hashes of 4 pieces")
    if count < 0 or count > min(struct_hashes.shape[0], digests.shape[0]):
        raise ValueError("expected count within struct hashes and digests")
    _eip712(domain, struct_hashes, count, digests)


@kernel
def _check_tag(tag: int) -> None:
    if tag < NO_TAG or tag > 255:
        raise ValueError("expected a tag of one byte (0..255) or NO_TAG (-1)")


@kernel
def _check_arrays(rows: Pieces, digests: Pieces) -> None:
    if digests.shape[1] != DIGEST_PIECES:
        raise ValueError("expected digests of 4 pieces")
    # An axis without elements has no stride that matters.
    if (rows.size > 0 and rows.strides[1] != 8) or (digests.size > 0 and digests.strides[1] != 8):
        raise ValueError("expected rows and digests whose last axis is contiguous int64")


def _hash_one(row: Pieces, length: int, tag: int, digest: Pieces) -> None:
    data = to_bytes(row[:length])
    digest[:] = pieces(keccak256(data) if tag == NO_TAG else tagged_hash(int(tag), data))


def _hash_lengths(rows: Pieces, lengths: Pieces, count: int, tag: int, digests: Pieces) -> None:
    for i in range(count):
        _hash_one(rows[i], lengths[i], tag, digests[i])


def _hash_nodes(children: Pieces, count: int, tag: int, digests: Pieces) -> None:
    for i in range(count):
        _hash_one(children[i], NODE_PIECES, tag, digests[i])


def _hash_nodes_at(
    children: Pieces, indices: Pieces, count: int, tag: int, digests: Pieces
) -> None:
    for k in indices[:count]:
        _hash_one(children[k], NODE_PIECES, tag, digests[k])


def _eip712(domain: Pieces, struct_hashes: Pieces, count: int, digests: Pieces) -> None:
    prefix = b"\x19\x01" + to_bytes(domain)
    for i in range(count):
        digests[i] = pieces(keccak256(prefix + to_bytes(struct_hashes[i])))


@overload(_hash_one)
def _(row: Any, length: Any, tag: Any, digest: Any) -> Any:
    def compiled(row: Any, length: Any, tag: Any, digest: Any) -> Any:
        pad = _PLAIN_PAD if tag == NO_TAG else tag | 0x100
        hash_group(row.ctypes.data, 0, 0, length, 0, 0, 1, pad, digest.ctypes.data, 0)

    return compiled


@overload(_hash_lengths)
def _(rows: Any, lengths: Any, count: Any, tag: Any, digests: Any) -> Any:
    def compiled(rows: Any, lengths: Any, count: Any, tag: Any, digests: Any) -> Any:
        pad = _PLAIN_PAD if tag == NO_TAG else tag | 0x100
        source, target, sizes = rows.ctypes.data, digests.ctypes.data, lengths.ctypes.data
        stride, digest_stride = rows.strides[0] // 8, digests.strides[0] // 8
        for first in range(0, count, LANES):
            lanes = min(LANES, count - first)
            hash_group(source, stride, sizes, 0, 0, first, lanes, pad, target, digest_stride)

    return compiled


@overload(_hash_nodes)
def _(children: Any, count: Any, tag: Any, digests: Any) -> Any:
    def compiled(children: Any, count: Any, tag: Any, digests: Any) -> Any:
        pad = _PLAIN_PAD if tag == NO_TAG else tag | 0x100
        source, target, size = children.ctypes.data, digests.ctypes.data, NODE_PIECES
        stride, digest_stride = children.strides[0] // 8, digests.strides[0] // 8
        for first in range(0, count, LANES):
            lanes = min(LANES, count - first)
            hash_group(source, stride, 0, size, 0, first, lanes, pad, target, digest_stride)

    return compiled


@overload(_hash_nodes_at)
def _(children: Any, indices: Any, count: Any, tag: Any, digests: Any) -> Any:
    def compiled(children: Any, indices: Any, count: Any, tag: Any, digests: Any) -> Any:
        pad = _PLAIN_PAD if tag == NO_TAG else tag | 0x100
        source, target, size = children.ctypes.data, digests.ctypes.data, NODE_PIECES
        stride, digest_stride = children.strides[0] // 8, digests.strides[0] // 8
        chosen = indices.ctypes.data
        for first in range(0, count, LANES):
            lanes = min(LANES, count - first)
            hash_group(source, stride, 0, size, chosen, first, lanes, pad, target, digest_stride)

    return compiled


@intrinsic
def _stack_group(_context: Any) -> Any:
    """Reserve eight rows of nine pieces in the caller's frame; answers (pointer, address)."""

    def generate(context: Any, builder: Any, signature: Any, _values: Any) -> Any:
        word = llvm_ir.IntType(64)
        pointer = cgutils.alloca_once(builder, word, size=LANES * _EIP712_PIECES)
        address = builder.ptrtoint(pointer, word)
        return context.make_tuple(builder, signature.return_type, (pointer, address))

    return types.Tuple((types.CPointer(types.int64), types.int64))(), generate


@overload(_eip712)
def _(domain: Any, struct_hashes: Any, count: Any, digests: Any) -> Any:
    def compiled(domain: Any, struct_hashes: Any, count: Any, digests: Any) -> Any:
        scratch, source = _stack_group()
        target = digests.ctypes.data
        digest_stride = digests.strides[0] // 8
        for first in range(0, count, LANES):
            lanes = min(LANES, count - first)
            for lane in range(lanes):
                _shift_two_bytes(domain, struct_hashes[first + lane], scratch, lane * 9)
            hash_group(
                source,
                _EIP712_PIECES,
                0,
                _EIP712_PIECES,
                0,
                0,
                lanes,
                0,
                target + first * digest_stride * 8,
                digest_stride,
            )

    return compiled


@kernel
def _shift_two_bytes(domain: Any, struct_hash: Any, scratch: Any, start: int) -> None:
    """Write 0x19 0x01, both words and Keccak's first padding byte as nine pieces."""
    carry = np.int64(0x1901)
    for i in range(8):
        piece = domain[i] if i < 4 else struct_hash[i - 4]
        scratch[start + i] = (carry << 48) | ((piece >> 16) & 0xFFFFFFFFFFFF)
        carry = piece & 0xFFFF
    scratch[start + 8] = (carry << 48) | (_PLAIN_PAD << 40)

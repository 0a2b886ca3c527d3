"""The header of a batch: 384 bytes, one encoding, whose hash is the batch's name.

Layout: docs/protocol.md, section 9.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from clearing.codes import Tag
from clearing.keccak import tagged_hash
from verifier.errors import PostError, require

HEADER_BYTES = 384
MAGIC = b"NVT1"
DATA_INLINE = 0  # pairs and step bytes are posted
DATA_COMMITTEE = 1  # the pairs are posted, the step bytes are with a committee

_LAYOUT = struct.Struct(">4sIQ20sQQ32sQ32s32s32s32sIB32sI20s")
_PADDING = bytes(HEADER_BYTES - _LAYOUT.size)


@dataclass(frozen=True, slots=True)
class Header:
    """What a batch commits to. Hashes are 32 bytes, addresses 20, integers unsigned.

    `number` and `generation` count from the genesis batch, which is (0, 0). The base-layer block
    `base_number` with `base_hash` is the one that the proposer saw; the roots are those of the
    state before the first step and after the last.
    """

    law_version: int  # u32
    chain_id: int  # u64
    settlement: bytes
    generation: int  # u64
    number: int  # u64
    parent_id: bytes
    base_number: int  # u64
    base_hash: bytes
    pre_root: bytes
    post_root: bytes
    steps_root: bytes
    step_count: int  # u32
    data_kind: int  # u8
    data_hash: bytes
    data_length: int  # u32
    proposer: bytes

    def encode(self) -> bytes:
        """Return the 384 bytes. Raises ValueError if a field does not fit its place exactly."""
        values = [getattr(self, name) for name in self.__slots__]
        try:
            encoded = _LAYOUT.pack(MAGIC, *values) + _PADDING
        except struct.error as error:
            raise ValueError(f"expected every header field within its width: {error}") from error
        # struct pads short bytes and cuts long ones without a word.
        if _LAYOUT.unpack_from(encoded)[1:] != tuple(values):
            raise ValueError("expected hashes of 32 bytes and addresses of 20 in a header")
        return encoded

    @classmethod
    def decode(cls, data: bytes) -> Header:
        """Inverse of `encode`. Raises Refused(MALFORMED_HEADER or WRONG_MAGIC)."""
        expected = f"a header of {HEADER_BYTES} bytes"
        require(len(data) == HEADER_BYTES, PostError.MALFORMED_HEADER, expected, len(data))
        magic, *values = _LAYOUT.unpack_from(data)
        require(magic == MAGIC, PostError.WRONG_MAGIC, MAGIC, magic)
        expected, rest = f"zeros from byte {_LAYOUT.size}", data[_LAYOUT.size :]
        require(rest == _PADDING, PostError.MALFORMED_HEADER, expected, rest)
        return cls(*values)

    def batch_id(self) -> bytes:
        """Return H(13, header), the only name that a batch has."""
        return tagged_hash(Tag.HEADER, self.encode())


def genesis_batch_id(chain_id: int, settlement: bytes, genesis_root: bytes) -> bytes:
    """Return H(1b, chain id || settlement || genesis root), the parent of batch number 1."""
    return tagged_hash(Tag.GENESIS, chain_id.to_bytes(8, "big") + settlement + genesis_root)

"""What the node writes into its log: the payloads of the four kinds of record.

The order in the log is the order of events: GENESIS once, then FRAME directly followed by its
OUTCOME, and SEAL between frames. Only FRAME carries something that cannot be computed again; the
others are what replay is compared with. All integers are big-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

Pieces = np.ndarray[Any, np.dtype[np.int64]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

HASH_BYTES = 32
ADDRESS_BYTES = 20
SIGNATURE_BYTES = 65
PAIR_BYTES = 2 * HASH_BYTES  # step hash and post root

_FRAME = struct.Struct(">QQQIIIQ")
_OUTCOME = struct.Struct(">QQII32s32s65s")
_SEAL = struct.Struct(">QQQIQQQQQ32s32s")
_GENESIS = struct.Struct(">IQ20s32s")
_FORMAT_VERSION = 1


class RecordKind(IntEnum):
    """Kinds of records in the node's log."""

    GENESIS = 1
    FRAME = 2
    OUTCOME = 3
    SEAL = 4


class RecordMalformed(ValueError):
    """A payload whose checksum is right but which no version of this program wrote."""


def _require_length(what: str, payload: bytes, expected: int) -> None:
    if len(payload) != expected:
        raise RecordMalformed(
            f"{what}: expected {expected} bytes, was {len(payload)}; "
            "run the version of the node that wrote this log"
        )


def signer_bytes(signers: Pieces) -> bytes:
    """Return the addresses in `signers` int64[m, 4], 20 bytes each."""
    words = np.ascontiguousarray(signers.astype(">i8")).view(np.uint8).reshape(-1, HASH_BYTES)
    return words[:, HASH_BYTES - ADDRESS_BYTES :].tobytes()


def signer_pieces(data: bytes) -> Pieces:
    """Return the inverse of `signer_bytes`, int64[m, 4]."""
    words = np.zeros((len(data) // ADDRESS_BYTES, HASH_BYTES), np.uint8)
    words[:, HASH_BYTES - ADDRESS_BYTES :] = np.frombuffer(data, np.uint8).reshape(
        -1, ADDRESS_BYTES
    )
    return words.view(">i8").astype(np.int64)


@dataclass(frozen=True, slots=True)
class GenesisRecord:
    """Which chain and genesis the log belongs to."""

    chain_id: int
    settlement: bytes
    root: bytes

    def encode(self) -> bytes:
        """Return the payload."""
        return _GENESIS.pack(_FORMAT_VERSION, self.chain_id, self.settlement, self.root)

    @classmethod
    def decode(cls, payload: bytes) -> GenesisRecord:
        """Read a payload. Raises `RecordMalformed`."""
        _require_length("genesis record", payload, _GENESIS.size)
        version, chain_id, settlement, root = _GENESIS.unpack(payload)
        if version != _FORMAT_VERSION:
            raise RecordMalformed(f"expected log format {_FORMAT_VERSION}, was {version}")
        return cls(chain_id, settlement, root)


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """Actions that were synced together: inbox messages first, then submissions in their order.

    `lengths` int64[n] are the bytes of each action in `blob`; `signers` int64[m, 4] are the
    recovered addresses of all signatures in order, so that replay recovers nothing.
    `sequence_before` counts the sequenced actions before the frame.
    """

    time_ms: int
    generation: int
    sequence_before: int
    inbox_count: int
    lengths: Pieces
    signers: Pieces
    blob: bytes

    @property
    def count(self) -> int:
        """Actions in the frame."""
        return int(self.lengths.shape[0])

    @property
    def sequence(self) -> int:
        """Sequenced actions up to the end of the frame."""
        return self.sequence_before + self.count - self.inbox_count

    def offsets(self) -> Pieces:
        """Return int64[n + 1]: action k is blob[offsets[k]:offsets[k + 1]]."""
        return offsets_of(self.lengths)

    def encode(self) -> bytes:
        """Return the payload."""
        head = _FRAME.pack(
            self.time_ms,
            self.generation,
            self.sequence_before,
            self.inbox_count,
            self.count,
            self.signers.shape[0],
            len(self.blob),
        )
        return b"".join(
            (head, self.lengths.astype(">u4").tobytes(), signer_bytes(self.signers), self.blob)
        )

    @classmethod
    def decode(cls, payload: bytes) -> FrameRecord:
        """Read a payload. Raises `RecordMalformed`."""
        if len(payload) < _FRAME.size:
            _require_length("frame record", payload, _FRAME.size)
        time_ms, generation, before, inbox, count, signatures, size = _FRAME.unpack_from(payload)
        signers_at = _FRAME.size + 4 * count
        blob_at = signers_at + ADDRESS_BYTES * signatures
        _require_length("frame record", payload, blob_at + size)
        lengths = np.frombuffer(payload, ">u4", count, _FRAME.size).astype(np.int64)
        if int(lengths.sum()) != size or inbox > count:
            raise RecordMalformed(
                f"frame record: expected lengths that add up to {size} and at most {count} inbox "
                f"messages, was {int(lengths.sum())} and {inbox}"
            )
        signers = signer_pieces(payload[signers_at:blob_at])
        return cls(time_ms, generation, before, inbox, lengths, signers, payload[blob_at:])


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """What a frame did: a code an action; actions, step hash and post root a step.

    `pairs` are `step hash || post root`, 64 bytes a step: the head of a batch's data.
    Accumulators and signature are those of the frame's receipt.
    """

    frame_token: int
    sequence: int
    codes: Bytes
    step_counts: Bytes
    pairs: bytes
    accumulator_before: bytes
    accumulator: bytes
    signature: bytes

    @property
    def post_root(self) -> bytes:
        """State root after the frame."""
        return self.pairs[-HASH_BYTES:]

    def post_roots(self) -> bytes:
        """Return the state root after each step, back to back."""
        pairs = np.frombuffer(self.pairs, np.uint8).reshape(-1, PAIR_BYTES)
        return pairs[:, HASH_BYTES:].tobytes()

    def encode(self) -> bytes:
        """Return the payload."""
        head = _OUTCOME.pack(
            self.frame_token,
            self.sequence,
            self.codes.shape[0],
            self.step_counts.shape[0],
            self.accumulator_before,
            self.accumulator,
            self.signature,
        )
        return b"".join((head, self.codes.tobytes(), self.step_counts.tobytes(), self.pairs))

    @classmethod
    def decode(cls, payload: bytes) -> OutcomeRecord:
        """Read a payload. Raises `RecordMalformed`."""
        if len(payload) < _OUTCOME.size:
            _require_length("outcome record", payload, _OUTCOME.size)
        token, sequence, count, steps, *receipt = _OUTCOME.unpack_from(payload)
        steps_at = _OUTCOME.size + count
        pairs_at = steps_at + steps
        _require_length("outcome record", payload, pairs_at + PAIR_BYTES * steps)
        codes = np.frombuffer(payload, np.uint8, count, _OUTCOME.size)
        step_counts = np.frombuffer(payload, np.uint8, steps, steps_at)
        pairs = payload[pairs_at:]
        return cls(token, sequence, codes, step_counts, pairs, *receipt)


@dataclass(frozen=True, slots=True)
class SealRecord:
    """The end of a batch: whole frames, from `first_token` to `last_token` inclusive.

    `opening` is that of the post root, in the encoding of `verifier.batch`.
    """

    number: int
    first_token: int
    last_token: int
    step_count: int
    data_bytes: int
    sequence_before: int
    sequence: int
    withdrawal_count: int
    time_ms: int
    pre_root: bytes
    post_root: bytes
    opening: bytes

    def encode(self) -> bytes:
        """Return the payload."""
        head = _SEAL.pack(
            self.number,
            self.first_token,
            self.last_token,
            self.step_count,
            self.data_bytes,
            self.sequence_before,
            self.sequence,
            self.withdrawal_count,
            self.time_ms,
            self.pre_root,
            self.post_root,
        )
        return head + self.opening

    @classmethod
    def decode(cls, payload: bytes) -> SealRecord:
        """Read a payload. Raises `RecordMalformed`."""
        if len(payload) < _SEAL.size:
            _require_length("seal record", payload, _SEAL.size)
        values: tuple[Any, ...] = (*_SEAL.unpack_from(payload), payload[_SEAL.size :])
        return cls(*values)


def offsets_of(lengths: Pieces) -> Pieces:
    """Return int64[n + 1] running sums of `lengths` int64[n], beginning with zero."""
    offsets = np.zeros(lengths.shape[0] + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets

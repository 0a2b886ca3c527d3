"""What is posted beside a header: the data of the steps, and the opening of the post root.

Layouts: docs/protocol.md, sections 3 (globals), 4 (steps) and 9 (data). The functions here take
bytes and answer bytes; who may post what, and when, is the court's business.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from clearing.codes import Tag
from clearing.keccak import tagged_hash
from clearing.messages import action_hash, encode_step, step_hash
from clearing.units import ACTION_BYTES_MAX, ACTIONS_PER_STEP, STEPS_DEPTH, TIME_MAX
from verifier.codec import HASH_BYTES
from verifier.errors import PostError, require
from verifier.multiproof import dense_root

PAIR_BYTES = 2 * HASH_BYTES
GLOBALS_BYTES = 10 * HASH_BYTES
STEP_BYTES_MAX = 9 + ACTIONS_PER_STEP * (2 + ACTION_BYTES_MAX)
SUB_ROOTS = (
    "accounts",
    "instruments",
    "underlyings",
    "assets",
    "funds",
    "pools",
    "operations",
    "params",
)
OPENING_BYTES = GLOBALS_BYTES + len(SUB_ROOTS) * HASH_BYTES

_STEP_HEAD = struct.Struct(">QB")
_LENGTH = struct.Struct(">H")
_THE_DATA = "the data that the header was made from"
_GLOBALS = struct.Struct(">8q32sqqqq32s32s32s96x")


class Pair(NamedTuple):
    """What a batch commits about one step: the hash of its bytes and the root after it."""

    step_hash: bytes
    post_root: bytes


class Step(NamedTuple):
    """The time of a step in ms and the bytes of its actions, which only the law judges."""

    time: int
    actions: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Return `u64 time || u8 count || count * (u16 length || action)`.

        Raises ValueError for more than 8 actions, an action beyond 2,048 bytes, a time beyond 2^62.
        """
        return encode_step(self.time, self.actions)

    def hash(self) -> bytes:
        """Return H(11, time || count || action hashes)."""
        return step_hash(self.time, [action_hash(action) for action in self.actions])


@dataclass(frozen=True, slots=True)
class BatchData:
    """The inline data of a batch: n pairs, then n steps."""

    pairs: tuple[Pair, ...]
    steps: tuple[Step, ...]

    def encode(self) -> bytes:
        """Return the bytes whose hash and length the header commits to."""
        if len(self.pairs) != len(self.steps):
            raise ValueError(f"expected a pair a step, was {len(self.pairs)} to {len(self.steps)}")
        pairs = b"".join(pair.step_hash + pair.post_root for pair in self.pairs)
        return pairs + b"".join(step.encode() for step in self.steps)

    @classmethod
    def decode(cls, data: bytes, count: int) -> BatchData:
        """Inverse of `encode` for `count` steps; consumes the bytes exactly.

        Raises Refused with MALFORMED_DATA, TRAILING_BYTES, TOO_MANY_ACTIONS, ACTION_TOO_LONG or
        STEP_TIME_OUT_OF_BOUNDS. Whether the hashes fit the steps is not looked at.
        """
        offset = PAIR_BYTES * count
        least = f"at least {PAIR_BYTES} bytes for each of {count} steps"
        require(0 <= offset <= len(data), PostError.MALFORMED_DATA, least, len(data), _THE_DATA)
        pairs = _read_pairs(data, count)
        steps = []
        for _ in range(count):
            step, offset = _read_step(data, offset)
            steps.append(step)
        end = f"the data to end at byte {offset}"
        require(offset == len(data), PostError.TRAILING_BYTES, end, len(data), "cut them there")
        return cls(pairs, tuple(steps))


def data_hash(data: bytes) -> bytes:
    """Return H(14, data)."""
    return tagged_hash(Tag.DATA, data)


def step_record_hash(index: int, step_hash: bytes, post_root: bytes) -> bytes:
    """Return H(12, index as a piece || step hash || post root): leaf `index` of the steps tree."""
    return tagged_hash(Tag.STEP_RECORD, index.to_bytes(8, "big") + step_hash + post_root)


def steps_root(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the root of the steps tree over (step hash, post root) pairs."""
    leaves = [step_record_hash(i, *pair) for i, pair in enumerate(pairs)]
    return dense_root(STEPS_DEPTH, leaves)


class OpenedGlobals(NamedTuple):
    """The globals leaf as it was committed, field by field in its order; nothing is checked.

    Integers are signed 64-bit: a proposer may have committed to anything, and only evidence says
    whether the law would have.
    """

    law_version: int
    status: int
    clock: int
    account_count: int
    instrument_count: int
    fund_count: int
    withdrawal_count: int
    inbox_count: int
    inbox_accumulator: bytes
    sequenced_count: int
    custody: int
    cash_total: int
    pot_total: int
    sequenced_accumulator: bytes
    withdrawals_root: bytes
    domain: bytes

    def encode(self) -> bytes:
        """Return the 224 bytes of the leaf."""
        return _GLOBALS.pack(*self)


@dataclass(frozen=True, slots=True)
class Opening:
    """The preimage of a state root: the globals leaf, 224 bytes, and the eight sub-roots."""

    globals_leaf: bytes
    sub_roots: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Return the 480 bytes."""
        return self.globals_leaf + b"".join(self.sub_roots)

    @classmethod
    def decode(cls, data: bytes) -> Opening:
        """Inverse of `encode`. Raises Refused(MALFORMED_OPENING)."""
        size = len(data)
        require(size == OPENING_BYTES, PostError.MALFORMED_OPENING, OPENING_BYTES, size)
        starts = range(GLOBALS_BYTES, OPENING_BYTES, HASH_BYTES)
        roots = tuple(data[start : start + HASH_BYTES] for start in starts)
        return cls(data[:GLOBALS_BYTES], roots)

    def state_root(self) -> bytes:
        """Return H(10, globals hash || sub-roots), the root that this opens."""
        globals_hash = tagged_hash(Tag.GLOBALS, self.globals_leaf)
        return tagged_hash(Tag.STATE, globals_hash + b"".join(self.sub_roots))

    def globals(self) -> OpenedGlobals:
        """Return the fields of the globals leaf."""
        return OpenedGlobals(*_GLOBALS.unpack(self.globals_leaf))

    def sub_root(self, name: str) -> bytes:
        """Return the sub-root called `name`, one of SUB_ROOTS."""
        return self.sub_roots[SUB_ROOTS.index(name)]


def _read_pairs(data: bytes, count: int) -> tuple[Pair, ...]:
    return tuple(
        Pair(data[first : first + HASH_BYTES], data[first + HASH_BYTES : first + PAIR_BYTES])
        for first in range(0, PAIR_BYTES * count, PAIR_BYTES)
    )


def _read_step(data: bytes, offset: int) -> tuple[Step, int]:
    """Read one step at `offset`; answer it and where it ends."""
    start, end = offset, offset + _STEP_HEAD.size
    _check_within(data, start, end)
    time, count = _STEP_HEAD.unpack_from(data, offset)
    require(time <= TIME_MAX, PostError.STEP_TIME_OUT_OF_BOUNDS, start, TIME_MAX, time)
    most = ACTIONS_PER_STEP
    require(count <= most, PostError.TOO_MANY_ACTIONS, most, start, count)
    actions: list[bytes] = []
    for _ in range(count):
        first = end + _LENGTH.size
        _check_within(data, start, first)
        (length,) = _LENGTH.unpack_from(data, end)
        most = ACTION_BYTES_MAX
        require(length <= most, PostError.ACTION_TOO_LONG, first, most, length)
        end = first + length
        _check_within(data, start, end)
        actions.append(data[first:end])
    return Step(time, tuple(actions)), end


def _check_within(data: bytes, start: int, end: int) -> None:
    expected = f"the step at byte {start} to end within {len(data)} bytes"
    require(end <= len(data), PostError.MALFORMED_DATA, expected, "cut short", _THE_DATA)


def decode_pairs(data: bytes, count: int) -> tuple[Pair, ...]:
    """Return the pairs of `count` steps, which the bytes consist of.

    Raises Refused(MALFORMED_DATA or TRAILING_BYTES).
    """
    size, was, wanted = PAIR_BYTES * count, len(data), "one pair a step and nothing else"
    expected = f"{size} bytes of pairs for {count} steps"
    require(was >= size, PostError.MALFORMED_DATA, expected, was, wanted)
    require(was <= size, PostError.TRAILING_BYTES, expected, was, f"send {wanted}")
    return _read_pairs(data, count)


def check_steps(data: BatchData, committed_root: bytes) -> None:
    """Compare every step with its hash, and the tree over all pairs with `committed_root`.

    Raises Refused(WRONG_STEP_HASH or WRONG_STEPS_ROOT).
    """
    check_step_hashes(data)
    check_pairs(data.pairs, committed_root)


def check_step_hashes(data: BatchData) -> None:
    """Compare every step with its hash. Raises Refused(WRONG_STEP_HASH)."""
    for index, (pair, step) in enumerate(zip(data.pairs, data.steps, strict=True)):
        expected, was = pair.step_hash, step.hash()
        require(was == expected, PostError.WRONG_STEP_HASH, index, expected, was)


def check_pairs(pairs: Sequence[Pair], committed_root: bytes) -> None:
    """Compare the tree over all pairs with `committed_root`. Raises Refused(WRONG_STEPS_ROOT)."""
    root = steps_root(pairs)
    require(root == committed_root, PostError.WRONG_STEPS_ROOT, committed_root, root)


def action_count(steps: Sequence[Step]) -> int:
    """Return how many actions the steps have together."""
    return sum(len(step.actions) for step in steps)

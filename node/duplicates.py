"""Everything ever sequenced, by action hash: an open-addressing table in flat arrays.

Idempotency is for ever, so this holds every action of the log: 24 bytes a slot, at most half
full, and one byte a sequence for its outcome. The first 16 bytes of a hash are the key: to make two
of one's own actions collide costs 2^64 hashes and gains the first outcome twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from clearing.compiler import kernel, kernel_entry

Pieces = np.ndarray[Any, np.dtype[np.int64]]

KEY_PIECES = 2
# What `claim` is told of an action: it is not sequenced, it is sequenced once for ever, or the same
# bytes mean something new each time.
NEVER, ONCE, ANEW = 0, 1, 2
CAPACITY_MIN = 1 << 12


@kernel
def _find(keys: Pieces, sequences: Pieces, high: int, low: int) -> int:
    """Return the slot of a key, or the empty slot where it belongs."""
    mask = int(sequences.shape[0]) - 1
    slot = low & mask
    while sequences[slot] != 0 and (keys[slot, 0] != high or keys[slot, 1] != low):
        slot = (slot + 1) & mask
    return slot


@kernel_entry
def _look_up(keys: Pieces, sequences: Pieces, digests: Pieces, found: Pieces) -> None:
    """Set `found[k]` to the sequence of digest k, or zero."""
    for row in range(digests.shape[0]):
        found[row] = sequences[_find(keys, sequences, digests[row, 0], digests[row, 1])]


@kernel_entry
def _insert(keys: Pieces, sequences: Pieces, digests: Pieces, given: Pieces) -> None:
    """Put digest k, which is not there yet, under sequence `given[k]`."""
    for row in range(digests.shape[0]):
        slot = _find(keys, sequences, digests[row, 0], digests[row, 1])
        keys[slot, 0] = digests[row, 0]
        keys[slot, 1] = digests[row, 1]
        sequences[slot] = given[row]


@kernel_entry
def _claim(
    keys: Pieces, sequences: Pieces, digests: Pieces, eligible: Pieces, given: Pieces, count: int
) -> int:
    """Give each eligible digest the sequence it has, or the next one; return how many exist now."""
    for row in range(digests.shape[0]):
        given[row] = 0
        if eligible[row] == NEVER:
            continue
        slot = _find(keys, sequences, digests[row, 0], digests[row, 1])
        if sequences[slot] == 0 or eligible[row] == ANEW:
            count += 1
            keys[slot, 0] = digests[row, 0]
            keys[slot, 1] = digests[row, 1]
            sequences[slot] = count
        given[row] = sequences[slot]
    return count


class Duplicates:
    """Sequences and outcome codes of everything sequenced. Sequences count from 1."""

    def __init__(self) -> None:
        """Start empty."""
        self._keys: Pieces = np.zeros((CAPACITY_MIN, KEY_PIECES), np.int64)
        self._sequences: Pieces = np.zeros(CAPACITY_MIN, np.int64)
        self._codes = np.zeros(CAPACITY_MIN, np.uint8)
        self.count = 0

    def find(self, digests: Pieces) -> Pieces:
        """Return int64[n]: the sequence of each of `digests` int64[n, 4], zero if there is none."""
        found = np.zeros(digests.shape[0], np.int64)
        _look_up(self._keys, self._sequences, np.ascontiguousarray(digests), found)
        return found

    def codes(self, sequences: Pieces) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return the outcome code of each sequence, 1 .. `count`."""
        return self._codes[sequences]

    def claim(self, digests: Pieces, eligible: Pieces) -> Pieces:
        """Return int64[n]: the sequence of each of `digests` int64[n, 4], zero where not eligible.

        `eligible` int64[n] holds NEVER, ONCE or ANEW. A digest that is unknown, or claimed ANEW,
        gets the next sequence; `count` tells how far that went. Its code is APPLIED until `settle`.
        """
        self._grow(self.count + digests.shape[0])
        given = np.zeros(digests.shape[0], np.int64)
        self.count = int(
            _claim(
                self._keys,
                self._sequences,
                np.ascontiguousarray(digests),
                np.ascontiguousarray(eligible, np.int64),
                given,
                self.count,
            )
        )
        return given

    def settle(self, first: int, codes: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        """Note the outcome codes of the sequences from `first` on."""
        self._codes[first : first + codes.shape[0]] = codes

    def _grow(self, total: int) -> None:
        """Keep the table at most half full, so that a probe ends after few slots."""
        capacity = self._sequences.shape[0]
        if total + 1 > capacity // 2:
            while total + 1 > capacity // 2:
                capacity *= 2
            keys, sequences = self._keys, self._sequences
            used = sequences != 0
            self._keys = np.zeros((capacity, KEY_PIECES), np.int64)
            self._sequences = np.zeros(capacity, np.int64)
            _insert(self._keys, self._sequences, keys[used], sequences[used])
            codes = np.zeros(capacity, np.uint8)
            codes[: self._codes.shape[0]] = self._codes
            self._codes = codes

"""Signers remembered across frames, because a bulk signature covers orders of many of them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from clearing.compiler import kernel_entry
from clearing.units import SIGNATURE_BYTES

Pieces = np.ndarray[Any, np.dtype[np.int64]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]


class SignerCache:
    """The signers of the latest pairs of digest and signature; a ``SignerMemory``.

    Recovery is a pure function, so a cached answer is the answer. A pair has one place, by its
    digest, and the newest pair of a place stays. ``entries`` is a power of two. Thread-safe.
    """

    def __init__(self, entries: int = 1 << 14) -> None:
        """Begin empty: an all-zero pair recovers to nobody, which is what a zero entry says."""
        if entries < 1 or entries & (entries - 1):
            raise ValueError(f"entries: expected a power of two, was {entries}")
        self._digests = np.zeros((entries, 4), np.int64)
        self._signatures = np.zeros((entries, SIGNATURE_BYTES), np.uint8)
        self._signers = np.zeros((entries, 4), np.int64)
        self._lock = threading.Lock()

    def find(self, signatures: Bytes, digests: Pieces, signers: Pieces) -> Pieces:
        """Fill the ``signers`` that are known; return the rows that are not, int64[:]."""
        missing = np.empty(signatures.shape[0], np.int64)
        with self._lock:
            count = int(find_cached(*self._entries(), signatures, digests, signers, missing))
        return missing[:count]

    def keep(self, signatures: Bytes, digests: Pieces, signers: Pieces) -> None:
        """Remember recovered signers."""
        with self._lock:
            keep_cached(*self._entries(), signatures, digests, signers)

    def _entries(self) -> tuple[Pieces, Bytes, Pieces]:
        return self._digests, self._signatures, self._signers


@kernel_entry
def find_cached(
    known_digests: Pieces,
    known_signatures: Bytes,
    known_signers: Pieces,
    signatures: Bytes,
    digests: Pieces,
    signers: Pieces,
    missing: Pieces,
) -> int:
    """Fill ``signers`` of the pairs that have an entry; note the other rows; return how many."""
    count = 0
    for i in range(signatures.shape[0]):
        entry = digests[i, 3] & (known_digests.shape[0] - 1)
        same = True
        for j in range(4):
            same &= known_digests[entry, j] == digests[i, j]
        for j in range(SIGNATURE_BYTES):
            same &= known_signatures[entry, j] == signatures[i, j]
        if same:
            for j in range(4):
                signers[i, j] = known_signers[entry, j]
        else:
            missing[count] = i
            count += 1
    return count


@kernel_entry
def keep_cached(
    known_digests: Pieces,
    known_signatures: Bytes,
    known_signers: Pieces,
    signatures: Bytes,
    digests: Pieces,
    signers: Pieces,
) -> None:
    """Write each pair and its signer into its entry."""
    for i in range(signatures.shape[0]):
        entry = digests[i, 3] & (known_digests.shape[0] - 1)
        for j in range(SIGNATURE_BYTES):
            known_signatures[entry, j] = signatures[i, j]
        for j in range(4):
            known_digests[entry, j] = digests[i, j]
            known_signers[entry, j] = signers[i, j]

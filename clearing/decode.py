"""Decoding of whole batches: bytes to columns, every hash that the law will want, and the signers.

Actions pass in chunks that stay in cache: parse all, hash all structs of one kind of length side by
side, climb all bulk trees a level at a time, then the EIP-712 digests and the action hashes. No
Python object is made per action. Source of the digests: docs/protocol.md, sections 2 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from clearing._parse import (
    BULK_STRUCT,
    CHUNK,
    FIRST,
    FORM_OF,
    LONG,
    LONG_PIECES,
    MESSAGES,
    PAYLOAD,
    SHORT,
    SIGNATURES,
    TRADE_STRUCT,
    Bytes,
    Columns,
    Pieces,
    Workspace,
    has_payload,
    is_quorum,
    load_pieces,
    load_word,
    new_workspace,
    parse_action,
    put_type,
)
from clearing.byte_runs import load_integer
from clearing.codes import Kind, Tag
from clearing.compiler import kernel, kernel_entry
from clearing.keccak import NO_TAG, eip712_digests, hash_rows, pieces
from clearing.layout import new_rows, pieces_of
from clearing.messages import action_hash
from clearing.records import Action, Observation
from clearing.recovery import recover_rows, recover_rows_threaded
from clearing.units import ACTION_BYTES_MAX, BULK_DEPTH_MAX, OBSERVATIONS_MAX, SIGNATURE_BYTES

__all__ = ["Columns", "SignerMemory", "decode", "pack", "recover_signers"]

PROBES_MAX = 32
FREE, WAITING, KNOWN = range(3)  # states of the place of a pair
ANSWERED = -1  # instead of a place


def pack(actions: Sequence[bytes]) -> tuple[Bytes, Pieces]:
    """Return (blob, offsets) of ``actions`` as ``decode`` takes them."""
    offsets = np.zeros(len(actions) + 1, np.int64)
    np.cumsum([len(action) for action in actions], out=offsets[1:])
    return np.frombuffer(bytearray(b"".join(actions)), np.uint8), offsets


def decode(blob: Bytes, offsets: Pieces, domain: Pieces) -> Columns:
    """Return the columns of the actions blob[offsets[k]:offsets[k + 1]], k < len(offsets) - 1.

    ``blob`` uint8 (bytes,), copied if it is read-only or not contiguous; ``offsets`` int64 (n + 1,)
    from 0 .. len(blob), never falling; ``domain`` the separator, int64 (4,). Any action bytes are
    legal: ``code`` says MALFORMED, UNKNOWN_KIND or, for 0 or more than 16 observations, QUORUM.
    Only these and APPLIED (which means: not judged yet) appear. Raises ValueError for arrays of
    other shapes.
    """
    blob = _contiguous("blob", blob, np.uint8)
    offsets = _contiguous("offsets", offsets, np.int64)
    domain = _contiguous("domain", domain, np.int64)
    if offsets.shape[0] < 1 or domain.shape[0] != 4:
        raise ValueError(
            f"expected offsets (n + 1,) and domain (4,), was {offsets.shape} and {domain.shape}"
        )
    room = int(signatures_bound(blob, offsets))
    if room < 0:
        raise ValueError(f"expected offsets that never fall and lie within 0..{blob.shape[0]}")
    count = offsets.shape[0] - 1
    actions = new_rows(Action, count)
    columns = Columns(
        actions=actions,
        action_pieces=pieces_of(actions),
        payload=np.empty(int(payload_bound(blob, offsets)), np.int64),
        action_digests=np.empty((count, 4), np.int64),
        observations=new_rows(Observation, room),
        signatures=np.empty((room, SIGNATURE_BYTES), np.uint8),
        digests=np.empty((room, 4), np.int64),
        signers=np.zeros((room, 4), np.int64),
        action_count=count,
        signature_count=room,
    )
    used = int(decode_rows(blob, offsets, domain, columns, new_workspace(count, room)))
    for k in np.flatnonzero(np.diff(offsets) > ACTION_BYTES_MAX).tolist():
        # No step can hold these and no row of the workspace does, but they too have a hash.
        digest = pieces(action_hash(blob[offsets[k] : offsets[k + 1]].tobytes()))
        columns.action_digests[k] = digest
        for i in range(4):
            columns.actions[k].digest[i] = int(digest[i])
    return columns._replace(
        observations=columns.observations[:used],
        signatures=columns.signatures[:used],
        digests=columns.digests[:used],
        signers=columns.signers[:used],
        signature_count=used,
    )


class SignerMemory(Protocol):
    """Signers that somebody has recovered before; see ``prover.signer_cache``."""

    def find(self, signatures: Bytes, digests: Pieces, signers: Pieces) -> Pieces:
        """Fill the ``signers`` that are known; return the rows that are not, int64[:]."""

    def keep(self, signatures: Bytes, digests: Pieces, signers: Pieces) -> None:
        """Remember recovered signers."""


def recover_signers(
    columns: Columns, executor: Any = None, threads: int = 2, cache: SignerMemory | None = None
) -> None:
    """Fill ``columns.signers`` with the address words that the signatures recover to.

    Equal pairs of digest and signature are recovered once, so a bulk signature costs one recovery
    however many orders it covers; with a ``cache`` also across calls. With a ``concurrent.futures``
    executor of threads the work is cut into ``threads`` parts, the last of them done by the caller;
    the kernels hold no lock.
    """
    count = columns.signature_count
    table = np.full(1 << (2 * count).bit_length(), -1, np.int64)
    rows, places = np.empty(count, np.int64), np.empty(count, np.int64)
    unique = int(find_unique(columns.signatures, columns.digests, table, rows, places))
    signatures = columns.signatures[rows[:unique]]
    digests = columns.digests[rows[:unique]]
    signers = np.zeros((unique, 4), np.int64)
    if cache is None:
        _recover(signatures, digests, signers, executor, threads)
    else:
        missing = cache.find(signatures, digests, signers)
        signatures, digests = signatures[missing], digests[missing]
        found = np.zeros((missing.shape[0], 4), np.int64)
        _recover(signatures, digests, found, executor, threads)
        cache.keep(signatures, digests, found)
        signers[missing] = found
    np.take(signers, places, axis=0, out=columns.signers)


def _recover(
    signatures: Bytes, digests: Pieces, signers: Pieces, executor: Any, threads: int
) -> None:
    if executor is None:
        recover_rows(signatures, digests, 0, signatures.shape[0], signers)
    else:
        recover_rows_threaded(signatures, digests, signatures.shape[0], signers, executor, threads)


def _contiguous(name: str, array: Any, kind: Any) -> Any:
    """Return ``array`` or a copy, of the one array type that the kernels are compiled for."""
    if array.dtype != kind or array.ndim != 1:
        raise ValueError(
            f"{name}: expected one axis of {np.dtype(kind)}, was {array.dtype} {array.shape}"
        )
    return np.require(array, requirements=["C", "W", "A"])


@kernel_entry
def signatures_bound(blob: Bytes, offsets: Pieces) -> int:
    """Return how many signatures the actions can have at most; -1 if an offset is out of place."""
    bound = 0
    if offsets[0] < 0 or offsets[offsets.shape[0] - 1] > blob.shape[0]:
        return -1
    for k in range(offsets.shape[0] - 1):
        start = offsets[k]
        size = offsets[k + 1] - start
        if size < 0:
            return -1
        if size == 0 or start + size > blob.shape[0]:
            continue
        kind = load_integer(blob, start, 1)
        if kind == Kind.TRADE:
            bound += 3
        elif (
            kind == Kind.PRICE
            or kind == Kind.INBOX
            or (FORM_OF[kind] >= 0 and is_quorum(FORM_OF[kind]))
        ):
            bound += min(OBSERVATIONS_MAX, size // SIGNATURE_BYTES)
        else:
            bound += 1
    return bound


@kernel_entry
def payload_bound(blob: Bytes, offsets: Pieces) -> int:
    """Return how many payload pieces the actions can have at most; offsets are in place."""
    bound = 0
    for k in range(offsets.shape[0] - 1):
        start = offsets[k]
        size = offsets[k + 1] - start
        if 0 < size <= ACTION_BYTES_MAX:
            form = FORM_OF[load_integer(blob, start, 1)]
            if form >= 0 and has_payload(form):
                bound += size // 8
    return bound


@kernel_entry
def decode_rows(
    blob: Bytes, offsets: Pieces, domain: Pieces, columns: Columns, work: Workspace
) -> int:
    """Fill all columns but the signers; return how many signatures there are."""
    count = offsets.shape[0] - 1
    signatures = 0
    for first in range(0, count, CHUNK):
        last = min(count, first + CHUNK)
        payload = work.used[PAYLOAD]
        work.used[:] = 0
        work.used[PAYLOAD] = payload
        work.used[FIRST] = signatures
        for k in range(first, last):
            before = work.used[SIGNATURES]
            columns.actions[k].code = parse_action(
                blob, offsets[k], offsets[k + 1], k, columns, work
            )
            columns.actions[k].signature_first = signatures + before
            columns.actions[k].signature_count = work.used[SIGNATURES] - before
        _hash_structs(work)
        _climb_bulk_trees(blob, work)
        found: int = work.used[SIGNATURES]
        signed = columns.digests[signatures : signatures + found]
        eip712_digests(domain, work.structs, found, signed)
        _hash_actions(blob, offsets, first, last, columns, work)
        signatures += found
    return signatures


@kernel
def _hash_structs(work: Workspace) -> None:
    """Set the struct hash of each signature of the chunk: orders first, trades hold theirs."""
    orders = work.used[LONG]
    for i in range(orders):
        work.lengths[i] = LONG_PIECES
    hash_rows(work.long_rows, work.lengths, orders, NO_TAG, work.hashes)
    _scatter(work.hashes, work.long_owners, orders, work.structs)
    others = work.used[SHORT]
    for i in range(others):
        if work.short_types[i] == TRADE_STRUCT:
            owner = work.short_owners[i]
            for j in range(4):
                work.short_rows[i, 4 + j] = work.structs[owner - 2, j]
                work.short_rows[i, 8 + j] = work.structs[owner - 1, j]
    hash_rows(work.short_rows, work.short_lengths, others, NO_TAG, work.hashes)
    _scatter(work.hashes, work.short_owners, others, work.structs)


@kernel
def _scatter(hashes: Pieces, owners: Pieces, count: int, structs: Pieces) -> None:
    for i in range(count):
        for j in range(4):
            structs[owners[i], j] = hashes[i, j]


@kernel
def _climb_bulk_trees(blob: Bytes, work: Workspace) -> None:
    """Replace the struct hashes that bulk signatures cover by those of their trees' roots."""
    for level in range(BULK_DEPTH_MAX):
        count = 0
        for owner in range(work.used[SIGNATURES]):
            if work.places[owner, 0] > level:
                work.short_owners[count] = owner
                row = work.short_rows[count]
                right = work.places[owner, 1] >> level & 1
                load_word(blob, work.places[owner, 2] + 32 * level, row, 4 - 4 * right)
                for j in range(4):
                    row[4 * right + j] = work.structs[owner, j]
                count += 1
        if count == 0:
            break
        _hash_pairs(count, work)
    roots = 0
    for owner in range(work.used[SIGNATURES]):
        if work.places[owner, 0] > 0:
            work.short_owners[roots] = owner
            row = work.short_rows[roots]
            put_type(row, BULK_STRUCT)
            for j in range(4):
                row[4 + j] = work.structs[owner, j]
            roots += 1
    _hash_pairs(roots, work)


@kernel
def _hash_pairs(count: int, work: Workspace) -> None:
    """Hash the first pairs of short rows into the structs of their owners, each pair once.

    Orders that are near each other in a tree share all of the path but its first steps.
    """
    fresh = 0
    for i in range(count):
        place = _place_of(work, i)
        work.answers[i] = place
        if work.pair_states[place] == KNOWN:
            # At once: a later pair of this round may take the place.
            _answer(work, i)
            work.answers[i] = ANSWERED
        elif work.pair_states[place] == FREE:
            for j in range(8):
                piece = work.short_rows[i, j]
                work.pairs[place, j] = piece
                work.short_rows[fresh, j] = piece
            work.pair_states[place] = WAITING
            work.waiting[fresh] = place
            work.lengths[fresh] = 8
            fresh += 1
    hash_rows(work.short_rows, work.lengths, fresh, NO_TAG, work.hashes)
    for i in range(fresh):
        place = work.waiting[i]
        work.pair_states[place] = KNOWN
        for j in range(4):
            work.pair_hashes[place, j] = work.hashes[i, j]
    for i in range(count):
        if work.answers[i] != ANSWERED:
            _answer(work, i)


@kernel
def _answer(work: Workspace, row: int) -> None:
    """Write the hash of a short row's pair into the struct of its owner."""
    for j in range(4):
        work.structs[work.short_owners[row], j] = work.pair_hashes[work.answers[row], j]


@kernel
def _place_of(work: Workspace, row: int) -> int:
    """Return where the pair in a short row stands, or a free place for it.

    It may stand in two places. Where two others wait for their hash it goes behind them all, to a
    place of its own that nobody finds again.
    """
    pair = work.short_rows[row]
    remembered = work.pairs.shape[0] - work.answers.shape[0]
    first = (pair[3] ^ (pair[7] << 1)) & (remembered - 1)
    for way in range(2):
        if work.pair_states[first ^ way] != FREE and _is_pair(work.pairs[first ^ way], pair):
            return int(first ^ way)
    for way in range(2):
        if work.pair_states[first ^ way] != WAITING:
            work.pair_states[first ^ way] = FREE
            return int(first ^ way)
    work.pair_states[remembered + row] = FREE
    return int(remembered + row)


@kernel
def _is_pair(left: Pieces, right: Pieces) -> bool:
    difference = 0
    for j in range(8):
        difference |= left[j] ^ right[j]
    return difference == 0


@kernel
def _hash_actions(
    blob: Bytes, offsets: Pieces, first: int, last: int, columns: Columns, work: Workspace
) -> None:
    """Set the action hashes of first .. last - 1 and the message hashes of inbox actions."""
    count = last - first
    for i in range(count):
        start = offsets[first + i]
        size = offsets[first + i + 1] - start
        if size > ACTION_BYTES_MAX:
            size = 0
        work.action_lengths[i] = load_pieces(blob, start, size, work.action_rows[i])
    digests = columns.action_digests[first:last]
    hash_rows(work.action_rows, work.action_lengths, count, Tag.ACTION, digests)
    for i in range(count):
        for j in range(4):
            columns.actions[first + i].digest[j] = digests[i, j]
    messages = work.used[MESSAGES]
    hash_rows(work.message_rows, work.message_lengths, messages, Tag.INBOX_MESSAGE, work.hashes)
    for i in range(messages):
        for j in range(4):
            columns.actions[work.message_owners[i]].digest[j] = work.hashes[i, j]


@kernel_entry
def find_unique(
    signatures: Bytes, digests: Pieces, table: Pieces, rows: Pieces, places: Pieces
) -> int:
    """Number the distinct pairs of digest and signature; return how many there are.

    ``rows[u]`` is the first row of pair u, ``places[i]`` the pair of row i. ``table``, filled with
    -1, has a power of two of entries, more than there are rows. After some probes a row counts as
    new: a flood of chosen collisions then costs recoveries, not quadratic time.
    """
    mask = table.shape[0] - 1
    unique = 0
    for i in range(signatures.shape[0]):
        entry = digests[i, 3] & mask
        places[i] = -1
        for _ in range(PROBES_MAX):
            if table[entry] < 0:
                table[entry] = unique
                break
            if _same_pair(signatures, digests, i, rows[table[entry]]):
                places[i] = table[entry]
                break
            entry = (entry + 1) & mask
        if places[i] < 0:
            rows[unique] = i
            places[i] = unique
            unique += 1
    return unique


@kernel
def _same_pair(signatures: Bytes, digests: Pieces, left: int, right: int) -> bool:
    for j in range(4):
        if digests[left, j] != digests[right, j]:
            return False
    same = True
    for j in range(SIGNATURE_BYTES):
        same &= signatures[left, j] == signatures[right, j]
    return same

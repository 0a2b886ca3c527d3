"""Dense quaternary trees in one flat array, updated together, level by level.

A *forest* holds the nodes of several trees so that one sweep hashes a level of all of them: the
vector Keccak takes eight nodes for the price of one, and the upper levels have few. Level L of
tree t starts at row ``offsets[t, L]`` of ``nodes``; an absent node is four zero pieces, and each
level is padded to whole groups of four, so that the children of a node are always four
neighbouring rows. Levels above the capacity hold one node up to the tree's fixed depth.

A leaf is named by its *key*, ``tree << TREE_SHIFT | index``. Order and absence: docs/protocol.md,
section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clearing.codes import Tag
from clearing.compiler import kernel, kernel_entry
from clearing.keccak import hash_nodes, to_bytes
from verifier.multiproof import ARITY, ARITY_BITS, ProofError, siblings_needed

TREE_SHIFT = 40  # keys of one tree sort together; every tree is far shallower than 20 levels
HASH_PIECES = 4
NODE_PIECES = HASH_PIECES * ARITY
NODE_TAG = int(Tag.NODE)
SWEEP_LEAVES = 4_096  # leaves that one call of ``put`` hands to the kernel

Pieces = np.ndarray[Any, np.dtype[np.int64]]


@kernel
def sort_keys(keys: Any, count: int) -> None:
    """Sort ``keys[:count]`` in place: Shell's method, which is insertion sort for a step's few."""
    gap = 1
    while gap < count // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for right in range(gap, count):
            key = keys[right]
            place = right
            while place >= gap and keys[place - gap] > key:
                keys[place] = keys[place - gap]
                place -= gap
            keys[place] = key
        gap //= 3


@kernel
def sort_distinct(keys: Any, count: int) -> int:
    """Sort ``keys[:count]`` in place without repetitions; return how many remain."""
    sort_keys(keys, count)
    kept = 0
    for place in range(count):
        if kept == 0 or keys[kept - 1] != keys[place]:
            keys[kept] = keys[place]
            kept += 1
    return kept


@kernel
def store_leaf(nodes: Pieces, offsets: Pieces, key: int, digest: Pieces) -> None:
    """Write a leaf's digest, int64[4], without rehashing what stands above it."""
    row = offsets[key >> TREE_SHIFT, 0] + (key & ((1 << TREE_SHIFT) - 1))
    for piece in range(HASH_PIECES):
        nodes[row, piece] = digest[piece]


@kernel
def sweep(
    nodes: Pieces,
    offsets: Pieces,
    depths: Pieces,
    keys: Pieces,
    count: int,
    groups: Pieces,
    digests: Pieces,
) -> None:
    """Rehash everything above the leaves ``keys[:count]``, whose digests are stored already.

    nodes int64[n, 4], offsets int64[trees, levels], depths int64[trees]. Keys may repeat, in any
    order; they are used up. Scratch for ``count`` rows: groups int64[:, 16], digests int64[:, 4].
    """
    pending = sort_distinct(keys, count)
    level = 0
    while pending > 0:
        parents = 0
        for place in range(pending):
            tree = keys[place] >> TREE_SHIFT
            if depths[tree] <= level:
                continue
            index = (keys[place] & ((1 << TREE_SHIFT) - 1)) >> ARITY_BITS
            key = (tree << TREE_SHIFT) | index
            if parents > 0 and keys[parents - 1] == key:
                continue
            keys[parents] = key
            first = offsets[tree, level] + index * ARITY
            for child in range(ARITY):
                for piece in range(HASH_PIECES):
                    groups[parents, child * HASH_PIECES + piece] = nodes[first + child, piece]
            parents += 1
        hash_nodes(groups, parents, NODE_TAG, digests)
        pending = parents
        level += 1
        for place in range(pending):
            tree = keys[place] >> TREE_SHIFT
            row = offsets[tree, level] + (keys[place] & ((1 << TREE_SHIFT) - 1))
            absent = _is_absent(groups, place)
            for piece in range(HASH_PIECES):
                nodes[row, piece] = 0 if absent else digests[place, piece]


@kernel
def _is_absent(groups: Pieces, place: int) -> bool:
    """Return whether no child of the node is present; happens when an append is taken back."""
    found = 0
    for piece in range(NODE_PIECES):
        found |= groups[place, piece]
    return found == 0


@kernel_entry
def put_leaves(
    nodes: Pieces,
    offsets: Pieces,
    depths: Pieces,
    keys: Pieces,
    leaves: Pieces,
    count: int,
    groups: Pieces,
    digests: Pieces,
) -> None:
    """Store ``leaves[:count]`` under ``keys[:count]`` and rehash; repeated keys: the last wins."""
    for place in range(count):
        store_leaf(nodes, offsets, keys[place], leaves[place])
    sweep(nodes, offsets, depths, keys, count, groups, digests)


class Forest:
    """Trees of fixed depths whose arrays grow with their capacities.

    ``nodes``, ``offsets`` and ``depths`` go to kernels as they are; a growth replaces ``nodes`` and
    ``offsets``, so nobody keeps them across one.
    """

    def __init__(self, depths: Sequence[int], capacities: Sequence[int]) -> None:
        """Make empty trees: ``capacities[t]`` leaves have room in tree t of depth ``depths[t]``."""
        self.depths: Pieces = np.array(depths, np.int64)
        self.capacities = [
            _checked_capacity(depth, capacity)
            for depth, capacity in zip(depths, capacities, strict=True)
        ]
        self.offsets, rows = _layout(self.depths, self.capacities)
        self.nodes: Pieces = np.zeros((rows, HASH_PIECES), np.int64)

    def grow(self, tree: int, needed: int) -> None:
        """Make room for ``needed`` leaves in a tree, at least doubling it if it must grow."""
        if needed <= self.capacities[tree]:
            return
        depth = int(self.depths[tree])
        _checked_capacity(depth, needed)
        old_offsets, old_nodes, old_capacities = self.offsets, self.nodes, list(self.capacities)
        self.capacities[tree] = min(max(needed, 2 * self.capacities[tree]), ARITY**depth)
        self.offsets, rows = _layout(self.depths, self.capacities)
        self.nodes = np.zeros((rows, HASH_PIECES), np.int64)
        # New neighbours of the old nodes are absent, so no old node changes: copying is enough.
        for which, capacity in enumerate(old_capacities):
            for level in range(int(self.depths[which]) + 1):
                size = _level_rows(capacity, level)
                before, after = int(old_offsets[which, level]), int(self.offsets[which, level])
                self.nodes[after : after + size] = old_nodes[before : before + size]

    def root(self, tree: int) -> bytes:
        """Return a tree's root, 32 bytes; zeros if it is empty."""
        return to_bytes(self.nodes[int(self.offsets[tree, int(self.depths[tree])])])

    def leaf(self, tree: int, index: int) -> bytes:
        """Return the hash of a leaf below the capacity; zeros if it is absent."""
        return to_bytes(self.nodes[int(self.offsets[tree, 0]) + index])

    def put(self, tree: int, indices: Sequence[int], leaves: Sequence[bytes]) -> None:
        """Store leaf hashes (32 bytes; zeros take a leaf away) and rehash. Grows if needed.

        Of a repeated index the last leaf wins.
        """
        if not indices:
            return
        self.grow(tree, max(indices) + 1)
        table = np.frombuffer(b"".join(leaves), ">i8").astype(np.int64).reshape(-1, HASH_PIECES)
        keys = np.array(indices, np.int64) | (tree << TREE_SHIFT)
        for start in range(0, len(indices), SWEEP_LEAVES):
            chunk = np.ascontiguousarray(keys[start : start + SWEEP_LEAVES])
            self.put_keys(chunk, np.ascontiguousarray(table[start : start + SWEEP_LEAVES]))

    def put_keys(self, keys: Pieces, leaves: Pieces) -> None:
        """Store ``leaves`` int64[n, 4] under ``keys`` int64[n] (used up) and rehash; no growth."""
        count = keys.shape[0]
        put_leaves(
            self.nodes,
            self.offsets,
            self.depths,
            keys,
            leaves,
            count,
            np.zeros((count, NODE_PIECES), np.int64),
            np.zeros((count, HASH_PIECES), np.int64),
        )

    def siblings(self, tree: int, count: int, targets: Sequence[int]) -> list[bytes]:
        """Return the canonical proof of sorted distinct ``targets`` among ``count`` leaves.

        Raises ProofError (an error of the caller) as ``verifier.multiproof.siblings_needed``.
        """
        offsets = self.offsets[tree]
        rows = [
            int(offsets[level]) + index
            for level, index in siblings_needed(int(self.depths[tree]), count, targets)
        ]
        if not rows:
            return []
        data = self.nodes[rows].astype(">i8").tobytes()
        return [data[start : start + 32] for start in range(0, len(data), 32)]


def _checked_capacity(depth: int, capacity: int) -> int:
    if not 1 <= capacity <= ARITY**depth:
        raise ProofError(f"expected a capacity of 1 .. {ARITY**depth} leaves, was {capacity}")
    return capacity


def _level_rows(capacity: int, level: int) -> int:
    nodes: int = -(-capacity // ARITY**level)
    return -(-nodes // ARITY) * ARITY


def _layout(depths: Pieces, capacities: Sequence[int]) -> tuple[Pieces, int]:
    """Return (offsets int64[trees, levels], rows in all)."""
    offsets = np.zeros((len(capacities), int(depths.max()) + 1), np.int64)
    row = 0
    for tree, capacity in enumerate(capacities):
        for level in range(int(depths[tree]) + 1):
            offsets[tree, level] = row
            row += _level_rows(capacity, level)
    return offsets, row

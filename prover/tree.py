"""Dense quaternary trees in one flat array, updated together, level by level.

A *forest* holds the nodes of several trees so that one climb hashes a level of all of them: the
vector Keccak takes eight nodes for the price of one, and the upper levels have few. For the same
reason many *versions* climb at once, one a step of the law: a node of a version depends on the
level below alone, so all versions of a level are hashed side by side, and each version's roots come
out as if it had climbed by itself. Level L of tree t starts at row ``offsets[t, L]`` of ``nodes``;
an absent node is four zero pieces, and each level is padded to whole groups of four, so that the
children of a node are always four neighbouring rows. Levels above the capacity hold one node up to
the tree's fixed depth.

A leaf is named by its *key*, ``tree << TREE_SHIFT | index``. Order and absence: docs/protocol.md,
section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from clearing.codes import Tag
from clearing.compiler import by_reference, kernel, kernel_entry
from clearing.keccak import hash_nodes, to_bytes
from clearing.prefetching import CACHE_LINE_BYTES, prefetch_rows
from verifier.multiproof import ARITY, ARITY_BITS, ProofError, siblings_needed

TREE_SHIFT = 40  # keys of one tree sort together; every tree is far shallower than 20 levels
INDEX_MASK = (1 << TREE_SHIFT) - 1
VERSION_BITS = 6
VERSIONS = 1 << VERSION_BITS  # as many climb together
ROW_BITS = 14
LEAVES = 1 << 12  # leaves that climb together, unless a forest is made for more
HASH_PIECES = 4
NODE_PIECES = HASH_PIECES * ARITY
FAMILY_LINES = NODE_PIECES * 8 // CACHE_LINE_BYTES + 1  # wherever in a line they begin
NODE_TAG = int(Tag.NODE)

Pieces = np.ndarray[Any, np.dtype[np.int64]]


@by_reference
class Trees(NamedTuple):
    """A forest as kernels see it, and the working memory of a climb of n leaves.

    ``nodes`` int64[:, 4], ``offsets`` int64[trees, levels], ``depths`` int64[trees].
    ``noted`` int64[1] leaves wait to climb: ``entries`` int64[n] names them, key, version and row
    in one number, so that sorting brings a node's versions together; ``leaves`` int64[n, 4] holds
    their digests. In a climb ``names`` int64[n] are the nodes of a level, key and version, and
    ``digests`` int64[n, 4] theirs; ``parents`` int64[n] and ``groups`` int64[n, 16] are the level
    above, ``heads`` int64[4] a place for each child. ``roots`` int64[64, trees, 4]: what the climb
    found, by version.
    """

    nodes: Pieces
    offsets: Pieces
    depths: Pieces
    noted: Pieces
    entries: Pieces
    leaves: Pieces
    names: Pieces
    digests: Pieces
    parents: Pieces
    groups: Pieces
    heads: Pieces
    roots: Pieces


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
def note_leaf(trees: Trees, version: int, key: int, digest: Pieces) -> None:
    """Let the leaf ``key`` have this digest, int64[4], from ``version`` on; the last note wins."""
    row = trees.noted[0]
    trees.entries[row] = (((key << VERSION_BITS) | version) << ROW_BITS) | row
    for piece in range(HASH_PIECES):
        trees.leaves[row, piece] = digest[piece]
    trees.noted[0] = row + 1


@kernel
def climb(trees: Trees, versions: int) -> None:
    """Rehash everything above the noted leaves, and write ``roots[:versions]``.

    ``versions`` is at most VERSIONS and more than any that was noted. The nodes end up as the last
    version has them, and nothing is noted any more.
    """
    for tree in range(trees.depths.shape[0]):
        _note_roots(trees, tree, trees.nodes[_root_row(trees, tree)], 0, versions)
    pending = _first_level(trees)
    level = 0
    while pending > 0:
        pending = _gather_parents(trees, level, pending, versions)
        hash_nodes(trees.groups, pending, NODE_TAG, trees.digests)
        level += 1
        for place in range(pending):
            trees.names[place] = trees.parents[place]
            if _is_absent(trees.groups, place):
                for piece in range(HASH_PIECES):
                    trees.digests[place, piece] = 0


@kernel
def _root_row(trees: Trees, tree: int) -> int:
    return int(trees.offsets[tree, trees.depths[tree]])


@kernel
def _note_roots(trees: Trees, tree: int, root: Pieces, first: int, stop: int) -> None:
    """Let this be the root of the tree from version ``first`` to before ``stop``."""
    for version in range(first, stop):
        for piece in range(HASH_PIECES):
            trees.roots[version, tree, piece] = root[piece]


@kernel
def _first_level(trees: Trees) -> int:
    """Sort the noted leaves by key and version, one each, into the level; return how many."""
    count: int = trees.noted[0]
    trees.noted[0] = 0
    sort_keys(trees.entries, count)
    kept = 0
    for place in range(count):
        entry: int = trees.entries[place]
        name = entry >> ROW_BITS
        if kept > 0 and trees.names[kept - 1] == name:
            kept -= 1
        trees.names[kept] = name
        for piece in range(HASH_PIECES):
            trees.digests[kept, piece] = trees.leaves[entry & ((1 << ROW_BITS) - 1), piece]
        kept += 1
    return kept


@kernel
def _gather_parents(trees: Trees, level: int, pending: int, versions: int) -> int:
    """Store a level's nodes, and lay out every version of their parents; return how many.

    Trees that end at this level give their roots instead.
    """
    made = 0
    place = 0
    while place < pending:
        key = trees.names[place] >> VERSION_BITS
        tree = key >> TREE_SHIFT
        stop = place + 1
        if trees.depths[tree] == level:
            while stop < pending and trees.names[stop] >> VERSION_BITS == key:
                stop += 1
            _store_root(trees, tree, place, stop, versions)
        else:
            family = key >> ARITY_BITS
            while stop < pending and trees.names[stop] >> (VERSION_BITS + ARITY_BITS) == family:
                stop += 1
            made = _gather_family(trees, level, place, stop, made)
        place = stop
    return made


@kernel
def _store_root(trees: Trees, tree: int, first: int, stop: int, versions: int) -> None:
    """Store the last of a root's versions, and note each for as long as it stands."""
    for place in range(first, stop):
        version = trees.names[place] & (VERSIONS - 1)
        until = trees.names[place + 1] & (VERSIONS - 1) if place + 1 < stop else versions
        _note_roots(trees, tree, trees.digests[place], version, until)
    for piece in range(HASH_PIECES):
        trees.nodes[_root_row(trees, tree), piece] = trees.digests[stop - 1, piece]


@kernel
def _gather_family(trees: Trees, level: int, first: int, stop: int, made: int) -> int:
    """Store the children ``first .. stop`` of one node, and lay out the versions that it has.

    A version of the node has the children as they stand at that version. Returns how many nodes
    of the level above are laid out, ``made`` of them before.
    """
    eldest = trees.names[first] >> VERSION_BITS & ~(ARITY - 1)
    tree = eldest >> TREE_SHIFT
    index = eldest & INDEX_MASK
    row = trees.offsets[tree, level] + index
    parent = (tree << TREE_SHIFT) | (index >> ARITY_BITS)
    # Where the parents stand is read next; it comes while their hashes are made.
    above = trees.offsets[tree, level + 1] + (index >> ARITY_BITS & ~(ARITY - 1))
    prefetch_rows(trees.nodes, above, FAMILY_LINES)
    place = first
    for child in range(ARITY):
        trees.heads[child] = place
        while place < stop and trees.names[place] >> VERSION_BITS == eldest + child:
            place += 1
        for piece in range(HASH_PIECES):
            trees.groups[made, child * HASH_PIECES + piece] = trees.nodes[row + child, piece]
    left = stop - first
    while left > 0:
        version = VERSIONS
        for child in range(ARITY):
            version = min(version, _next_version(trees, child, eldest, stop))
        for child in range(ARITY):
            if _next_version(trees, child, eldest, stop) == version:
                head = trees.heads[child]
                for piece in range(HASH_PIECES):
                    trees.groups[made, child * HASH_PIECES + piece] = trees.digests[head, piece]
                    trees.nodes[row + child, piece] = trees.digests[head, piece]
                trees.heads[child] = head + 1
                left -= 1
        trees.parents[made] = (parent << VERSION_BITS) | version
        made += 1
        if left > 0:
            for piece in range(NODE_PIECES):
                trees.groups[made, piece] = trees.groups[made - 1, piece]
    return made


@kernel
def _next_version(trees: Trees, child: int, eldest: int, stop: int) -> int:
    """Return the version that a child of the family has next, VERSIONS if none."""
    head = trees.heads[child]
    if head < stop and trees.names[head] >> VERSION_BITS == eldest + child:
        return int(trees.names[head] & (VERSIONS - 1))
    return VERSIONS


@kernel
def _is_absent(groups: Pieces, place: int) -> bool:
    """Return whether no child of the node is present; happens when an append is taken back."""
    found = 0
    for piece in range(NODE_PIECES):
        found |= groups[place, piece]
    return found == 0


@kernel_entry
def put_leaves(trees: Trees, keys: Pieces, leaves: Pieces, count: int) -> None:
    """Store ``leaves[:count]`` under ``keys[:count]`` and rehash; repeated keys: the last wins."""
    for place in range(count):
        note_leaf(trees, 0, keys[place], leaves[place])
    climb(trees, 1)


class Forest:
    """Trees of fixed depths whose arrays grow with their capacities.

    ``trees`` goes to kernels as it is; a growth replaces it, so nobody keeps it across one.
    """

    def __init__(
        self, depths: Sequence[int], capacities: Sequence[int], leaves: int = LEAVES
    ) -> None:
        """Make empty trees: ``capacities[t]`` leaves have room in tree t of depth ``depths[t]``.

        ``leaves`` may climb together, at most 2^14.
        """
        self.capacities = [
            _checked_capacity(depth, capacity)
            for depth, capacity in zip(depths, capacities, strict=True)
        ]
        offsets, rows = _layout(np.array(depths, np.int64), self.capacities)

        def pieces(*shape: int) -> Pieces:
            return np.zeros(shape, np.int64)

        self.trees = Trees(
            nodes=pieces(rows, HASH_PIECES),
            offsets=offsets,
            depths=np.array(depths, np.int64),
            noted=pieces(1),
            entries=pieces(leaves),
            leaves=pieces(leaves, HASH_PIECES),
            names=pieces(leaves),
            digests=pieces(leaves, HASH_PIECES),
            parents=pieces(leaves),
            groups=pieces(leaves, NODE_PIECES),
            heads=pieces(ARITY),
            roots=pieces(VERSIONS, len(depths), HASH_PIECES),
        )

    @property
    def nodes(self) -> Pieces:
        """The nodes of all trees and levels, int64[:, 4]."""
        return self.trees.nodes

    @property
    def offsets(self) -> Pieces:
        """Row of ``nodes`` at which a level of a tree begins, int64[trees, levels]."""
        return self.trees.offsets

    @property
    def depths(self) -> Pieces:
        """Levels above the leaves, by tree, int64[trees]."""
        return self.trees.depths

    def grow(self, tree: int, needed: int) -> None:
        """Make room for ``needed`` leaves in a tree, at least doubling it if it must grow."""
        if needed <= self.capacities[tree]:
            return
        depth = int(self.depths[tree])
        _checked_capacity(depth, needed)
        old, old_capacities = self.trees, list(self.capacities)
        self.capacities[tree] = min(max(needed, 2 * self.capacities[tree]), ARITY**depth)
        offsets, rows = _layout(old.depths, self.capacities)
        self.trees = old._replace(nodes=np.zeros((rows, HASH_PIECES), np.int64), offsets=offsets)
        # New neighbours of the old nodes are absent, so no old node changes: copying is enough.
        for which, capacity in enumerate(old_capacities):
            for level in range(int(self.depths[which]) + 1):
                size = _level_rows(capacity, level)
                before, after = int(old.offsets[which, level]), int(offsets[which, level])
                self.nodes[after : after + size] = old.nodes[before : before + size]

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
        self.put_keys(keys, table)

    def put_keys(self, keys: Pieces, leaves: Pieces) -> None:
        """Store ``leaves`` int64[n, 4] under ``keys`` int64[n] and rehash; no growth."""
        together = self.trees.entries.shape[0]
        for start in range(0, keys.shape[0], together):
            part = np.ascontiguousarray(keys[start : start + together])
            table = np.ascontiguousarray(leaves[start : start + together])
            put_leaves(self.trees, part, table, part.shape[0])

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

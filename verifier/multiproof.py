"""Multiproofs of the quaternary trees, in their one canonical form (docs/protocol.md, section 2).

A tree is dense by index: of ``count`` leaves every index below ``count`` is present. A child whose
subtree starts at or beyond the count is absent, 32 zero bytes; a node without a present child is
absent too. The siblings of a proof stand level by level from the leaves up, and from left to right
within a level: in each group of four that holds a target, every child that is neither a target (or
an ancestor of one) nor absent. Of an empty set of targets the root itself is the only sibling.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clearing.codes import Tag
from clearing.keccak import tagged_hash
from verifier.codec import HASH_BYTES
from verifier.errors import VerifierError

ABSENT = bytes(HASH_BYTES)
ARITY = 4
ARITY_BITS = 2
_NO_CHILDREN = ABSENT * ARITY


class ProofError(VerifierError):
    """A proof is not the canonical one for its targets; the text says what was expected."""


def node_hash(children: bytes) -> bytes:
    """Return the hash of a node from its four children, 128 bytes; absent if all of them are."""
    return ABSENT if children == _NO_CHILDREN else tagged_hash(Tag.NODE, children)


def siblings_needed(depth: int, count: int, targets: Sequence[int]) -> list[tuple[int, int]]:
    """Return (level, index) of every sibling of the canonical proof, in its order.

    Level 0 holds the leaves. Raises ProofError for targets that are unsorted, repeated or outside
    the tree, or a count outside ``0 .. 4**depth``.
    """
    _check_shape(depth, count, targets)
    if not targets:
        return [(depth, 0)] if count else []
    needed: list[tuple[int, int]] = []
    known, width = list(targets), count
    for level in range(depth):
        inside = set(known)
        parents = _parents(known)
        needed.extend(
            (level, child)
            for parent in parents
            for child in _children(parent)
            if child < width and child not in inside
        )
        known, width = parents, _width_above(width)
    return needed


def root_from(
    depth: int,
    count: int,
    targets: Sequence[int],
    leaves: Sequence[bytes],
    siblings: Sequence[bytes],
) -> bytes:
    """Return the root that the proof stands for.

    ``leaves[k]`` is the hash of leaf ``targets[k]``. A target at or beyond the count stands for a
    leaf to be appended: absent (32 zero bytes) before it is, its hash afterwards. Raises ProofError
    if the targets are not sorted, distinct and inside the tree, if a leaf below the count is
    absent, if a hash is not 32 bytes, or unless every sibling is consumed exactly.
    """
    _check_shape(depth, count, targets)
    _check_hashes(count, targets, leaves, siblings)
    rest = iter(siblings)
    if not targets:
        known = {0: _take(rest, depth, 0) if count else ABSENT}
    else:
        known, width = dict(zip(targets, leaves, strict=True)), count
        for level in range(depth):
            known = _level_above(known, width, level, rest)
            width = _width_above(width)
    surplus = sum(1 for _ in rest)
    if surplus:
        raise ProofError(
            f"expected {len(siblings) - surplus} siblings for {len(targets)} targets of {count} "
            f"leaves, was {len(siblings)}; drop the surplus"
        )
    return known[0]


def dense_root(depth: int, leaves: Sequence[bytes]) -> bytes:
    """Return the root of a tree that holds ``leaves`` at the indices 0, 1, 2, ...

    Raises ProofError beyond 4**depth leaves.
    """
    if len(leaves) > ARITY**depth:
        raise ProofError(f"expected at most {ARITY**depth} leaves, was {len(leaves)}")
    level = list(leaves)
    for _ in range(depth):
        level.extend([ABSENT] * (-len(level) % ARITY))
        level = [
            node_hash(b"".join(level[start : start + ARITY]))
            for start in range(0, len(level), ARITY)
        ]
    return level[0] if level else ABSENT


def _level_above(
    known: dict[int, bytes], width: int, level: int, rest: Iterable[bytes]
) -> dict[int, bytes]:
    above: dict[int, bytes] = {}
    for parent in _parents(known):
        children = []
        for child in _children(parent):
            if child in known:
                children.append(known[child])
            elif child >= width:
                children.append(ABSENT)
            else:
                children.append(_take(rest, level, child))
        above[parent] = node_hash(b"".join(children))
    return above


def _take(rest: Iterable[bytes], level: int, index: int) -> bytes:
    for sibling in rest:
        return sibling
    raise ProofError(f"expected a sibling for node {index} of level {level}, was the proof's end")


def _parents(known: Iterable[int]) -> list[int]:
    # A dict keeps the ascending order that the targets came in.
    return list(dict.fromkeys(index >> ARITY_BITS for index in known))


def _children(parent: int) -> range:
    return range(parent * ARITY, parent * ARITY + ARITY)


def _width_above(width: int) -> int:
    return -(-width // ARITY)


def _check_shape(depth: int, count: int, targets: Sequence[int]) -> None:
    capacity = ARITY**depth
    if not 0 <= count <= capacity:
        raise ProofError(f"expected a count of 0 .. {capacity}, was {count}")
    last = -1
    for target in targets:
        if target <= last:
            raise ProofError(f"expected targets ascending from 0, was {target} after {last}")
        last = target
    if last >= capacity:
        raise ProofError(f"expected targets below {capacity}, was {last}")


def _check_hashes(
    count: int, targets: Sequence[int], leaves: Sequence[bytes], siblings: Sequence[bytes]
) -> None:
    if len(leaves) != len(targets):
        raise ProofError(f"expected {len(targets)} leaf hashes, was {len(leaves)}")
    for target, leaf in zip(targets, leaves, strict=True):
        if len(leaf) != HASH_BYTES or (target < count and leaf == ABSENT):
            raise ProofError(
                f"expected the {HASH_BYTES}-byte hash of present leaf {target}, was {leaf.hex()}"
            )
    for place, sibling in enumerate(siblings):
        if len(sibling) != HASH_BYTES:
            raise ProofError(f"expected {HASH_BYTES} bytes in sibling {place}, was {len(sibling)}")

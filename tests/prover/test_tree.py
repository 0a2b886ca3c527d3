"""The forest's arrays always hold what a rebuild from the leaves would hold."""

import numpy as np
import pytest
import sha3
from hypothesis import given
from hypothesis import strategies as st

from clearing.keccak import pieces, to_bytes
from prover.tree import TREE_SHIFT, VERSIONS, Forest, climb, note_leaf, sort_distinct
from verifier.multiproof import ABSENT, ProofError, root_from


def leaf(index):
    return sha3.keccak_256(b"leaf %d" % index).digest()


def plain_root(depth, leaves, index=0):
    """The definition of docs/protocol.md, section 2. ``leaves`` maps index to hash."""
    if not any(i >> 2 * depth == index for i in leaves):
        return bytes(32)
    if depth == 0:
        return leaves[index]
    children = b"".join(plain_root(depth - 1, leaves, 4 * index + c) for c in range(4))
    return sha3.keccak_256(children + b"\0").digest()


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 255, 256, 257])
def test_the_root_is_that_of_the_definition(count):
    forest = Forest([5], [1])
    forest.put(0, range(count), [leaf(i) for i in range(count)])
    assert forest.root(0) == plain_root(5, {i: leaf(i) for i in range(count)})


def test_a_golden_root():
    forest = Forest([1], [4])
    forest.put(0, range(3), [bytes([i]) * 32 for i in (1, 2, 3)])
    joined = b"\1" * 32 + b"\2" * 32 + b"\3" * 32 + bytes(32)
    assert forest.root(0) == sha3.keccak_256(joined + b"\0").digest()


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 63), st.integers(0, 9)), max_size=20),
        max_size=6,
    )
)
def test_random_updates_of_three_trees_equal_a_rebuild(rounds):
    depths = [6, 3, 4]
    forest = Forest(depths, [64, 64, 64])
    model: list[dict[int, bytes]] = [{}, {}, {}]
    for changes in rounds:
        keys = np.array([tree << TREE_SHIFT | index for tree, index, _ in changes], np.int64)
        hashes = [leaf(100 * index + value) for _, index, value in changes]
        digests = np.frombuffer(b"".join(hashes), ">i8").astype(np.int64).reshape(-1, 4)
        forest.put_keys(keys, np.ascontiguousarray(digests))
        for (tree, index, _), digest in zip(changes, hashes, strict=True):
            model[tree][index] = digest
    assert [forest.root(t) for t in range(3)] == [plain_root(depths[t], model[t]) for t in range(3)]


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 63), st.integers(0, 9)), max_size=9),
        min_size=1,
        max_size=12,
    )
)
def test_versions_that_climb_together_have_the_roots_that_they_have_one_by_one(versions):
    depths = [6, 3, 4]
    together, alone = Forest(depths, [64] * 3), Forest(depths, [64] * 3)
    roots = []
    for version, changes in enumerate(versions):
        for tree, index, value in changes:
            digest = pieces(leaf(100 * index + value))
            note_leaf(together.trees, version, tree << TREE_SHIFT | index, digest)
        for tree in range(3):
            put = {index: leaf(100 * index + value) for t, index, value in changes if t == tree}
            alone.put(tree, list(put), list(put.values()))
        roots.append([alone.root(tree) for tree in range(3)])
    climb(together.trees, len(versions))
    found = together.trees.roots[: len(versions)]
    assert [[to_bytes(root) for root in trees] for trees in found] == roots
    assert np.array_equal(together.nodes, alone.nodes)
    assert together.trees.noted[0] == 0


def test_as_many_versions_climb_together_as_there_may_be():
    together, alone = Forest([5], [256]), Forest([5], [256])
    for version in range(VERSIONS):
        note_leaf(together.trees, version, 3 * version, pieces(leaf(version)))
    climb(together.trees, VERSIONS)
    for version in range(VERSIONS):
        alone.put(0, [3 * version], [leaf(version)])
        assert to_bytes(together.trees.roots[version, 0]) == alone.root(0)


@given(st.lists(st.integers(0, 255), min_size=1), st.integers(1, 40))
def test_growing_changes_no_root(indices, capacity):
    grown, roomy = Forest([4, 4], [capacity, 3]), Forest([4, 4], [256, 256])
    for index in indices:
        for forest in (grown, roomy):
            forest.put(0, [index], [leaf(index)])
    grown.put(1, [0], [leaf(5)])
    assert grown.root(0) == roomy.root(0)
    assert grown.root(1) == plain_root(4, {0: leaf(5)})


def test_an_append_that_is_taken_back_leaves_no_trace():
    forest = Forest([4], [256])
    forest.put(0, range(16), [leaf(i) for i in range(16)])
    before, nodes = forest.root(0), forest.nodes.copy()
    forest.put(0, [16, 17, 70], [leaf(1), leaf(2), leaf(3)])
    assert forest.root(0) != before
    forest.put(0, [16, 17, 70], [ABSENT] * 3)
    assert forest.root(0) == before
    assert np.array_equal(forest.nodes, nodes)


@given(st.data())
def test_its_proofs_are_the_canonical_ones(data):
    count = data.draw(st.integers(0, 70))
    targets = sorted(data.draw(st.sets(st.integers(0, 80), max_size=12)))
    forest = Forest([4], [max(count, 1)])
    forest.put(0, range(count), [leaf(i) for i in range(count)])
    known = [leaf(t) if t < count else ABSENT for t in targets]
    proof = forest.siblings(0, count, targets)
    assert root_from(4, count, targets, known, proof) == forest.root(0)


@given(st.lists(st.integers(-(2**62), 2**62), max_size=200))
def test_keys_are_sorted_without_repetitions(values):
    keys = np.array(values, np.int64)
    kept = sort_distinct(keys, len(values))
    assert keys[:kept].tolist() == sorted(set(values))


def test_a_capacity_beyond_the_depth_is_refused():
    with pytest.raises(ProofError, match="a capacity of 1"):
        Forest([2], [17])
    with pytest.raises(ProofError, match="was 17"):
        Forest([2], [16]).put(0, [16], [leaf(0)])

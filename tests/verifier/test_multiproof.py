"""The canonical multiproof accepts exactly one list of siblings for a set of targets."""

import pytest
import sha3
from hypothesis import given
from hypothesis import strategies as st

from verifier.multiproof import ABSENT, ProofError, dense_root, root_from, siblings_needed

DEPTH = 3
CAPACITY = 4**DEPTH


def leaf(index):
    return sha3.keccak_256(b"leaf %d" % index).digest()


def plain_node(depth, leaves, level_index):
    """The tree's definition, node by node: (depth, index) -> hash."""
    if depth == 0:
        return leaves[level_index] if level_index < len(leaves) else bytes(32)
    children = b"".join(plain_node(depth - 1, leaves, 4 * level_index + c) for c in range(4))
    return sha3.keccak_256(children + b"\0").digest() if any(children) else bytes(32)


def plain_proof(leaves, targets):
    return [
        plain_node(level, leaves, i) for level, i in siblings_needed(DEPTH, len(leaves), targets)
    ]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 15, 16, 17, 63, 64])
def test_a_dense_root_is_the_root_of_the_definition(count):
    leaves = [leaf(i) for i in range(count)]
    assert dense_root(DEPTH, leaves) == plain_node(DEPTH, leaves, 0)


def test_an_empty_tree_has_root_zero():
    assert dense_root(DEPTH, []) == bytes(32)
    assert root_from(DEPTH, 0, [], [], []) == bytes(32)


def test_a_tree_of_depth_zero_is_its_leaf():
    assert dense_root(0, [leaf(0)]) == leaf(0)
    assert root_from(0, 1, [0], [leaf(0)], []) == leaf(0)


def test_the_siblings_of_one_target_stand_from_the_leaves_up_and_left_to_right():
    assert siblings_needed(DEPTH, CAPACITY, [6]) == [
        (0, 4), (0, 5), (0, 7), (1, 0), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3),
    ]  # fmt: skip


def test_absent_children_are_not_siblings():
    assert siblings_needed(DEPTH, 6, [4]) == [(0, 5), (1, 0)]


def test_of_no_targets_the_root_is_the_only_sibling():
    leaves = [leaf(0), leaf(1)]
    assert siblings_needed(DEPTH, 2, []) == [(DEPTH, 0)]
    assert root_from(DEPTH, 2, [], [], [plain_node(DEPTH, leaves, 0)]) == dense_root(DEPTH, leaves)


@given(st.data())
def test_every_set_of_targets_proves_the_root(data):
    count = data.draw(st.integers(1, CAPACITY))
    targets = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1)))
    leaves = [leaf(i) for i in range(count)]
    proof = plain_proof(leaves, targets)
    assert root_from(DEPTH, count, targets, [leaves[t] for t in targets], proof) == dense_root(
        DEPTH, leaves
    )


@given(st.data())
def test_targets_beyond_the_count_append(data):
    count = data.draw(st.integers(0, CAPACITY - 1))
    added = data.draw(st.integers(1, min(6, CAPACITY - count)))
    changed = sorted(data.draw(st.sets(st.integers(0, max(count - 1, 0)))) if count else [])
    before = [leaf(i) for i in range(count)]
    after = [leaf(1000 + i) if i in changed else leaf(i) for i in range(count + added)]
    targets = changed + list(range(count, count + added))
    proof = plain_proof(before, targets)
    old = [before[t] if t < count else ABSENT for t in targets]
    assert root_from(DEPTH, count, targets, old, proof) == dense_root(DEPTH, before)
    new = [after[t] for t in targets]
    assert root_from(DEPTH, count, targets, new, proof) == dense_root(DEPTH, after)


@given(st.data())
def test_a_missing_and_a_surplus_sibling_are_refused(data):
    count = data.draw(st.integers(2, CAPACITY))
    targets = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=count - 1)))
    leaves = [leaf(i) for i in range(count)]
    known = [leaves[t] for t in targets]
    proof = plain_proof(leaves, targets)
    with pytest.raises(ProofError, match="drop the surplus"):
        root_from(DEPTH, count, targets, known, [*proof, leaf(7)])
    if proof:
        with pytest.raises(ProofError, match="expected a sibling"):
            root_from(DEPTH, count, targets, known, proof[:-1])


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([2, 1], "ascending"),
        ([1, 1], "ascending"),
        ([-1], "ascending"),
        ([CAPACITY], "below"),
    ],
)
def test_targets_that_are_not_sorted_distinct_and_inside_are_refused(targets, message):
    with pytest.raises(ProofError, match=message):
        root_from(DEPTH, 5, targets, [leaf(t) for t in targets], [])


@pytest.mark.parametrize("count", [-1, CAPACITY + 1])
def test_a_count_outside_the_tree_is_refused(count):
    with pytest.raises(ProofError, match="count"):
        siblings_needed(DEPTH, count, [0])


def test_an_absent_leaf_below_the_count_is_refused():
    with pytest.raises(ProofError, match="present leaf 0"):
        root_from(DEPTH, 1, [0], [ABSENT], [])


def test_hashes_of_another_width_and_number_are_refused():
    with pytest.raises(ProofError, match="32-byte"):
        root_from(DEPTH, 1, [0], [b"short"], [])
    with pytest.raises(ProofError, match="32 bytes in sibling 0"):
        root_from(DEPTH, 2, [0], [leaf(0)], [b"short"])
    with pytest.raises(ProofError, match="1 leaf hashes"):
        root_from(DEPTH, 2, [0], [], [])
    with pytest.raises(ProofError, match="at most 64"):
        dense_root(DEPTH, [leaf(0)] * (CAPACITY + 1))

"""A remembered signer is the one that recovery gives, whatever came before it."""

import numpy as np
import pytest

from clearing.decode import recover_signers
from prover.signer_cache import SignerCache
from tests.support.actions import TRADE
from tests.support.world import World


def columns_of(world, *actions):
    return world.columns(actions)


def signed_actions(world):
    alice, bob = world.trader("alice"), world.trader("bob")
    return [world.withdraw(alice, 1), world.trade(alice, bob), world.withdraw(bob, 2)]


@pytest.mark.parametrize("entries", [1, 2, 1 << 10])
def test_signers_from_the_cache_are_those_of_recovery(entries):
    world, cache = World(), SignerCache(entries)
    actions = signed_actions(world)
    for _ in range(3):
        columns = columns_of(world, *actions)
        expected = columns.signers.copy()
        assert expected.any(axis=1).all()
        columns.signers[:] = 0
        recover_signers(columns, cache=cache)
        assert np.array_equal(columns.signers, expected)


def test_what_was_recovered_once_is_found_and_nothing_else_is():
    world, cache = World(), SignerCache()
    first, second, third = signed_actions(world)
    recover_signers(columns_of(world, first, second), cache=cache)
    columns = columns_of(world, first, third)
    signers = np.zeros_like(columns.signers)
    missing = cache.find(columns.signatures, columns.digests, signers)
    assert missing.tolist() == [1]
    assert np.array_equal(signers[0], columns.signers[0])


def test_the_same_digest_under_another_signature_is_another_pair():
    world, cache = World(), SignerCache()
    columns = columns_of(world, *signed_actions(world))
    recover_signers(columns, cache=cache)
    columns.signatures[0, 64] ^= 7
    missing = cache.find(columns.signatures, columns.digests, np.zeros_like(columns.signers))
    assert missing.tolist() == [0]


def test_a_signature_that_recovers_to_nobody_is_remembered_as_such():
    cache = SignerCache()
    for _ in range(2):
        columns = World().columns([TRADE])
        before = columns.signers.copy()
        recover_signers(columns, cache=cache)
        assert np.array_equal(columns.signers, before)


def test_only_powers_of_two_are_sizes():
    with pytest.raises(ValueError, match="power of two"):
        SignerCache(3)

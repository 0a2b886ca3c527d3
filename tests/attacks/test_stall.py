"""What costs nothing must not shut others out of the base layer."""

import pytest

from clearing.keys import address_of
from prover.challenger_process import RETRY_BLOCKS, ChallengerProcess
from prover.forge import mint
from tests.prover.chain_world import ChainWorld
from tests.verifier.court_world import ALICE, PROVER, World, claim, make_config
from verifier.base.mempool import censoring, first_come
from verifier.base.transactions import Faucet
from verifier.batches import BatchStatus
from verifier.errors import Refused, TransactionError


@pytest.fixture
def world():
    made = World(config=make_config(mempool_max=4))
    made.fund(ALICE, PROVER)
    return made


def fill(world, ahead):
    """Fill the pool from addresses that own nothing, and answer the names."""
    poor = [bytes([0x66, i] * 16) for i in range(world.config.mempool_max)]
    return [world.chain.submit(claim(world, key, ahead)) for key in poor]


@pytest.mark.parametrize("ahead", [0, 1, 2**40])
def test_a_pool_full_of_what_no_block_can_include_does_not_keep_a_prover_out(world, ahead):
    filled = fill(world, ahead)
    proof = world.chain.submit(claim(world, PROVER))
    assert filled[0] not in world.chain.mempool
    world.chain.mine()
    assert world.chain.receipt(proof) is not None


def test_what_could_not_be_included_either_makes_no_room_for_itself(world):
    filled = fill(world, ahead=1)
    with pytest.raises(Refused) as refused:
        world.chain.submit(claim(world, b"\x67" * 32, 1))
    assert refused.value.code == TransactionError.MEMPOOL_FULL
    assert all(name in world.chain.mempool for name in filled)


def test_what_can_be_included_is_never_dropped_for_another(world):
    world = World(config=make_config(mempool_max=1))
    world.fund(ALICE, PROVER)
    first = world.chain.submit(claim(world, ALICE))
    with pytest.raises(Refused) as refused:
        world.chain.submit(claim(world, PROVER))
    assert refused.value.code == TransactionError.MEMPOOL_FULL
    assert first in world.chain.mempool


def test_a_censored_challenger_offers_no_more_than_it_has_and_proves_when_the_censor_tires():
    market = ChainWorld()
    market.opening_batch()
    bad = market.forged_batch(mint(1, 10**9))
    key, balance = b"\x42" * 32, 10**8
    market.send(key, Faucet(address_of(key), balance, 0))
    process = ChallengerProcess(market.base, market.replica(), key)
    market.chain.mempool.policy = censoring(senders=[address_of(key)])
    for _ in range(10 * RETRY_BLOCKS):
        process.tick()
        market.mine()
    market.chain.mempool.policy = first_come
    for _ in range(2 * RETRY_BLOCKS):
        process.tick()
        market.mine()
    fallen = market.base.batch(bad)
    assert fallen is not None and fallen.status == BatchStatus.REVERTED
    assert market.base.account(address_of(key)).native > balance

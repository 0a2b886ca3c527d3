"""Builders of blocks that censor, copy and auction, and clocks that are off: every life goes on."""

from collections.abc import Collection, Sequence

import pytest

from clearing.recovery import address_of
from tests.attacks.ledger_audit import audit, events_of
from tests.attacks.lifecycles import LIFECYCLES
from tests.attacks.stage import COPYCAT, Lifecycle, Stage, begin
from verifier.base.mempool import Pending, Policy, delayed, shuffled
from verifier.base.transactions import SignedTransaction
from verifier.events import RewardSettled

EVERY_LIFE = pytest.mark.parametrize("life", LIFECYCLES, ids=lambda life: life.name)
BLOCKS_MAX = 600


def lived(life: Lifecycle, policy: Policy) -> Stage:
    stage = begin(life)
    with stage.policy(policy):
        stage.live(life, BLOCKS_MAX)
    audit(stage, life)
    return stage


def slowed(senders: Collection[bytes], blocks: int) -> Policy:
    """Return a policy that lets everything of these senders wait so many blocks."""
    slow = delayed(blocks)

    def policy(waiting: Sequence[Pending], number: int) -> Sequence[Pending]:
        ripe = {pending.signed.hash for pending in slow(waiting, number)}
        return [
            pending
            for pending in waiting
            if pending.signed.sender not in senders or pending.signed.hash in ripe
        ]

    return policy


def senders_of(life: Lifecycle) -> list[bytes]:
    keys = {move.key for group in life.groups for move in group if move.key}
    return sorted(address_of(key) for key in keys)


@EVERY_LIFE
def test_a_censor_who_delays_everybody_ends_nothing(life):
    for blocks in range(1, life.patience + 1):
        lived(life, delayed(blocks))


@EVERY_LIFE
def test_a_censor_who_delays_one_party_ends_nothing(life):
    for sender in senders_of(life):
        lived(life, slowed({sender}, life.patience))


@EVERY_LIFE
def test_a_builder_who_orders_by_chance_ends_nothing(life):
    for seed in range(4):
        lived(life, shuffled(seed))


def copying(stage: Stage) -> Policy:
    """Return a policy that sends everybody's calls in its own name, each before the call itself."""

    def policy(waiting: Sequence[Pending], number: int) -> Sequence[Pending]:
        chain, address = stage.chain, address_of(COPYCAT)
        nonce = chain.ledger.account(address).nonce
        offered: list[Pending] = []
        for pending in waiting:
            if pending.signed.sender != address:
                body = pending.signed.transaction.body
                copy = SignedTransaction.decode(stage.signed(COPYCAT, body, nonce))
                if copy.hash not in chain.mempool:
                    chain.mempool.add(copy, number)
                offered.append(Pending(copy, number))
                nonce += 1
            offered.append(pending)
        return offered

    return policy


@EVERY_LIFE
def test_a_builder_who_copies_every_call_and_goes_first_ends_nothing_and_earns_no_reward(life):
    stage = begin(life)
    with stage.policy(copying(stage)):
        stage.live(life, BLOCKS_MAX)
    audit(stage, life)
    settled = [event for event in events_of(stage) if isinstance(event, RewardSettled)]
    assert address_of(COPYCAT) not in [event.winner for event in settled]


def auction(price_of: dict[int, int]) -> Policy:
    """Return a policy that takes only who pays the price of the block, the dearest first."""

    def policy(waiting: Sequence[Pending], number: int) -> Sequence[Pending]:
        price = price_of[number % len(price_of)]
        able = [one for one in waiting if one.signed.transaction.fee_per_gas >= price]
        return sorted(able, key=lambda one: -one.signed.transaction.fee_per_gas)

    return policy


@EVERY_LIFE
@pytest.mark.parametrize("prices", [(64,), (1, 1, 32, 32, 32, 32, 4)])
def test_where_blocks_get_dear_whoever_bids_more_gets_in(life, prices):
    stage = begin(life)
    stage.bids = True
    with stage.policy(auction(dict(enumerate(prices)))):
        stage.live(life, BLOCKS_MAX)
    audit(stage, life)


@EVERY_LIFE
@pytest.mark.parametrize("pace_ms", [-5_000, 0, 1, 5_000, 20_000])
def test_whatever_the_pace_of_blocks_a_life_reaches_its_end(life, pace_ms):
    """A clock that stands or runs back makes blocks a millisecond apart; a fast one, far apart."""
    stage = begin(life)
    stage.pace_ms = pace_ms
    stage.live(life, BLOCKS_MAX)
    audit(stage, life)


@EVERY_LIFE
@pytest.mark.parametrize("ahead", [-3, -1, 1])
def test_a_proposer_whose_clock_is_off_by_what_is_allowed_is_not_held_up(life, ahead):
    """Law time may lead the base layer's by the drift, and lag behind it by more."""
    stage = begin(life)
    stage.skew_ms = ahead * stage.config.drift_ms
    stage.live(life, BLOCKS_MAX)
    audit(stage, life)

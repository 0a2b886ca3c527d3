"""The drill: the operator is dead, its disk is gone, everybody leaves with base-layer bytes."""

import random
from dataclasses import replace
from functools import partial

import pytest

from clearing.keys import address_of
from clearing.units import LAW_VERSION
from prover.exits import claimants, exit_claim, exit_opening
from prover.forge import BatchForge, mint
from prover.rebuild import RebuildError, check_snapshot, rebuild
from prover.replica import MIGRATIONS, Replica
from prover.snapshot import SnapshotError, describe, load_snapshot, take_snapshot
from tests.prover.chain_world import SEQUENCER, ChainWorld, decode_header
from tests.prover.market import FIRST_PRICE, key_of
from verifier.base.transactions import (
    AnnounceLaw,
    BeginExit,
    ClaimExit,
    Deposit,
    Faucet,
    Finalise,
    Freeze,
    PayExit,
    ProveFraud,
    RefundDeposit,
    TakeSurplus,
)
from verifier.config import FINALITY_EPOCHS
from verifier.evidence import check_bad_step
from verifier.freeze import Mode

HOUR_MS = 3_600_000
HELPER = key_of(700)  # who has no account, and brings everybody home


class Drill(ChainWorld):
    """A house that trades, and then dies."""

    def batch(self, actions, time=None):
        """Post a batch of these actions; every one is applied."""
        self.now = max(self.now, time or self.now)
        forge = BatchForge(self.engine)
        steps = forge.honest(actions, self.now)
        assert not steps.codes.any(), steps.codes
        return self.post(forge.finish(self.place()))

    def price(self, prices):
        """Let an hour pass and the marks be these, of market 0 on."""
        self.now += HOUR_MS
        self.market.time = self.now
        actions = [self.market.price(i, price) for i, price in enumerate(prices)]
        return self.batch(actions)

    def die(self):
        """Lose the operator with all it had, and let the base layer go on."""
        self.send(HELPER, Faucet(address_of(HELPER), 10**15, 0))
        del self.engine
        self.now += self.config.freeze_lag_ms + 1
        self.mine(self.config.final_after_blocks + 1)
        heads = self.base.heads()
        for view in self.base.batches(heads.finalised_number + 1, 1_000):
            self.send(HELPER, Finalise(view.record.batch_id))
        self.send(HELPER, Freeze())
        self.mine(FINALITY_EPOCHS * self.config.epoch_blocks)
        assert self.base.standing().mode == Mode.FROZEN

    def leave(self, engine, seed=1):
        """File every claim and have it paid, in random orders; return what each account got."""
        chance = random.Random(seed)
        self.send(HELPER, BeginExit(exit_opening(engine).encode()))
        accounts = list(claimants(engine))
        for account in chance.sample(accounts, len(accounts)):
            self.send(HELPER, ClaimExit(exit_claim(engine, account).encode()))
        self.mine(self.config.exit_claim_blocks + 1)
        paid = {}
        for account in chance.sample(accounts, len(accounts)):
            (event,) = self.send(HELPER, PayExit(account)).events
            paid[account] = event.amounts[0]
        totals = self.base.exit_totals()
        assert sum(paid.values()) == totals.paid[0]
        assert totals.paid[0] + totals.left[0] == totals.escrow[0]
        assert totals.claims == totals.claims_paid == len(accounts)
        return paid, totals


def traded(accounts=4):
    """A house in which accounts have traded and withdrawn; three batches are posted."""
    drill = Drill(accounts)
    drill.opening_batch()
    market = drill.market
    drill.batch([market.trade(i % 3, i % 3 + 1, i % 2, lots=700) for i in range(6)])
    drill.batch([market.withdraw(0, 10**6), market.transfer(1, 2), market.cancel(3, 65_535)])
    return drill


def worth(drill, account):
    """What the claim of an account is worth."""
    filed = drill.base.exit_claim(account)
    assert filed is not None
    return filed.worth


def test_drill_everybody_leaves_in_full_from_base_layer_bytes_alone():
    drill = traded()
    drill.die()
    replica = rebuild(drill.base, drill.market.genesis)
    assert replica.engine.root() == drill.base.heads().tip_root
    before = [drill.base.account(address_of(key_of(i))).token for i in range(4)]
    paid, totals = drill.leave(replica.engine)
    # Nobody is bankrupt: each gets his equity to the micro-quote, and fees and dust are left.
    assert totals.escrow[0] == int(replica.engine.totals.custody)
    assert totals.senior + totals.junior == sum(paid.values())
    assert 0 < totals.left[0] == totals.escrow[0] - totals.senior - totals.junior
    after = [drill.base.account(address_of(key_of(i))).token for i in range(4)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [paid[i] for i in range(4)]
    assert drill.base.solvency().holds
    drill.mine(drill.config.exit_end_blocks)
    beneficiary = drill.base.account(drill.config.beneficiary).token
    drill.send(HELPER, TakeSurplus(0))
    assert drill.base.account(drill.config.beneficiary).token == beneficiary + totals.left[0]


def test_drill_in_a_crash_with_bankrupt_accounts_seniors_leave_before_juniors():
    drill = Drill(5)
    drill.opening_batch()
    market = drill.market
    # Account 0 goes long against 1 with all it has and more; 2 and 3 hold a little, 4 nothing.
    drill.batch([market.trade(0, 1, lots=150_000), market.trade(2, 3, 1, lots=1_000)])
    price = FIRST_PRICE
    while price > FIRST_PRICE * 85 // 100:
        price = price * 97 // 100
        drill.price([price])
    drill.die()
    engine = rebuild(drill.base, drill.market.genesis).engine
    stable = int(engine.state.instruments[0].stable_price)
    assert stable < FIRST_PRICE * 93 // 100
    paid, totals = drill.leave(engine)
    assert paid[0] == 0
    # What account 0 owes beyond its deposit, account 1 does not get of its profit.
    claim = worth(drill, 1)
    assert claim.junior > 0
    assert totals.senior < totals.escrow[0] < totals.senior + totals.junior
    for account in (2, 3, 4):
        assert paid[account] >= worth(drill, account).senior
    assert claim.senior < paid[1] < claim.senior + claim.junior
    assert totals.left[0] <= len(paid)  # nothing but roundings


def test_drill_any_order_of_claims_and_payments_gives_the_same():
    results = []
    for seed in (2, 3):
        drill = traded()
        drill.price([FIRST_PRICE * 103 // 100])
        drill.die()
        results.append(drill.leave(rebuild(drill.base, drill.market.genesis).engine, seed))
    assert results[0] == results[1]


def test_drill_deposits_and_withdrawals_on_their_way_are_paid_beside_the_exit():
    drill = traded()
    drill.send(key_of(2), Deposit(address_of(key_of(2)), 0, 0, 123_456))
    index = drill.chain.court.inbox.count - 1
    drill.die()
    engine = rebuild(drill.base, drill.market.genesis).engine
    _, totals = drill.leave(engine)
    solvency = drill.base.solvency()
    assert (solvency.unclaimed, solvency.unconsumed) == (10**6, 123_456)
    assert solvency.escrow == totals.left[0] + 10**6 + 123_456
    drill.send(HELPER, RefundDeposit(index))
    assert drill.base.solvency().holds


def test_drill_a_fraud_proven_after_the_freeze_moves_the_exit_root():
    drill = traded()
    good = drill.base.heads().tip_id
    forged = drill.forged_batch(mutate=mint(0, 5))
    drill.send(HELPER, Faucet(address_of(HELPER), 10**15, 0))
    drill.now += drill.config.freeze_lag_ms + 1
    drill.send(HELPER, Freeze())
    _prove(drill, forged)
    assert drill.base.heads().tip_id == good
    drill.mine(drill.config.final_after_blocks + 1)
    for view in drill.base.batches(drill.base.heads().finalised_number + 1, 1_000):
        drill.send(HELPER, Finalise(view.record.batch_id))
    drill.leave(drill.engine)


# Snapshots


def test_a_snapshot_is_the_state_and_an_engine_goes_on_from_it():
    drill = traded()
    replica = rebuild(drill.base, drill.market.genesis, 3)
    data = take_snapshot(replica.engine, 3, replica.batch_id)
    engine, claimed = load_snapshot(drill.market.genesis, data)
    assert claimed == describe(data)
    assert (claimed.number, claimed.batch_id) == (3, replica.batch_id)
    assert engine.root() == replica.engine.root()
    assert take_snapshot(engine, 3, replica.batch_id) == data
    drill.honest_batch()
    drill.die()
    later = rebuild(drill.base, drill.market.genesis, snapshot=data)
    assert later.engine.root() == drill.base.heads().tip_root
    assert check_snapshot(drill.base, drill.market.genesis, data).number == 3
    drill.leave(later.engine)


def test_a_snapshot_counts_only_if_its_batch_is_final_with_its_root():
    drill = traded()
    genesis = drill.market.genesis
    replica = rebuild(drill.base, genesis, 3)
    early = take_snapshot(replica.engine, 3, replica.batch_id)
    with pytest.raises(SnapshotError, match="is unknown"):
        check_snapshot(drill.base, genesis, early)
    drill.mine(FINALITY_EPOCHS * drill.config.epoch_blocks)
    with pytest.raises(SnapshotError, match="is posted"):
        check_snapshot(drill.base, genesis, early)
    drill.die()
    for number, name in ((2, replica.batch_id), (3, bytes(32))):
        with pytest.raises(SnapshotError):
            check_snapshot(drill.base, genesis, take_snapshot(replica.engine, number, name))
    assert check_snapshot(drill.base, genesis, early).number == 3


def test_a_damaged_snapshot_is_refused_wherever_a_bit_is_flipped():
    drill = traded()
    genesis = drill.market.genesis
    replica = rebuild(drill.base, genesis, 3)
    data = take_snapshot(replica.engine, 3, replica.batch_id)
    chance = random.Random(5)
    for place in [0, 5, *(chance.randrange(80, len(data)) for _ in range(25))]:
        wrong = bytearray(data)
        wrong[place] ^= 1 << chance.randrange(8)
        with pytest.raises(SnapshotError):
            load_snapshot(genesis, bytes(wrong))
    for cut in (b"", data[:-1], data + b"\x00", data[:200]):
        with pytest.raises(SnapshotError):
            load_snapshot(genesis, cut)


def test_a_rebuild_stops_where_the_law_does_not_confirm_what_was_posted():
    drill = traded()
    drill.forged_batch(mutate=mint(0, 5))
    with pytest.raises(RebuildError, match="batch 4, was another one at step"):
        rebuild(drill.base, drill.market.genesis, 4)
    assert rebuild(drill.base, drill.market.genesis, 3).number == 3
    with pytest.raises(RebuildError, match="expected batch 5 on the base layer, was none"):
        honest = traded()
        honest.honest_batch()
        rebuild(honest.base, honest.market.genesis, 5)


def _prove(drill, forged):
    """Have a forged batch taken back."""
    replica = rebuild(drill.base, drill.market.genesis, drill.base.heads().tip_number - 1)
    header = decode_header(drill.base.batch(forged))
    judged = replica.judge(header, drill.base.batch_data(forged))
    drill.send(HELPER, ProveFraud(forged, judged.evidence))
    drill.engine = replica.engine


# Another law

NEXT_LAW = LAW_VERSION + 1


def write_version(state):
    """All that the next law changes: its first step writes its version into the globals."""
    state.globals[0].law_version = NEXT_LAW


check_next_law = partial(check_bad_step, migrate=write_version)
LAWS = {LAW_VERSION: check_bad_step, NEXT_LAW: check_next_law}
NEXT_MIGRATIONS = {**MIGRATIONS, NEXT_LAW: write_version}


class NextLawDrill(Drill):
    """A house that goes over to another law, whose rules are the same."""

    def __init__(self, accounts=4):
        super().__init__(accounts, laws=LAWS)

    def next_batch(self, mutate=None):
        """Post a batch of trades under the next law; the last step is forged if it mutates."""
        forge = BatchForge(self.engine)
        if int(self.engine.totals.law_version) != NEXT_LAW:
            self.engine.edit(write_version)
        forge.honest([self.market.trade(0, 1), self.market.trade(1, 2)], self.now)
        if mutate is not None:
            forge.forged([self.market.trade(1, 2)], self.now, None, mutate)
        posting = forge.finish(self.place())
        header = replace(posting.header, law_version=NEXT_LAW)
        return self.post(replace(posting, header=header))

    def replica(self):
        return Replica(self.market.genesis, 8, migrations=NEXT_MIGRATIONS)

    def switch(self):
        """Announce the next law for the batch after the next, and let the timelock pass."""
        number = self.base.heads().tip_number + 2
        self.send(SEQUENCER, AnnounceLaw(NEXT_LAW, number))
        self.honest_batch()
        self.now = self.base.standing().next_law_ms


def rebuilt(drill, *arguments, **keywords):
    return rebuild(
        drill.base, drill.market.genesis, *arguments, migrations=NEXT_MIGRATIONS, **keywords
    )


def test_drill_across_an_upgrade_of_the_law():
    drill = NextLawDrill()
    drill.opening_batch()
    drill.switch()
    drill.next_batch()
    drill.next_batch()
    drill.die()
    replica = rebuilt(drill)
    assert replica.engine.root() == drill.base.heads().tip_root
    assert int(replica.engine.totals.law_version) == NEXT_LAW
    paid, totals = drill.leave(replica.engine)
    assert totals.senior + totals.junior == sum(paid.values())
    # Whoever runs the old program cannot follow, and says so instead of accusing anybody.
    with pytest.raises(RebuildError, match=f"runs \\({LAW_VERSION}\\), was {NEXT_LAW}"):
        rebuild(drill.base, drill.market.genesis)


@pytest.mark.parametrize("under_the_next", [False, True])
def test_a_batch_before_and_one_after_the_upgrade_fall_each_by_its_own_law(under_the_next):
    drill = NextLawDrill()
    drill.opening_batch()
    if under_the_next:
        drill.switch()
        number = drill.base.heads().tip_number + 1
        forged = drill.next_batch(mint(0, 5))
    else:
        number = drill.base.heads().tip_number + 1
        forged = drill.forged_batch(mutate=mint(0, 5))
        drill.switch()
    replica = rebuilt(drill, number - 1)
    header = decode_header(drill.base.batch(forged))
    judged = replica.judge(header, drill.base.batch_data(forged))
    drill.send(HELPER, Faucet(address_of(HELPER), 10**15, 0))
    assert judged.step > 0
    drill.send(HELPER, ProveFraud(forged, judged.evidence))
    assert drill.base.heads().tip_number == number - 1


def test_a_forged_first_step_of_the_next_law_is_proven_from_the_old_laws_state():
    drill = NextLawDrill()
    drill.opening_batch()
    drill.switch()
    number = drill.base.heads().tip_number + 1
    forge = BatchForge(drill.engine)
    drill.engine.edit(write_version)
    forge.forged([drill.market.trade(1, 2)], drill.now, None, mint(0, 5))
    posting = forge.finish(drill.place())
    header = replace(posting.header, law_version=NEXT_LAW)
    forged = drill.post(replace(posting, header=header))
    judged = rebuilt(drill, number - 1).judge(header, posting.data)
    assert judged.step == 0
    assert check_next_law(header, judged.evidence) is True
    drill.send(HELPER, Faucet(address_of(HELPER), 10**15, 0))
    drill.send(HELPER, ProveFraud(forged, judged.evidence))
    assert drill.base.heads().tip_number == number - 1

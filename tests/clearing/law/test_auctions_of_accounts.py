"""Auctions of failing accounts: when they run, what a slice costs, who pays whom."""

from dataclasses import replace
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.codes import Code, InstrumentStatus, Kind, Operation, Side
from clearing.codes import Fund as FundId
from clearing.units import AMOUNT_MAX, PPM
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.world import DEPOSIT, MARK, START_MS, TIERS, Trader, World

LASTING = {"price_stale_margin_ms": 1 << 39, "price_stale_open_ms": 1 << 39}
FAST, SLOW = 900_000, 43_200_000


def failing_world(mark=48_000_000, legs=(0,), **genesis):
    """Alice bought 50 lots of each market at 50 on 150 (380 for two); Kate may bid."""
    world = World(**LASTING | genesis)
    alice, bob = (
        world.trader("alice", 230_000_000 * len(legs) - 80_000_000),
        world.trader("bob", 10 * DEPOSIT),
    )
    kate = world.trader("kate", 10 * DEPOSIT)
    for leg in legs:
        assert world.apply(world.trade(alice, bob, 50, instrument=leg)) == Code.APPLIED
    for leg in legs:
        world.move_price(mark, leg)
    return world, alice, bob, kate


def start(world, trader):
    return world.apply(world.request(Kind.AUCTION_START, account=trader.account))


def bid(world, bidder, failing, fraction=PPM, limit=AMOUNT_MAX, **changes):
    fields = {"fraction_ppm": fraction, "limit": limit, **changes}
    return world.request(
        Kind.AUCTION_BID, bidder.key, bidder=bidder.account, account=failing.account, **fields
    )


class Bid(Case):
    """Alice's auction has just begun, and Kate bids for all that is on offer."""

    def prepare(self):
        self.world, self.alice, _, self.kate = failing_world()
        assert start(self.world, self.alice) == Code.APPLIED
        self.failing, self.signer = self.alice, self.kate
        self.changes = {"sequence": 7}

    def action(self):
        forged = Trader(self.signer.name, self.kate.account)
        return bid(self.world, forged, self.failing, **self.changes)


def rescued(case):
    assert case.world.apply(case.world.deposit(case.alice, DEPOSIT)) == Code.APPLIED


def stale(case):
    case.world.account(case.kate).request_sequence = 7


def poor(case):
    request = case.world.withdraw(case.kate, 10 * DEPOSIT, sequence=1)
    assert case.world.apply(request) == Code.APPLIED


def in_market(**values):
    def fault(case):
        for name, value in values.items():
            setattr(case.world.instrument(), name, value)

    return fault


FAULTS = {
    **COMMON,
    Code.NO_ACCOUNT: lambda case: setattr(case, "failing", Trader("alice", 99)),
    Code.EXPIRED: lambda case: case.changes.update(expiry=START_MS - 1),
    Code.BAD_SIGNATURE: lambda case: setattr(case, "signer", Trader("mallory", 0)),
    Code.STALE_SEQUENCE: stale,
    Code.SELF_TRADE: lambda case: setattr(case, "failing", case.kate),
    Code.AUCTION_CLOSED: lambda case: setattr(case.world.account(case.alice), "auction_time", 0),
    Code.PRICE_STALE: in_market(price_time=START_MS - (1 << 39) - 10_000),
    Code.GATED: in_market(grace_until=START_MS + 10_000),
    Code.OPERATION_OPEN: in_market(operation=Operation.DELEVERAGE),
    Code.HEALTHY: rescued,
    Code.UNDERPRICED: lambda case: case.changes.update(limit=19_402_277),
    Code.POSITION_CAP: in_market(position_cap=20),
    Code.MARGIN: poor,
}
ORDER = list(FAULTS)


def fault(*codes):
    return outcome(Bid, FAULTS, *codes)


def test_a_bid_with_a_byte_too_many_is_malformed_clr_act_001():
    assert fault(Code.MALFORMED) == Code.MALFORMED


def test_a_bid_for_an_account_that_does_not_exist_is_rejected_clr_act_006():
    assert fault(Code.NO_ACCOUNT) == Code.NO_ACCOUNT


def test_a_bid_that_the_bidder_did_not_sign_is_rejected_clr_sig_001():
    assert fault(Code.BAD_SIGNATURE) == Code.BAD_SIGNATURE


def test_a_bid_for_oneself_is_rejected_clr_trd_001():
    assert fault(Code.SELF_TRADE) == Code.SELF_TRADE


def test_a_bid_without_an_open_auction_is_rejected_clr_auc_001():
    assert fault(Code.AUCTION_CLOSED) == Code.AUCTION_CLOSED


def test_a_bid_while_a_sweep_is_open_over_a_leg_is_rejected_clr_swp_001():
    assert fault(Code.OPERATION_OPEN) == Code.OPERATION_OPEN


def test_a_bid_before_people_could_answer_an_outage_is_rejected_clr_gat_001():
    assert fault(Code.GATED) == Code.GATED


def test_a_bid_for_a_healthy_account_is_rejected_clr_liq_002():
    assert fault(Code.HEALTHY) == Code.HEALTHY


def test_a_bid_below_the_schedule_is_rejected_clr_auc_002():
    case = Bid()
    case.changes["limit"] = 19_402_277
    assert case.outcome() == Code.UNDERPRICED
    case.changes["limit"] = 19_402_278
    assert case.outcome() == Code.APPLIED


def test_a_bidder_without_margin_is_rejected_clr_mrg_001():
    assert fault(Code.MARGIN) == Code.MARGIN


@pairs(FAULTS, ORDER)
def test_of_two_broken_rules_the_first_is_named(first, second):
    assert fault(second, first) == first


def test_an_auction_starts_once_and_only_for_who_fails():
    world, alice, bob, kate = failing_world()
    assert start(world, Trader("nobody", 99)) == Code.NO_ACCOUNT
    assert start(world, bob) == Code.HEALTHY
    assert start(world, kate) == Code.NO_POSITION
    assert start(world, alice) == Code.APPLIED
    began = world.account(alice).auction_time
    assert began == world.time
    world.wait(1)
    assert start(world, alice) == Code.NOT_NEEDED
    assert world.account(alice).auction_time == began


def test_anyone_ends_the_auction_of_an_account_that_is_healthy_again():
    world, alice, _, _ = failing_world()
    assert start(world, alice) == Code.APPLIED
    assert world.apply(world.deposit(alice, DEPOSIT)) == Code.APPLIED
    assert start(world, alice) == Code.APPLIED
    assert world.account(alice).auction_time == 0
    assert start(world, alice) == Code.HEALTHY


def test_a_slice_heals_the_account_with_a_buffer_and_ends_the_auction():
    world, alice, _, kate = failing_world()
    assert start(world, alice) == Code.APPLIED
    assert world.apply(bid(world, kate, alice)) == Code.APPLIED
    # Equity 50, maintenance 72: 32.8 are missing to the buffer, f = 32.8 / (32.8 + 50 * 0.95).
    assert (world.lots(alice), world.lots(kate)) == (29, 21)
    # 408,469 ppm of the equity are worth 20,423,450 and cost 19,402,278.
    reward = 20_423_450 - 19_402_278
    assert world.account(kate).cash == 10 * DEPOSIT - 21 * 48_000_000 + reward
    assert world.account(alice).cash == 150_000_000 - 50 * MARK + 21 * 48_000_000 - reward
    assert world.account(alice).auction_time == 0
    assert world.fund(FundId.INSURANCE) == 0


def test_a_bid_serves_once_clr_sig_002():
    world, alice, _, kate = failing_world()
    assert start(world, alice) == Code.APPLIED
    request = bid(world, kate, alice, fraction=10_000, sequence=7)
    assert world.apply(request) == Code.APPLIED
    assert world.account(kate).request_sequence == 7
    lots = world.lots(kate)
    assert world.apply(request) == Code.STALE_SEQUENCE
    assert world.lots(kate) == lots > 0


def test_a_slice_is_the_same_fraction_of_every_leg():
    world, alice, _, kate = failing_world(legs=(0, 1))
    assert start(world, alice) == Code.APPLIED
    assert world.apply(bid(world, kate, alice, 60_000)) == Code.APPLIED
    assert (world.lots(kate, 0), world.lots(kate, 1)) == (3, 3)
    assert (world.lots(alice, 0), world.lots(alice, 1)) == (47, 47)
    assert world.account(alice).auction_time != 0


@pytest.mark.parametrize(
    ("elapsed", "discount"),
    [(0, 950_000), (FAST // 2, 825_000), (FAST, 700_000), (FAST + SLOW // 2, 350_000)],
)
def test_the_price_falls_with_law_time(elapsed, discount):
    world, alice, _, kate = failing_world()
    assert start(world, alice) == Code.APPLIED
    world.wait(elapsed)
    cost = ceil(Fraction(50_000_000 * discount, PPM) * Fraction(1, 10))
    assert world.apply(bid(world, kate, alice, 100_000, limit=cost - 1)) == Code.UNDERPRICED
    assert world.apply(bid(world, kate, alice, 100_000, limit=cost)) == Code.APPLIED
    assert world.account(kate).cash == 10 * DEPOSIT - 5 * 48_000_000 + 5_000_000 - cost


@pytest.mark.parametrize(
    ("elapsed", "payout"), [(0, 0), (SLOW // 4, 16_875_000), (SLOW, 67_500_000)]
)
def test_who_takes_a_bankrupt_account_is_paid_by_insurance_more_the_longer_it_takes(
    elapsed, payout
):
    # 50 lots at 45: equity -100, maintenance 67.5.
    world, alice, _, kate = failing_world(45_000_000)
    world.endow(FundId.INSURANCE, DEPOSIT)
    assert start(world, alice) == Code.APPLIED
    world.wait(elapsed)
    assert world.apply(bid(world, kate, alice, limit=0)) == Code.APPLIED
    assert world.account(kate).cash == 10 * DEPOSIT - 50 * 45_000_000 + payout
    assert world.account(alice).cash == 0
    assert world.fund(FundId.INSURANCE) == DEPOSIT - 100_000_000 - payout


def test_what_insurance_pays_for_an_auction_stays_within_the_tranches_of_its_markets():
    tiers = tuple(replace(tier, insurance_cap=30_000_000) for tier in TIERS)
    world, alice, _, kate = failing_world(45_000_000, legs=(0, 1), tiers=tiers)
    world.endow(FundId.INSURANCE, DEPOSIT)
    assert start(world, alice) == Code.APPLIED
    world.wait(SLOW)
    assert world.apply(bid(world, kate, alice)) == Code.APPLIED
    assert world.fund(FundId.INSURANCE) == DEPOSIT - 60_000_000
    assert [int(world.instrument(leg).insurance_used) for leg in (0, 1)] == [30_000_000] * 2
    assert world.account(alice).cash == -120_000_000
    assert world.instrument().debt == 120_000_000


def test_a_leg_that_settles_stays_where_it_is():
    world, alice, _, kate = failing_world(legs=(0, 1))
    assert start(world, alice) == Code.APPLIED
    world.instrument(1).status = InstrumentStatus.SETTLING
    world.instrument(1).settle_price = 48_000_000
    # What settles needs no margin, so the account must be poorer to fail.
    world.account(alice).cash -= 120_000_000
    world.account(kate).cash += 120_000_000
    assert world.apply(bid(world, kate, alice, 100_000)) == Code.APPLIED
    assert (world.lots(kate, 0), world.lots(kate, 1)) == (5, 0)


@settings(max_examples=40)
@given(
    st.integers(43_000_000, 48_453_608),  # from 48,453,609 on alice is healthy
    st.integers(1, PPM),
    st.integers(0, FAST + SLOW + 1),
    st.sampled_from([0, 50_000_000, DEPOSIT]),
)
def test_no_bid_takes_more_than_the_account_and_the_tranche_can_give(mark, part, elapsed, fund):
    world, alice, _, kate = failing_world(mark)
    world.endow(FundId.INSURANCE, fund)
    assert start(world, alice) == Code.APPLIED
    world.wait(elapsed)
    equity = int(world.account(alice).cash) + 50 * mark
    assert world.apply(bid(world, kate, alice, part)) == Code.APPLIED
    gained = int(world.account(kate).cash) + world.lots(kate) * mark - 10 * DEPOSIT
    assert 0 <= gained <= max(0, equity) + fund
    left = int(world.account(alice).cash) + world.lots(alice) * mark
    assert left >= min(0, equity)
    if equity > 0:
        assert world.fund(FundId.INSURANCE) == fund
        assert gained + left == equity


def test_a_short_is_auctioned_as_a_long_is():
    world = World(**LASTING)
    alice, bob = world.trader("alice", 150_000_000), world.trader("bob", 10 * DEPOSIT)
    kate = world.trader("kate", 10 * DEPOSIT)
    assert world.apply(world.trade(alice, bob, 50, side=Side.SELL)) == Code.APPLIED
    world.move_price(52_000_000)
    assert start(world, alice) == Code.APPLIED
    assert world.apply(bid(world, kate, alice)) == Code.APPLIED
    assert world.lots(alice) + world.lots(kate) == -50
    assert world.lots(kate) < 0

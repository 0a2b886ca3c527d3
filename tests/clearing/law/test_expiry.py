"""Expiry: the mean over the settlement window is frozen, and both sides are paid by it exactly."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.codes import Code, Fund, InstrumentStatus, Kind, Status
from clearing.marks import mark_price
from clearing.units import AMOUNT_MAX
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.options import CALLS, EXPIRY_MS, FUTURE, PERPETUAL, PUTS, OptionWorld
from tests.support.world import DEPOSIT, MARK, TIERS

WINDOW_MS = 1_800_000


def go_to(world, time, index=MARK):
    """Let it be `time`, and the reference market's price be taken then."""
    world.time = time
    assert world.apply(world.price(PERPETUAL, MARK, index)) == Code.APPLIED


def holding(instrument=FUTURE, lots=10, price=MARK, **changes):
    """A world in which long holds lots of a market that short sold."""
    world = OptionWorld(price_jump_ppm=1_000_000, **changes)
    world.wait(1_000)
    short, long = world.trader("short"), world.trader("long")
    if instrument not in (PERPETUAL, FUTURE):
        world.publish_rows(extra=1_000_000)
    trade = world.trade(short, long, lots, price, instrument=instrument, side=2)
    assert world.apply(trade) == Code.APPLIED
    return world, long, short


def settled(world, trader, instrument=FUTURE):
    return world.request(Kind.SETTLE, account=trader.account, instrument=instrument)


class Expiring(Case):
    """A future past its expiry, of which the price is frozen."""

    def prepare(self):
        self.world, self.long, self.short = holding()
        self.instrument = FUTURE
        self.time = EXPIRY_MS
        self.priced = True

    def action(self):
        status, self.world.totals.status = int(self.world.totals.status), Status.ACTIVE
        if self.priced:
            go_to(self.world, EXPIRY_MS, MARK + 500)
        self.world.totals.status = status
        self.world.time = self.time
        return self.world.request(Kind.EXPIRE, instrument=self.instrument)


def unknown(case):
    case.instrument = 8


def perpetual(case):
    case.instrument = PERPETUAL


def swept(case):
    case.world.instrument(FUTURE).operation = 1


def unpriced(case):
    case.priced = False


FAULTS = {
    **COMMON,
    Code.NO_INSTRUMENT: unknown,
    Code.INSTRUMENT_STATUS: perpetual,
    Code.OPERATION_OPEN: swept,
    Code.SETTLEMENT_WINDOW: unpriced,
}


@pytest.mark.parametrize("code", [*FAULTS])
def test_an_expiry_that_breaks_one_rule_is_rejected_with_its_code(code):
    assert outcome(Expiring, FAULTS, code) == code


@pairs(FAULTS)
def test_of_two_broken_rules_the_first_is_named(first, second):
    assert outcome(Expiring, FAULTS, second, first) == first


def test_a_market_does_not_expire_before_its_time_clr_exp_001():
    world, _, _ = holding()
    world.time = EXPIRY_MS - 1
    assert world.apply(world.request(Kind.EXPIRE, instrument=FUTURE)) == Code.NOT_EXPIRED


def test_a_market_waits_for_the_window_to_be_complete_clr_exp_002():
    world, _, _ = holding()
    go_to(world, EXPIRY_MS - 1)
    world.time = EXPIRY_MS + 1
    action = world.request(Kind.EXPIRE, instrument=FUTURE)
    assert world.apply(action) == Code.SETTLEMENT_WINDOW
    go_to(world, EXPIRY_MS + 1)
    assert world.apply(action) == Code.APPLIED


def test_a_market_with_an_open_sweep_waits_for_it_clr_swp_001():
    assert outcome(Expiring, FAULTS, Code.OPERATION_OPEN) == Code.OPERATION_OPEN


def test_a_market_expires_once_clr_trd_004():
    case = Expiring()
    assert case.outcome() == Code.APPLIED
    again = case.world.request(Kind.EXPIRE, instrument=FUTURE)
    assert case.world.apply(again) == Code.INSTRUMENT_STATUS


# The price


def test_the_mean_weighs_each_price_by_how_long_it_held():
    world, _, _ = holding()
    # 25 minutes at 51, then 5 at 54 million: (25 * 51 + 5 * 54) / 30 = 51.5.
    go_to(world, EXPIRY_MS - WINDOW_MS, 51_000_000)
    go_to(world, EXPIRY_MS - 300_000, 54_000_000)
    go_to(world, EXPIRY_MS + 7, 60_000_000)
    assert world.series.settle_price == 51_500_000


def test_prices_before_the_window_and_after_expiry_weigh_nothing():
    world, _, _ = holding()
    go_to(world, EXPIRY_MS - WINDOW_MS - 1, 55_000_000)
    go_to(world, EXPIRY_MS - 600_000, 52_000_000)
    go_to(world, EXPIRY_MS, 58_000_000)
    # The first price in the window came ten minutes before its end: it is all there is.
    assert world.series.settle_price == 52_000_000
    go_to(world, EXPIRY_MS + 1, 59_000_000)
    assert world.series.settle_price == 52_000_000


def test_without_a_price_in_the_window_the_next_one_settles_alone():
    world, _, _ = holding()
    go_to(world, EXPIRY_MS + 5, 47_000_000)
    assert world.series.settle_price == 47_000_000


def test_the_mean_is_rounded_down():
    world, _, _ = holding()
    go_to(world, EXPIRY_MS - 3, 50_000_000)
    go_to(world, EXPIRY_MS - 1, 50_000_001)
    go_to(world, EXPIRY_MS, MARK)
    assert world.series.settle_price == 50_000_000  # and a third


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, WINDOW_MS + 1_000), min_size=1, max_size=8, unique=True).map(sorted),
    st.lists(st.integers(45_000_000, 55_000_000), min_size=8, max_size=8),
)
def test_any_prices_settle_at_their_exact_mean(times, prices):
    world = OptionWorld(price_jump_ppm=1_000_000)
    seen = [(EXPIRY_MS - WINDOW_MS + t, p) for t, p in zip(times, prices, strict=False)]
    for time, index in seen:
        go_to(world, time, index)
    last = max(EXPIRY_MS, seen[-1][0] + 1)
    go_to(world, last, MARK)
    inside = [(t, p) for t, p in seen if t < EXPIRY_MS]
    if not inside:
        assert world.series.settle_price == seen[0][1]
        return
    ends = [t for t, _ in inside[1:]] + [EXPIRY_MS]
    total = sum(p * (end - t) for (t, p), end in zip(inside, ends, strict=True))
    assert world.series.settle_price == total // (EXPIRY_MS - inside[0][0])


# Payoffs


@pytest.mark.parametrize(
    ("instrument", "settle", "paid"),
    [
        (FUTURE, 47_000_000, 47_000_000),
        (CALLS[0], 47_000_000, 7_000_000),
        (CALLS[1], 47_000_000, 0),
        (PUTS[1], 47_000_000, 3_000_000),
        (PUTS[0], 47_000_000, 0),
    ],
)
def test_each_market_pays_what_it_promised(instrument, settle, paid):
    price = {FUTURE: MARK, CALLS[0]: 11_000_000}.get(instrument, 1_000_000)
    world, long, short = holding(instrument, price=price)
    go_to(world, EXPIRY_MS, settle)
    action = world.request(Kind.EXPIRE, instrument=instrument)
    assert world.apply(action) == Code.APPLIED
    row = world.instrument(instrument)
    assert (row.status, row.settle_price) == (InstrumentStatus.SETTLING, paid)
    assert int(mark_price(world.state, row)) == paid
    for trader in (long, short):
        assert world.apply(settled(world, trader, instrument)) == Code.APPLIED
    assert int(world.account(long).cash) == DEPOSIT + 10 * (paid - price)
    assert int(world.account(short).cash) == DEPOSIT - 10 * (paid - price)
    row = world.instrument(instrument)
    assert (row.status, row.pot, row.open_interest) == (InstrumentStatus.CLOSED, 0, 0)


@pytest.mark.parametrize("first", ["long", "short"])
def test_the_pot_stands_between_the_sides_until_both_are_closed(first):
    world, long, short = holding()
    go_to(world, EXPIRY_MS, 51_000_000)
    assert world.apply(world.request(Kind.EXPIRE, instrument=FUTURE)) == Code.APPLIED
    trader = {"long": long, "short": short}[first]
    assert world.apply(settled(world, trader)) == Code.APPLIED
    row = world.instrument(FUTURE)
    sign = 1 if first == "long" else -1
    assert (row.pot, row.settled_lots, row.status) == (
        -sign * 510_000_000,
        sign * 10,
        InstrumentStatus.SETTLING,
    )


def test_what_roundings_left_in_the_pot_goes_to_dust():
    world, long, short = holding()
    world.instrument(FUTURE).pot += 3
    world.totals.pot_total += 3
    world.totals.custody += 3
    go_to(world, EXPIRY_MS)
    assert world.apply(world.request(Kind.EXPIRE, instrument=FUTURE)) == Code.APPLIED
    for trader in (short, long):
        assert world.apply(settled(world, trader)) == Code.APPLIED
    assert world.fund(Fund.DUST) == 3
    assert world.instrument(FUTURE).pot == 0


def test_a_market_that_nobody_holds_is_closed_at_once():
    world = OptionWorld()
    go_to(world, EXPIRY_MS)
    assert world.apply(world.request(Kind.EXPIRE, instrument=FUTURE)) == Code.APPLIED
    assert world.instrument(FUTURE).status == InstrumentStatus.CLOSED


# Settling


def test_settling_needs_an_account_a_market_and_a_position_clr_liq_001():
    world, long, _ = holding()
    other = world.trader("other")
    go_to(world, EXPIRY_MS)
    early = settled(world, long)
    assert world.apply(early) == Code.INSTRUMENT_STATUS
    assert world.apply(world.request(Kind.EXPIRE, instrument=FUTURE)) == Code.APPLIED
    nobody = world.request(Kind.SETTLE, account=99, instrument=FUTURE)
    nothing = world.request(Kind.SETTLE, account=long.account, instrument=99)
    assert world.apply(nobody) == Code.NO_ACCOUNT
    assert world.apply(nothing) == Code.NO_INSTRUMENT
    assert world.apply(settled(world, other)) == Code.NO_POSITION
    assert world.apply(settled(world, long)) == Code.APPLIED
    assert world.apply(settled(world, long)) == Code.NO_POSITION


def test_settling_waits_for_a_sweep_clr_swp_001():
    world, long, _ = holding()
    go_to(world, EXPIRY_MS)
    assert world.apply(world.request(Kind.EXPIRE, instrument=FUTURE)) == Code.APPLIED
    world.instrument(FUTURE).operation = 1
    assert world.apply(settled(world, long)) == Code.OPERATION_OPEN


def test_what_no_balance_can_hold_is_not_settled_and_halts_nothing_clr_mrg_003():
    world, long, _ = holding()
    go_to(world, EXPIRY_MS)
    assert world.apply(world.request(Kind.EXPIRE, instrument=FUTURE)) == Code.APPLIED
    for price in (AMOUNT_MAX // 10 + 1, AMOUNT_MAX):
        world.instrument(FUTURE).settle_price = price
        assert world.apply(settled(world, long)) == Code.CASH_BOUND
    assert world.totals.status == Status.ACTIVE


def test_a_balance_may_pass_its_bound_by_settling_but_not_twice_clr_mrg_003():
    world, long, _ = holding()
    go_to(world, EXPIRY_MS)
    assert world.apply(world.request(Kind.EXPIRE, instrument=FUTURE)) == Code.APPLIED
    # Only others' settlements could have brought that much.
    world.check_conservation = lambda: None
    most = 2 * AMOUNT_MAX - 10 * MARK
    for cash, expected in ((most + 1, Code.CASH_BOUND), (most, Code.APPLIED)):
        world.account(long).cash = cash
        assert world.apply(settled(world, long)) == expected
    assert world.account(long).cash == 2 * AMOUNT_MAX


def test_a_closed_market_keeps_no_variation():
    world, long, short = holding()
    go_to(world, EXPIRY_MS)
    assert world.apply(world.request(Kind.EXPIRE, instrument=FUTURE)) == Code.APPLIED
    world.instrument(FUTURE).variation_pot = 7
    assert world.apply(settled(world, long)) == Code.APPLIED
    assert world.instrument(FUTURE).variation_pot == 7
    assert world.apply(settled(world, short)) == Code.APPLIED
    row = world.instrument(FUTURE)
    assert (row.status, row.variation_pot) == (InstrumentStatus.CLOSED, 0)


def test_what_a_settled_account_owes_is_paid_by_the_markets_tranche_and_the_rest_is_noted():
    tiers = tuple(replace(tier, insurance_cap=200_000_000) for tier in TIERS)
    world, long, short = holding(lots=30, tiers=tiers)
    world.endow(Fund.INSURANCE, 300_000_000)
    go_to(world, EXPIRY_MS, 2 * MARK)
    assert world.apply(world.request(Kind.EXPIRE, instrument=FUTURE)) == Code.APPLIED
    # Sold at 50 and settled at 100, thirty lots cost 1,500 of the 1,000 that were there.
    assert world.apply(settled(world, short)) == Code.APPLIED
    assert world.account(short).cash == -300_000_000
    assert world.fund(Fund.INSURANCE) == 100_000_000
    row = world.instrument(FUTURE)
    assert (row.insurance_used, row.debt) == (200_000_000, 300_000_000)
    # The other side is paid in full all the same.
    assert world.apply(settled(world, long)) == Code.APPLIED
    assert world.account(long).cash == DEPOSIT + 30 * MARK


def test_after_expiry_nothing_trades_even_before_it_settles_clr_trd_004():
    world, long, short = holding()
    world.time = EXPIRY_MS
    for instrument in (PERPETUAL, FUTURE):
        assert world.apply(world.price(instrument, MARK)) == Code.APPLIED
    closing = world.trade(long, short, side=2, instrument=FUTURE)
    assert world.apply(closing) == Code.INSTRUMENT_STATUS
    assert world.apply(world.trade(long, short, instrument=PERPETUAL)) == Code.APPLIED


def test_settling_changes_nobodys_worth():
    world, long, short = holding()
    go_to(world, EXPIRY_MS, 48_000_000)
    assert world.apply(world.request(Kind.EXPIRE, instrument=FUTURE)) == Code.APPLIED
    mark = int(mark_price(world.state, world.instrument(FUTURE)))
    for trader in (long, short):
        before = int(world.account(trader).cash) + world.lots(trader, FUTURE) * mark
        assert world.apply(settled(world, trader)) == Code.APPLIED
        assert (int(world.account(trader).cash), world.lots(trader, FUTURE)) == (before, 0)


def test_only_perpetuals_have_funding_clr_trd_004():
    world = OptionWorld()
    world.wait(3_600_000)
    for instrument in (FUTURE, CALLS[0]):
        assert world.apply(world.funding(instrument)) == Code.INSTRUMENT_STATUS
    assert world.apply(world.funding(PERPETUAL)) == Code.APPLIED


def test_a_series_whose_markets_all_expired_leaves_its_place():
    world = OptionWorld()
    assert world.series.market_count == 7
    go_to(world, EXPIRY_MS)
    for instrument in (FUTURE, *CALLS, *PUTS):
        action = world.request(Kind.EXPIRE, instrument=instrument)
        assert world.apply(action) == Code.APPLIED
    assert world.series.market_count == 0

"""Mark to market: nobody's profit counts before a loser has covered it."""

import random

import pytest

from clearing.codes import Code, InstrumentStatus, Kind
from clearing.margin import NO_DRAFT, measure
from tests.clearing.law.faults import COMMON, Case, outcome
from tests.support.options import CALLS, OptionWorld
from tests.support.world import DEPOSIT, MARK, World

CYCLE_MS = 28_800_000


def mark(world, trader):
    return world.request(Kind.MARK_TO_MARKET, account=trader.account)


def position(world, trader, instrument=0):
    row = world.account(trader)
    return next(p for p in row.positions[: row.position_count] if p.instrument == instrument)


def entered(lots=10, **changes):
    """A world in which long bought lots from short at MARK."""
    world = World(price_jump_ppm=1_000_000, **changes)
    long, short = world.trader("long"), world.trader("short")
    assert world.apply(world.trade(long, short, lots)) == Code.APPLIED
    return world, long, short


class Marking(Case):
    def prepare(self):
        self.world, self.long, self.short = entered()
        self.world.move_price(MARK + 1_000)
        self.trader = self.short

    def action(self):
        return mark(self.world, self.trader)


def unknown(case):
    case.trader = type(case.trader)("nobody", 99)


def flat(case):
    case.trader = case.world.trader("flat")


def stale(case):
    case.world.wait(300_001)


FAULTS = {
    **COMMON,
    Code.NO_ACCOUNT: unknown,
    Code.NO_POSITION: flat,
    Code.PRICE_STALE: stale,
}


@pytest.mark.parametrize("code", [*FAULTS])
def test_a_marking_that_breaks_one_rule_is_rejected_with_its_code(code):
    case = Marking()
    if code != Code.NO_POSITION:
        assert outcome(Marking, FAULTS, code) == code
        return
    flat(case)
    assert case.outcome() == code


def test_a_loser_covers_and_then_a_winner_is_paid():
    world, long, short = entered()
    world.move_price(MARK + 1_000)
    assert world.apply(mark(world, short)) == Code.APPLIED
    assert world.instrument().variation_pot == 10_000
    assert position(world, short).entry_cost == -10 * (MARK + 1_000)
    assert world.apply(mark(world, long)) == Code.APPLIED
    row = world.account(long)
    assert world.instrument().variation_pot == 0
    assert position(world, long).entry_cost == 10 * (MARK + 1_000)
    assert (row.recent_profit, row.recent_time) == (10_000, world.time)


def test_nobody_is_paid_before_a_loser_has_covered_clr_col_002():
    world, long, _ = entered()
    world.move_price(MARK + 1_000)
    assert world.apply(mark(world, long)) == Code.NOT_NEEDED
    assert world.account(long).recent_profit == 0


def test_no_money_moves():
    world, long, short = entered()
    world.move_price(MARK + 1_000)
    before = [int(world.account(t).cash) for t in (long, short)]
    for trader in (short, long):
        assert world.apply(mark(world, trader)) == Code.APPLIED
    assert [int(world.account(t).cash) for t in (long, short)] == before
    assert world.instrument().pot == 0


def test_a_loser_covers_no_more_than_he_has():
    # Sixteen million lost a lot, a hundred lots, and a thousand million to cover it.
    world, long, short = entered(lots=100)
    for price in (MARK + 8_000_000, MARK + 16_000_000):
        world.move_price(price)
    equity = measure(world.state, world.account(short), NO_DRAFT)[0]
    assert equity == DEPOSIT - 1_600_000_000
    assert world.apply(mark(world, short)) == Code.APPLIED
    assert world.instrument().variation_pot == DEPOSIT
    assert world.apply(mark(world, long)) == Code.APPLIED
    assert world.account(long).recent_profit == DEPOSIT
    # What nobody covered stays unrealised.
    assert position(world, long).entry_cost == 100 * MARK + DEPOSIT
    assert world.apply(mark(world, short)) == Code.NOT_NEEDED


def test_profit_that_is_not_paid_covers_no_loss():
    world = World(price_jump_ppm=1_000_000)
    hedged, other = world.trader("hedged"), world.trader("other", 10 * DEPOSIT)
    assert world.apply(world.trade(other, hedged, 100)) == Code.APPLIED
    assert world.apply(world.trade(hedged, other, 100, instrument=1)) == Code.APPLIED
    for instrument in (0, 1):
        for price in (MARK + 8_000_000, MARK + 16_000_000):
            world.move_price(price, instrument)
    # 1,600 million lost in one market, as much won in the other: only the deposit covers.
    assert measure(world.state, world.account(hedged), NO_DRAFT)[0] == DEPOSIT
    assert world.apply(mark(world, hedged)) == Code.APPLIED
    assert world.instrument(0).variation_pot == DEPOSIT


def test_within_a_cycle_no_more_is_paid_so_that_it_can_ripen():
    world, long, short = entered()
    world.move_price(MARK + 1_000)
    for trader in (short, long):
        assert world.apply(mark(world, trader)) == Code.APPLIED
    paid = world.time
    world.move_price(MARK + 2_000)
    assert world.apply(mark(world, short)) == Code.APPLIED
    assert world.apply(mark(world, long)) == Code.NOT_NEEDED
    world.time = paid + CYCLE_MS - 1
    assert world.apply(world.price(0, MARK + 2_000)) == Code.APPLIED
    assert world.apply(mark(world, long)) == Code.NOT_NEEDED
    world.wait(1)
    assert world.apply(mark(world, long)) == Code.APPLIED
    row = world.account(long)
    # The earlier ten thousand have ripened.
    assert (row.recent_profit, row.recent_time) == (10_000, paid + CYCLE_MS)


def test_profit_of_several_markets_is_paid_together():
    world = World()
    long, short = world.trader("long"), world.trader("short")
    for instrument in (0, 1):
        assert world.apply(world.trade(long, short, 5, instrument=instrument)) == Code.APPLIED
        world.move_price(MARK + 100 * (instrument + 1), instrument)
    for trader in (short, long):
        assert world.apply(mark(world, trader)) == Code.APPLIED
    assert world.account(long).recent_profit == 5 * 100 + 5 * 200


def test_the_stable_price_is_what_counts():
    world, _, short = entered(stable_rate_ppm=360_000)
    world.wait(9_000)
    world.move_price(MARK + 1_000_000)
    # A thousandth in ten seconds.
    assert world.instrument().stable_price == MARK + 50_000
    assert world.apply(mark(world, short)) == Code.APPLIED
    assert world.instrument().variation_pot == 10 * 50_000


def test_options_and_what_settles_have_no_variation_clr_col_002():
    world = OptionWorld()
    world.wait(1_000)
    world.publish_rows(extra=1_000_000)
    long, short = world.trader("long"), world.trader("short")
    trade = world.trade(long, short, price=900_000, instrument=CALLS[1])
    assert world.apply(trade) == Code.APPLIED
    for trader in (short, long):
        assert world.apply(mark(world, trader)) == Code.NOT_NEEDED
    other, _, loser = entered()
    other.move_price(MARK + 1_000)
    other.instrument().status = InstrumentStatus.SETTLING
    other.instrument().settle_price = MARK + 1_000
    assert other.apply(mark(other, loser)) == Code.NOT_NEEDED


def test_a_market_whose_profits_a_sweep_weighs_is_left_as_it_is():
    world, _, short = entered()
    world.move_price(MARK + 1_000)
    world.instrument().operation = 1
    assert world.apply(mark(world, short)) == Code.OPERATION_OPEN
    world.instrument().operation = 0
    assert world.apply(mark(world, short)) == Code.APPLIED


@pytest.mark.parametrize("seed", range(6))
def test_all_that_was_ever_paid_was_covered_before(seed):
    chance = random.Random(seed)
    world = World(price_jump_ppm=1_000_000, profit_cycle_ms=1, price_band_ppm=1_000_000)
    traders = [world.trader(name, DEPOSIT // 10) for name in "abcd"]
    price, paid, covered = MARK, 0, 0
    for _ in range(60):
        price = max(20_000_000, min(80_000_000, price + chance.randint(-4, 4) * 1_000_000))
        world.move_price(price)
        buyer, seller = chance.sample(traders, 2)
        world.apply(world.trade(buyer, seller, chance.randint(1, 20), price))
        for trader in chance.sample(traders, 2):
            before = int(world.instrument().variation_pot)
            world.apply(mark(world, trader))
            moved = int(world.instrument().variation_pot) - before
            covered += max(0, moved)
            paid += max(0, -moved)
            assert paid <= covered
            assert world.instrument().variation_pot == covered - paid
    assert covered > 0 < paid

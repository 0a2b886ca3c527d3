"""What a claim is worth, against the law's own measure of the same account."""

import pytest

from clearing.codes import Code, Mode
from clearing.margin import NO_DRAFT, measure
from prover.engine import Engine
from prover.exits import claimants, exit_claim, exit_opening
from tests.attacks.arena import ARRAYS
from tests.support.options import CALLS, PERPETUAL, PUTS, OptionWorld
from tests.support.world import MARK
from verifier.batch import Opening
from verifier.batches import record_of
from verifier.exit_claim import ExitTerms, worth_of
from verifier.exit_opening import terms_of


def engine_of(world):
    """An engine that stands in the state of a world; prices are stable, as the law's marks."""
    engine = Engine(world.genesis, 64, 96)

    def copy(state):
        for name in ARRAYS:
            held, rows = getattr(state, name), getattr(world.state, name)
            count = min(held.shape[0], rows.shape[0])
            held[:count] = rows[:count]
        for market in range(int(state.globals[0].instrument_count)):
            state.instruments[market].stable_price = state.instruments[market].mark_price

    engine.make_room(48, 64, int(world.totals.instrument_count), 96)
    engine.edit(copy)
    return engine


def terms(engine) -> ExitTerms:
    opening = exit_opening(engine).encode()
    opened = Opening.decode(engine.opening().encode()).globals()
    return terms_of(record_of(bytes(32), None, engine.root(), opened, 0), opening, 1, 2)


@pytest.fixture
def world():
    """Traders hold a perpetual with funding to settle, and calls and puts on both sides."""
    made = OptionWorld()
    made.stage(made.rows(extra=5_000))
    assert made.apply(made.activation()) == Code.APPLIED
    ada, bob = made.trader("ada", 10**10), made.trader("bob", 10**10)
    for instrument, lots in ((PERPETUAL, 7), (CALLS[1], 3), (PUTS[0], 2)):
        price = price_of(made, instrument)
        trade = made.trade(ada, bob, lots=lots, price=price, instrument=instrument)
        assert made.apply(trade) == Code.APPLIED
    made.wait(1_000)
    assert made.apply(made.price(PERPETUAL, MARK + 1_000_000)) == Code.APPLIED
    return made


def price_of(world, instrument):
    if instrument == PERPETUAL:
        return MARK
    row = world.instrument(instrument)
    return int(row.rows[1].values[13] or row.rows[0].values[13])


def test_equity_is_the_laws_where_prices_are_the_laws(world):
    engine = engine_of(world)
    index = 12_345 * 10**9
    engine.edit(lambda state: state.instruments[PERPETUAL].__setitem__("funding_low", index))
    state, fixed = engine.state, terms(engine)
    seen = 0
    for account in claimants(engine):
        row = state.accounts[account]
        assert row.mode != Mode.PORTFOLIO
        equity, _, _, _, valid = measure(state, row, NO_DRAFT)
        worth = worth_of(fixed, exit_claim(engine, account))
        assert valid
        assert worth.senior + worth.junior == max(0, int(equity))
        seen += int(row.position_count)
    assert seen == 6

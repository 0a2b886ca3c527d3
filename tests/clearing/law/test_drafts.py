"""A commit proves that an action made nothing of nothing, whatever the action's own rules say.

No action is known that breaks these promises. So the drafts are changed by hand here, as a defect
in an action would change them, and each commit must refuse them as INVARIANT with nothing changed.
"""

import pytest

from clearing import drafts
from clearing.codes import Code, Fund, Side
from clearing.compiler import checked
from clearing.drafts import FIRST, SECOND
from tests.support.world import World

MARKET = 0


def trading_world():
    """A world in which alice is long of seven lots that bob is short of, and insurance has 1,000"""
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, lots=7, side=Side.BUY)) == Code.APPLIED
    world.endow(Fund.INSURANCE, 1_000)
    return world, alice.account, bob.account


def opened():
    """The same world with drafts of both accounts, the market and the funds."""
    world, alice, bob = trading_world()
    state = world.state
    drafts.begin_drafts(state)
    assert drafts.open_account(state, alice) == FIRST
    assert drafts.open_account(state, bob) == SECOND
    assert drafts.open_instrument(state, MARKET) == 0
    return world, state.account_drafts[FIRST], state.account_drafts[SECOND]


def of_all(world):
    """Commit drafts that were opened one by one."""
    return drafts.commit_drafts(world.state, 0)


def of_a_trade(world):
    """Commit both accounts, the market and the funds."""
    return drafts.commit_novation(world.state, 0, 1, MARKET)


def of_a_transfer(world):
    """Commit both accounts."""
    return drafts.commit_pair(world.state, 0, 1)


def of_a_deposit(world):
    """Commit the first account after a hundred entered custody."""
    return drafts.commit_account(world.state, 0, 100)


def grow_cash(world, first, second):
    first.cash += 1


def grow_pot(world, first, second):
    world.state.instrument_drafts[0].pot += 1


def grow_insurance(world, first, second):
    world.state.fund_drafts[Fund.INSURANCE].balance += 1


def pay_with_a_debt_of_insurance(world, first, second):
    world.state.fund_drafts[Fund.INSURANCE].balance -= 1_001
    first.cash += 1_001


def grow_a_position(world, first, second):
    first.positions[0].lots += 1


def owe_open_interest(world, first, second):
    world.state.instrument_drafts[0].open_interest = -1


MONEY = (grow_cash, grow_pot, grow_insurance, pay_with_a_debt_of_insurance)
LOTS = (grow_a_position, owe_open_interest)


@pytest.mark.parametrize("spoil", MONEY + LOTS)
@pytest.mark.parametrize("commit", [of_all, of_a_trade])
def test_no_commit_makes_money_or_lots(commit, spoil):
    world, first, second = opened()
    spoil(world, first, second)
    before = world.image()
    with checked():
        assert commit(world) == Code.INVARIANT
    assert world.image() == before


def test_a_transfer_that_pays_more_than_it_takes_is_refused():
    world, first, second = opened()
    first.cash -= 100
    second.cash += 101
    before = world.image()
    with checked():
        assert of_a_transfer(world) == Code.INVARIANT
        assert world.image() == before
        second.cash -= 1
        assert of_a_transfer(world) == Code.APPLIED
    world.check_conservation()


@pytest.mark.parametrize("amount", [99, 101])
def test_a_deposit_credits_what_entered_custody_and_nothing_else(amount):
    world, first, _ = opened()
    cash, custody = int(first.cash), int(world.totals.custody)
    first.cash += amount
    before = world.image()
    with checked():
        assert of_a_deposit(world) == Code.INVARIANT
        assert world.image() == before
        first.cash = cash + 100
        assert of_a_deposit(world) == Code.APPLIED
    assert world.totals.custody == custody + 100
    world.check_conservation()


@pytest.mark.parametrize("commit", [of_all, of_a_trade])
def test_what_moves_inside_the_house_is_committed(commit):
    world, first, second = opened()
    state = world.state
    first.cash -= 10
    second.cash += 3
    state.instrument_drafts[0].pot += 5
    state.fund_drafts[Fund.INSURANCE].balance += 2
    first.positions[0].lots += 4
    second.positions[0].lots -= 4
    state.instrument_drafts[0].open_interest += 4
    with checked():
        assert commit(world) == Code.APPLIED
    assert world.fund(Fund.INSURANCE) == 1_002
    world.check_conservation()

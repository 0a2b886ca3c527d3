"""Which leaf of a forged step is wrong: found where the forgery is a simple one, else admitted."""

import pytest

from clearing.decode import pack, recover_signers
from clearing.messages import Transfer
from prover.blame import find_wrong
from prover.engine import Engine
from prover.forge import BatchForge, mint, with_forged_signatures, without_margin
from tests.prover.market import FIRST_PRICE, NEVER, Market


@pytest.fixture
def market():
    return Market(instruments=1)


def opened(market, actions):
    engine = Engine(market.genesis, 4)
    BatchForge(engine).honest(actions, market.time)
    return engine


def blamed(market, actions, prepare=None, mutate=None, surplus=0):
    """Commit to what a forger makes of one step, and ask what is wrong with it."""
    first = market.opening(3)
    liar, engine = opened(market, first), opened(market, first)
    made = actions()
    BatchForge(liar).forged(made, market.time, prepare, mutate)
    columns = engine.decode(*pack(made))
    recover_signers(columns)
    before = engine.root()
    found = find_wrong(engine, columns, market.time, (0, len(made)), liar.root(), surplus)
    assert engine.root() == before
    return found


def values(found):
    return {(one.kind, one.id, one.field): (one.committed, one.law) for one in found.wrong}


def set_cash(account, cash):
    def mutate(state):
        state.accounts[account].cash = cash

    return mutate


def test_an_account_that_was_left_as_it_was_is_named_with_what_it_should_hold(market):
    found = blamed(market, lambda: [market.transfer(0, 1, 5)], mutate=set_cash(1, 10**10))
    assert values(found) == {("account", 1, "cash"): (10**10, 10**10 + 5)}
    assert found.wrong[0].before == 10**10
    assert "as it was" in found.how


def test_a_payment_that_was_made_twice_is_named(market):
    found = blamed(market, lambda: [market.transfer(0, 1, 5)], mutate=set_cash(1, 10**10 + 10))
    assert values(found) == {("account", 1, "cash"): (10**10 + 10, 10**10 + 5)}
    assert "twice" in found.how


def test_money_out_of_nothing_is_found_in_an_account_that_the_step_does_not_name(market):
    found = blamed(market, lambda: [market.transfer(0, 1, 5)], mutate=mint(2, 77), surplus=77)
    assert values(found) == {
        ("account", 2, "cash"): (10**10 + 77, 10**10),
        ("globals", 0, "cash_total"): (3 * 10**10 + 77, 3 * 10**10),
        ("globals", 0, "custody"): (3 * 10**10 + 77, 3 * 10**10),
    }
    assert "gave account 2 77 micro-quote" in found.how


def test_a_trade_without_margin_is_told_by_the_position_that_it_made(market):
    huge = 500_000
    found = blamed(
        market, lambda: [market.trade(0, 1, lots=huge, price=FIRST_PRICE)], without_margin
    )
    assert values(found)["account", 0, "positions[0].lots"] == (huge, None)
    assert "margin" in found.how


def test_a_transfer_that_its_owner_did_not_sign_is_told_by_the_money_that_moved(market):
    found = blamed(
        market,
        lambda: [market.request(Transfer, 2, 0, 1, 0, 5, market.fresh(), NEVER)],
        with_forged_signatures,
    )
    assert values(found)["account", 1, "cash"] == (10**10 + 5, 10**10)
    assert "signed" in found.how


def test_a_forgery_that_nobody_can_guess_is_not_guessed(market):
    found = blamed(market, lambda: [market.transfer(0, 1, 5)], mutate=set_cash(1, 123_456_789))
    assert (found.wrong, found.how) == ((), "")
    assert found.tried > 10
    changed = {(one.kind, one.id, one.field): (one.before, one.law) for one in found.changes}
    assert changed["account", 1, "cash"] == (10**10, 10**10 + 5)
    assert changed["account", 0, "cash"] == (10**10, 10**10 - 5)

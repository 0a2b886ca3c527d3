"""Which leaf of a forged step is wrong: found where the forgery is a simple one, else admitted."""

import numpy as np
import pytest

from clearing.decode import pack, recover_signers
from clearing.keccak import to_bytes
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
    known = surplus, to_bytes(liar.totals.withdrawals_root)
    found = find_wrong(engine, columns, market.time, (0, len(made)), liar.root(), *known)
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


def skim(state):
    state.funds[0].balance -= 1
    state.accounts[2].cash += 1
    state.globals[0].cash_total += 1


def exchange_cash(state):
    cash = state.accounts["cash"]
    cash[0], cash[2] = int(cash[2]), int(cash[0])


def steal(state):
    state.accounts[1].owner = state.accounts[0].owner


def forget_fills(state):
    state.pages[0].slots["filled"] = 0


def strike_out(state):
    account = state.accounts[1]
    account.position_count = 0
    account.positions[0] = np.zeros(1, state.accounts.dtype["positions"].base)[0]


def one_lot_more(state):
    state.accounts[0].positions[0].lots += 1
    state.instruments[0].open_interest += 1


def dearer_mark(state):
    state.instruments[0].mark_price += 1


@pytest.mark.parametrize(
    ("cheat", "words", "wrong"),
    [
        (skim, "from fund 0 to account 2", {("fund", 0, "balance"), ("account", 2, "cash")}),
        (exchange_cash, "cash of accounts 0 and 2", {("account", 2, "cash")}),
        (steal, "account 1 the owner of account 0", {("account", 1, "owner")}),
        (forget_fills, "filled of the orders", {("page", 0, "page[0].slots[1].filled")}),
        (strike_out, "position of account 1", {("account", 1, "positions[0].lots")}),
        (one_lot_more, "by one lot", {("instrument", 0, "open_interest")}),
        (dearer_mark, "one unit too high", {("instrument", 0, "mark_price")}),
    ],
)
def test_a_simple_theft_is_named_with_its_leaf_before_and_after(market, cheat, words, wrong):
    found = blamed(market, lambda: [market.trade(0, 1), market.trade(0, 1)], mutate=cheat)
    assert words in found.how
    assert set(values(found)) >= wrong
    assert all(one.committed != one.law for one in found.wrong)


def pay_elsewhere(word):
    def mutate(state):
        state.withdrawals[0].recipient = word(state)

    return mutate


def test_a_withdrawal_that_pays_another_account_is_named(market):
    cheat = pay_elsewhere(lambda state: state.accounts[2].owner)
    found = blamed(market, lambda: [market.withdraw(0)], mutate=cheat)
    assert set(values(found)) == {("withdrawal", 0, "recipient")}
    assert found.how == "paid withdrawal 0 to the owner of account 2"


def test_a_withdrawal_that_pays_a_stranger_is_told_by_the_root_of_the_withdrawals(market):
    stranger = np.array([7, 7, 7, 7])
    found = blamed(
        market, lambda: [market.withdraw(0)], mutate=pay_elsewhere(lambda state: stranger)
    )
    assert set(values(found)) == {("globals", 0, "withdrawals_root")}
    assert "changed a withdrawal" in found.how
    written = {(one.kind, one.id, one.field) for one in found.changes}
    assert ("withdrawal", 0, "recipient") in written


def test_no_state_near_one_that_appends_a_withdrawal_fails_the_search(market):
    """A withdrawal and another change that nobody can guess: every state near is tried."""

    def cheat(state):
        pay_elsewhere(lambda state: np.array([7, 7, 7, 7]))(state)
        state.accounts[1].cash = 123_456_789

    found = blamed(market, lambda: [market.withdraw(0)], mutate=cheat)
    assert (found.wrong, found.how) == ((), "")
    assert found.tried > 1_000

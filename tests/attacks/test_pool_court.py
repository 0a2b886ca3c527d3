"""Pools before the court: every outcome acquits if honest and convicts if forged."""

from dataclasses import replace
from typing import Any

import pytest

from clearing.codes import Code, InstrumentStatus, Kind, Operation
from clearing.genesis import GenesisPool
from clearing.keys import address_of
from clearing.messages import Inbox, InboxMessage
from clearing.requests import Request
from prover.engine import Engine
from prover.forge import BatchForge, Place
from prover.witness import build_evidence
from tests.prover.market import (
    DEPOSIT,
    FIRST_PRICE,
    NEVER,
    PROPOSER,
    START_MS,
    Market,
    columns_of,
    key_of,
)
from verifier.batch import Pair
from verifier.evidence import check_bad_step

PLACE = Place(0, 1, b"\x01" * 32, 9, b"\x02" * 32, PROPOSER)
POLLY, ALICE, BOB, CAROL = range(4, 8)  # behind the accounts of two pools
BUY, SELL = 1, 2
FAST = 200_000  # shorter than an outage of prices, after which nobody is liquidated for a while
ANY = {BUY: 1 << 47, SELL: 1}
POOL = GenesisPool(lock_ms=0, sleeve_cap=10**9, impact_ppm=10_000)


class Court:
    """Two engines with the same history, one batch on top, and the court's verdict on its step.

    Market 0 is pool 0's, market 1 has a book; Polly has paid 10^9 in, Alice bought 20 lots.
    """

    def __init__(self):
        self.market = Market(3)
        first, *rest = self.market.genesis.instruments
        self.market.genesis = replace(
            self.market.genesis,
            instruments=(replace(first, pool=1), *rest),
            pools=(POOL, POOL),
            auction_fast_ms=FAST,
        )
        self.time = START_MS
        self.engines = [Engine(self.market.genesis, accounts_capacity=2) for _ in range(2)]
        self.run(*(self.deposit(i) for i in (POLLY, ALICE, BOB, CAROL)))
        self.run(*(self.market.price(i) for i in range(3)))
        self.run(self.pay_in(), self.trade())

    def deposit(self, account):
        index, self.market.inbox = self.market.inbox, self.market.inbox + 1
        owner = address_of(key_of(account))
        return Inbox(InboxMessage(1, index, account, owner, 0, 0, DEPOSIT)).encode()

    def run(self, *actions):
        """Make the actions history."""
        for engine in self.engines:
            engine.advance(columns_of(engine, actions), self.time)

    def wait(self, milliseconds, *prices):
        """Let time pass; markets have these prices now."""
        self.time += milliseconds
        self.market.time = self.time
        self.run(*(self.market.price(i, price) for i, price in enumerate(prices)))

    def edit(self, mutate):
        """Change the state of both engines as no law would."""
        for engine in self.engines:
            engine.edit(mutate)

    def step(self, *actions):
        """Put one step to the court, honest and forged; return the codes."""
        before, engine = self.engines
        forge = BatchForge(engine)
        codes = forge.honest(list(actions), self.time).codes.tolist()
        (step,) = forge.steps
        header = forge.finish(PLACE).header
        built = build_evidence(before, header, forge.pairs, 0, step.encode())
        assert check_bad_step(header, built.encode()) is False
        forge.pairs[0] = Pair(forge.pairs[0].step_hash, b"\x99" * 32)
        header = forge.finish(PLACE).header
        built = build_evidence(before, header, forge.pairs, 0, step.encode())
        assert check_bad_step(header, built.encode()) is True
        before.advance(columns_of(before, actions), self.time)
        assert before.root() == engine.root()
        return [Code(code) for code in codes]

    def request(self, kind, signer=None, **fields):
        fields = {"pool": 0} | fields
        if signer is None:
            return Request.of(kind, signatures=(), **fields).encode()
        fields = {"sequence": self.market.fresh(), "expiry": NEVER} | fields
        action = Request.of(kind, signatures=(), **fields)
        signature = self.market.signature(signer, action.struct_hash())
        return replace(action, signatures=(signature,)).encode()

    def pay_in(self, account=POLLY, amount=10**9, limit=0, **fields):
        fields = {"account": account, "amount": amount, "limit": limit} | fields
        return self.request(Kind.POOL_DEPOSIT, account, **fields)

    def pay_out(self, account=POLLY, amount=10**11, limit=0, **fields):
        fields = {"account": account, "amount": amount, "limit": limit} | fields
        return self.request(Kind.POOL_WITHDRAW, account, **fields)

    def trade(self, account=ALICE, lots=20, side=BUY, signer=None, **fields):
        fields = {"account": account, "instrument": 0, "side": side, "lots": lots} | fields
        fields.setdefault("price", ANY[side])
        return self.request(Kind.POOL_TRADE, signer or account, **fields)

    def take_over(self, account=CAROL, instrument=1, **fields):
        return self.request(Kind.POOL_TAKEOVER, account=account, instrument=instrument, **fields)


def fail(court):
    """Carol is long 100 lots in the book, has lost her margin, and her auction found no buyer."""
    court.run(court.market.trade(CAROL, BOB, 1, 100))
    court.edit(lambda state: take_cash(state, CAROL, 3_000_000))
    court.edit(lambda state: setattr(state.accounts[CAROL], "auction_time", court.time))
    court.wait(FAST, FIRST_PRICE, FIRST_PRICE * 9_990 // 10_000)


def take_cash(state, account, left):
    """Leave an account this much equity at the first price; the rest goes to Bob."""
    row = state.accounts[account]
    lots = sum(int(p.lots) for p in row.positions[: row.position_count])
    taken = int(row.cash) + lots * FIRST_PRICE - left
    row.cash -= taken
    state.accounts[BOB].cash += taken


def set_market(**values):
    def prepare(court):
        def mutate(state):
            for name, value in values.items():
                setattr(state.instruments[0], name, value)

        court.edit(mutate)

    return prepare


def set_pool(**values):
    def prepare(court):
        def mutate(state):
            for name, value in values.items():
                setattr(state.pools[0], name, value)

        court.edit(mutate)

    return prepare


def nothing(court):
    return court


def later(court):
    court.wait(100_000)


def failed(court):
    fail(court)


def left_over(court):
    """Carol, who does not fail, offered lots that no keeper took in time."""
    court.run(court.market.trade(CAROL, BOB, 1, 40))

    def offer(state):
        account = state.accounts[CAROL]
        account.close_instrument, account.close_lots = 1, 30
        account.close_time = court.time - int(state.params[0].auction_slow_ms)

    court.edit(offer)
    court.wait(1_000, FIRST_PRICE, FIRST_PRICE)


def taken(court):
    fail(court)
    court.run(court.take_over())


def won(court):
    set_pool(profit_cap_ppm=0)(court)
    court.wait(1_000, FIRST_PRICE * 101 // 100)


def capped_sleeve(court):
    fail(court)
    set_pool(sleeve_cap=FIRST_PRICE // 2)(court)


def poor_pool(court):
    fail(court)
    set_pool(reserve_ppm=1)(court)


def early(court):
    fail(court)
    court.edit(lambda state: setattr(state.accounts[CAROL], "auction_time", 0))


CASES: dict[str, tuple[Any, Any, Code]] = {
    "deposit": (nothing, Court.pay_in, Code.APPLIED),
    "withdraw": (nothing, Court.pay_out, Code.APPLIED),
    "buy": (nothing, Court.trade, Code.APPLIED),
    "sell": (nothing, lambda c: c.trade(side=SELL, lots=20), Code.APPLIED),
    "take over": (failed, Court.take_over, Code.APPLIED),
    "take what was offered": (left_over, Court.take_over, Code.APPLIED),
    "buy from the sleeve": (taken, lambda c: c.trade(instrument=1, lots=9), Code.APPLIED),
    "no account": (nothing, lambda c: c.trade(account=77), Code.NO_ACCOUNT),
    "no market": (nothing, lambda c: c.trade(instrument=9), Code.NO_INSTRUMENT),
    "no pool": (nothing, lambda c: c.pay_in(pool=9), Code.NO_POOL),
    "another pool": (nothing, lambda c: c.trade(pool=1), Code.NO_POOL),
    "late": (nothing, lambda c: c.pay_out(expiry=START_MS - 1), Code.EXPIRED),
    "forged": (nothing, lambda c: c.trade(signer=BOB), Code.BAD_SIGNATURE),
    "old": (nothing, lambda c: c.trade(sequence=1), Code.STALE_SEQUENCE),
    "closing": (
        set_market(status=int(InstrumentStatus.REDUCE_ONLY)),
        Court.trade,
        Code.INSTRUMENT_STATUS,
    ),
    "stale": (later, Court.pay_in, Code.PRICE_STALE),
    "swept": (
        set_market(operation=int(Operation.DELEVERAGE), phase=1),
        Court.pay_in,
        Code.OPERATION_OPEN,
    ),
    "too many": (set_market(position_cap=39), Court.trade, Code.POSITION_CAP),
    "too open": (set_market(open_interest_cap=39), Court.trade, Code.OPEN_INTEREST_CAP),
    "beyond the reserve": (nothing, lambda c: c.trade(lots=900), Code.POOL_CAP),
    "beyond the cap": (set_pool(deposit_cap=1), Court.pay_in, Code.POOL_CAP),
    "too much profit": (won, lambda c: c.trade(lots=1, side=SELL), Code.POOL_PROFIT),
    "too dear": (nothing, lambda c: c.trade(price=FIRST_PRICE), Code.SLIPPAGE),
    "too few shares": (nothing, lambda c: c.pay_in(limit=10**13), Code.SLIPPAGE),
    "no shares": (nothing, lambda c: c.pay_out(account=BOB), Code.POOL_LOCKED),
    "no cash": (nothing, lambda c: c.pay_in(amount=DEPOSIT), Code.TRANSFER_MARGIN),
    "no sleeve": (nothing, lambda c: c.trade(instrument=1), Code.REDUCE_ONLY),
    "no position": (nothing, Court.take_over, Code.NO_POSITION),
    "healthy": (nothing, lambda c: c.take_over(ALICE, 0), Code.HEALTHY),
    "before the auction": (early, Court.take_over, Code.WATERFALL_ORDER),
    "no room": (capped_sleeve, Court.take_over, Code.POOL_CAP),
    "no capital": (poor_pool, Court.take_over, Code.MARGIN),
}


@pytest.mark.parametrize("name", CASES)
def test_the_court_judges_every_outcome_of_a_pool(name):
    prepare, action, code = CASES[name]
    court = Court()
    prepare(court)
    assert court.step(action(court)) == [code]


def test_the_court_judges_funding_of_a_pools_market_by_the_pools_accounts():
    court = Court()
    court.wait(3_600_000, FIRST_PRICE, FIRST_PRICE, FIRST_PRICE)
    assert court.step(court.market.funding(0), court.market.funding(1)) == [Code.APPLIED] * 2


def test_a_market_that_a_step_lists_and_funds_brings_every_pool_in():
    court = Court()
    listing = Request.of(
        Kind.LIST,
        payload=(1, 0, 0, 0, 0, 1, 1, 9, 9, 2, 0, 0, 0, 0),
        instrument=3,
        underlying=0,
        sequence=1,
    ).encode()
    codes = court.step(listing, court.market.funding(3))
    assert codes == [Code.BAD_SIGNATURE, Code.NO_INSTRUMENT]


def test_a_step_of_everything_that_pools_do_fits_its_evidence():
    court = Court()
    codes = court.step(
        court.pay_in(),
        court.trade(BOB, 5, SELL),
        court.trade(CAROL, 7),
        court.pay_out(),
        court.pay_in(BOB, pool=1),
        court.take_over(ALICE, 0),
        court.market.funding(0),
        court.trade(ALICE, 20, SELL),
    )
    assert codes == [
        *[Code.APPLIED] * 5,
        Code.HEALTHY,
        Code.FUNDING_EARLY,
        Code.APPLIED,
    ]

"""Modes, portfolios and options before the court: honest steps acquit, forged ones convict."""

from dataclasses import replace

import pytest

from clearing.codes import Code, InstrumentKind, Kind, Mode
from clearing.genesis import GenesisInstrument, GenesisUnderlying
from clearing.requests import Request
from clearing.scenarios import derive_cells
from clearing.units import PPM
from prover.engine import Engine
from prover.forge import BatchForge
from prover.witness import build_evidence
from tests.attacks.test_governance_court import PLACE, Court
from tests.prover.market import DEPOSIT, FIRST_PRICE, NEVER, START_MS
from verifier.batch import Pair
from verifier.evidence import check_bad_step

EXPIRY = START_MS + 30 * 86_400_000
CAPS = (1, 10**6, 10**9, 10**9)
MARKETS = (
    GenesisInstrument("A-PERP", 0, *CAPS),
    GenesisInstrument("B-PERP", 0, *CAPS, underlying=1),
    GenesisInstrument("A-FUTURE", 0, *CAPS, kind=InstrumentKind.FUTURE),
    GenesisInstrument("A-CALL", 0, *CAPS, kind=InstrumentKind.CALL, strike=FIRST_PRICE),
)
MARK = FIRST_PRICE + FIRST_PRICE // 1000  # of the perpetuals and the future
CALL, WORTH = 3, 40_000
SHOCKS = ((-100_000, 200_000), (50_000, -50_000), (-400_000, 500_000))


class MarginCourt(Court):
    """A court over two underlyings with scenarios, and an option with active rows."""

    def __init__(self, **changes):
        super().__init__()
        self.market.genesis = replace(
            self.market.genesis,
            instruments=MARKETS,
            underlyings=(
                GenesisUnderlying(expiries=(EXPIRY,)),
                GenesisUnderlying(reference=1),
            ),
            assets=(),
            **changes,
        )
        self.market.inbox = self.market.sequence = 0
        self.engines = [Engine(self.market.genesis, accounts_capacity=4) for _ in range(2)]
        for engine in self.engines:
            engine.edit(quote)
        self.run(*(self.market.deposit(i) for i in range(4)))
        self.run(*(self.market.price(i) for i in range(3)))

    def mode(self, account, mode, signer=None, **fields):
        fields = {"account": account, "mode": int(mode), "expiry": NEVER} | fields
        return self.request(Kind.SET_MODE, account if signer is None else signer, **fields)

    def account(self, id):
        return self.engines[0].state.accounts[id]


def quote(state):
    """Rows of the option, and joint scenarios of both underlyings."""
    for underlying in state.underlyings:
        underlying.index_price, underlying.price_time = FIRST_PRICE, START_MS
        underlying.scenario_count = len(SHOCKS)
        for i, (price, volatility) in enumerate(SHOCKS):
            underlying.shocks[i] = (price << 32) | (volatility & 0xFFFFFFFF)
        derive_cells(underlying)
    series = state.underlyings[0].series[0]
    series.active_number, series.active_time = 1, START_MS
    series.reference_price = FIRST_PRICE
    series.discount_long_ppm = series.discount_short_ppm = series.confidence_ppm = PPM
    row = state.instruments[CALL].rows[1]
    row.number = 1
    row.values[:] = [
        max(0, FIRST_PRICE * int(shock) // PPM) + WORTH for shock in state.underlyings[0].prices
    ]


def test_every_outcome_of_a_mode_acquits_if_honest_and_convicts_if_forged():
    court = MarginCourt()
    market = court.market
    assert court.step(court.mode(0, Mode.CROSS)) == [Code.ACCOUNT_MODE]
    assert court.step(court.mode(0, Mode.ISOLATED, signer=1)) == [Code.BAD_SIGNATURE]
    assert court.step(court.mode(7, Mode.ISOLATED)) == [Code.NO_ACCOUNT]
    assert court.step(court.mode(0, Mode.ISOLATED)) == [Code.APPLIED]
    first, second = market.trade(0, 1, 0, price=MARK), market.trade(0, 1, 1, price=MARK)
    assert court.step(first, second) == [Code.APPLIED, Code.POSITION_CAP]
    assert court.step(court.mode(0, Mode.PORTFOLIO)) == [Code.APPLIED]
    assert court.step(market.trade(0, 1, 1, price=MARK)) == [Code.APPLIED]
    assert court.step(court.mode(0, Mode.ISOLATED)) == [Code.POSITION_CAP]
    court.time += 400_000
    assert court.step(court.mode(0, Mode.CROSS)) == [Code.PRICE_STALE]


def test_a_portfolio_that_becomes_one_and_trades_in_the_same_step_is_judged_alike():
    # The account's markets bring their underlyings in although no leaf says portfolio yet.
    court = MarginCourt()
    market = court.market
    assert court.step(market.trade(0, 1, 1, price=MARK)) == [Code.APPLIED]
    actions = (court.mode(0, Mode.PORTFOLIO), market.trade(0, 1, 0, price=MARK))
    assert court.step(*actions) == [Code.APPLIED, Code.APPLIED]
    assert court.account(0).mode == Mode.PORTFOLIO
    assert court.account(0).position_count == 2


def test_options_and_futures_are_traded_and_measured_alike_in_both_modes():
    court = MarginCourt()
    market = court.market
    assert court.step(court.mode(0, Mode.PORTFOLIO)) == [Code.APPLIED]
    trades = [
        market.trade(0, 1, CALL, price=WORTH, maker_side=2),
        market.trade(0, 1, 2, price=MARK),
        market.withdraw(0),
        market.withdraw(1),
    ]
    assert court.step(*trades) == [Code.APPLIED] * 4
    poor = DEPOSIT // (FIRST_PRICE * 10 // 100)
    short = market.trade(2, 3, CALL, lots=poor, price=WORTH, maker_side=2)
    assert court.step(short) == [Code.MARGIN]


@pytest.mark.parametrize("mode", [Mode.CROSS, Mode.PORTFOLIO])
@pytest.mark.parametrize(("forward", "code"), [(0, Code.APPLIED), (2, Code.MARGIN)])
def test_carry_of_rows_that_are_too_old_is_judged_alike(mode, forward, code):
    court = MarginCourt()
    market = court.market
    if mode == Mode.PORTFOLIO:
        assert court.step(court.mode(0, mode)) == [Code.APPLIED]
    # Either way of margin asks for less than the deposit while the forward is the index.
    lots = 1_500 if mode == Mode.PORTFOLIO else 9_000
    short = market.trade(0, 1, CALL, lots=lots, price=WORTH, maker_side=2)
    assert court.step(short) == [Code.APPLIED]

    def carry(state):
        state.underlyings[0].series[0].forward_price = forward * FIRST_PRICE

    for engine in court.engines:
        engine.edit(carry)
    court.time += 3_700_000
    market.time = court.time
    court.run(*(market.price(i) for i in range(3)))
    assert court.step(market.trade(0, 1, 1, lots=1, price=MARK)) == [code]


def test_an_owner_at_the_limit_is_judged_alike():
    court = MarginCourt(owner_limit=3 * MARK)
    assert court.step(court.market.trade(0, 1, 0, lots=4, price=MARK)) == [Code.OWNER_LIMIT]
    assert court.step(court.market.trade(0, 1, 0, lots=3, price=MARK)) == [Code.APPLIED]


def test_checks_of_an_owners_accounts_and_their_rejections():
    court = MarginCourt(owner_group_ppm=1_000_000, owner_hold_ms=5_000)
    for engine in court.engines:
        engine.edit(lambda state: setattr(state.instruments[0], "position_cap", 3))
        engine.edit(one_owner)
    market = court.market

    def check(*ids, instrument=0):
        return Request.of(Kind.OWNER_CHECK, payload=ids, instrument=instrument).encode()

    assert court.step(check(0, 1), check(0, 2), check(1, 0), check(0, 99)) == [
        Code.NOT_NEEDED,
        Code.OTHER_OWNER,
        Code.OPERATION_ORDER,
        Code.NO_ACCOUNT,
    ]
    for engine in court.engines:
        engine.edit(crowd)
    assert court.step(check(0, 1, instrument=9), check(0, 1)) == [
        Code.NO_INSTRUMENT,
        Code.APPLIED,
    ]
    assert int(court.account(1).hold_until) == court.time + 5_000
    assert court.step(market.trade(0, 2, 0, lots=1, price=MARK)) == [Code.OWNER_LIMIT]
    for engine in court.engines:
        engine.edit(lambda state: setattr(state.instruments[0], "position_cap", 9))
    assert court.step(check(0), check(0, 1), check(0, 1)) == [
        Code.NOT_NEEDED,
        Code.APPLIED,
        Code.NOT_NEEDED,
    ]


def one_owner(state):
    """Accounts 0 and 1 belong together."""
    state.accounts[1].owner[:] = state.accounts[0].owner


def crowd(state):
    """Accounts 0 and 1 hold two lots each, and the others the other side."""
    for id, lots in enumerate((2, 2, -2, -2)):
        row = state.accounts[id]
        row.position_count = 1
        row.positions[0].instrument, row.positions[0].lots = 0, lots
        row.positions[0].entry_cost = lots * MARK
        row.cash -= lots * MARK
        state.instruments[0].open_interest += max(0, lots)


def test_a_step_that_names_more_accounts_than_payloads_may_is_judged_by_what_it_may_read():
    court = MarginCourt(owner_group_ppm=1_000_000)
    many = Request.of(Kind.OWNER_CHECK, payload=range(48), instrument=0).encode()
    few = Request.of(Kind.OWNER_CHECK, payload=range(2), instrument=0).encode()
    actions = [many, few, court.market.trade(2, 3, 0, price=MARK)]
    before, engine = court.engines
    forge = BatchForge(engine)
    codes = forge.forged(actions, court.time).tolist()
    assert codes == [Code.OTHER_OWNER, Code.STEP_FULL, Code.APPLIED]
    for root, guilty in ((forge.pairs[0].post_root, False), (b"\x66" * 32, True)):
        forge.pairs[0] = Pair(forge.pairs[0].step_hash, root)
        header = forge.finish(PLACE).header
        built = build_evidence(before, header, forge.pairs, 0, forge.steps[0].encode())
        assert check_bad_step(header, built.encode()) is guilty

"""The eighteen invariants of the law: one function each, asked about the last act of a house.

The numbers and sentences are those of docs/protocol.md, section 8. Each takes the `Ledger` of a
house and raises AssertionError if the act broke the promise; what only acts of some kinds can break
is asked about these alone. Margins come from the twin, so that no invariant takes the law's word.
"""

from contextlib import contextmanager
from fractions import Fraction
from itertools import product
from math import ceil

import numpy as np

from clearing.codes import Code, InboxKind, InstrumentStatus, Kind, Mode, Operation, Phase
from clearing.codes import Fund as FundId
from clearing.messages import Cancel, Trade
from clearing.units import ALL_SLOTS, PPM, SHARES_BASE
from node.margins import margin_of
from tests.clearing.law.margin_twin import losses_of, vector_of
from tests.support.court import TABLES, every_leaf, globals_leaf, hash_pages
from tests.support.pictures import Sweep, Window, key_of_order

ROUNDING = 4  # micro-quote: interpolation rounds each of a sum of scenarios
VIRTUAL_SHARES, VIRTUAL_MICRO = 1_000, 1
MONEYLESS = frozenset(
    (
        Kind.PRICE,
        Kind.FUNDING,
        Kind.RISK_ROWS,
        Kind.ACTIVATE,
        Kind.SCENARIOS,
        Kind.SET_GRID,
        Kind.MARK_TO_MARKET,
        Kind.EXPIRE,
        Kind.UNCROSS,
        Kind.AUCTION_START,
        Kind.SWEEP_TALLY,
        Kind.CANCEL,
        Kind.KEY_GRANT,
        Kind.KEY_REVOKE,
        Kind.ROTATE_KEY,
        Kind.SET_MODE,
        Kind.SET_PARAMS,
        Kind.ENACT,
        Kind.SET_MARKET,
        Kind.SET_ASSET,
        Kind.LIST,
        Kind.OWNER_CHECK,
        Kind.HALT,
        Kind.RESUME,
    )
)
# What changes prices, rows, fractions or funding is no act of an account; a sweep has its own rule.
OF_MARKETS = MONEYLESS - {Kind.MARK_TO_MARKET, Kind.SET_MODE} | {Kind.SWEEP_APPLY}
LEAVING = frozenset((Kind.WITHDRAW, Kind.TRANSFER, Kind.POOL_DEPOSIT, Kind.POOL_WITHDRAW))


def applied(ledger, *kinds):
    return ledger.code == Code.APPLIED and (not kinds or ledger.kind in kinds)


def changed(ledger):
    """(id, before, after) of the accounts that the act changed."""
    for id, (old, new) in enumerate(ledger.pairs()):
        if old.leaf != new.leaf:
            yield id, old, new


def invariant_01_lots_of_each_market_sum_to_zero(ledger):
    """Longs hold what shorts hold, and both hold the open interest."""
    for id, market in enumerate(ledger.after.markets):
        lots = [one.lots.get(id, 0) for one in ledger.after.holders]
        assert sum(lots) + market.settled == 0
        assert sum(max(0, each) for each in lots) == market.interest


def invariant_02_all_claims_are_custody(ledger):
    """Cash, pots and funds are custody, and custody is what came in less what was let out."""
    state, totals = ledger.world.state, ledger.world.totals
    cash = sum(one.cash for one in ledger.after.holders)
    pots = sum(market.pot for market in ledger.after.markets)
    assert cash + pots + sum(ledger.after.funds) == totals.custody
    claims = state.withdrawals[: totals.withdrawal_count]
    for asset in range(int(totals.asset_count)):
        left = sum(int(one.amount) for one in claims if one.asset == asset)
        kept = int(totals.custody if asset == 0 else state.assets[asset].custody)
        assert kept + left == ledger.deposits[asset]
        held = sum(one.units.get(asset, 0) for one in ledger.after.holders)
        assert asset == 0 or held == kept == state.assets[asset].held
    for pool, (_, shares) in enumerate(ledger.after.pools):
        assert shares == sum(one.units.get(SHARES_BASE + pool, 0) for one in ledger.after.holders)


def invariant_03_funding_is_paid_by_its_payers(ledger):
    """All that is paid, owed and kept of funding sums to zero but for roundings, which stay.

    Of each position that an act settles the house keeps less than a micro-quote, never less than
    nothing.
    """

    def kept(picture):
        dust = picture.funds[FundId.DUST]
        return dust + sum(m.pot + m.pending + m.settled * m.settle_price for m in picture.markets)

    settled = sum(
        old.touched.get(market) != new.touched.get(market)
        for _, old, new in changed(ledger)
        for market in old.touched
    )
    grown = kept(ledger.after) - kept(ledger.before)
    assert 0 <= grown < settled or grown == 0


def invariant_04_unrealised_profit_pays_nothing_out(ledger):
    """No price moves cash; marking pays what losers covered; nobody leaves on untrusted profit."""
    if ledger.kind in MONEYLESS:
        assert all(old.cash == new.cash for old, new in ledger.pairs())
    for old, new in zip(ledger.before.markets, ledger.after.markets, strict=False):
        assert new.variation >= 0
        if applied(ledger, Kind.MARK_TO_MARKET):
            assert new.cost + new.variation == old.cost + old.variation
    if applied(ledger, *LEAVING) or is_forced_withdrawal(ledger):
        cap = int(ledger.world.params.profit_cap)
        for _, old, new in changed(ledger):
            if new.cash < old.cash and set(new.lots) <= linear_markets(ledger):
                profit = trusted_profit(ledger.after, new) + new.recent
                assert new.equity - max(0, profit - cap) >= new.maintenance


def is_forced_withdrawal(ledger):
    return applied(ledger, Kind.INBOX) and ledger.action.message.kind == InboxKind.WITHDRAW


def linear_markets(ledger):
    return {int(one.id) for one in ledger.world.state.instruments if one.kind < 3}


def trusted_profit(picture, holder):
    """The net profit of positions at marks."""
    values = sum(lots * picture.markets[id].mark for id, lots in holder.lots.items())
    return values - sum(holder.costs.values()) - sum(holder.owed.values())


def invariant_05_a_rejection_changes_no_leaf(ledger):
    """Whatever is rejected leaves every leaf as it was."""
    if ledger.code not in (Code.APPLIED, Code.INVARIANT):
        assert ledger.after.image == ledger.before.image


def invariant_06_no_order_is_overfilled(ledger):
    """All fills of an order together are at most its lots, and what is dead is filled no more."""
    for action, code in ledger.acts:
        if code == Code.APPLIED and isinstance(action, Cancel):
            if action.slot == ALL_SLOTS:
                ledger.floors[action.account] = action.sequence + 1
            else:
                ledger.slots[action.account, action.slot] = action.sequence
        if code == Code.APPLIED and isinstance(action, Trade):
            for order in (action.maker, action.taker):
                place = order.account, order.slot
                assert ledger.fills[key_of_order(order)] <= order.lots
                assert order.sequence >= ledger.floors.get(order.account, 0)
                assert order.sequence >= ledger.slots.get(place, 0)
                ledger.slots[place] = order.sequence


def invariant_07_risk_grows_on_initial_margin_alone(ledger):
    """Whose position grew, or who took money out, covers initial margin afterwards.

    A portfolio may grow a position below it if both its margins strictly fall.
    """
    leaves = applied(ledger, *LEAVING, Kind.SET_MODE) or is_forced_withdrawal(ledger)
    grown = {id for id, _, _ in ledger.grown()}
    for id, old, new in changed(ledger):
        left = leaves and (took_out(old, new) or new.mode != old.mode)
        if id not in grown and not left:
            continue
        falls = new.initial < old.initial and new.maintenance < old.maintenance
        assert new.equity >= new.initial or (id in grown and new.mode == Mode.PORTFOLIO and falls)


def took_out(old, new):
    """Whether an account has less cash or collateral than before; shares of pools are neither."""
    units = (
        new.units.get(asset, 0) < held for asset, held in old.units.items() if asset < SHARES_BASE
    )
    return new.cash < old.cash or any(units)


def invariant_08_a_failing_account_only_improves(ledger):
    """Below maintenance margin nothing brings an account further from it but the market itself."""
    if ledger.kind in OF_MARKETS:
        return
    for old, new in ledger.pairs():
        if old.equity < old.maintenance:
            assert new.equity - new.maintenance >= old.equity - old.maintenance
            assert new.maintenance <= old.maintenance or new.equity >= new.initial


def invariant_09_no_fund_is_overdrawn(ledger):
    """Funds and the pots of pools stay at zero or above, and nothing even tries otherwise."""
    assert min(ledger.after.funds) >= 0
    pools = ledger.world.state.pools[: ledger.world.totals.pool_count]
    assert all(pool.impact_pot >= 0 for pool in pools)
    assert ledger.code != Code.INVARIANT


def invariant_10_a_sweep_only_reduces(ledger):
    """Nobody's position grows or turns, and who holds nothing in the market is not touched."""
    if not applied(ledger, Kind.SWEEP_APPLY):
        return
    market, bankrupt = (ledger.action.value(name) for name in ("instrument", "account"))
    for id, old, new in changed(ledger):
        held, left = old.lots.get(market, 0), new.lots.get(market, 0)
        assert held != 0 or id == bankrupt
        assert abs(left) <= abs(held)
        assert left * held >= 0
        assert {**old.lots, market: 0} == {**new.lots, market: 0}


def invariant_11_a_shared_loss_is_the_deficit(ledger):
    """Holders bear no more than the deficit, each at most its profit; shared out, exactly it.

    Exactly the deficit, or all profit there is if that is less.
    """
    if applied(ledger, Kind.SWEEP_OPEN):
        begin_sweep(ledger)
    market = ledger.action.value("instrument") if applied(ledger, Kind.SWEEP_APPLY) else None
    sweep = ledger.sweeps.get(market)
    if sweep is None:
        return
    bankrupt, received, borne = ledger.action.value("account"), 0, 0
    for id, old, new in changed(ledger):
        lots = new.lots.get(market, 0) - old.lots.get(market, 0)
        paid = old.cash - new.cash - lots * sweep.price
        if lots != 0:
            paid -= old.owed.get(market, 0)
        if id == bankrupt:
            received = -paid
        else:
            assert 0 <= paid <= sweep.profits[id]
            borne += paid
    assert received == borne
    sweep.borne += borne
    assert sweep.borne <= sweep.deficit
    row = ledger.world.state.instruments[market]
    if row.phase == Phase.APPLY and not any(row.chunks):
        if sweep.mode == Operation.SOCIALISE:
            assert sweep.borne == min(sweep.deficit, sum(sweep.profits.values()))
        del ledger.sweeps[market]


def begin_sweep(ledger):
    """Remember what a sweep that was just opened has to share out, and among whom."""
    market, bankrupt = (ledger.action.value(name) for name in ("instrument", "account"))
    row = ledger.world.state.instruments[market]
    if row.operation == Operation.NONE:
        return
    owing = -ledger.after.holders[bankrupt].equity
    if row.operation == Operation.SOCIALISE:
        owing = min(owing, ledger.after.markets[market].debt)
    price = int(row.price)
    profits = {
        id: max(0, one.lots[market] * price - one.costs[market])
        for id, one in enumerate(ledger.after.holders)
        if market in one.lots and id != bankrupt
    }
    ledger.sweeps[market] = Sweep(int(row.operation), price, owing, profits)


def invariant_12_insurance_pays_within_the_tranche(ledger):
    """In a window of a market the insurance fund pays for it no more than the tier's cap."""
    left = -ledger.moved(FundId.INSURANCE)
    if not applied(ledger) or left <= 0:
        return
    params, clock = ledger.world.params, ledger.after.clock
    for market in drawing_markets(ledger):
        window = ledger.windows.setdefault(market, Window())
        if clock - window.opened >= params.insurance_window_ms:
            window.opened, window.used = clock, 0
        tier = int(ledger.world.state.instruments[market].tier)
        paid = min(left, int(params.tiers[tier].insurance_cap) - window.used)
        window.used += paid
        left -= paid
    assert left == 0


def drawing_markets(ledger):
    """The markets on whose account insurance may pay in the act, in the law's order."""
    if ledger.kind == Kind.INBOX:
        return [ledger.action.message.asset]
    if ledger.kind == Kind.AUCTION_BID:
        failing = ledger.before.holders[ledger.action.value("account")]
        return sorted(failing.lots)
    assert ledger.kind in (
        Kind.LIQUIDATE,
        Kind.SETTLE,
        Kind.SWEEP_OPEN,
        Kind.SWEEP_CLOSE,
        Kind.POOL_TAKEOVER,
    )
    fields = ledger.action
    return [fields.instrument if ledger.kind == Kind.LIQUIDATE else fields.value("instrument")]


def invariant_13_shares_of_a_pool_round_against_who_comes_and_goes(ledger):
    """Coming and going at once gains nothing, and moves a share's price by a rounding at most."""
    if not applied(ledger, Kind.POOL_DEPOSIT, Kind.POOL_WITHDRAW):
        return
    pool = ledger.action.value("pool")
    own = int(ledger.world.state.pools[pool].account)
    old, new = ledger.before.holders[own], ledger.after.holders[own]
    (value, supply), (value_after, supply_after) = (
        (worth + VIRTUAL_MICRO, shares + VIRTUAL_SHARES)
        for worth, shares in (ledger.before.pools[pool], ledger.after.pools[pool])
    )
    paid, shares = new.cash - old.cash, supply_after - supply
    assert value_after - value == paid
    # What the rounding kept, in micro-quote times shares: less than one of what was rounded.
    kept = paid * supply - shares * value
    assert 0 <= kept < (value if paid > 0 else supply)
    if paid > 0:
        assert shares * value_after // supply_after <= paid


def invariant_14_value_at_risk_shortfall_and_worst_are_in_order(ledger):
    """Of any positions as a portfolio: VaR <= Expected Shortfall <= the worst of the stress grid.

    The scenarios lie within the grid's lattice, so the tail is part of the stress set.
    """
    state = ledger.world.state
    for lots in books(ledger):
        with bare(state), book_of(state, lots) as place:
            losses = scenario_losses(state, place)
            tail = min(int(state.params[0].shortfall_count), len(losses))
            if tail > 0:
                shortfall, worst = risk(state, place, PPM, tail), risk(state, place, 0, 1)
                assert max(0, losses[tail - 1]) <= shortfall <= worst


def invariant_15_margin_grows_with_shocks_and_not_by_merging(ledger):
    """Larger shocks never lower the margin of linear books; two books need no more merged.

    Nor does a book twice as large need less than twice as much; and where nothing offsets, outside
    portfolios, none needs more with a position that is smaller.
    """
    state = ledger.world.state
    linear = linear_markets(ledger)
    others = [one.lots for one in ledger.after.holders if one.lots][-3:]
    for lots in books(ledger):
        straight = {id: size for id, size in lots.items() if id in linear}
        margins = [shocked_margin(state, straight, quarters) for quarters in (2, 4, 5)]
        assert margins == sorted(margins)
        for other, mode in product(others, (Mode.CROSS, Mode.PORTFOLIO)):
            both = {id: lots.get(id, 0) + other.get(id, 0) for id in lots.keys() | other.keys()}
            apart = maintenance_of(state, lots, mode) + maintenance_of(state, other, mode)
            assert maintenance_of(state, both, mode) <= apart + ROUNDING
        for mode in (Mode.CROSS, Mode.PORTFOLIO):
            doubled = maintenance_of(state, {id: 2 * size for id, size in lots.items()}, mode)
            assert doubled >= 2 * maintenance_of(state, lots, mode) - ROUNDING
        for id, size in lots.items():
            smaller = lots | {id: size // 2 if size > 0 else -(-size // 2)}
            needed = maintenance_of(state, smaller, Mode.CROSS)
            assert needed <= maintenance_of(state, lots, Mode.CROSS)


def invariant_16_independent_actions_commute(ledger):
    """In either order they leave the same accounts and funds, and all other leaves.

    What counts the actions themselves, the sequence accumulator, differs.
    """
    if ledger.orders is None:
        return
    (one, codes), (other, swapped) = ledger.orders
    assert codes == swapped
    assert leaves(one) == leaves(other)


def invariant_17_a_replay_has_the_same_root(ledger):
    """All steps once more from genesis, in an engine, end at the state root that stands."""
    if ledger.roots is not None:
        root, again = ledger.roots
        assert root == again


def invariant_18_fees_cover_rebates(ledger):
    """The fee fund takes exactly what both sides pay, which is never less than nothing."""
    taken = ledger.moved(FundId.FEES)
    expected = 0
    for trade, code in ledger.acts:
        if code == Code.APPLIED and isinstance(trade, Trade):
            for fee in (trade.maker_fee, trade.taker_fee):
                expected += ceil(Fraction(trade.lots * trade.price * fee, PPM))
    assert taken == expected >= 0


def books(ledger, most=2):
    """The positions of a few accounts that the act changed."""
    return [new.lots for _, _, new in changed(ledger) if new.lots][:most]


@contextmanager
def book_of(state, lots, mode=Mode.PORTFOLIO):
    """An account of these positions alone in the last row of the state, where nobody is."""
    place = state.accounts.shape[0] - 1
    before = np.copy(state.accounts[place : place + 1])
    account = state.accounts[place]
    account.mode = mode
    held = sorted((id, size) for id, size in lots.items() if size)
    account.position_count = len(held)
    for position, (id, size) in zip(account.positions, held, strict=False):
        position.instrument, position.lots = id, size
        position.index_high = state.instruments[id].funding_high
        position.index_low = state.instruments[id].funding_low
    try:
        yield place
    finally:
        state.accounts[place : place + 1] = before


@contextmanager
def kept(*tables):
    """Tables of a state that may be changed meanwhile."""
    before = [np.copy(table) for table in tables]
    try:
        yield
    finally:
        for table, old in zip(tables, before, strict=True):
            table[:] = old


@contextmanager
def bare(state):
    """The law with risk alone: no charges, maintenance margin all of it, and the scenarios as they
    stand, whether all are written or not."""
    with kept(state.params, state.underlyings):
        params = state.params[0]
        params.portfolio_offset_ppm = params.portfolio_maintenance_ppm = PPM
        for charge in ("linear_ppm", "concentration_ppm"):
            params.tiers[charge] = 0
        for charge in ("naked_ppm", "short_minimum_ppm", "scenario_rest"):
            state.underlyings[charge] = 0
        yield


def risk(state, place, weight_ppm, count):
    """The risk that the law measures by this blend of Expected Shortfall and worst point."""
    with kept(state.params):
        state.params[0].shortfall_weight_ppm = weight_ppm
        state.params[0].shortfall_count = count
        return margin_of(state, place).maintenance


def scenario_losses(state, place):
    """The losses of the book in `place`, largest first, by the twin."""
    account = state.accounts[place]
    rows = [
        (state.instruments[int(one.instrument)], int(one.lots), 0)
        for one in account.positions[: account.position_count]
    ]
    living = [row for row in rows if row[0].status < InstrumentStatus.SETTLING]
    if not living:
        return []
    vector, _ = vector_of(state, state.underlyings[0], living, int(state.globals[0].clock))
    return losses_of(state, {0: vector})


def shocked_margin(state, lots, quarters):
    """The margin of a book by the stress grid alone, at shocks of this many quarters."""
    with kept(state.params, state.underlyings), book_of(state, lots) as place:
        state.params[0].shortfall_weight_ppm = 0
        for underlying in state.underlyings:
            underlying.prices[:] = underlying.prices * quarters // 4
        return margin_of(state, place).maintenance


def maintenance_of(state, lots, mode):
    with book_of(state, lots, mode) as place:
        return margin_of(state, place).maintenance


def leaves(state):
    """Every leaf but for what counts the actions."""
    hash_pages(state)
    with kept(state.globals):
        state.globals[0].sequenced_accumulator[:] = 0
        found = [globals_leaf(state), state.params.tobytes(), state.withdrawals.tobytes()]
    return found + [every_leaf(state, kind, count) for kind, _, count in TABLES]


INVARIANTS = tuple(
    found for name, found in sorted(globals().items()) if name.startswith("invariant_")
)


def check(ledger):
    """Ask about all eighteen."""
    for invariant in INVARIANTS:
        invariant(ledger)

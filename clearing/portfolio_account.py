"""Portfolio margin of an account of the state: its positions as a book, its risk, its charges.

The risk itself is `clearing.portfolio`'s. Here positions are put in order (by underlying, linear
ones first, then by expiry), get their rows (an option's active row, a linear one's own, a fallback
where rows are too old), and the parameters of their underlyings, series and tiers.
"""

from typing import NamedTuple

from clearing.charges import (
    LINEAR,
    REQUIREMENT_MAX,
    capped_sum,
    concentration_charge,
    confidence_missing,
    notional_share,
    requirement,
    scaled,
    shortfall_charge,
)
from clearing.codes import InstrumentKind, InstrumentStatus
from clearing.compiler import kernel, law
from clearing.grid import (
    AXIS,
    DISCOUNT_SCALE,
    FALLBACK,
    FRESH,
    POINTS,
    aged_initial,
    carried_forward,
    discounted,
    fallback_row,
    linear_row,
)
from clearing.layout import Rows
from clearing.lookup import draft_of, find_instrument, find_underlying
from clearing.marks import is_option, mark_price
from clearing.portfolio import (
    BASIS_PPM_MAX,
    TAIL_MAX,
    Book,
    Method,
    Terms,
    Workspace,
    expected_shortfall,
    measured_risk,
    portfolio_risk,
)
from clearing.positions import pending_funding
from clearing.records import Account, Instrument, Params, State, Underlying
from clearing.units import POSITIONS_MAX, PPM, SCENARIOS_MAX, SERIES_MAX, UNDERLYINGS_MAX
from clearing.valuation import option_gross, series_age, stable_reduction
from clearing.wide import mul_div_floor, multiply

YEAR_MS = 365 * 86_400_000
DISCOUNT_PPM = DISCOUNT_SCALE // PPM
GUARD = 1  # micro-quote a lot and point: rows are rounded to nearest
KEYS = 2 * SERIES_MAX  # places of an underlying in the order: linear, then its series
PLACE_BITS = 8

# Where each array lies in the working memory.
_ORDER = 0
_REFERENCE = _ORDER + POSITIONS_MAX
_MARK = _REFERENCE + POSITIONS_MAX
_LOTS = _MARK + POSITIONS_MAX
_GROUP = _LOTS + POSITIONS_MAX
_EXPIRY = _GROUP + POSITIONS_MAX
_VALUE = _EXPIRY + POSITIONS_MAX
_LONG = _VALUE + POSITIONS_MAX
_SHORT = _LONG + POSITIONS_MAX
_BASIS = _SHORT + POSITIONS_MAX
_ROWS = _BASIS + POSITIONS_MAX
_DAMPS = _ROWS + POSITIONS_MAX * POINTS
_CELLS = _DAMPS + UNDERLYINGS_MAX * POINTS
_HELD = _CELLS + UNDERLYINGS_MAX * SCENARIOS_MAX
_VECTORS = _HELD + POINTS
_WORST = _VECTORS + UNDERLYINGS_MAX * POINTS
_WORST_POINT = _WORST + UNDERLYINGS_MAX
_GROUP_BASIS = _WORST_POINT + UNDERLYINGS_MAX
_AXIS = _GROUP_BASIS + UNDERLYINGS_MAX
_LOSSES = _AXIS + AXIS
_LARGEST = _LOSSES + SCENARIOS_MAX
_GROUPS = _LARGEST + TAIL_MAX
WORKSPACE_PIECES = _GROUPS + UNDERLYINGS_MAX


class Desk(NamedTuple):
    """The working memory of one measurement, cut into its arrays."""

    order: Rows[int]  # (underlying, series) and place in the account, packed and sorted
    reference: Rows[int]  # by place: draft of the instrument, or -1 - its row
    mark: Rows[int]  # by place
    groups: Rows[int]  # row of the underlying of each group
    book: Book
    terms: Terms
    space: Workspace


class Charges(NamedTuple):
    """What is added to the risk of a portfolio, in micro-quote, each at most REQUIREMENT_MAX."""

    both: int
    initial: int
    minimum: int


@law
def desk_of(memory: Rows[int]) -> Desk:
    """Cut the working memory into arrays."""
    book = Book(
        memory[_LOTS:_GROUP],
        memory[_GROUP:_EXPIRY],
        memory[_EXPIRY:_VALUE],
        memory[_VALUE:_LONG],
        memory[_ROWS:_DAMPS].reshape((POSITIONS_MAX, POINTS)),
    )
    terms = Terms(
        memory[_LONG:_SHORT],
        memory[_SHORT:_BASIS],
        memory[_BASIS:_ROWS],
        memory[_DAMPS:_CELLS].reshape((UNDERLYINGS_MAX, POINTS)),
        memory[_CELLS:_HELD].reshape((UNDERLYINGS_MAX, SCENARIOS_MAX)),
    )
    space = Workspace(
        memory[_HELD:_VECTORS],
        memory[_VECTORS:_WORST].reshape((UNDERLYINGS_MAX, POINTS)),
        memory[_WORST:_WORST_POINT],
        memory[_WORST_POINT:_GROUP_BASIS],
        memory[_GROUP_BASIS:_AXIS],
        memory[_AXIS:_LOSSES],
        memory[_LOSSES:_LARGEST],
        memory[_LARGEST:_GROUPS],
    )
    return Desk(
        memory[_ORDER:_REFERENCE],
        memory[_REFERENCE:_MARK],
        memory[_MARK:_LOTS],
        memory[_GROUPS:WORKSPACE_PIECES],
        book,
        terms,
        space,
    )


@kernel
def copy_values(target: Rows[int], source: Rows[int], count: int) -> None:
    """Copy `count` pieces; comparing once lets the compiler copy them together."""
    if count > target.shape[0] or count > source.shape[0]:
        raise IndexError("expected arrays of that many pieces")
    for i in range(count):
        target[i] = source[i]


@law
def portfolio_terms(
    state: State, account: Account, drafted: int
) -> tuple[int, int, int, int, int, int, bool]:
    """Return (worth, unrealised profit, reduction, initial, maintenance, gross, valid).

    Worth is value less funding owed, initial margin that of risk and charges alone; both margins
    are at most REQUIREMENT_MAX. Not valid if a value leaves 64 bits or a witness lacks a leaf.
    """
    desk = desk_of(state.workspace)
    count, worth, unrealised, reduction, gross, valid = gather(state, account, drafted, desk)
    if not valid:
        return 0, 0, 0, 0, 0, 0, False
    if count == 0:
        return worth, unrealised, reduction, 0, 0, gross, True
    scenarios, partial, rung, charges = arrange(state, account, desk, count)
    initial, maintenance = margins_of(
        state.params[0], desk, count, scenarios, partial, rung, charges
    )
    return worth, unrealised, reduction, initial, maintenance, gross, True


@law
def gather(
    state: State, account: Account, drafted: int, desk: Desk
) -> tuple[int, int, int, int, int, bool]:
    """Value each position and put those that bear risk in order.

    Returns (how many bear risk, worth, unrealised profit, reduction, gross, valid). Positions in
    markets that settle are worth their settlement and bear no risk.
    """
    count = 0
    worth = 0
    cost = 0
    reduction = 0
    gross = 0
    for i in range(account.position_count):
        position = account.positions[i]
        draft = draft_of(state, position.instrument, drafted)
        if draft >= 0:
            instrument = state.instrument_drafts[draft]
            desk.reference[i] = draft
        else:
            row = find_instrument(state, position.instrument)
            if row < 0:
                return 0, 0, 0, 0, 0, False
            instrument = state.instruments[row]
            desk.reference[i] = -1 - row
        underlying = find_underlying(state, instrument.underlying)
        mark = mark_price(state, instrument)
        value, value_fits = multiply(position.lots, mark)
        owed, owed_fits = pending_funding(position, instrument)
        if underlying < 0 or not (value_fits and owed_fits):
            return 0, 0, 0, 0, 0, False
        worth += value - owed
        cost += position.entry_cost
        if instrument.status >= InstrumentStatus.SETTLING:
            continue
        spot = mark
        key = instrument.underlying * KEYS
        if is_option(instrument):
            spot = state.underlyings[underlying].index_price
            key += 1 + instrument.series
        part, gross_fits = option_gross(position.lots, mark, spot)
        if not gross_fits:
            return 0, 0, 0, 0, 0, False
        gross += part
        reduction += stable_reduction(position.lots, mark, instrument.stable_price)
        desk.mark[i] = mark
        insert(desk.order, count, key << PLACE_BITS | i)
        count += 1
    return count, worth, worth - cost, reduction, gross, True


@law
def insert(order: Rows[int], count: int, packed: int) -> None:
    """Insert into the first `count` sorted numbers; accounts are nearly in order already."""
    place = count
    while place > 0 and order[place - 1] > packed:
        order[place] = order[place - 1]
        place -= 1
    order[place] = packed


@law
def arrange(
    state: State, account: Account, desk: Desk, count: int
) -> tuple[int, bool, int, Charges]:
    """Fill book and terms in order, and add up the charges.

    Returns (joint scenarios, whether they are being written, the oldest rung of the rows, charges).
    An underlying without scenarios leaves the account without joint ones, as does one whose list
    nobody finished.
    """
    book = desk.book
    group = -1
    expiry = -1
    last = -1
    short = 0
    scenarios = SCENARIOS_MAX
    partial = False
    rung = FRESH
    series_rung = FRESH
    charges = Charges(0, 0, 0)
    row = 0
    for k in range(count):
        packed = desk.order[k]
        key = packed >> PLACE_BITS
        place = packed - (key << PLACE_BITS)
        if last < 0 or key // KEYS != last // KEYS:
            if group >= 0:
                charges = add_shorts(charges, state.underlyings[row], short)
            short = 0
            group += 1
            row = find_underlying(state, key // KEYS)
            desk.groups[group] = row
            underlying = state.underlyings[row]
            scenarios = min(scenarios, underlying.scenario_count)
            if underlying.scenario_rest > 0:
                partial = True
                age = state.globals[0].clock - underlying.scenario_time
                if age > state.params[0].row_age_fallback_ms:
                    scenarios = 0
            copy_values(desk.terms.damp_ppm[group], underlying.damps, POINTS)
            copy_values(desk.terms.cells[group], underlying.cells, underlying.scenario_count)
        underlying = state.underlyings[row]
        number = key % KEYS - 1
        if key != last and number >= 0:
            expiry += 1
            series_rung = series_age(state, underlying.series[number])
            rung = max(rung, series_rung)
            set_series(desk.terms, expiry, underlying, number, state.globals[0].clock)
        last = key
        position = account.positions[place]
        book.lots[k] = position.lots
        book.underlying[k] = group
        book.expiry[k] = expiry if number >= 0 else LINEAR
        book.value[k] = desk.mark[place] if number >= 0 else 0
        reference = desk.reference[place]
        if reference >= 0:
            instrument = state.instrument_drafts[reference]
        else:
            instrument = state.instruments[-1 - reference]
        mark = desk.mark[place]
        write_row(book.rows[k], instrument, underlying, mark, position.lots, series_rung)
        charges = add_position(
            charges, state.params[0], instrument, underlying, mark, position.lots
        )
        short += max(0, -position.lots) if number >= 0 else 0
    charges = add_shorts(charges, state.underlyings[row], short)
    return scenarios, partial, rung, charges


@law
def set_series(terms: Terms, expiry: int, underlying: Underlying, number: int, clock: int) -> None:
    """Write the discounts of a series and its basis, which widens with the time that is left."""
    series = underlying.series[number]
    terms.long_discount[expiry] = series.discount_long_ppm * DISCOUNT_PPM
    terms.short_discount[expiry] = series.discount_short_ppm * DISCOUNT_PPM
    left = max(0, series.expiry - clock)
    widening, fits = mul_div_floor(underlying.basis_year_ppm, left, YEAR_MS)
    if not fits:
        widening = BASIS_PPM_MAX
    terms.basis_ppm[expiry] = min(
        BASIS_PPM_MAX, underlying.basis_ppm + min(BASIS_PPM_MAX, widening)
    )


@law
def write_row(
    row: Rows[int],
    instrument: Instrument,
    underlying: Underlying,
    mark: int,
    lots: int,
    rung: int,
) -> None:
    """Write what one lot gains (linear) or is worth (option) at each point of the grid."""
    if not is_option(instrument):
        linear_row(row, mark, underlying.prices, POINTS)
        return
    number = underlying.series[instrument.series].active_number
    risk = instrument.rows[number % 2]
    if rung < FALLBACK and risk.number == number:
        copy_values(row, risk.values, POINTS)
        return
    if lots > 0 and mark == 0:
        # Equity holds nothing of it, so it may not hedge anything either.
        for point in range(POINTS):
            row[point] = 0
        return
    stand_in(row, instrument, underlying, mark, lots)


@law
def stand_in(
    row: Rows[int], instrument: Instrument, underlying: Underlying, mark: int, lots: int
) -> None:
    """Write the fallback row of an option, at the worse of the index and its last carried forward.

    What expires is worth less now: of a long the last discount is taken off, if it is one. Carry
    only ever counts against the holder, so that it may be as old as it is.
    """
    series = underlying.series[instrument.series]
    is_call = instrument.kind == InstrumentKind.CALL
    forward = carried_forward(
        underlying.index_price, series.forward_price, series.reference_price, is_call == (lots < 0)
    )
    fallback_row(
        row, POINTS, lots < 0, is_call, instrument.strike, forward, mark, underlying.prices
    )
    if lots > 0 and 0 < series.discount_nano < DISCOUNT_SCALE:
        for point in range(POINTS):
            row[point] = discounted(row[point], series.discount_nano, DISCOUNT_SCALE)


@law
def add_position(
    charges: Charges,
    params: Params,
    instrument: Instrument,
    underlying: Underlying,
    mark: int,
    lots: int,
) -> Charges:
    """Add one position's charges: on linear notional, concentration, and a price in doubt."""
    tier = params.tiers[instrument.tier]
    both = charges.both
    price = mark
    confidence = instrument.confidence_ppm
    if is_option(instrument):
        price = underlying.index_price
        confidence = underlying.series[instrument.series].confidence_ppm
    else:
        both = capped_sum(both, notional_share(lots, price, tier.linear_ppm))
    if tier.concentration_lots > 0:
        both = capped_sum(
            both,
            concentration_charge(lots, tier.concentration_lots, price, tier.concentration_ppm),
        )
    initial = charges.initial
    missing = confidence_missing(confidence, params.confidence_floor_ppm)
    if missing > 0:
        initial = capped_sum(initial, shortfall_charge(lots, price, missing, params.confidence_ppm))
    return Charges(both, initial, charges.minimum)


@law
def add_shorts(charges: Charges, underlying: Underlying, short: int) -> Charges:
    """Add the charge on an underlying's short options, and what short options need at the least.

    Positions of one account in one option are one position, so none covers another.
    """
    index = underlying.index_price
    return Charges(
        capped_sum(charges.both, notional_share(short, index, underlying.naked_ppm)),
        charges.initial,
        capped_sum(charges.minimum, notional_share(short, index, underlying.short_minimum_ppm)),
    )


@law
def requirement_of(params: Params, risk: int, charges: Charges) -> tuple[int, int]:
    """Return (initial, maintenance) of a risk and the charges."""
    return requirement(
        risk,
        params.portfolio_initial_ppm,
        params.portfolio_maintenance_ppm,
        charges.both,
        charges.initial,
        charges.minimum,
    )


@law
def margins_of(
    params: Params,
    desk: Desk,
    count: int,
    scenarios: int,
    partial: bool,
    rung: int,
    charges: Charges,
) -> tuple[int, int]:
    """Return (initial, maintenance) of the book: risk, charges, the factor of rows that age.

    Scenarios that are being written count against whoever opens and for nobody's liquidation:
    initial margin takes no offset by them, maintenance margin all that there could be.
    """
    if params.shortfall_weight_ppm == 0:
        scenarios = 0
    tail = max(1, min(params.shortfall_count, TAIL_MAX))
    worst, total, _, shift = portfolio_risk(
        desk.space, desk.book, desk.terms, count, POINTS, scenarios, tail, GUARD
    )
    risk = worst
    least = worst
    if scenarios > 0:
        expected = expected_shortfall(total, min(tail, scenarios))
        weight, offset = params.shortfall_weight_ppm, params.portfolio_offset_ppm
        risk = measured_risk(Method.BLEND, worst, expected, weight, offset)
        least = risk
        if partial:
            risk = max(worst, risk)
            least = measured_risk(Method.BLEND, worst, 0, PPM, offset)
    initial, maintenance = requirement_of(params, scaled(risk, shift), charges)
    if least < risk:
        _, maintenance = requirement_of(params, scaled(least, shift), charges)
    initial, fits = aged_initial(initial, rung, params.row_age_ppm)
    return min(initial, REQUIREMENT_MAX) if fits else REQUIREMENT_MAX, maintenance

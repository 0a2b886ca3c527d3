"""The stress grid of portfolio margin: its points, its rows, and interpolation between points.

POINTS points: a lattice of nine price levels by three volatility levels (down, none, up), point =
price level * 3 + volatility level, then six tails at unchanged volatility, two low (the more
extreme first) and four high (rising). The structure is law; the shocks are data, one
``price_shock_ppm`` and ``damp_ppm`` a point and three volatility shocks. A list of points without
lattice (SPAN's sixteen) is a shorter row, for the worst point only.

A *row* is what one lot is worth (options) or gains (linear instruments) at each point, in
micro-quote. Prices are micro-quote per lot, shocks are signed ppm of the price.
"""

from clearing.compiler import kernel, law
from clearing.layout import Rows
from clearing.units import PPM, PRICE_MAX
from clearing.wide import mul_div_ceil, mul_div_floor, product_at_least

PRICE_LEVELS = 9
VOLATILITY_LEVELS = 3
LATTICE = PRICE_LEVELS * VOLATILITY_LEVELS
TAILS_LOW = 2
TAILS_HIGH = 4
POINTS = LATTICE + TAILS_LOW + TAILS_HIGH
CENTRE = LATTICE // 2  # no price shock, no volatility shock
LEVEL_ABOVE = CENTRE + VOLATILITY_LEVELS  # one price level up, volatility unchanged
LEVEL_BELOW = CENTRE - VOLATILITY_LEVELS
NODES = TAILS_LOW + PRICE_LEVELS + TAILS_HIGH  # prices of the grid from lowest to highest
AXIS = NODES * VOLATILITY_LEVELS  # values of an unfolded vector, node by node
WEIGHT_BITS = 20
ONE = 1 << WEIGHT_BITS  # an interpolation weight of one
VALUE_LIMIT = 1 << 61  # magnitude up to which `lerp` is exact
SHOCK_MAX = 10 * PPM  # magnitude of a price or volatility shock
ROW_MAX = 1 << 50  # micro-quote of one lot at one point
DISCOUNT_SCALE = 10**9  # one, as a discount factor
DISCOUNT_MAX = 2 * DISCOUNT_SCALE

# A packed cell: first of its four values in the unfolded vector, then two weights.
_FIELD_BITS = WEIGHT_BITS + 1  # a weight may be exactly one
_FIELD = (1 << _FIELD_BITS) - 1

FRESH, AGING, REDUCE_ONLY, FALLBACK = range(4)  # rungs of the age ladder of rows


@law
def linear_pnl(mark_price: int, shock_ppm: int) -> int:
    """Return the gain of one lot, mark * shock rounded to nearest (half up), micro-quote.

    Bounds: mark up to 2^48, |shock| up to SHOCK_MAX.
    """
    whole = mark_price // PPM
    rest = mark_price - whole * PPM
    return whole * shock_ppm + (rest * shock_ppm + PPM // 2) // PPM


@law
def linear_row(row: Rows[int], mark_price: int, price_shock_ppm: Rows[int], points: int) -> None:
    """Write the row of a linear instrument: the law recomputes it, nobody publishes it."""
    for point in range(points):
        # Points of a level share their price shock.
        if point > 0 and price_shock_ppm[point] == price_shock_ppm[point - 1]:
            row[point] = row[point - 1]
        else:
            row[point] = linear_pnl(mark_price, price_shock_ppm[point])


@law
def shocked_forward(variable: int, fixed: int, shock_ppm: int) -> int:
    """Return a forward after a price shock: its settled part (an average so far) stays."""
    return fixed + variable + linear_pnl(variable, shock_ppm)


@law
def discounted(value: int, long_factor: int, short_factor: int) -> int:
    """Return floor(value * factor / DISCOUNT_SCALE): one factor for assets, one for debts.

    Exact without 128 bits for |value| up to 2^61 and factors 0 .. DISCOUNT_MAX.
    """
    factor = short_factor if value < 0 else long_factor
    whole = value // DISCOUNT_SCALE
    rest = value - whole * DISCOUNT_SCALE
    return whole * factor + rest * factor // DISCOUNT_SCALE


@law
def damped(value: int, damp_ppm: int) -> int:
    """Return floor(value * damp / 10^6), exact for |value| up to 2^61 and a damp of 0 .. 10^6."""
    if damp_ppm == PPM:
        return value
    whole = value // PPM
    rest = value - whole * PPM
    return whole * damp_ppm + rest * damp_ppm // PPM


@kernel
def interpolated(low: int, high: int, weight: int) -> int:
    """Return ``lerp`` without traps, so that loops over it vectorise.

    No step leaves 64 bits while |low|, |high| <= VALUE_LIMIT and 0 <= weight <= ONE: the
    difference is below 2^62 + 1, its upper part times the weight below 2^62 + 2^20, the lower
    part times the weight at most 2^40.
    """
    difference = high - low
    upper = (difference >> WEIGHT_BITS) * weight
    lower = ((difference & (ONE - 1)) * weight) >> WEIGHT_BITS
    return low + (upper + lower)


@law
def lerp(low: int, high: int, weight: int) -> int:
    """Return floor(low + (high - low) * weight / 2^20), exact without 128 bits.

    Bounds: |low|, |high| up to VALUE_LIMIT, weight 0 .. ONE.
    """
    return interpolated(low, high, weight)


@law
def point_of(node: int) -> int:
    """Return the point of price node 0 .. NODES - 1 at unchanged volatility."""
    if node < TAILS_LOW:
        return LATTICE + node
    if node < TAILS_LOW + PRICE_LEVELS:
        return (node - TAILS_LOW) * VOLATILITY_LEVELS + 1
    return LATTICE + node - PRICE_LEVELS


@law
def grid_is_ordered(
    price_shock_ppm: Rows[int], damp_ppm: Rows[int], volatility_shock_ppm: Rows[int]
) -> bool:
    """Tell whether `is_ordered` holds of volatility shocks down, none and up."""
    return volatility_shock_ppm[1] == 0 and is_ordered(
        price_shock_ppm, damp_ppm, volatility_shock_ppm[0], volatility_shock_ppm[2]
    )


@law
def is_ordered(
    price_shock_ppm: Rows[int], damp_ppm: Rows[int], volatility_down: int, volatility_up: int
) -> bool:
    """Tell whether POINTS shocks make a grid that cells can be derived on.

    Prices rise strictly from node to node within -10^6 .. SHOCK_MAX, points of a level share
    their price, the centre is no shock, volatilities rise strictly around zero, lattice points
    are not damped, and tails are damped within 0 .. 10^6.
    """
    if price_shock_ppm[CENTRE] != 0:
        return False
    if not -SHOCK_MAX <= volatility_down < 0 < volatility_up <= SHOCK_MAX:
        return False
    last = -PPM - 1
    for node in range(NODES):
        shock = price_shock_ppm[point_of(node)]
        if not last < shock <= SHOCK_MAX:
            return False
        last = shock
    for point in range(POINTS):
        if not 0 <= damp_ppm[point] <= PPM:
            return False
        if point < LATTICE:
            level = price_shock_ppm[point // VOLATILITY_LEVELS * VOLATILITY_LEVELS + 1]
            if price_shock_ppm[point] != level or damp_ppm[point] != PPM:
                return False
    return True


@law
def weight_between(shock: int, low: int, high: int) -> int:
    """Return the weight 0 .. ONE of `shock` between two shocks, low < high, rounded down."""
    if shock <= low:
        return 0
    if shock >= high:
        return ONE
    return (shock - low) * ONE // (high - low)


@law
def derive_cell(
    price_shock: int,
    volatility_shock: int,
    price_shock_ppm: Rows[int],
    volatility_shock_ppm: Rows[int],
) -> int:
    """Return `cell_at` of a grid whose volatility shocks are down, none and up."""
    return cell_at(
        price_shock,
        volatility_shock,
        price_shock_ppm,
        volatility_shock_ppm[0],
        volatility_shock_ppm[2],
    )


@law
def cell_at(
    price_shock: int,
    volatility_shock: int,
    price_shock_ppm: Rows[int],
    volatility_down: int,
    volatility_up: int,
) -> int:
    """Return where a joint scenario lies on an ordered grid, packed into one integer.

    Kept beside the scenario, so that margin neither searches nor divides. Beyond the first and
    last node, and beyond volatility down and up, the scenario counts as lying on the edge.
    """
    node = 0
    while node < NODES - 2 and price_shock > price_shock_ppm[point_of(node + 1)]:
        node += 1
    level = 0 if volatility_shock <= 0 else 1
    price_weight = weight_between(
        price_shock, price_shock_ppm[point_of(node)], price_shock_ppm[point_of(node + 1)]
    )
    if level == 0:
        volatility_weight = weight_between(volatility_shock, volatility_down, 0)
    else:
        volatility_weight = weight_between(volatility_shock, 0, volatility_up)
    first = node * VOLATILITY_LEVELS + level
    return ((first << _FIELD_BITS | price_weight) << _FIELD_BITS) | volatility_weight


@law
def cell_first(cell: int) -> int:
    """Return the first of a cell's values in the unfolded vector: node * 3 + volatility level."""
    return cell >> (2 * _FIELD_BITS)


@law
def cell_price_weight(cell: int) -> int:
    """Return the weight of a cell's upper price, 0 .. ONE."""
    return (cell >> _FIELD_BITS) & _FIELD


@law
def cell_volatility_weight(cell: int) -> int:
    """Return the weight of a cell's upper volatility, 0 .. ONE."""
    return cell & _FIELD


@law
def unfold(axis: Rows[int], vector: Rows[int]) -> None:
    """Write a vector of POINTS values node by node, three volatilities each, into AXIS values.

    A tail has one value for all three.
    """
    for node in range(NODES):
        point = point_of(node)
        first = node * VOLATILITY_LEVELS
        spread = 1 if point < LATTICE else 0
        axis[first] = vector[point - spread]
        axis[first + 1] = vector[point]
        axis[first + 2] = vector[point + spread]


@kernel
def valued(axis: Rows[int], cell: int) -> int:
    """Return the value of an unfolded vector at a cell: by volatility first, then by price."""
    first = cell >> (2 * _FIELD_BITS)
    price_weight = (cell >> _FIELD_BITS) & _FIELD
    weight = cell & _FIELD
    low = interpolated(axis[first], axis[first + 1], weight)
    high = interpolated(
        axis[first + VOLATILITY_LEVELS], axis[first + VOLATILITY_LEVELS + 1], weight
    )
    return interpolated(low, high, price_weight)


@law
def intrinsic(is_call: bool, strike: int, forward: int) -> int:
    """Return max(forward - strike, 0) of a call, max(strike - forward, 0) of a put."""
    return max(forward - strike if is_call else strike - forward, 0)


@law
def check_row_bounds(
    row: Rows[int],
    points: int,
    is_call: bool,
    strike: int,
    forward: int,
    discount: int,
    price_shock_ppm: Rows[int],
    epsilon: int,
) -> int:
    """Return the first point where an option's value is impossible, or -1 if there is none.

    Legal: discounted intrinsic at the shocked forward, less `epsilon` (micro-quote, for roundings)
    .. discounted forward (call) or strike (put), plus epsilon; never negative or above ROW_MAX.
    `discount` is in 1 / DISCOUNT_SCALE, up to DISCOUNT_MAX.
    """
    for point in range(points):
        shocked = shocked_forward(forward, 0, price_shock_ppm[point])
        least = discounted(intrinsic(is_call, strike, shocked), discount, discount)
        most = discounted(shocked if is_call else strike, discount, discount)
        value = row[point]
        if not 0 <= value <= ROW_MAX or not least - epsilon <= value <= most + 1 + epsilon:
            return point
    return -1


@law
def check_strike_pair(
    lower: Rows[int],
    upper: Rows[int],
    points: int,
    is_call: bool,
    strike_gap: int,
    discount: int,
    epsilon: int,
) -> int:
    """Return the first point where two strikes disagree, or -1.

    A call is worth no more at the upper strike, a put no less, and the difference is at most the
    discounted gap of the strikes; `epsilon` micro-quote are forgiven. Values within ROW_MAX.
    """
    most = discounted(strike_gap, discount, discount) + 1 + epsilon
    for point in range(points):
        difference = lower[point] - upper[point] if is_call else upper[point] - lower[point]
        if not -epsilon <= difference <= most:
            return point
    return -1


@law
def check_strike_neighbours(
    lower_strike: int,
    lower: Rows[int],
    strike: int,
    middle: Rows[int],
    upper_strike: int,
    upper: Rows[int],
    points: int,
    epsilon: int,
) -> int:
    """Return the first point where three rising strikes are not convex, or -1.

    (K3 - K2) * v1 + (K2 - K1) * v3 + (K3 - K1) * epsilon >= (K3 - K1) * v2, whatever the
    spacing; epsilon 1 forgives values rounded to nearest. Values within ROW_MAX.
    """
    for point in range(points):
        value = middle[point]
        if not product_at_least(
            upper_strike - strike,
            lower[point] - value + epsilon,
            strike - lower_strike,
            value - upper[point] - epsilon,
        ):
            return point
    return -1


@law
def parity_residual(call: int, put: int, strike: int, forward: int, discount: int) -> int:
    """Return call - put - discount * (forward - strike), the discounted part rounded down."""
    return call - put - discounted(forward - strike, discount, discount)


@law
def check_parity(
    call: Rows[int],
    put: Rows[int],
    points: int,
    strike: int,
    forward: int,
    discount: int,
    price_shock_ppm: Rows[int],
    epsilon: int,
) -> int:
    """Return the first point where |parity residual| exceeds `epsilon` micro-quote, or -1."""
    for point in range(points):
        shocked = shocked_forward(forward, 0, price_shock_ppm[point])
        residual = parity_residual(call[point], put[point], strike, shocked, discount)
        if abs(residual) > epsilon:
            return point
    return -1


@law
def check_row_jump(
    old: Rows[int], new: Rows[int], first: int, stop: int, index_price: int, jump_ppm: int
) -> int:
    """Return the first of the points `first` .. `stop` - 1 that moved too far, or -1.

    Too far is more than `jump_ppm` of the index price.
    """
    most, fits = mul_div_floor(index_price, jump_ppm, PPM)
    for point in range(first, stop):
        if fits and abs(new[point] - old[point]) > most:
            return point
    return -1


@law
def row_age(age_ms: int, aging_ms: int, reduce_only_ms: int, fallback_ms: int) -> int:
    """Return the rung of a row of this age: FRESH, AGING, REDUCE_ONLY or FALLBACK.

    The three ages rise; a row is on a rung when it is older than that age.
    """
    if age_ms > fallback_ms:
        return FALLBACK
    if age_ms > reduce_only_ms:
        return REDUCE_ONLY
    return AGING if age_ms > aging_ms else FRESH


@law
def aged_initial(initial: int, rung: int, aged_ppm: int) -> tuple[int, bool]:
    """Return initial margin on a rung, times `aged_ppm` unless fresh, up, and whether it fits."""
    return mul_div_ceil(initial, PPM if rung == FRESH else aged_ppm, PPM)


@law
def carried_forward(index_price: int, forward: int, reference: int, highest: bool) -> int:
    """Return the higher or the lower of an index and the forward that signed carry makes of it.

    `forward` was signed at the index price `reference`; both are 0 if none was. At most 2^48.
    """
    if forward <= 0 or reference <= 0:
        return index_price
    carried, fits = mul_div_floor(index_price, forward, reference)
    if not fits or carried > PRICE_MAX:
        carried = PRICE_MAX
    return max(index_price, carried) if highest else min(index_price, carried)


@law
def fallback_row(
    row: Rows[int],
    points: int,
    is_short: bool,
    is_call: bool,
    strike: int,
    forward: int,
    mark_price: int,
    price_shock_ppm: Rows[int],
) -> None:
    """Write what stands in for a row that is too old, against its holder.

    A long keeps intrinsic value at each point, the centre too. A short owes at the centre the
    last mark or more, and elsewhere intrinsic at the extreme tail, undamped.
    """
    least, most = 0, 0
    for point in range(points):
        least = min(least, price_shock_ppm[point])
        most = max(most, price_shock_ppm[point])
    now = intrinsic(is_call, strike, forward)
    extreme = shocked_forward(forward, 0, most if is_call else least)
    owed = max(mark_price, now)
    for point in range(points):
        if not is_short:
            shocked = shocked_forward(forward, 0, price_shock_ppm[point])
            row[point] = intrinsic(is_call, strike, shocked)
        elif point == CENTRE:
            row[point] = owed
        else:
            row[point] = max(owed, intrinsic(is_call, strike, extreme))

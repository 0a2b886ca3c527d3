"""Sensitivities of an account, by finite differences of its grid vector: reported, never judged.

A vector holds what the account gains at each point of the stress grid, micro-quote. Differences are
taken over one level of the lattice, so what is charged alike at every point cancels.
"""

from clearing.charges import scaled
from clearing.compiler import law
from clearing.grid import CENTRE, LEVEL_ABOVE, LEVEL_BELOW, POINTS
from clearing.layout import Rows
from clearing.portfolio import unit_shift
from clearing.portfolio_account import arrange, desk_of, gather, margins_of
from clearing.records import Account, State
from clearing.wide import mul_div_floor

ONE_PERCENT_PPM = 10_000
GREEK_MAX = 1 << 60  # micro-quote; beyond, values saturate
GREEKS = 4  # numbers of one underlying: its id, delta, gamma, vega


@law
def per_percent(difference: int, distance_ppm: int) -> int:
    """Return difference per one per cent of distance, rounded down, within +-GREEK_MAX.

    It saturates if the distance is not positive.
    """
    slope, fits = mul_div_floor(difference, ONE_PERCENT_PPM, distance_ppm)
    if not fits:
        return GREEK_MAX if difference > 0 else -GREEK_MAX
    return max(-GREEK_MAX, min(slope, GREEK_MAX))


@law
def account_greeks(
    vector: Rows[int], price_shock_ppm: Rows[int], volatility_down: int, volatility_up: int
) -> tuple[int, int, int]:
    """Return (delta, gamma, vega) of a vector whose values are within +-GREEK_MAX, micro-quote.

    Delta: gain when the price rises by 1 %. Gamma: by how much delta rises then. Vega: gain when
    volatility rises by 1 % of itself. Levels that are not apart saturate.
    """
    above = price_shock_ppm[LEVEL_ABOVE]
    below = -price_shock_ppm[LEVEL_BELOW]
    up = per_percent(vector[LEVEL_ABOVE] - vector[CENTRE], above)
    down = per_percent(vector[CENTRE] - vector[LEVEL_BELOW], below)
    delta = per_percent(vector[LEVEL_ABOVE] - vector[LEVEL_BELOW], above + below)
    # The slopes belong to the middles of their steps, half of both steps apart.
    gamma = per_percent(2 * (up - down), above + below)
    vega = per_percent(vector[CENTRE + 1] - vector[CENTRE - 1], volatility_up - volatility_down)
    return delta, gamma, vega


@law
def state_greeks(state: State, account: Account, found: Rows[int]) -> int:
    """Write GREEKS numbers an underlying of the account, in any mode; return how many underlyings.

    Zero also if the account cannot be measured. Positions that settle have none.
    """
    desk = desk_of(state.workspace)
    count, _, _, _, _, valid = gather(state, account, 0, desk)
    if not valid or count == 0:
        return 0
    _, _, rung, charges = arrange(state, account, desk, count)
    margins_of(state.params[0], desk, count, 0, False, rung, charges)
    shift = unit_shift(desk.book, count, POINTS)
    groups = desk.book.underlying[count - 1] + 1
    for group in range(groups):
        vector = desk.space.vectors[group]
        for point in range(POINTS):
            value = scaled(vector[point], shift)
            vector[point] = max(-GREEK_MAX, min(value, GREEK_MAX))
        underlying = state.underlyings[desk.groups[group]]
        delta, gamma, vega = account_greeks(
            vector,
            underlying.prices,
            underlying.volatility_down_ppm,
            underlying.volatility_up_ppm,
        )
        found[GREEKS * group] = underlying.id
        found[GREEKS * group + 1] = delta
        found[GREEKS * group + 2] = gamma
        found[GREEKS * group + 3] = vega
    return groups
